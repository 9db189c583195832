// Two nodes against one on the same database: checks per second of all together, 64 callers at each. Only where each of
// them, and the database, has cores to itself.

import { fork } from 'node:child_process'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type Figures, sideBySide } from './figures.ts'
import type { PostgresServer } from './postgres-server.ts'

/** A node under load, in a process of its own. */
function startNode(url: string, sessions: number) {
  const child = fork(fileURLToPath(new URL('./node-worker.js', import.meta.url)), [url, `${sessions}`])
  const hear = () => new Promise<number>((resolve) => child.once('message', (message) => resolve(message as number)))
  return {
    ready: hear(),
    /** Checks per second while it makes so many. */
    async rate(count: number) {
      const heard = hear()
      child.send(count)
      return heard
    },
    stop: () =>
      new Promise<void>((resolve) => {
        child.once('exit', () => resolve())
        child.disconnect()
      }),
  }
}

/** Measures, from `least` cores on. */
export async function measureNodes(figures: Figures, server: PostgresServer, database: string, sessions: number, least = 8): Promise<void> {
  const cores = cpus().length
  if (cores < least) {
    figures.note(`two nodes: not measured (${cores} cores)`)
    return
  }
  figures.begin('two nodes against one')
  const nodes = [0, 1].map(() => startNode(server.url(database), sessions))
  try {
    await Promise.all(nodes.map((node) => node.ready))
    const rates = await sideBySide(5, {
      one: async () => (await nodes[0]?.rate(40_000)) ?? 0,
      two: async () => (await Promise.all(nodes.map((node) => node.rate(40_000)))).reduce((sum, rate) => sum + rate, 0),
    })
    figures.put('pg.nodes.two.per_s', rates.median.two, '/s')
    figures.put('pg.nodes.two.vs_one', rates.ratio('two', 'one'), '×')
  } finally {
    await Promise.all(nodes.map((node) => node.stop()))
  }
}
