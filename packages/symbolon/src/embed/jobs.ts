// Scheduled work. Keys are read by every process each minute, waiting activity is written each second; what must run once,
// whichever process it runs in, is done by who holds its lease, and another one takes over when that one dies. No timer
// keeps the process alive, no job runs beside itself, and a fault waits for the next turn.

import { randomBytes } from 'node:crypto'
import type { LeaseStore, ResealPlace, Seals } from '#core'

/** What is run. `report` hears of faults; names only. */
export interface Work {
  readonly maintain: () => Promise<void>
  readonly sweep: (goOn: () => boolean) => Promise<number>
  readonly flush: () => Promise<void>
  readonly seals: Pick<Seals, 'due' | 'reseal'>
  readonly leases: LeaseStore
  readonly report: (job: string, error: unknown) => void
}

/** Jobs by lease, and how often they run; longer without is worth an alarm. Milliseconds. */
export const schedule = { keys: 60_000, clean_up: 60_000, re_seal: 10_000 } as const

/** A lease outlives a turn of its job, so that no two work on it, and a dead holder by no more than this. */
const lasts = 90_000
/** How long clean-up works in one turn. */
const turn = 50_000
/** When everything was sealed again, it is looked through once more after this long: a node that was started before may have sealed under an older secret. */
const lookAgain = 3_600_000
/** Batches take a quarter of the time, others three: who answers requests must hardly notice. */
const rest = 3

const pause = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms).unref())

/** Starts the jobs; the returned function ends them and waits for those under way. */
export function startJobs(work: Work): () => Promise<void> {
  const holder = randomBytes(9).toString('base64url')
  const under = new Set<Promise<void>>()
  let ended = false
  let wake = () => {}
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
  /** Runs a job if nobody else does, and notes whether it came to its end. */
  const alone = async (name: keyof typeof schedule, run: () => Promise<void>) => {
    if (!(await work.leases.take(name, holder, lasts))) return
    let ran = false
    try {
      await run()
      ran = true
    } finally {
      await work.leases.release(name, holder, ran).catch(() => {})
    }
  }
  const cleanUp = async () => {
    const until = performance.now() + turn
    while (!ended && performance.now() < until) {
      const began = performance.now()
      if ((await work.sweep(() => !ended)) === 0) return
      const ms = Math.min(2000, (performance.now() - began) * rest)
      await Promise.race([
        pause(ms),
        new Promise<void>((resolve) => {
          wake = resolve
        }),
      ])
    }
  }
  let place: ResealPlace | null = null
  let sealedAt = Number.NEGATIVE_INFINITY
  const reSeal = async () => {
    if (performance.now() - sealedAt < lookAgain || !(await work.seals.due())) return
    await alone('re_seal', async () => {
      const until = performance.now() + turn
      const { left } = await work.seals.reseal(async () => !ended && performance.now() < until, undefined, place)
      place = left
      if (left === null) sealedAt = performance.now()
    })
  }
  const timers = [
    every(schedule.keys, 'maintain', async () => {
      await work.maintain()
      // Every process reads the keys; that some process got to the end of it is what an alarm asks for.
      await alone('keys', async () => {})
    }),
    every(1_000, 'flush', work.flush),
    every(schedule.re_seal, 're_seal', reSeal),
    every(schedule.clean_up, 'sweep', () => alone('clean_up', cleanUp)),
  ]
  return async () => {
    ended = true
    wake()
    for (const timer of timers) clearInterval(timer)
    await Promise.all(under)
  }
}
