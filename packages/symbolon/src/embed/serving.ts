// Saying that a process uses a store, so that nobody moves the data away below it: a lease of its own, kept while it runs.
// A process that dies leaves it for its time; one that slept through it, and finds the store closed, shuts itself off.

import { randomBytes } from 'node:crypto'
import type { LeaseStore } from '#core'
import { isClosed, servingPrefix } from '#stores/rows'

/** How long a claim holds, and how often it is kept. Milliseconds. */
const lasts = 60_000
const every = 15_000

/** Claims a store; `closed` is called when it turns out to be closed to services. Returns what lets it go. Throws when it is closed. */
export async function claimStore(leases: LeaseStore, closed: () => void): Promise<() => Promise<void>> {
  const holder = randomBytes(9).toString('base64url')
  const name = `${servingPrefix}${holder}`
  await leases.take(name, holder, lasts)
  let under: Promise<unknown> = Promise.resolve()
  const timer = setInterval(() => {
    under = leases.take(name, holder, lasts).catch((error) => {
      if (!isClosed(error)) return
      clearInterval(timer)
      closed()
    })
  }, every)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await under
    await leases.release(name, holder, false).catch(() => {})
  }
}
