// Timers that keep no process alive, but for a caller who waits, and never fire early for being too long (2^31 − 1 ms is the most that runtimes
// take). Nothing else in this package sets one.

const longest = 24 * 86_400_000

/**
 * Runs something once after `ms` milliseconds (at most 24 days); returns the function that calls it off. `awaited`: a caller
 * waits for it, so that a process with nothing else to do must not end before.
 */
export function later(ms: number, run: () => void, awaited = false): () => void {
  const timer = setTimeout(run, Math.max(0, Math.min(ms, longest)))
  // Only some runtimes have timers that can be let go of.
  if (!awaited) (timer as unknown as { unref?: () => void }).unref?.()
  return () => clearTimeout(timer)
}

/** Resolves after `ms` milliseconds, or at once when the signal is aborted; never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve()
    const done = () => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = later(ms, done)
    signal?.addEventListener('abort', done)
  })
}
