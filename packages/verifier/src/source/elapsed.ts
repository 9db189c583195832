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
/** A wall clock this far behind was set back: whole milliseconds differ by less than one, and slewing is slower. */
const setBack = 2

/** Creates the clock. It sees a wall clock set back and a suspension apart only if it is read in between. */
export function createElapsed(clocks: Clocks): Elapsed {
  const began = clocks.monotonic()
  let monotonic = began
  let wall = clocks.now()
  let sum = 0
  const last = { monotonic, wall, value: 0 }
  const read = (): number => {
    const steady = Math.max(last.monotonic, clocks.monotonic())
    const set = clocks.now()
    const since = steady - last.monotonic
    let value = Math.max(last.value, sum + Math.max(set - wall, steady - monotonic))
    const back = set - last.wall < since - setBack
    // What passed before the wall clock was set back stays passed.
    if (back) value = last.value + since
    if (back || value - sum >= pace) {
      sum = value
      monotonic = steady
      wall = set
    }
    last.monotonic = steady
    last.wall = set
    last.value = value
    return value
  }
  return { read, gained: () => read() - (clocks.monotonic() - began) }
}
