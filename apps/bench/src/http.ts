// Guards over HTTP: CPU for each request of the same route bare, at `token` and at `session` level, 64 connections.

import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Figures, sideBySide } from './figures.ts'
import { fill, openCore } from './rooms.ts'

/** Autocannon has no types. */
const autocannon = createRequire(import.meta.url)('autocannon') as (
  options: object,
) => Promise<{ '2xx': number; non2xx: number; errors: number }>

const floors: Readonly<Record<string, { readonly token: number; readonly session: number }>> = {
  express: { token: 0.93, session: 0.85 },
  fastify: { token: 0.75, session: 0.55 },
  hono: { token: 0.75, session: 0.55 },
}

/** Measures. */
export async function measureHttp(figures: Figures): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-bench-'))
  try {
    figures.begin('filling 100,000 sessions')
    const open = await openCore(join(folder, 'symbolon.db'))
    const cookies = await fill(open, 100_000, 'app')
    const some = cookies.filter((_, i) => i % 100 === 0)
    const tokens: string[] = []
    for (const cookie of some) tokens.push((await open.core.sessions.mint(cookie)).minted.accessToken)
    await open.store.close()
    for (const framework of Object.keys(floors)) {
      const child = fork(fileURLToPath(new URL('./target.js', import.meta.url)), [framework, folder], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      })
      const hear = <T>() => new Promise<T>((resolve) => child.once('message', (message) => resolve(message as T)))
      const { port } = await hear<{ port: number }>()
      const cpu = async () => {
        const heard = hear<NodeJS.CpuUsage>()
        child.send('cpu')
        const { user, system } = await heard
        return user + system
      }
      // The same headers at every level, so that only the guard differs.
      const requests = tokens.map((token) => ({ method: 'GET' as const, headers: { authorization: `Bearer ${token}` } }))
      const load = (path: string) => async () => {
        figures.begin(`${framework} ${path}`)
        const before = await cpu()
        const result = await autocannon({
          url: `http://127.0.0.1:${port}`,
          connections: 64,
          amount: 20_000,
          requests: requests.map((one) => ({ ...one, path })),
        })
        if (result['2xx'] !== 20_000) throw new Error(`${framework} ${path}: ${result.non2xx} refused, ${result.errors} errors`)
        return ((await cpu()) - before) / 20_000
      }
      const us = await sideBySide(3, { bare: load('/bare'), token: load('/token'), session: load('/session') })
      child.disconnect()
      figures.put(`http.${framework}.bare.us`, us.bare, 'µs CPU')
      for (const level of ['token', 'session'] as const) {
        figures.put(`http.${framework}.${level}.vs_bare`, us.bare / us[level], '×', `≥ ${floors[framework]?.[level]}`)
        figures.put(
          `http.${framework}.${level}.extra_us`,
          us[level] - us.bare,
          'µs CPU',
          framework === 'fastify' ? (level === 'token' ? '≤ 18' : '≤ 45') : undefined,
        )
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
