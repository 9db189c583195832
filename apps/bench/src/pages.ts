// What the first view of the sign-in page weighs: the bytes of the page and of everything it names, before any compression.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuth } from 'symbolon'
import type { Figures } from './figures.ts'
import { issuer } from './rooms.ts'

/** Measures. */
export async function measurePages(figures: Figures): Promise<void> {
  figures.begin('weighing the sign-in page')
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-bench-'))
  const auth = createAuth({ issuer, dev: true, data: folder })
  const bytesOf = async (address: string) => {
    const answer = await auth.handler(new Request(address, { headers: { accept: 'text/html' } }))
    if (answer.status !== 200) throw new Error(`${address}: ${answer.status}`)
    return Buffer.from(await answer.arrayBuffer())
  }
  try {
    await auth.ready()
    const page = await bytesOf(`${issuer}/login`)
    const named = [...page.toString().matchAll(/<(?:link|script|img)[^>]* (?:href|src)="(\/[^"]+)"/g)].map((found) => found[1] as string)
    const sizes = await Promise.all(named.map(async (path) => ({ path, size: (await bytesOf(new URL(path, issuer).href)).length })))
    const sum = (wanted: (path: string) => boolean) =>
      sizes.filter(({ path }) => wanted(path)).reduce((all, { size }) => all + size, page.length)
    const isPasskeys = (path: string) => path.includes('/assets/passkeys-')
    // Its style stands in the page itself.
    if (named.length < 2 || !named.some(isPasskeys)) throw new Error(`the page names ${named.join(', ')}`)
    figures.put('pages.login.kb', sum((path) => !isPasskeys(path)) / 1000, 'kB', '≤ 30')
    figures.put('pages.login.passkeys.kb', sum(() => true) / 1000, 'kB', '≤ 60')
  } finally {
    await auth.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
