// An upper bound on how long ago the knowledge of revocations was complete:
// (now − L0) − (t − t0) + (now − L0)/1000, with t of the newest beat whose head has been applied, L0 this side's clock
// before it sent the request, and t0 the sender's after receiving it. Whatever delays lie between, it is never too small:
// t − t0 is time that passed after L0, and the last term pays for clocks whose rates differ by up to 0.1 %.

import type { Elapsed } from './elapsed.ts'

/** A connection's two zero points: this side's clock before the request, the other side's after receiving it. */
export interface Zero {
  /** L0, of the {@link Elapsed} clock. */
  readonly sent: number
  readonly t0: number
}

/** The bound. */
export interface Staleness {
  /** Everything up to a head read at the sender's time `t` is applied. False when that time cannot have come yet. */
  complete(zero: Zero, t: number): boolean
  /** Milliseconds; `Infinity` before the first time. */
  value(): number
}

/** Milliseconds that a beat may seem to come from the future, for clocks that are read in whole ones. */
const rounding = 5

/** Creates the bound on a clock that never runs slow. */
export function createStaleness(elapsed: Elapsed): Staleness {
  let sent = Number.NEGATIVE_INFINITY
  let ahead = 0
  const at = (now: number, from: number, by: number): number => {
    const passed = now - from
    return Math.max(0, passed - by + passed / 1000)
  }
  return {
    complete(zero, t) {
      const now = elapsed.read()
      const by = t - zero.t0
      const passed = now - zero.sent
      if (by > passed + passed / 1000 + rounding) return false
      // Two bounds keep their distance as time passes, so the smaller one now is the smaller one for good.
      if (passed - by + passed / 1000 < now - sent - ahead + (now - sent) / 1000) {
        sent = zero.sent
        ahead = by
      }
      return true
    },
    value: () => (sent === Number.NEGATIVE_INFINITY ? Number.POSITIVE_INFINITY : at(elapsed.read(), sent, ahead)),
  }
}
