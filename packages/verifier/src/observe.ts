// What a verifier tells of itself: one event for each change of state, never one for each request, and never an id of a
// person, a token or a secret.

/** A change of state. Times in milliseconds. */
export type VerifierEvent =
  /** Revocations are not known here: tokens live until they expire. Said once, at the start. */
  | { readonly event: 'not_followed'; readonly reason: 'no_credentials' | 'by_option' | 'source' }
  | { readonly event: 'connected'; readonly transport: 'stream' | 'long_poll'; readonly feedId: string }
  /** A connection ended; the next is tried after `delayMs`. */
  | { readonly event: 'reconnect'; readonly reason: string; readonly delayMs: number }
  | { readonly event: 'snapshot'; readonly entries: number; readonly head: number }
  | { readonly event: 'snapshot_failed'; readonly reason: string; readonly delayMs: number }
  /** Streams cannot be had: the long poll is used for half a minute, and for longer each time that this is said without a stream in between. */
  | { readonly event: 'fallback'; readonly transport: 'long_poll' }
  /** The first check past its bound, and the first within it again: tokens are asked about in between. */
  | { readonly event: 'stale'; readonly stalenessMs: number }
  | { readonly event: 'fresh'; readonly stalenessMs: number }
  /** The first refusal for want of knowledge since the last `fresh`. */
  | { readonly event: 'refused_unknown' }
  | { readonly event: 'breaker'; readonly state: 'closed' | 'open' | 'half_open' }
  /** The register of live connections is full, or a connection's `close` threw. */
  | { readonly event: 'connections_full' }
  | { readonly event: 'close_failed' }

/** Hears of events; what it throws is swallowed. */
export type Observe = (event: VerifierEvent) => void

/** Wraps an observer so that it can break nothing. */
export function createObserver(observe: Observe | undefined): Observe {
  if (observe === undefined) return () => {}
  return (event) => {
    try {
      observe(event)
    } catch {
      // An observer decides nothing.
    }
  }
}
