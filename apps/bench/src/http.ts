// Guards over HTTP: CPU for each request of the same route bare, at `token` and at `session` level, 64 connections.

import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Figures, sideBySide } from './figures.ts'
import { type Load, loadByAutocannon } from './load-generator.ts'
import { fill, openCore } from './rooms.ts'

/** How long each path is asked for. */
const seconds = 2

const floors: Readonly<Record<string, { readonly token: number; readonly session: number }>> = {
  express: { token: 0.93, session: 0.85 },
  fastify: { token: 0.75, session: 0.55 },
  hono: { token: 0.75, session: 0.55 },
}

/** A server under load. */
export interface Target {
  /** CPU microseconds of its process for each request of a path; they take turns with these headers. */
  cpuOf(path: string, headers: readonly Readonly<Record<string, string>>[]): Promise<number>
  stop(): Promise<void>
}

/** Starts one in a process of its own: a framework, a data directory, and a database if sessions are kept in one. */
export async function startTarget(framework: string, folder: string, load: Load, database?: string): Promise<Target> {
  const args = [framework, folder, ...(database === undefined ? [] : [database])]
  const child = fork(fileURLToPath(new URL('./target.js', import.meta.url)), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const hear = <T>() =>
    new Promise<T>((resolve, reject) => {
      const ended = (code: number | null) => reject(new Error(`${framework} ended with ${code}`))
      child.once('exit', ended)
      child.once('message', (message) => {
        child.off('exit', ended)
        resolve(message as T)
      })
    })
  const { port } = await hear<{ port: number }>()
  const cpu = async () => {
    const heard = hear<NodeJS.CpuUsage>()
    child.send('cpu')
    const { user, system } = await heard
    return user + system
  }
  return {
    async cpuOf(path, headers) {
      const before = await cpu()
      const answered = await load(`http://127.0.0.1:${port}${path}`, headers, seconds)
      return ((await cpu()) - before) / answered
    },
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve())
        child.disconnect()
      }),
  }
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
    // The same headers at every level, so that only the guard differs.
    const headers = tokens.map((token) => ({ authorization: `Bearer ${token}` }))
    for (const framework of Object.keys(floors)) {
      const target = await startTarget(framework, folder, loadByAutocannon)
      const asking = (path: string) => () => {
        figures.begin(`${framework} ${path}`)
        return target.cpuOf(path, headers)
      }
      const us = await sideBySide(9, { bare: asking('/bare'), token: asking('/token'), session: asking('/session') })
      await target.stop()
      figures.put(`http.${framework}.bare.us`, us.median.bare, 'µs CPU')
      for (const level of ['token', 'session'] as const) {
        figures.put(`http.${framework}.${level}.vs_bare`, us.ratio('bare', level), '×', `≥ ${floors[framework]?.[level]}`)
        figures.put(
          `http.${framework}.${level}.extra_us`,
          us.median[level] - us.median.bare,
          'µs CPU',
          framework === 'fastify' ? (level === 'token' ? '≤ 18' : '≤ 45') : undefined,
        )
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
