// Follows the revocation feed: a stream, or the long poll where streams cannot be had, or a cached snapshot brought up to
// date on demand. One connection and at most one snapshot at a time, whatever happens. What it cannot get only makes the
// knowledge older; what to do about that is decided by the guards.

import { type FeedHead, type Revocation, SymbolonError } from '@symbolon/protocol'
import type { Keep } from '../keep.ts'
import type { Observe } from '../observe.ts'
import type { Feed, FeedStatus } from '../source.ts'
import { later, pause } from '../timers.ts'
import { createBackoff } from './backoff.ts'
import { type Clocks, createElapsed } from './elapsed.ts'
import { type Polled, poll } from './poll.ts'
import { type Connection, createProgress } from './progress.ts'
import { takeSnapshot } from './snapshot.ts'
import { followStream, needsSnapshot } from './stream.ts'
import type { Transport } from './transport.ts'

/** How the feed is followed. */
export type FollowMode = 'stream' | 'long_poll' | 'snapshot'

/** What a follower stands on. `random` gives [0, 1). */
export interface FollowParts {
  readonly transport: Transport
  readonly clocks: Clocks
  readonly random: () => number
  readonly observe: Observe
  readonly keep: Keep
  readonly mode: FollowMode
  readonly apply: (entries: readonly Revocation[]) => void
}

/** Milliseconds: of silence in a snapshot, of a whole one. */
const snapshotSilence = 5000
const snapshotWithin = 120_000
/** How long the long poll serves before a stream is tried again: a short fault is over soon, a proxy that lets none through stays. */
const pollFirst = 30_000
const pollLongest = 600_000
/** Seconds the long poll waits: short, since the knowledge grows old until it answers. */
const pollWait = 1
const pollPace = 50
/** Milliseconds a caller waits for the cached snapshot to be brought up to date. */
const refreshWithin = 1000

/** Starts following. */
export function follow(parts: FollowParts): Feed {
  const { transport, clocks, observe, keep, mode } = parts
  const elapsed = createElapsed(clocks)
  const progress = createProgress(elapsed, parts.apply)
  const backoff = createBackoff(clocks.monotonic, parts.random)
  const snapshotBackoff = createBackoff(clocks.monotonic, parts.random)
  const ended = new AbortController()
  const { signal } = ended
  let current: Connection | undefined
  let transportNow: FeedStatus['transport'] = 'none'
  let reconnects = 0
  let snapshots = 0
  let taking: Promise<void> | undefined

  /** Takes one snapshot. Throws when it cannot be had. */
  const snapshot = async (): Promise<void> => {
    const controller = new AbortController()
    const stop = () => controller.abort()
    signal.addEventListener('abort', stop)
    let silence = later(snapshotSilence, stop)
    const whole = later(snapshotWithin, stop)
    const alive = () => {
      silence()
      silence = later(snapshotSilence, stop)
    }
    try {
      const sent = elapsed.read()
      const taken = await takeSnapshot(transport, parts.apply, controller.signal, alive)
      progress.snapshot(taken.feed, taken.head, { sent, t0: taken.t0 }, taken.t, current)
      snapshots++
      observe({ event: 'snapshot', entries: taken.count, head: taken.head })
    } finally {
      silence()
      whole()
      signal.removeEventListener('abort', stop)
      controller.abort()
    }
  }

  /** Closes what is open between what is applied and the connection, until nothing is. */
  const close = async (): Promise<void> => {
    while (!signal.aborted && current !== undefined && progress.needsSnapshot(current)) {
      let delay = 0
      try {
        await snapshot()
        if (current !== undefined && progress.needsSnapshot(current)) delay = snapshotBackoff.delay()
        else snapshotBackoff.reset()
      } catch (error) {
        delay = snapshotBackoff.delay(retryAfterOf(error))
        observe({ event: 'snapshot_failed', reason: reasonOf(error), delayMs: delay })
      }
      if (delay > 0) await pause(delay, signal)
    }
  }
  const changed = (connection: Connection): void => {
    if (current !== connection) {
      current = connection
      transportNow = 'stream'
      observe({ event: 'connected', transport: 'stream', feedId: connection.feed })
    }
    if (taking === undefined && progress.needsSnapshot(connection))
      taking = close().finally(() => {
        taking = undefined
      })
  }

  const again = async (reason: string, retryAfter: number, atOnce = false): Promise<void> => {
    if (signal.aborted) return
    reconnects++
    const delayMs = atOnce ? 0 : backoff.delay(retryAfter)
    observe({ event: 'reconnect', reason, delayMs })
    if (delayMs > 0) await pause(delayMs, signal)
  }

  /** Streams, until two in a row could not be had; whether one lived. */
  const streams = async (): Promise<boolean> => {
    let everLived = false
    let dead = 0
    let fresh = false
    while (!signal.aborted && dead < 2) {
      const began = elapsed.read()
      const after: FeedHead | undefined = fresh ? undefined : progress.position()
      const ending = await followStream({ transport, elapsed, progress, changed }, after, signal)
      current = undefined
      transportNow = 'none'
      const lost = ending.reason === needsSnapshot
      dead = lost || ending.lived || !(ending.answered || ending.reason === 'no event came') ? 0 : dead + 1
      // A second gap in a row is not closed by asking for the same again.
      fresh = lost || /answered 410$/.test(ending.reason) || (ending.reason === 'a gap' && after !== undefined && !ending.lived)
      everLived ||= ending.lived
      if (ending.lived && elapsed.read() - began > 10_000) backoff.reset()
      await again(ending.reason, ending.retryAfter, ending.reason === 'reopened' || (lost && after !== undefined))
    }
    return everLived
  }

  /** Brings everything up to date by pages, a snapshot where they do not reach. */
  const catchUp = async (wait: number): Promise<void> => {
    for (;;) {
      const after: FeedHead | undefined = progress.position()
      const polled: Polled = after === undefined ? 'snapshot' : await poll({ transport, elapsed, progress }, after, wait)
      if (polled === 'done' || signal.aborted) return
      if (polled === 'snapshot') return snapshot()
    }
  }

  const polls = async (span: number): Promise<void> => {
    const until = elapsed.read() + span
    while (!signal.aborted && elapsed.read() < until) {
      const began = clocks.monotonic()
      const before = progress.position()?.seq
      try {
        await catchUp(pollWait)
        if (transportNow !== 'long_poll') {
          transportNow = 'long_poll'
          observe({ event: 'connected', transport: 'long_poll', feedId: progress.position()?.feedId ?? '' })
          backoff.reset()
        }
        // A server that does not wait is not asked more often for it.
        const took = clocks.monotonic() - began
        const idle = progress.position()?.seq === before && took < pollWait * 500
        await pause(idle ? pollWait * 1000 - took : pollPace, signal)
      } catch (error) {
        transportNow = 'none'
        await again(reasonOf(error), retryAfterOf(error))
      }
    }
    transportNow = 'none'
  }

  const run = async (): Promise<void> => {
    let span = pollFirst
    while (!signal.aborted) {
      if (mode === 'stream') {
        if (await streams()) span = pollFirst
        if (!signal.aborted) observe({ event: 'fallback', transport: 'long_poll' })
      }
      await polls(span)
      span = Math.min(pollLongest, 2 * span)
    }
  }

  let refreshing: Promise<void> | undefined
  let notBefore = Number.NEGATIVE_INFINITY
  const refresh = (): Promise<void> => {
    if (signal.aborted || clocks.monotonic() < notBefore) return Promise.resolve()
    refreshing ??= keep(catchUp(0))
      .then(
        () => {
          transportNow = 'snapshot'
          backoff.reset()
        },
        (error) => {
          const delayMs = backoff.delay(retryAfterOf(error))
          notBefore = clocks.monotonic() + delayMs
          observe({ event: 'snapshot_failed', reason: reasonOf(error), delayMs })
        },
      )
      .finally(() => {
        refreshing = undefined
      })
    return Promise.race([refreshing, pause(refreshWithin, signal)])
  }

  if (mode !== 'snapshot') void run()
  return {
    staleness: progress.staleness,
    position: progress.position,
    reached(position, ms) {
      // Nothing else would bring it.
      if (mode === 'snapshot') void refresh()
      return progress.reached(position, ms)
    },
    ready() {
      if (mode === 'snapshot') void refresh()
      return progress.ready()
    },
    ...(mode === 'snapshot' && { refresh }),
    status: () => ({
      feedId: progress.position()?.feedId ?? null,
      head: progress.head(),
      applied: progress.position()?.seq ?? 0,
      stalenessMs: progress.staleness(),
      transport: transportNow,
      reconnects,
      snapshots,
    }),
    end() {
      ended.abort()
      progress.end(new SymbolonError('revocation_unknown', { detail: 'the verifier was closed' }))
    },
  }
}

const retryAfterOf = (error: unknown): number => (error instanceof SymbolonError ? (error.retryAfter ?? 0) * 1000 : 0)

function reasonOf(error: unknown): string {
  if (error instanceof SymbolonError) return error.detail ?? error.code
  return error instanceof Error && error.constructor === Error ? error.message : 'the connection failed'
}
