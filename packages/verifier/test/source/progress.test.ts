// How far a feed was followed, by property: whatever order, repetition and loss of ranges, beats, snapshots and
// connections, nothing counts as applied that was not, and what counts as complete was.

import type { Revocation } from '@symbolon/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createElapsed } from '../../src/source/elapsed.ts'
import { type Connection, createProgress } from '../../src/source/progress.ts'

const feed = '00000000000000aa'
const entryOf = (seq: number): Revocation => ({ seq, tenant: 'main', kind: 'session', id: `s${seq}`, at: 0, expires: null })
const entriesOf = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => entryOf(from + i + 1))

const create = () => {
  let time = 0
  const applied = new Set<number>()
  const elapsed = createElapsed({ monotonic: () => time, now: () => time })
  const progress = createProgress(elapsed, (entries) => {
    for (const { seq } of entries) applied.add(seq)
  })
  return { progress, applied, elapsed, pass: (ms: number) => (time += ms), time: () => time }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('range' as const), from: fc.nat(30), length: fc.nat(6) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('beat' as const), head: fc.nat(34) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('grow' as const), by: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('snapshot' as const), back: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('open' as const), resume: fc.boolean() }) },
)

it('never says that something is applied that is not, nor that it is younger than it is', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { progress, applied, elapsed, pass, time } = create()
      // The log here is honest: what it says of heads and times is true. What arrives is whatever part, in any order.
      let head = 3
      const grewAt = [0, 0, 0, 0]
      let connection: Connection | undefined
      for (const one of steps) {
        pass(100)
        if (one.do === 'grow') {
          for (let i = 0; i < one.by; i++) grewAt.push(time())
          head += one.by
        } else if (one.do === 'open') {
          const after = one.resume ? progress.position() : undefined
          connection = progress.opened({ feed, head, t0: time() }, elapsed.read(), after)
        } else if (one.do === 'snapshot') {
          // Read a while ago, complete up to the head of then.
          const upTo = Math.max(0, head - one.back)
          for (let seq = 1; seq <= upTo; seq++) applied.add(seq)
          const then = upTo < head ? (grewAt[upTo + 1] as number) - 1 : time()
          progress.snapshot(feed, upTo, { sent: elapsed.read() - (time() - then) - 1, t0: then }, then, connection)
        } else if (connection !== undefined) {
          let goes = true
          if (one.do === 'range') {
            const from = Math.min(one.from, head)
            const to = Math.min(head, from + one.length)
            goes = progress.range(connection, { feed, from, to, entries: entriesOf(from, to) })
          } else if (one.head <= head && one.head >= (connection.span?.to ?? 0)) {
            // A beat comes after all entries up to its head; if some were lost on the way, it tells.
            goes = progress.beat(connection, { feed, head, t: time() })
          }
          if (!goes) connection = undefined
        }
        const position = progress.position()
        for (let seq = 1; seq <= (position?.seq ?? 0); seq++) expect(applied.has(seq)).toBe(true)
        expect(position?.seq ?? 0).toBeLessThanOrEqual(head)
        // The first entry that is missing: since its commit the knowledge is incomplete.
        let missing = 1
        while (applied.has(missing)) missing++
        if (missing <= head) expect(progress.staleness()).toBeGreaterThanOrEqual(time() - (grewAt[missing] as number))
        if (position === undefined) expect(progress.staleness()).toBe(Number.POSITIVE_INFINITY)
      }
    }),
    { numRuns: 2000 },
  )
})

it('follows no source that knows less of the same feed than is applied, from wherever it was asked', () => {
  const { progress } = create()
  const opened = (head: number) => progress.opened({ feed, head, t0: 0 }, 0)
  const first = opened(10)
  progress.snapshot(feed, 10, { sent: 0, t0: 0 }, 0, first)
  // A copy of before, which has gone another way since: its 9 is not the 9 that is known here.
  expect(() => opened(9)).toThrow('behind')
  expect(progress.needsSnapshot(opened(10))).toBe(false)
  expect(progress.needsSnapshot(opened(12))).toBe(true)
})

describe('waiting for a position', () => {
  it('ends when it is applied, when its feed ends, after its time, and for a hundred at most', async () => {
    const { progress } = create()
    progress.snapshot(feed, 10, { sent: 0, t0: 0 }, 0, undefined)
    const connection = progress.opened({ feed, head: 10, t0: 0 }, 0, { feedId: feed, seq: 10 })
    expect(progress.reached({ feedId: feed, seq: 10 }, 1000)).toBe(true)
    expect(progress.reached({ feedId: 'ff', seq: 1 }, 1000)).toBe(false)
    expect(progress.reached({ feedId: feed, seq: 10_011 }, 1000)).toBe(false)
    const waits = Array.from({ length: 100 }, (_, i) => progress.reached({ feedId: feed, seq: 11 + (i % 2) }, 200))
    expect(progress.reached({ feedId: feed, seq: 11 }, 1000)).toBe(false)
    progress.range(connection, { feed, from: 10, to: 11, entries: entriesOf(10, 11) })
    const outcomes = await Promise.all(waits)
    expect(outcomes.filter((one) => one).length).toBe(50)
    // At once, not when its time is over: that would be after this test's.
    const last = progress.reached({ feedId: feed, seq: 12 }, 60_000)
    progress.range(connection, { feed: '00000000000000bb', from: 0, to: 1, entries: entriesOf(0, 1) })
    expect(await last).toBe(false)
    expect(progress.needsSnapshot(connection)).toBe(true)
  })
})

describe('a head that was heard of', () => {
  it('is not reached before what is up to it was applied', async () => {
    const { progress } = create()
    progress.snapshot(feed, 10, { sent: 0, t0: 0 }, 0, undefined)
    const connection = progress.opened({ feed, head: 12, t0: 0 }, 0, { feedId: feed, seq: 10 })
    expect(progress.head()).toBe(12)
    let reached: boolean | undefined
    void Promise.resolve(progress.reached({ feedId: feed, seq: 12 }, 60_000)).then((is) => {
      reached = is
    })
    await Promise.resolve()
    progress.range(connection, { feed, from: 10, to: 11, entries: entriesOf(10, 11) })
    await Promise.resolve()
    expect([reached, progress.reached({ feedId: feed, seq: 11 }, 0)]).toEqual([undefined, true])
    progress.range(connection, { feed, from: 11, to: 12, entries: entriesOf(11, 12) })
    await Promise.resolve()
    expect(reached).toBe(true)
  })
})

describe('another feed', () => {
  const other = '00000000000000bb'
  /** At 10 since a second ago, with a connection open there. */
  const set = () => {
    const one = create()
    one.progress.snapshot(feed, 10, { sent: 0, t0: 0 }, 0, undefined)
    one.pass(1000)
    const connection = one.progress.opened({ feed, head: 10, t0: 0 }, 0, { feedId: feed, seq: 10 })
    return { ...one, connection }
  }

  it('in a beat makes nothing young; one of the same feed does', () => {
    const { progress, connection } = set()
    progress.beat(connection, { feed: other, head: 10, t: 1000 })
    expect([progress.staleness() >= 1000, progress.needsSnapshot(connection), progress.position()]).toEqual([true, true, undefined])
    const twin = set()
    twin.progress.beat(twin.connection, { feed, head: 10, t: 1000 })
    expect([twin.progress.staleness() < 1000, twin.progress.needsSnapshot(twin.connection)]).toEqual([true, false])
  })

  it('at the opening is not resumed: what was asked for is no place in it', () => {
    const { progress } = set()
    // Its numbers may be smaller or larger.
    for (const head of [5, 12]) {
      const connection = progress.opened({ feed: other, head, t0: 0 }, 0, { feedId: feed, seq: 10 })
      expect([connection.span, progress.needsSnapshot(connection)]).toEqual([undefined, true])
    }
  })

  it('in a snapshot that came too late or too early is not turned to', () => {
    const { progress, connection } = set()
    progress.snapshot(other, 40, { sent: 1000, t0: 0 }, 0, connection)
    expect([progress.position(), progress.staleness() >= 1000]).toEqual([{ feedId: feed, seq: 10 }, true])
    expect(progress.needsSnapshot(connection)).toBe(false)
    progress.snapshot(feed, 12, { sent: 1000, t0: 0 }, 0, connection)
    expect([progress.position(), progress.staleness()]).toEqual([{ feedId: feed, seq: 12 }, 0])
  })

  it('is none when a snapshot is older than what is applied: it adds, and takes nothing back', () => {
    const { progress, connection } = set()
    progress.range(connection, { feed, from: 10, to: 14, entries: entriesOf(10, 14) })
    for (const open of [connection, undefined]) {
      progress.snapshot(feed, 12, { sent: 1000, t0: 0 }, 0, open)
      expect(progress.position()).toEqual({ feedId: feed, seq: 14 })
    }
  })
})
