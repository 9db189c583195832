// How much runs at once: who finds no lane free waits for one, in the order of coming.

/** Makes lanes: a function that runs something when one is free. */
export function createLanes(count: number): <T>(run: () => Promise<T>) => Promise<T> {
  const queue: (() => void)[] = []
  let taken = 0
  return async (run) => {
    if (taken >= count) await new Promise<void>((resolve) => queue.push(resolve))
    else taken++
    try {
      return await run()
    } finally {
      const next = queue.shift()
      // Who waited takes over the lane itself, so that nobody comes in between.
      if (next === undefined) taken--
      else next()
    }
  }
}
