// How long checks take at a steady rate while the service's own job deletes what is over, and while it does not: the job
// works for fifty seconds of each minute and is idle for ten, so both are measured in turns of one run.

import { type Figures, quantile } from './figures.ts'
import { rooms } from './rooms.ts'

/** A store with sessions in it that are over. */
export interface CleanUp {
  readonly core: {
    readonly jobs: { readonly sweep: () => Promise<number>; readonly maintain: () => Promise<void> }
    readonly sessions: { readonly flush: () => Promise<void> }
    readonly seals: unknown
  }
  readonly leases: {
    take(name: string, holder: string, ms: number): Promise<boolean>
    release(name: string, holder: string, ran: boolean): Promise<void>
  }
  readonly check: () => Promise<void>
  /** Checks per second. */
  readonly rate: number
  /** Minutes it is watched for at the most; it ends when nothing is left, too. */
  readonly minutes: number
  /** How many sessions are over. */
  readonly over: number
}

/** What was seen. Latencies in milliseconds. */
export interface CleanUpFigures {
  readonly busy: readonly number[]
  readonly idle: readonly number[]
  readonly deleted: number
  /** Seconds the job worked. */
  readonly seconds: number
  /** Whether all that is over was deleted. */
  readonly all: boolean
}

/** Watches. */
export async function watchCleanUp(figures: Figures, { core, leases, check, rate, minutes, over }: CleanUp): Promise<CleanUpFigures> {
  const latencies = { busy: [] as number[], idle: [] as number[] }
  let deleted = 0
  let seconds = 0
  let began: number | undefined
  let all = false
  let failed: unknown
  const stop = rooms.jobs.startJobs({
    maintain: core.jobs.maintain,
    flush: core.sessions.flush,
    seals: core.seals,
    async sweep() {
      const count = await core.jobs.sweep()
      deleted += count
      all ||= deleted >= over
      return count
    },
    leases: {
      ...leases,
      async take(name: string, holder: string, ms: number) {
        const taken = await leases.take(name, holder, ms)
        if (taken && name === 'clean_up') began = performance.now()
        return taken
      },
      async release(name: string, holder: string, ran: boolean) {
        if (name === 'clean_up' && began !== undefined) {
          seconds += (performance.now() - began) / 1000
          began = undefined
        }
        await leases.release(name, holder, ran)
      },
    },
    report: (job: string, error: unknown) => {
      failed ??= new Error(job, { cause: error })
    },
  })
  const start = performance.now()
  let due = start + 5000
  let shown = start
  await new Promise<void>((resolve, reject) => {
    const timer = setInterval(() => {
      const now = performance.now()
      if (now - shown > 5000) {
        shown = now
        figures.begin(
          `clean-up: ${deleted} deleted, ${began === undefined ? 'at rest' : 'at work'} (${Math.round((now - start) / 1000)} s)`,
        )
      }
      // Each counts from when it was due: a process that stands still must not hide what nobody asked meanwhile.
      for (; due <= now; due += 1000 / rate) {
        const at = due
        const into = began === undefined ? latencies.idle : latencies.busy
        check().then(
          () => void into.push(performance.now() - at),
          (error) => {
            failed ??= error
          },
        )
      }
      // Ten idle seconds come after the last turn, too.
      if (failed !== undefined) reject(failed)
      else if (now - start > minutes * 60_000 + 55_000 || (all && began === undefined)) resolve()
      else return
      clearInterval(timer)
    }, 1)
  }).finally(stop)
  return { ...latencies, deleted, seconds, all }
}

/** Watches, and notes the figures under a name. */
export async function measureCleanUp(figures: Figures, name: string, floor: string | undefined, parts: CleanUp): Promise<void> {
  const { busy, idle, deleted, seconds, all } = await watchCleanUp(figures, parts)
  figures.note(
    `${name}: ${parts.rate} checks per second, ${busy.length} of them while ${deleted} of ${parts.over} rows that are over were deleted in ${Math.round(seconds)} s${all ? '' : ' (the rest, left idle, are found by a walk through the table, some pages a minute)'}; ${idle.length} at rest`,
  )
  figures.put(`${name}.rows_per_s`, deleted / seconds, '/s')
  figures.put(`${name}.idle.p99_ms`, quantile(idle, 0.99), 'ms')
  figures.put(`${name}.busy.p99_ms`, quantile(busy, 0.99), 'ms')
  figures.put(`${name}.p99.vs_idle`, quantile(busy, 0.99) / quantile(idle, 0.99), '×', floor)
}
