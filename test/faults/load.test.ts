// A load on two service processes over one database, one of them killed and started again in the middle. What is judged is
// the history; that it was not a quiet one is asserted too.

import { describe, expect, it } from 'vitest'
import { startCluster } from './cluster.ts'
import { judgeHistory } from './history/judge.ts'
import { pause } from './load/people.ts'
import { startLoad } from './load.ts'

const window = 1000
const bound = 2000
const terms = { window, seenWithin: 3000, slack: 25 }
const seed = Number(process.env.LOAD_SEED ?? Math.floor(Math.random() * 1_000_000))
const seconds = Number(process.env.LOAD_SECONDS ?? 10)

describe('a load on two nodes', () => {
  it(`keeps every promise while one of them is killed (LOAD_SEED=${seed})`, { timeout: 120_000 + seconds * 1000 }, async () => {
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
      const { broken, counts, longestMs } = judgeHistory(await load.stop(), terms)
      expect({ seed, broken }).toEqual({ seed, broken: [] })
      if (process.env.LOAD_SECONDS !== undefined) console.info(counts, longestMs)
      // Enough of everything.
      expect(Object.entries(counts).filter(([, count]) => count === 0)).toEqual([])
      expect(counts.rotated).toBeGreaterThan(100)
      expect(Math.min(counts.accepted.token, counts.accepted.session)).toBeGreaterThan(50)
    } finally {
      await cluster.close()
    }
  })
})
