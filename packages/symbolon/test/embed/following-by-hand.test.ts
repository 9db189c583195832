// The log followed in the process's own store, on a store whose reads end when they are told to: what makes knowledge young,
// and what does not. Clocks and timers are moved by hand.

import type { FeedHead, Revocation } from '@symbolon/protocol'
import type { Feed } from '@symbolon/verifier'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Store } from '#core'
import { followStore } from '../../src/embed/following.ts'

const feedId = '00000000000000aa'
const otherFeed = '00000000000000bb'
const entry = (seq: number): Revocation => ({ seq, tenant: 'main', kind: 'session', id: `s${seq}`, at: 0, expires: null })

let log: FeedHead
let renewals: string[]
/** Reads of the head under way, each with what it saw when it began. */
let reads: { end(): void }[]
let hear: (entries: readonly Revocation[]) => void
let applied: number[]
let feed: Feed
let told: FeedHead[]
const settle = () => vi.advanceTimersByTimeAsync(0)
/** Lets the oldest read end. */
const end = async () => {
  reads.shift()?.end()
  await settle()
}

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'] })
  log = { feedId, seq: 10 }
  renewals = []
  reads = []
  applied = []
  told = []
  const store = {
    head: () => {
      const seen = log
      return new Promise<FeedHead>((resolve) => void reads.push({ end: () => resolve(seen) }))
    },
    after: (seq: number) => Array.from({ length: Math.max(0, log.seq - seq) }, (_, i) => entry(seq + 1 + i)),
    renew: async (id: string) => {
      renewals.push(id)
      log = { ...log, feedId: otherFeed }
      return log
    },
  }
  feed = followStore({
    store: () => ({ feed: store as unknown as Store['feed'] }),
    onRevoked: (listen) => {
      hear = listen
      return () => {}
    },
    ready: async () => {},
    renewed: (head) => void told.push(head),
    apply: (entries) => void applied.push(...entries.map(({ seq }) => seq)),
  })
  await settle()
})
afterEach(() => {
  feed.end()
  vi.useRealTimers()
})

describe('knowledge', () => {
  it('is as old as the beginning of the read that made it complete', async () => {
    await vi.advanceTimersByTimeAsync(3000)
    expect(feed.staleness()).toBe(Number.POSITIVE_INFINITY)
    await end()
    expect([feed.position(), feed.staleness()]).toEqual([log, 3000])
  })

  it('is not made complete by an own commit behind which others are missing', async () => {
    await end()
    // Another process has committed 11, which this one has not read yet.
    log = { feedId, seq: 12 }
    hear([entry(12)])
    expect([applied.at(-1), feed.position()?.seq, feed.reached({ feedId, seq: 12 }, 0) === true]).toEqual([12, 10, false])
    await vi.advanceTimersByTimeAsync(100)
    while (reads.length > 0) await end()
    expect([applied.includes(11), feed.position()?.seq, feed.reached({ feedId, seq: 12 }, 0)]).toEqual([true, 12, true])
  })

  it('is complete by an own commit that comes right after it', async () => {
    await end()
    log = { feedId, seq: 11 }
    hear([entry(11)])
    expect([feed.position()?.seq, feed.reached({ feedId, seq: 11 }, 0)]).toEqual([11, true])
  })
})

describe('who waits for a position', () => {
  it('is not served by a read that began before: the next one begins when it has ended', async () => {
    await end()
    await vi.advanceTimersByTimeAsync(100)
    expect(reads).toHaveLength(1)
    log = { feedId, seq: 11 }
    let reached: boolean | undefined
    void Promise.resolve(feed.reached({ feedId, seq: 11 }, 50)).then((is) => {
      reached = is
    })
    await end()
    expect([reached, reads.length]).toEqual([undefined, 1])
    await end()
    expect(reached).toBe(true)
  })
})

describe('a store that is behind what came from it', () => {
  it('is given another id, and read from its beginning; one that is not is left alone', async () => {
    await end()
    await vi.advanceTimersByTimeAsync(100)
    await end()
    expect([renewals, told]).toEqual([[], []])
    // An older copy: its next entries will have numbers that this process has seen.
    log = { feedId, seq: 4 }
    applied.length = 0
    await vi.advanceTimersByTimeAsync(100)
    await end()
    expect([renewals, feed.position(), applied]).toEqual([[feedId], { feedId: otherFeed, seq: 4 }, [1, 2, 3, 4]])
    expect(told).toEqual([{ feedId: otherFeed, seq: 4 }])
  })

  it('is no store whose head was read before an own commit, and comes after it', async () => {
    await end()
    await vi.advanceTimersByTimeAsync(100)
    log = { feedId, seq: 11 }
    hear([entry(11)])
    await end()
    expect([renewals, told, feed.position(), feed.status().head]).toEqual([[], [], { feedId, seq: 11 }, 11])
  })
})
