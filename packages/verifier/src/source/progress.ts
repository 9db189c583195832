// How far the feed has been followed: up to which position everything is applied, and how long ago that was complete.
// Pure state: connections report what they read, in whatever order it comes. Must never count as applied what a gap,
// another feed or a missing snapshot leaves open.

import type { FeedHead, Revocation } from '@symbolon/protocol'
import { later } from '../timers.ts'
import type { Elapsed } from './elapsed.ts'
import { nonsense } from './lines.ts'
import type { Range } from './messages.ts'
import { createStaleness, type Zero } from './staleness.ts'

/** What one connection covered without a gap: the range (`from`, `to`]; `undefined` until it is known where it starts. */
export interface Connection extends Zero {
  feed: string
  span: { readonly from: number; to: number } | undefined
  /** The newest beat, until its head is applied. */
  beat: { readonly head: number; readonly t: number } | undefined
  /** Another feed began in the middle of it, and no snapshot was applied since. */
  lost: boolean
}

/** The progress of one follower. */
export interface Progress {
  /** A connection opened; `after` is the position it was asked from. Throws when the other side is behind that. */
  opened(open: { readonly feed: string; readonly head: number; readonly t0: number }, sent: number, after?: FeedHead): Connection
  /** Applies a range; false: something before it is missing, the connection is of no use any more. */
  range(connection: Connection, range: Range): boolean
  /** A beat; false: something up to its head is missing. Throws for a time that cannot have come. */
  beat(connection: Connection, beat: { readonly feed: string; readonly head: number; readonly t: number }): boolean
  /** A snapshot was applied whole. Connection: the one that is open, if one is. */
  snapshot(feed: string, head: number, zero: Zero, t: number, connection: Connection | undefined): void
  /** Whether only a snapshot can close what is open between what is applied and the connection. */
  needsSnapshot(connection: Connection): boolean
  position(): FeedHead | undefined
  head(): number
  staleness(): number
  reached(position: FeedHead, ms: number): boolean | Promise<boolean>
  ready(): Promise<void>
  /** Ends what waits. */
  end(reason: Error): void
}

/** How far ahead of the newest head a position may be to be waited for, and how many may wait at once. */
const reach = 10_000
const mostWaiting = 100

/** Creates the progress. `apply` takes entries in whatever order, more than once. */
export function createProgress(elapsed: Elapsed, apply: (entries: readonly Revocation[]) => void): Progress {
  const staleness = createStaleness(elapsed)
  let feedId: string | undefined
  let applied: number | undefined
  let head = 0
  const waiting = new Set<{ readonly seq: number; readonly feedId: string; done(reached: boolean): void }>()
  let isReady: () => void = () => {}
  let isOver: (reason: Error) => void = () => {}
  const ready = new Promise<void>((resolve, reject) => {
    isReady = resolve
    isOver = reject
  })
  ready.catch(() => {})

  /** Another feed: what is held stays, and its snapshot comes on top; the age of what was complete goes on growing. */
  const turnTo = (feed: string): void => {
    if (feed === feedId) return
    feedId = feed
    applied = undefined
    head = 0
    for (const one of [...waiting]) one.done(false)
  }

  /** The connection starts over: what lies between is in a snapshot only. */
  const cut = (connection: Connection, feed: string): void => {
    turnTo(feed)
    connection.feed = feed
    connection.span = undefined
    connection.beat = undefined
    connection.lost = true
  }

  const note = (zero: Zero, t: number): void => {
    if (!staleness.complete(zero, t)) throw nonsense('a beat from a time that cannot have come')
    isReady()
  }

  const settle = (connection: Connection | undefined): void => {
    const span = connection?.span
    if (connection !== undefined && span !== undefined && connection.feed === feedId && applied !== undefined && applied >= span.from) {
      if (span.to > applied) applied = span.to
      const { beat } = connection
      if (beat !== undefined && beat.head <= applied) {
        connection.beat = undefined
        note(connection, beat.t)
      }
    }
    if (waiting.size > 0 && applied !== undefined) {
      for (const one of [...waiting]) if (one.feedId === feedId && one.seq <= applied) one.done(true)
    }
  }

  return {
    opened(open, sent, after) {
      const resumed = after !== undefined && after.feedId === open.feed
      // A node that knows less than what came from it before is no source to follow; another look may know more.
      const known = resumed ? after.seq : open.feed === feedId ? (applied ?? 0) : 0
      if (open.head < known) throw nonsense('the feed is behind what was read from it')
      turnTo(open.feed)
      head = Math.max(head, open.head)
      const from = resumed ? after.seq : after === undefined ? open.head : undefined
      return { sent, t0: open.t0, feed: open.feed, span: from === undefined ? undefined : { from, to: from }, beat: undefined, lost: false }
    },
    range(connection, range) {
      // Entries first: a revocation that is told of counts at once, whatever is missing around it.
      apply(range.entries)
      if (range.feed !== connection.feed) cut(connection, range.feed)
      head = Math.max(head, range.to)
      const { span } = connection
      if (span === undefined) connection.span = { from: range.from, to: range.to }
      else if (range.from > span.to) return false
      else if (range.to > span.to) span.to = range.to
      settle(connection)
      return true
    },
    beat(connection, beat) {
      if (beat.feed !== connection.feed) cut(connection, beat.feed)
      head = Math.max(head, beat.head)
      connection.span ??= { from: beat.head, to: beat.head }
      if (beat.head > connection.span.to) return false
      if (connection.beat === undefined || beat.t > connection.beat.t) connection.beat = { head: beat.head, t: beat.t }
      settle(connection)
      return true
    },
    snapshot(feed, upTo, zero, t, connection) {
      // The open connection says which feed is the one of now; a snapshot of another came too late or too early.
      if (connection !== undefined && connection.feed !== feed) return
      turnTo(feed)
      head = Math.max(head, upTo)
      applied = Math.max(applied ?? 0, upTo)
      note(zero, t)
      if (connection !== undefined) connection.lost = false
      settle(connection)
    },
    needsSnapshot: ({ span, feed, lost }) =>
      lost || feed !== feedId || applied === undefined || (span !== undefined && applied < span.from),
    position: () => (feedId !== undefined && applied !== undefined ? { feedId, seq: applied } : undefined),
    head: () => head,
    staleness: staleness.value,
    reached(position, ms) {
      if (position.feedId !== feedId) return false
      if (applied !== undefined && position.seq <= applied) return true
      if (position.seq > head + reach || waiting.size >= mostWaiting) return false
      return new Promise((resolve) => {
        const cancel = later(ms, () => one.done(false), true)
        const one = {
          ...position,
          done(reached: boolean) {
            cancel()
            waiting.delete(one)
            resolve(reached)
          },
        }
        waiting.add(one)
      })
    },
    ready: () => ready,
    end(reason) {
      for (const one of [...waiting]) one.done(false)
      isOver(reason)
    },
  }
}
