// A circuit breaker: after some failures in a row nothing is asked for a while, so that callers are refused at once and
// the service can recover; then one try decides. Must never let anything pass as known.

import type { SymbolonError } from '@symbolon/protocol'
import { unknown } from './transport.ts'

/** Closed: asks go out. Open: none. Half open: one is under way to decide. */
export type BreakerState = 'closed' | 'open' | 'half_open'

/** The breaker. */
export interface Breaker {
  /** Whether an ask may go out now; when half open, only one may. Its outcome must be reported. */
  allows(): boolean
  succeeded(): void
  /** `atLeast`: milliseconds for which the other side asked not to be asked. */
  failed(atLeast?: number): void
  /** Lets the next try go out now: the other side was heard of again. Not before a time that it asked for itself. */
  heard(): void
  state(): BreakerState
  /** Milliseconds until the next try; 0 when asks go out. */
  opensIn(): number
}

const failuresToOpen = 5
/** Milliseconds until the first try, and at most; jittered between the half and the whole. Half of the ten seconds within which all is well again. */
const firstWait = 2000
const longestWait = 5000

/** Creates one; `now` is monotonic, `random` gives [0, 1). */
export function createBreaker(now: () => number, random: () => number, changed: (state: BreakerState) => void): Breaker {
  let state: BreakerState = 'closed'
  let failures = 0
  let opened = 0
  let until = 0
  let asked = 0
  const turn = (next: BreakerState) => {
    if (state === next) return
    state = next
    changed(next)
  }
  return {
    allows() {
      if (state === 'closed') return true
      if (state === 'half_open' || now() < until) return false
      turn('half_open')
      return true
    },
    succeeded() {
      failures = 0
      opened = 0
      turn('closed')
    },
    failed(atLeast = 0) {
      failures++
      // An ask that was under way when it opened says nothing new.
      if (state === 'open' || (state === 'closed' && failures < failuresToOpen)) return
      const wait = Math.min(longestWait, firstWait * 2 ** opened++)
      asked = now() + atLeast
      until = Math.max(asked, now() + wait / 2 + (random() * wait) / 2)
      turn('open')
    },
    heard() {
      if (state === 'open') until = Math.min(until, asked)
    },
    state: () => state,
    opensIn: () => (state === 'closed' ? 0 : Math.max(0, until - now())),
  }
}

/** The refusal of a call that the breaker does not let out. */
export const shed = (breaker: Breaker): SymbolonError =>
  unknown('the issuer did not answer lately; the next try is on its way', undefined, Math.ceil(breaker.opensIn() / 1000) || 1)
