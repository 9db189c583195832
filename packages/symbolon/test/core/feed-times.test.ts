// What the feed says of time, on a store whose reads take a while and show what was there when they began: whatever is
// told to be complete up to a moment holds everything committed before it. No network, no waiting; the clock moves with reads.

import type { FeedHead, Revocation } from '@symbolon/protocol'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Client, FeedEar, FeedHub, FeedMessage, Ports } from '#core'
import { createFeed } from '../../src/core/feed.ts'

const feedId = '00000000000000aa'
const otherFeed = '00000000000000bb'
/** What its follower's credential stands on. */
const client = {
  id: 'api',
  status: 'active',
  epoch: 1,
  scopes: ['revocations:read'],
  secretHashes: ['h'],
  keys: [{ kid: 'k' }],
} as unknown as Client
/** Something is committed every tenth of a second. */
const committed = (t: number) => Math.floor(t / 100)

let time: number
let timers: { readonly at: number; readonly run: () => void }[]
let renewals: string[]
/** The client's record as it is now; the feed's id and how much of the log is lost. */
let stored: Client | undefined
let id: string
let lost: number
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
  stored = client
  id = feedId
  lost = 0
  reading = async () => {
    time += 330
  }
  const read = async <T>(answer: () => T): Promise<T> => {
    const found = answer()
    await reading()
    return found
  }
  const entry = (seq: number): Revocation => {
    const common = { seq, tenant: 'main', id: `s${seq}`, at: 0 }
    // Every other one never ends.
    return seq % 2 === 0 ? { ...common, kind: 'session', expires: 1e12 } : { ...common, kind: 'key', state: 'revoked', expires: null }
  }
  const feed = {
    head: () => read((): FeedHead => ({ feedId: id, seq: committed(time) - lost })),
    after: async (seq: number, limit: number) =>
      Array.from({ length: Math.min(limit, Math.max(0, committed(time) - seq)) }, (_, i) => entry(seq + 1 + i)),
    renew: async (before: string) => {
      renewals.push(before)
      id = otherFeed
      return { feedId: id, seq: committed(time) - lost }
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
  const store = { feed, clients: { find: () => stored }, now: () => time } as unknown as Ports['store']
  const crypto = { random: () => new Uint8Array(1) } as unknown as Ports['crypto']
  hub = createFeed({ store, clock, crypto, observe: () => {} })
})

const listen = () => {
  const heard: FeedMessage[] = []
  const state = { ended: false }
  const end = () => {
    state.ended = true
  }
  const ear: FeedEar = { write: (message) => heard.push(message) > 0, room: async () => true, end, cut: end }
  return { heard, ear, state }
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
      // None speaks of what was not told before it.
      let told = Number.POSITIVE_INFINITY
      for (const { event, data } of heard) {
        if (event === 'revocations') told = data.to
        if (event === 'beat') expect(data.head).toBeLessThanOrEqual(told)
      }
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
    const ids: unknown[] = []
    for await (const line of lines) if (Array.isArray(line)) ids.push(...line.map(([, name]) => name))
    // Those that never end too.
    expect(ids).toEqual(Array.from({ length: start.head }, (_, i) => `s${1 + i}`))
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

describe('a store that is not what it was', () => {
  it.each<[string, () => void, string[]]>([
    ['has lost what was told of it: an older copy, whose numbers would be given again', () => (lost = 50), [feedId]],
    ['was given another id by somebody else', () => (id = otherFeed), []],
  ])('%s', async (_, change, renewed) => {
    const one = listen()
    await hub.follow(client, undefined, one.ear)
    await advance(2000)
    expect(one.state.ended).toBe(false)
    change()
    await advance(3000)
    expect(renewals).toEqual(renewed)
    expect(one.heard.at(-1)).toMatchObject({ event: 'snapshot', data: { feed: otherFeed, reason: 'renewed' } })
    expect(one.state.ended).toBe(true)
    expect(await hub.poll(client, { feedId, seq: 1 }, 0)).toBe('snapshot_required')
  })
})

describe('a follower', () => {
  it.each<[string, Client | undefined, boolean]>([
    ['stays while nothing that matters changed', { ...client, name: 'Another' } as Client, true],
    [
      'stays when a secret and a key were added',
      { ...client, secretHashes: ['h2', 'h'], keys: [{ kid: 'k2' }, { kid: 'k' }] } as never,
      true,
    ],
    ['goes when its client is gone', undefined, false],
    ['goes when it is disabled', { ...client, status: 'disabled' }, false],
    ['goes when its epoch grew', { ...client, epoch: 2 }, false],
    ['goes when it lost the scope', { ...client, scopes: ['else'] }, false],
    ['goes when its secret was replaced', { ...client, secretHashes: ['h2'] }, false],
    ['goes when its key was removed', { ...client, keys: [{ kid: 'k2' }] } as never, false],
  ])('%s', async (_, now, stays) => {
    const one = listen()
    await hub.follow(client, undefined, one.ear)
    await advance(2000)
    stored = now
    await advance(3000)
    expect(one.state.ended).toBe(!stays)
    hub.close()
  })
})
