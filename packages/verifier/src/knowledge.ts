// What guards may decide by themselves: how old the knowledge of revocations is, and whether it reaches as far as a
// caller says it must. Must never call knowledge younger than it may be.

import { type AccessTokenClaims, type FeedHead, parsePosition } from '@symbolon/protocol'
import type { Counters } from './counters.ts'
import type { Observe } from './observe.ts'
import type { Revocations } from './revocations.ts'
import type { Feed } from './source.ts'

/** The bound of a route that names none, in milliseconds. */
export const usualBound = 10_000

/** What to make of a position: decide here, ask live, or refuse since it cannot be known. */
export type Shown = 'seen' | 'ask' | 'unknown'

/** What is known, for guards. */
export interface Knowledge {
  /** Whether revocations are followed; else a token counts as known since its mint. */
  readonly followed: boolean
  /** Milliseconds. */
  staleness(claims: AccessTokenClaims): number
  /** Where knowledge is fetched on demand: brings it up to date. */
  readonly refresh: (() => Promise<void>) | undefined
  /** Whether what a request's `Symbolon-Seq` names is known here: `seen` now or in a moment, to be asked about, or neither. */
  shows(position: string): Shown | Promise<Shown>
  /** A refusal for want of knowledge. */
  refusedUnknown(): void
  waiting(): number
  readonly counters: Counters
}

/** What it stands on; `now` in milliseconds since 1970. */
export interface KnowledgeParts {
  readonly feed: Feed | undefined
  readonly revocations: Revocations
  readonly now: () => number
  readonly observe: Observe
}

const waitFor = 250
const reach = 10_000
/** Live asks a second for positions that no wait can settle. */
const asksPerSecond = 20
const mostPositions = 16

/**
 * The positions in a header; several, where a request came by two who revoked (RFC 9110 §5.3 joins them by commas).
 * `undefined` for more than are looked at: none of them may be passed over.
 */
function positionsIn(text: string): readonly FeedHead[] | undefined {
  const one = parsePosition(text)
  if (one !== undefined) return [one]
  if (!text.includes(',')) return []
  const parts = text.split(',', mostPositions + 1)
  return parts.length > mostPositions ? undefined : parts.flatMap((part) => parsePosition(part.trim()) ?? [])
}

/** Creates it. */
export function createKnowledge({ feed, revocations, now, observe }: KnowledgeParts): Knowledge {
  const counters: Counters = { fallbacks: 0, refusedUnknown: 0, positions: 0, positionsWaited: 0, closed: 0 }
  let stale = false
  let saidUnknown = false
  let waiting = 0
  let asks = asksPerSecond
  let counted = 0

  const mayAsk = (): boolean => {
    const time = now()
    asks = Math.min(asksPerSecond, asks + ((time - counted) / 1000) * asksPerSecond)
    counted = time
    if (asks < 1) return false
    asks--
    return true
  }

  /** Told apart here so that one line is logged for a change, not one for a request. */
  const turned = (value: number): void => {
    if (stale === value > usualBound) return
    stale = !stale
    if (!stale) saidUnknown = false
    observe({ event: stale ? 'stale' : 'fresh', stalenessMs: value })
  }

  const wait = async (followed: Feed, position: FeedHead): Promise<Shown> => {
    counters.positionsWaited++
    waiting++
    try {
      return (await followed.reached(position, waitFor)) ? 'seen' : 'ask'
    } finally {
      waiting--
    }
  }

  return {
    followed: feed !== undefined,
    refresh: feed?.refresh,
    staleness(claims) {
      // Without the feed, what is known is what was true at the mint.
      if (feed === undefined) return Math.max(0, now() - claims.iat * 1000)
      const value = revocations.complete() ? feed.staleness() : Number.POSITIVE_INFINITY
      if (stale !== value > usualBound) turned(value)
      return value
    },
    shows(text) {
      if (feed === undefined) return 'seen'
      const positions = positionsIn(text)
      if (positions === undefined) return mayAsk() ? 'ask' : 'unknown'
      const [first] = positions
      // What is no position names no revocation: the bound holds, as without the header.
      if (first === undefined) return 'seen'
      counters.positions++
      const at = feed.position()
      if (at !== undefined && positions.every(({ feedId }) => feedId === at.feedId)) {
        const position = positions.reduce((newest, one) => (one.seq > newest.seq ? one : newest), first)
        if (position.seq <= at.seq) return 'seen'
        if (position.seq <= feed.status().head + reach) return wait(feed, position)
      }
      // Of another feed (a restored database, or a forgery), or too far ahead (a mass revocation, or a forgery). A genuine
      // one is asked about. Forged ones cost a bounded number of asks, and beyond that a refusal, which costs nothing and
      // meets only who asked for what cannot be known. Not to look at them would break the promise to the genuine.
      return mayAsk() ? 'ask' : 'unknown'
    },
    refusedUnknown() {
      counters.refusedUnknown++
      if (saidUnknown) return
      saidUnknown = true
      observe({ event: 'refused_unknown' })
    },
    waiting: () => waiting,
    counters,
  }
}
