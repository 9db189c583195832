// One question of the long poll: what its page makes of what is known. By hand: no network.

import { describe, expect, it } from 'vitest'
import { createElapsed } from '../../src/source/elapsed.ts'
import { poll } from '../../src/source/poll.ts'
import { createProgress } from '../../src/source/progress.ts'
import type { Transport } from '../../src/source/transport.ts'

const feed = '00000000000000aa'
const other = '00000000000000bb'
const entries = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({ seq: from + 1 + i, kind: 'session', id: `s${from + 1 + i}`, at: 1, expires: null }))

/** Somebody who is at 10 since a second ago. */
const setting = () => {
  let time = 0
  const applied: number[] = []
  const elapsed = createElapsed({ monotonic: () => time, now: () => time })
  const progress = createProgress(elapsed, (some) => void applied.push(...some.map(({ seq }) => seq)))
  progress.snapshot(feed, 10, { sent: 0, t0: 0 }, 0, undefined)
  time = 1000
  const ask = (page: object, status = 200) => {
    const body = { feed, from: 10, to: 12, entries: entries(10, 12), head: 12, t0: 5, t: 5, ...page }
    const transport = { json: async () => ({ status, body, retryAfter: 0 }) } as unknown as Transport
    return poll({ transport, elapsed, progress }, { feedId: feed, seq: 10 }, 0)
  }
  return { ask, progress, applied }
}

describe('a page', () => {
  it('that reaches the head makes the knowledge complete', async () => {
    const { ask, progress, applied } = setting()
    expect([await ask({}), progress.position()?.seq, progress.staleness(), applied]).toEqual(['done', 12, 0, [11, 12]])
  })

  it('that does not is applied, and is nothing yet: more is asked for', async () => {
    const { ask, progress, applied } = setting()
    expect([await ask({ head: 2000 }), progress.position()?.seq, applied]).toEqual(['more', 12, [11, 12]])
    expect(progress.staleness()).toBeGreaterThanOrEqual(1000)
  })

  it('that does not come any farther is not asked for again and again', async () => {
    const { ask, progress } = setting()
    expect(await ask({ to: 10, entries: [] })).toBe('snapshot')
    expect(progress.staleness()).toBeGreaterThanOrEqual(1000)
  })

  it.each([
    ['begins later than was asked', { from: 11 }],
    ['is of another feed', { feed: other }],
  ])('that %s says nothing about the age of what is known', async (_, page) => {
    const { ask, progress } = setting()
    expect(await ask(page)).toBe('snapshot')
    expect(progress.staleness()).toBeGreaterThanOrEqual(1000)
  })

  it('that is no longer kept is one for a snapshot; and a service that is behind is no source', async () => {
    expect(await setting().ask({}, 410)).toBe('snapshot')
    await expect(setting().ask({ from: 9, to: 9, entries: [], head: 9 })).rejects.toThrow('behind')
  })
})
