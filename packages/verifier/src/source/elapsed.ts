// How much time has passed here, at least as much as really did: the larger of what a monotonic clock and the wall clock
// say. Monotonic clocks stand still while some machines are suspended; wall clocks are set. Must never run slow.

/** Clocks of a verifier; tests give their own. */
export interface Clocks {
  /** Milliseconds since 1970. */
  now(): number
  /** Milliseconds of a clock that never goes back. */
  monotonic(): number
}

/** Time that has passed. */
export interface Elapsed {
  /** Milliseconds since the creation; never decreases. */
  read(): number
  /** How much of it the wall clock added to the monotonic clock's: it jumps when a machine was suspended or its clock set. */
  gained(): number
}

/** Steps are summed up at this pace, since each one rounds the wall clock's milliseconds up. */
const pace = 10_000
/** A wall clock this far behind was set back; slewing is slower. */
const setBack = 50

/** Creates the clock. It sees a wall clock set back and a suspension apart only if it is read in between. */
export function createElapsed(clocks: Clocks): Elapsed {
  const began = clocks.monotonic()
  let monotonic = began
  let wall = clocks.now()
  let sum = 0
  const read = (): number => {
    const steady = clocks.monotonic()
    const set = clocks.now()
    const bySteady = Math.max(0, steady - monotonic)
    const byWall = set - wall
    const step = Math.max(byWall, bySteady)
    if (step >= pace || byWall < bySteady - setBack) {
      sum += step
      monotonic = Math.max(monotonic, steady)
      wall = set
      return sum
    }
    return sum + step
  }
  return { read, gained: () => read() - (clocks.monotonic() - began) }
}
