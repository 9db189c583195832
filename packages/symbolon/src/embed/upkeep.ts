// The care of a store by an operator: server secrets, and what a restored backup needs. It opens what a start would refuse,
// serves nobody, and runs beside nodes that do.

import { randomBytes } from 'node:crypto'
import type { FeedHead } from '@symbolon/protocol'
import { createSeals, type Resealed, type ResealPlace, type RestoreCounts, restore, type SealedUnder } from '#core'
import { crashAt } from './crash-point.ts'
import { createCrypto } from './crypto.ts'
import { ownSecret, prepareData } from './data.ts'
import { createMarkKeeper, type Mark, readMark, writeMark } from './mark.ts'
import { type AuthOptions, readOptions, refuseOption } from './options.ts'
import { sealingUnder } from './serving.ts'
import { createSigner } from './signer.ts'
import { checkStanding, sealedWords } from './standing.ts'
import { openStore, storePlace } from './store.ts'

/** Where a store stands against the mark of the data directory. */
export interface RestorePlan {
  readonly place: string
  readonly head: FeedHead
  readonly mark: FeedHead | null
  /** Why a start is refused; null when it is not. */
  readonly refused: string | null
}

/** The operator's verbs. */
export interface Upkeep {
  /** Ids of the configured secrets, the one that seals first. */
  readonly secretIds: readonly string[]
  status(): Promise<readonly SealedUnder[]>
  /** Seals everything again under the first secret; waits while somebody else does. */
  reseal(told: (sofar: Omit<Resealed, 'left'>, waiting: boolean) => void): Promise<Omit<Resealed, 'left'>>
  /** Gives up what is left under a secret if `revoke` says so; throws with a sentence when something is and it does not, or while a node seals under it. */
  drop(secret: string, revoke: boolean, by: string): Promise<{ readonly sessions: number; readonly keys: number }>
  plan(): Promise<RestorePlan>
  restore(by: string, told: (sofar: RestoreCounts) => void): Promise<RestoreCounts>
  close(): Promise<void>
}

const givenWords = ({ sessions, keys }: { readonly sessions: number; readonly keys: number }) =>
  `${sessions} sessions and ${keys} keys were given up already; the secret is still noted.`

/** The lease of whoever seals again, how long it lasts (it is kept up; who is killed lets it go by that), and how long another one is waited for; milliseconds. */
const lease = { name: 're_seal', lasts: 15_000, patience: 180_000 } as const

/** Opens the store of the options. Throws with a sentence that says what to do. */
export async function createUpkeep(options: AuthOptions): Promise<Upkeep> {
  const settings = readOptions(options)
  const { data } = settings
  prepareData(data)
  const crypto = createCrypto(settings.secrets.length > 0 ? settings.secrets : [ownSecret(data, 'secret')])
  const store = await openStore(settings, () => {})
  const after = (ms: number, run: () => void) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  }
  const ports = {
    store,
    crypto,
    signer: createSigner(),
    clock: { now: () => performance.now(), after },
    crashPoint: crashAt(settings.crashPoint),
  }
  const algorithm = { algorithm: settings.keys.algorithm }
  const seals = createSeals(ports, algorithm)
  const holder = randomBytes(9).toString('base64url')
  const markOf = (): Mark | undefined => {
    try {
      return readMark(data)
    } catch {
      // Damaged: a restore is what makes that good.
      return undefined
    }
  }
  const published = async () =>
    (await store.keys.list()).keys.filter(({ state }) => state !== 'retired' && state !== 'revoked').map(({ kid }) => kid)

  /** Why a secret cannot be dropped beside the nodes that run: what one seals under it from now on nobody could open, given up or not. */
  const sealedBeside = async (secret: string): Promise<string | undefined> => {
    const { named, unnamed } = await sealingUnder(store.leases, secret)
    const killed = '(one that was killed counts for a minute), then run: symbolon secrets rotate'
    if (named > 0)
      return `${named === 1 ? 'A node still seals' : `${named} nodes still seal`} under ${secret}: restart ${named === 1 ? 'it' : 'them'} with the new file ${killed}`
    if (unnamed > 0)
      return `A node of an older version runs, and may seal under ${secret}: restart it with this version and the new file ${killed}`
    return undefined
  }

  return {
    secretIds: crypto.secretIds,
    status: seals.status,
    async reseal(told) {
      await seals.open()
      await seals.prefer()
      const sums = { sessions: 0, keys: 0, attempts: 0, unopened: 0 }
      const add = (more: Omit<Resealed, 'left'>) => ({
        sessions: sums.sessions + more.sessions,
        keys: sums.keys + more.keys,
        attempts: sums.attempts + more.attempts,
        unopened: sums.unopened + more.unopened,
      })
      let place: ResealPlace | null = null
      for (let waited = 0; ; ) {
        if (!(await store.leases.take(lease.name, holder, lease.lasts))) {
          if (waited >= lease.patience)
            throw refuseOption('Somebody else seals everything again just now; look at symbolon secrets status in a while.')
          told(sums, true)
          await new Promise<void>((resolve) => void after(1000, resolve))
          waited += 1000
          continue
        }
        let takenAt = performance.now()
        let ran = false
        try {
          const keep = async () => {
            if (performance.now() - takenAt < lease.lasts / 4) return true
            takenAt = performance.now()
            return store.leases.take(lease.name, holder, lease.lasts)
          }
          const done: Resealed = await seals.reseal(keep, (sofar) => told(add(sofar), false), place)
          Object.assign(sums, add(done))
          ran = done.left === null
          if (ran) return sums
          place = done.left
        } finally {
          await store.leases.release(lease.name, holder, ran).catch(() => {})
        }
      }
    },
    async drop(secret, revoke, by) {
      if (crypto.secretIds[0] === secret) throw refuseOption(`The secret ${secret} is the one that seals; promote another one first.`)
      // Asked before anything is counted: a node may seal in a part that was counted, and end before the last of them.
      const before = await sealedBeside(secret)
      const under = (await seals.status()).find((one) => one.secret === secret)
      if (under === undefined) {
        if (!(await store.seals.noted()).includes(secret))
          throw refuseOption(`There is no secret ${secret}; symbolon secrets status lists them.`)
      }
      const left = under === undefined ? '' : sealedWords(under)
      if (left !== '' && !revoke)
        throw refuseOption(
          crypto.secretIds.includes(secret)
            ? `Still sealed under ${secret}: ${left}. Run: symbolon secrets rotate (or give them up: symbolon secrets drop ${secret} --revoke)`
            : `Still sealed under ${secret}, which is not configured: ${left}. Put it back and run: symbolon secrets rotate (or give them up: symbolon secrets drop ${secret} --revoke)`,
        )
      if (before !== undefined) throw refuseOption(before)
      const given = left === '' ? { sessions: 0, keys: 0 } : await seals.giveUp(secret, by)
      const kids = await published()
      const mark = createMarkKeeper(
        data,
        store,
        () => kids,
        () => {},
      )
      mark.grew()
      await mark.close()
      // And at the last: one may have begun meanwhile, with an older file.
      const since = await sealedBeside(secret)
      if (since !== undefined) throw refuseOption(given.sessions + given.keys === 0 ? since : `${givenWords(given)} ${since}`)
      await seals.forget(secret)
      return given
    },
    async plan() {
      const refused = await checkStanding(store, data).then(
        () => null,
        (error: unknown) => (error as Error).message,
      )
      const mark = markOf()
      return {
        place: storePlace(settings),
        head: await store.feed.head(),
        mark: mark === undefined ? null : { feedId: mark.feedId, seq: mark.seq },
        refused,
      }
    },
    async restore(by, told) {
      await seals.open()
      const counts = await restore(ports, algorithm, markOf() ?? null, by, told)
      await writeMark(data, { ...(await store.feed.head()), kids: await published() })
      return counts
    },
    close: () => store.close(),
  }
}
