// What the feed says of time, on a store whose reads take a while and show what was there when they began: whatever is
// told to be complete up to a moment holds everything committed before it. No network, no waiting; the clock moves with reads.

import type { FeedHead, Revocation } from '@symbolon/protocol'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Client, FeedEar, FeedHub, FeedMessage, Ports } from '#core'
import { createFeed } from '../../src/core/feed.ts'

const feedId = '00000000000000aa'
const client = { id: 'api', status: 'active', epoch: 1, scopes: ['revocations:read'], secretHashes: [], keys: [] } as unknown as Client
/** Something is committed every tenth of a second. */
const committed = (t: number) => Math.floor(t / 100)

let time: number
let timers: { readonly at: number; readonly run: () => void }[]
let renewals: string[]
/** What a read of the head waits for after it began. */
let reading: () => Promise<void>
let hub: FeedHub
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
/** Moves the clock, and lets what is due by then run to its end. */
const advance = async (ms: number) => {
  for (const end = time + ms; time < end; await turn()) {
    time = Math.max(time, Math.min(end, time + 50))
    const due = timers.filter(({ at }) => at <= time)
    timers = timers.filter(({ at }) => at > time)
    for (const { run } of due) run()
  }
}

beforeEach(() => {
  time = 10_000
  timers = []
  renewals = []
  reading = async () => {
    time += 330
  }
  const read = async <T>(answer: () => T): Promise<T> => {
    const found = answer()
    await reading()
    return found
  }
  const entry = (seq: number): Revocation => ({ seq, tenant: 'main', kind: 'session', id: `s${seq}`, at: 0, expires: 1e12 })
  const feed = {
    head: () => read((): FeedHead => ({ feedId, seq: committed(time) })),
    after: async (seq: number, limit: number) =>
      Array.from({ length: Math.min(limit, Math.max(0, committed(time) - seq)) }, (_, i) => entry(seq + 1 + i)),
    renew: async (id: string) => {
      renewals.push(id)
      return { feedId: '00000000000000bb', seq: committed(time) }
    },
  }
  const clock: Ports['clock'] = {
    now: () => time,
    after(ms, run) {
      if (ms === 0) setImmediate(run)
      const timer = { at: time + ms, run }
      if (ms > 0) timers.push(timer)
      return () => {
        timers = timers.filter((one) => one !== timer)
      }
    },
  }
  const store = { feed, clients: { find: () => client }, now: () => time } as unknown as Ports['store']
  const crypto = { random: () => new Uint8Array(1) } as unknown as Ports['crypto']
  hub = createFeed({ store, clock, crypto, observe: () => {} })
})

const listen = () => {
  const heard: FeedMessage[] = []
  const ear: FeedEar = { write: (message) => heard.push(message) > 0, room: async () => true, end: () => {}, cut: () => {} }
  return { heard, ear }
}

describe('what is complete up to a moment holds all that was committed before', () => {
  it('in every beat, the first one and those of everybody', async () => {
    const [first, late] = [listen(), listen()]
    await hub.follow(client, undefined, first.ear)
    await advance(3000)
    await hub.follow(client, { feedId, seq: committed(time) - 20 }, late.ear)
    await advance(3000)
    for (const { heard } of [first, late]) {
      const beats = heard.flatMap((one) => (one.event === 'beat' ? [one.data] : []))
      expect(beats.length).toBeGreaterThan(2)
      for (const { head, t } of beats) expect(head).toBeGreaterThanOrEqual(committed(t))
      // Not so old either that it would be worth nothing.
      expect(time - (beats.at(-1)?.t ?? 0)).toBeLessThan(2500)
    }
    hub.close()
  })

  it('in every page of the long poll, at once or after a wait', async () => {
    const now = await hub.poll(client, { feedId, seq: committed(time) - 5 }, 0)
    const asked = hub.poll(client, { feedId, seq: committed(time) }, 5000)
    await advance(4000)
    for (const page of [now, await asked]) {
      if (page === 'snapshot_required') throw new Error(page)
      expect(page.head).toBeGreaterThanOrEqual(committed(page.t))
      expect(page.entries.at(-1)?.seq ?? page.from).toBe(page.to)
      expect(page.t).toBeGreaterThanOrEqual(page.t0)
    }
  })

  it('in a snapshot', async () => {
    const lines = hub.snapshot()
    const start = (await lines.next()).value as { head: number; t0: number; t: number }
    expect(start.head).toBeGreaterThanOrEqual(committed(start.t))
    let last: unknown
    for await (const line of lines) if (Array.isArray(line)) last = line.at(-1)?.[1]
    expect(last).toBe(`s${start.head}`)
  })
})

describe('who comes while the head is read', () => {
  it('with a position from after that read began is faced by a read of its own, and is not taken for one from another time', async () => {
    const gates: (() => void)[] = []
    reading = () => new Promise((resolve) => void gates.push(resolve))
    const [first, second] = [listen(), listen()]
    const following = hub.follow(client, undefined, first.ear)
    await turn()
    expect(gates).toHaveLength(1)
    // Committed, and told to somebody, while that read is under way.
    time += 1000
    const coming = hub.follow(client, { feedId, seq: committed(time) }, second.ear)
    gates[0]?.()
    await following
    await turn()
    expect(gates).toHaveLength(2)
    gates[1]?.()
    await coming
    expect(renewals).toEqual([])
    expect(second.heard[0]).toMatchObject({ event: 'open', data: { feed: feedId, head: committed(time) } })
    hub.close()
  })

  it('with a position that no read shows is from another time: the feed is renewed', async () => {
    const one = listen()
    await hub.follow(client, { feedId, seq: committed(time) + 1000 }, one.ear)
    expect(renewals).toEqual([feedId])
    expect(one.heard.at(-1)).toMatchObject({ event: 'snapshot', data: { reason: 'renewed' } })
    hub.close()
  })
})
