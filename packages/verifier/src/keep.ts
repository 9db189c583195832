// Work that others wait for too, kept alive where a runtime would stop it with the request that began it.

/** Gives the promise back, and sees to it that it settles. */
export type Keep = <T>(work: Promise<T>) => Promise<T>

/** Creates it on a runtime's `waitUntil`, which may throw where no request is under way: then nothing stops the work either. */
export function createKeep(waitUntil: ((work: Promise<unknown>) => void) | undefined): Keep {
  if (waitUntil === undefined) return (work) => work
  const settled = () => {}
  return (work) => {
    try {
      waitUntil(work.then(settled, settled))
    } catch {
      // Outside of a request.
    }
    return work
  }
}
