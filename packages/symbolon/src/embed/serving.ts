// Saying that a process uses a store, so that nobody moves the data away below it: a lease of its own, kept while it runs.
// A process that dies leaves it for its time. One that was frozen, or cut off, for longer than that knows by its own
// clocks that it has no claim any more (`fence.ts`), and one that finds the store closed shuts itself off.

import { randomBytes } from 'node:crypto'
import type { LeaseStore } from '#core'
import { isClosed, servingPrefix } from '#stores/rows'

/** How long a claim holds in the store, how long this process counts on it, and how often it is kept. Milliseconds. */
const lasts = 60_000
const counted = 55_000
const every = 15_000
/** A claim that cannot be renewed is tried again after this long at the earliest. */
const pause = 1000

/** Two clocks: a machine that slept has only one that says so. Milliseconds. */
export interface Clocks {
  readonly monotonic: number
  readonly wall: number
}

const clocksNow = (): Clocks => ({ monotonic: performance.now(), wall: Date.now() })

/** A process's claim to a store. */
export interface Claim {
  /** Whether the store cannot have been closed to services yet. */
  holds(): boolean
  /** Whether the store was found closed: from then on this process serves nobody. */
  ended(): boolean
  /** Takes it again, unless somebody does. */
  renew(): void
  /** The store was found closed. */
  end(): void
  letGo(): Promise<void>
}

/** How a store is claimed. `seals`: the id of the secret that this process seals under. `closed`: told once, when the store is closed. */
export interface Claiming {
  readonly seals: string
  readonly closed: () => void
  readonly clocks?: () => Clocks
}

/** Claims a store. Throws `store_unavailable` when it is closed or cannot be written. */
export async function claimStore(leases: LeaseStore, { seals, closed, clocks = clocksNow }: Claiming): Promise<Claim> {
  const own = randomBytes(9).toString('base64url')
  const name = `${servingPrefix}${own}`
  const holder = `${own} ${seals}`
  let takenAt: Clocks | undefined
  let over = false
  let gone = false
  const since = (then: Clocks | undefined) => {
    const now = clocks()
    return then === undefined ? Number.POSITIVE_INFINITY : Math.max(now.monotonic - then.monotonic, now.wall - then.wall)
  }
  const take = async () => {
    // The store counts from when it is asked, which is later.
    const asked = clocks()
    if (await leases.take(name, holder, lasts)) takenAt = asked
  }
  await take()

  const end = () => {
    if (over) return
    over = true
    clearInterval(timer)
    closed()
  }
  let triedAt: Clocks | undefined
  let under: Promise<void> | undefined
  const renew = () => {
    if (over || gone || under !== undefined) return
    triedAt = clocks()
    under = take()
      .catch((error) => {
        if (isClosed(error)) end()
      })
      .finally(() => {
        under = undefined
      })
  }
  const timer = setInterval(renew, every)
  timer.unref()
  return {
    holds: () => !over && !gone && since(takenAt) < counted,
    ended: () => over,
    renew() {
      if (since(triedAt) >= pause) renew()
    },
    end,
    async letGo() {
      clearInterval(timer)
      gone = true
      await under
      await leases.release(name, holder, false).catch(() => {})
    },
  }
}

/** How many processes that may run just now seal under a secret. `unnamed`: those of an older version, which do not say under which. */
export async function sealingUnder(leases: LeaseStore, secret: string): Promise<{ readonly named: number; readonly unnamed: number }> {
  const { now, leases: all } = await leases.list()
  const under = all.filter(({ name, until }) => name.startsWith(servingPrefix) && until > now).map(({ holder }) => holder?.split(' ')[1])
  return { named: under.filter((one) => one === secret).length, unnamed: under.filter((one) => one === undefined).length }
}
