// Guards over HTTP: CPU for each request of the same route bare, at `token` and at `session` level, 64 connections.

import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Figures, type SideBySide, sideBySide, together } from './figures.ts'
import { type Headers, type Load, loadByAutocannon } from './load-generator.ts'
import { bearers, fill, openCore } from './rooms.ts'

/** How long each path is asked for in a round: short, so that what is compared meets the same machine. */
const seconds = 1

/** Processes of a server, one after another, and rounds of each before the first that counts. */
const processes = 3
const settling = 3

const floors: Readonly<Record<string, { readonly token: number; readonly session: number }>> = {
  express: { token: 0.93, session: 0.85 },
  fastify: { token: 0.75, session: 0.55 },
  hono: { token: 0.75, session: 0.55 },
}

/** A server under load. */
export interface Target {
  /** CPU microseconds of its process for each request of a path; they take turns with these headers. */
  cpuOf(path: string, headers: readonly Headers[]): Promise<number>
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

/**
 * CPU microseconds for each request of these routes, side by side; of several processes of the server, since
 * each settles into machine code of its own and stays faster or slower with it. Tokens live minutes: each process gets new ones.
 */
export async function cpuOfRoutes<Route extends string>(
  rounds: number,
  routes: readonly Route[],
  start: () => Promise<Target>,
  headersNow: () => Promise<readonly Headers[]>,
  begin: (route: Route) => void,
): Promise<SideBySide<Route>> {
  const parts: SideBySide<Route>[] = []
  for (let turn = 0; turn < processes; turn++) {
    const headers = await headersNow()
    const target = await start()
    const asking = (route: Route) => () => {
      begin(route)
      return target.cpuOf(`/${route}`, headers)
    }
    try {
      const runs = Object.fromEntries(routes.map((route) => [route, asking(route)])) as Record<Route, () => Promise<number>>
      for (let round = 0; round < settling; round++) for (const route of routes) await runs[route]()
      parts.push(await sideBySide(rounds, runs))
    } finally {
      await target.stop()
    }
  }
  return together(parts)
}

/** Measures. */
export async function measureHttp(figures: Figures): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-bench-'))
  const open = await openCore(join(folder, 'symbolon.db'))
  try {
    figures.begin('filling 100,000 sessions')
    const cookies = await fill(open, 100_000, 'app')
    // The same headers at every level, so that only the guard differs.
    const some = cookies.filter((_, i) => i % 100 === 0)
    for (const framework of Object.keys(floors)) {
      const us = await cpuOfRoutes(
        5,
        ['bare', 'token', 'session'],
        () => startTarget(framework, folder, loadByAutocannon),
        () => bearers(open, some),
        (route) => figures.begin(`${framework}: ${route}`),
      )
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
    await open.store.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
