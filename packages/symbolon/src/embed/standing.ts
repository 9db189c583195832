// What a start proves of its store before anybody is served: that it is not older than what was acknowledged, and that
// what it has sealed can be opened. Refused with one sentence that says what to do; nothing is mended in silence.

import type { CoreEvent, SealedUnder, Seals, Store } from '#core'
import { markPath, readMark } from './mark.ts'
import { refuseOption } from './options.ts'

const behind = (sentence: string) => refuseOption(sentence, 'store_behind')

/**
 * Holds the store against the mark of the data directory. The rule: the same log must have come at least as far. A log that
 * this store had before it was renewed is fine: whoever renewed it was running, and said so. One that it never had means
 * that the store is older than a renewal, or another one. Throws `store_behind`.
 */
export async function checkStanding(store: Store, directory: string): Promise<void> {
  if ((await store.restores.pending()) !== undefined)
    throw behind('A restore of this store was begun and has not come to its end; run it again: symbolon restore')
  const mark = readMark(directory)
  if (mark === undefined) return
  const head = await store.feed.head()
  const path = markPath(directory)
  if (head.feedId === mark.feedId) {
    if (head.seq >= mark.seq) return
    throw behind(
      `This store is older than what was acknowledged: its log of revocations ends at ${head.seq}, and ${path} says that it had come to ${mark.seq}. Put the newer store back, or make this one safe to serve from: symbolon restore`,
    )
  }
  if (await store.restores.had(mark.feedId)) return
  if (head.seq === 0 && (await store.users.list(null, 1)).length === 0)
    throw behind(
      `This store is new and empty, but another one was served from this data directory, as ${path} says. Put that one back; or begin with this one: symbolon restore (or another data directory)`,
    )
  throw behind(
    `This store is older than what was acknowledged, or another one: it never had the log of revocations that ${path} speaks of. Put the right store back, or make this one safe to serve from: symbolon restore`,
  )
}

const counted = (n: number, one: string, many = `${one}s`) => (n === 0 ? [] : [`${n} ${n === 1 ? one : many}`])

/** What is sealed under a secret, in words; empty when nothing is. */
export function sealedWords({ sessions, keys, attempts }: Pick<SealedUnder, 'sessions' | 'keys' | 'attempts'>): string {
  const parts = [counted(sessions, 'session'), counted(keys, 'signing key'), counted(attempts, 'sign-in under way', 'sign-ins under way')]
  return parts.flat().join(', ')
}

/** Looks for sessions under secrets that are not configured; forgets those under which nothing is left. Throws `secret_missing`. */
export async function checkSecrets(seals: Seals, missing: readonly string[]): Promise<void> {
  if (missing.length === 0) return
  const status = await seals.status()
  for (const secret of missing) {
    const under = status.find((one) => one.secret === secret)
    if (under === undefined) await seals.forget(secret)
    else if (under.sessions > 0)
      throw refuseOption(
        `${sealedWords({ ...under, attempts: 0 })} ${under.sessions + under.keys === 1 ? 'is' : 'are'} sealed under the secret ${secret}, which is not configured: put it back (secrets takes several, the newest first), or give up what it sealed: symbolon secrets drop ${secret} --revoke`,
        'secret_missing',
      )
  }
}

/**
 * Looks once, while others are served already, for settings of the database that cost something that was promised (G4): each
 * is told, and none refused. A look that fails is no fault of the start.
 */
export async function tellUnsafe(store: Pick<Store, 'examine'>, observe: (event: CoreEvent) => void): Promise<void> {
  const findings = await store.examine().catch(() => [])
  for (const detail of findings) observe({ event: 'store.unsafe', detail })
}
