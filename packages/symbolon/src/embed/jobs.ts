// Scheduled work of one process: keys each minute, clean-up in small batches, waiting activity each second.
// No timer keeps the process alive, no job runs beside itself, and a fault waits for the next turn.

/** What is run. `report` hears of faults; names only. */
export interface Work {
  readonly maintain: () => Promise<void>
  readonly sweep: () => Promise<number>
  readonly flush: () => Promise<void>
  readonly report: (job: string, error: unknown) => void
}

/** Batches of clean-up in one turn; what is left waits for the next. */
const batches = 20

/** Starts the jobs; the returned function ends them and waits for those under way. */
export function startJobs(work: Work): () => Promise<void> {
  const under = new Set<Promise<void>>()
  let ended = false
  const every = (ms: number, name: string, run: () => Promise<void>) => {
    let busy = false
    const timer = setInterval(() => {
      if (busy || ended) return
      busy = true
      const turn = run()
        .catch((error) => work.report(name, error))
        .finally(() => {
          busy = false
          under.delete(turn)
        })
      under.add(turn)
    }, ms)
    timer.unref()
    return timer
  }
  const timers = [
    every(60_000, 'maintain', work.maintain),
    every(1_000, 'flush', work.flush),
    every(60_000, 'sweep', async () => {
      for (let i = 0; i < batches && !ended; i++) if ((await work.sweep()) === 0) return
    }),
  ]
  return async () => {
    ended = true
    for (const timer of timers) clearInterval(timer)
    await Promise.all(under)
  }
}
