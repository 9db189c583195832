// A load on two service processes over one database, one of them killed and started again in the middle. What is judged is
// the history; that it was not a quiet one is asserted too.

import { describe, expect, it } from 'vitest'
import { startCluster } from './cluster.ts'
import type { HistoryEvent } from './history/events.ts'
import { judgeHistory } from './history/judge.ts'
import { pause } from './load/people.ts'
import { startLoad } from './load.ts'
import { until } from './service-process.ts'

const window = 1000
const bound = 2000
const terms = { window, seenWithin: 3000, slack: 25 }
const seed = Number(process.env.LOAD_SEED ?? Math.floor(Math.random() * 1_000_000))
/** A longer run, by hand. */
const seconds = Number(process.env.LOAD_SECONDS ?? 8)

/** What has not yet happened often enough for a history to prove anything. */
function missing(history: readonly HistoryEvent[]): readonly string[] {
  const { counts } = judgeHistory(history, terms)
  const { accepted, rotated, ...others } = counts
  const few = Object.entries(others).filter(([, count]) => count < 3)
  const many = Object.entries({ rotated, ...accepted }).filter(([, count]) => count < 100)
  return [...few, ...many].map(([name]) => name)
}

describe('a load on two nodes', () => {
  it(`keeps every promise while one of them is killed (LOAD_SEED=${seed})`, { timeout: 180_000 + seconds * 1000 }, async () => {
    const cluster = await startCluster({ count: 2, window, bound })
    try {
      const { nodes, verifiers, clientId } = cluster
      const load = startLoad({ nodes, verifiers, clientId, window, seed })
      await pause((seconds / 2) * 1000)
      const second = nodes[1] as (typeof nodes)[number]
      await second.kill()
      load.killed(second.name)
      // Longer than any verifier may go without knowing.
      await pause(bound + 500)
      await second.start()
      await pause((seconds / 2) * 1000)
      await until('enough of everything happened', () => missing(load.history).length === 0, 60_000)
      const { broken, counts, longestMs } = judgeHistory(await load.stop(), terms)
      expect({ seed, broken }).toEqual({ seed, broken: [] })
      if (process.env.LOAD_SECONDS !== undefined) console.info(counts, longestMs)
    } finally {
      await cluster.close()
    }
  })
})
