// Code that is not ours, such as a step of the refresh or a hook, run within a time budget: it comes to its end, is late,
// or fails, and what it does after that has no effect. What each of these means is decided by who calls.

import type { Clock } from './ports.ts'

/** As much of an AbortSignal as core knows without a platform. */
export interface AbortSignalLike {
  readonly aborted: boolean
}

/** What stands for an answer that did not come: refuse; 503 `try_later` with nothing written; go on without. */
export type FailureMode = 'deny' | 'defer' | 'degrade'

/** How it ended. */
export type Ended = 'done' | 'late' | 'failed'

/** Runs it for at most `budget` milliseconds. The signal is aborted when it is over, however it ended. */
export async function runForeign(
  clock: Pick<Clock, 'after'>,
  budget: number,
  run: (signal: AbortSignalLike) => void | Promise<void>,
): Promise<Ended> {
  const signal = { aborted: false }
  let callOff = () => {}
  const late = new Promise<'late'>((resolve) => {
    callOff = clock.after(budget, () => resolve('late'))
  })
  try {
    const running = Promise.resolve(run(signal)).then(() => 'done' as const)
    running.catch(() => {})
    return await Promise.race([running, late])
  } catch {
    return 'failed'
  } finally {
    callOff()
    signal.aborted = true
  }
}

/** The same for code of one kind, at most `most` of it at once. What never ends keeps its place, and others find none at last. */
export function createForeign(clock: Pick<Clock, 'after'>, most: number) {
  let running = 0
  return async (budget: number, run: () => Promise<void>): Promise<Ended | 'full'> => {
    if (running >= most) return 'full'
    return runForeign(clock, budget, async () => {
      running++
      try {
        await run()
      } finally {
        running--
      }
    })
  }
}
