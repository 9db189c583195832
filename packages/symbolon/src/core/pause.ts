// A pause of work that is done in batches, by the clock that core is given.

import type { Clock } from './ports.ts'

/** Resolves after so many milliseconds; after none, others come in between all the same. */
export function pause(clock: Pick<Clock, 'after'>, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve))
}
