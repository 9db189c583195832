// How much of the time this process was kept from running: by other work on the machine, or by its own. What it takes for
// the slowness of another process may be that.

const every = 20

/** A pulse that beats. */
export interface Pulse {
  /** Milliseconds between two times in which nothing ran here. */
  lost(from: number, to: number): number
  stop(): void
}

/** Starts one. */
export function startPulse(): Pulse {
  const gaps: { readonly at: number; readonly late: number }[] = []
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    const late = now - last - every
    if (late > 5) gaps.push({ at: now, late })
    last = now
  }, every)
  return {
    lost: (from, to) => gaps.reduce((sum, { at, late }) => (at > from && at - late < to ? sum + late : sum), 0),
    stop: () => clearInterval(timer),
  }
}
