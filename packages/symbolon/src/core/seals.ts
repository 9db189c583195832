// Sealed values and the server secrets they name: how many stand under which, and sealing all of them again under the
// first one, batch by batch, while everybody goes on. No credential changes by it. What a secret that is gone has sealed can
// only be given up, and is never given up unasked.

import { replaceKeys } from './key-replacement.ts'
import { pause } from './pause.ts'
import type { Ports } from './ports.ts'
import { sealPlace } from './seal-place.ts'
import type { SealedKind, SealedRow } from './upkeep-ports.ts'

/** What is still of use under one secret; `place`: where it stands in the configuration, from 1, or null when it does not. */
export interface SealedUnder {
  readonly secret: string
  readonly place: number | null
  readonly sessions: number
  readonly keys: number
  readonly attempts: number
}

/** What a turn of sealing again did. `unopened`: values of secrets that are not here. `left`: where to go on; null at the end. */
export interface Resealed {
  readonly sessions: number
  readonly keys: number
  readonly attempts: number
  readonly unopened: number
  readonly left: ResealPlace | null
}

/** A place in the walk. */
export interface ResealPlace {
  readonly kind: SealedKind
  readonly after: string
}

/** The verbs. */
export interface Seals {
  /** Notes the secret that seals here; resolves to secrets that sealed something but are not here, as far as was noted. */
  open(): Promise<readonly string[]>
  /**
   * Whether something may be sealed under a secret older than the first one here. `false` where another node has begun with a
   * newer one: two of them with different orders must not seal back and forth.
   */
  due(): Promise<boolean>
  /** Makes the first secret here the newest one, because somebody asked for it. */
  prefer(): Promise<void>
  status(): Promise<readonly SealedUnder[]>
  /** Seals again as long as `go` says so, which is asked before each batch; `told` hears of each one. */
  reseal(go: () => Promise<boolean>, told?: (sofar: Resealed) => void, from?: ResealPlace | null): Promise<Resealed>
  /** Forgets a secret under which nothing is sealed any more. */
  forget(secret: string): Promise<void>
  /** Gives up what is sealed under a secret: ends its sessions, replaces its signing keys. */
  giveUp(secret: string, by: string): Promise<{ readonly sessions: number; readonly keys: number }>
}

const kinds: readonly SealedKind[] = ['key', 'session', 'attempt']
const names = { key: 'keys', session: 'sessions', attempt: 'attempts' } as const
/** Values in a batch: opening and sealing them takes a few milliseconds. */
const perBatch = 100

/** Creates the verbs. */
export function createSeals(
  ports: Pick<Ports, 'store' | 'crypto' | 'signer' | 'clock' | 'crashPoint'>,
  options: Parameters<typeof replaceKeys>[1],
): Seals {
  const { store, crypto, clock } = ports
  const [active = ''] = crypto.secretIds

  const status = async (): Promise<readonly SealedUnder[]> => {
    const found = new Map<string, { sessions: number; keys: number; attempts: number }>()
    for (const secret of crypto.secretIds) found.set(secret, { sessions: 0, keys: 0, attempts: 0 })
    for (const kind of kinds) {
      for (let after: string | null = ''; after !== null; ) {
        const { counts, next }: Awaited<ReturnType<typeof store.seals.count>> = await store.seals.count(kind, after)
        for (const { secret, count } of counts) {
          const sums = found.get(secret) ?? { sessions: 0, keys: 0, attempts: 0 }
          sums[names[kind]] += count
          found.set(secret, sums)
        }
        after = next
        // Whoever answers requests in this process comes in between.
        await pause(clock, 0)
      }
    }
    return [...found].map(([secret, sums]) => {
      const at = crypto.secretIds.indexOf(secret)
      return { secret, place: at < 0 ? null : at + 1, ...sums }
    })
  }

  /** The value under the first secret, or nothing when it does not open. */
  const again = (kind: SealedKind, row: SealedRow) => {
    const place = sealPlace(kind, row.id, row.kind)
    const plain = crypto.open(row.sealed, place)
    return plain === undefined ? undefined : { id: row.id, from: row.sealed, to: crypto.seal(plain, place) }
  }
  const { seals } = store

  return {
    status,
    async open() {
      const noted = await seals.noted()
      // The first time, what is there is looked through once; from then on every secret is noted before it seals anything.
      const found =
        noted.length > 0 ? noted : (await status()).filter((one) => one.sessions + one.keys + one.attempts > 0).map((one) => one.secret)
      if (noted.length === 0 || !noted.includes(active)) await seals.note([...found.filter((secret) => secret !== active), active])
      return found.filter((secret) => !crypto.secretIds.includes(secret))
    },
    async due() {
      const noted = await seals.noted()
      return noted.length > 1 && noted.at(-1) === active
    },
    async prefer() {
      if ((await seals.noted()).at(-1) !== active) await seals.note([active])
    },
    async reseal(go, told = () => {}, from = null) {
      const sums = { sessions: 0, keys: 0, attempts: 0, unopened: 0 }
      const begin = from === null ? 0 : kinds.indexOf(from.kind)
      for (const kind of kinds.slice(begin)) {
        for (let after: string | null = kind === from?.kind ? from.after : ''; after !== null; ) {
          const began = clock.now()
          if (!(await go())) return { ...sums, left: { kind, after } }
          const { rows, next }: Awaited<ReturnType<typeof seals.page>> = await seals.page(kind, { notUnder: active }, after, perBatch)
          const changes = rows.flatMap((row) => again(kind, row) ?? [])
          sums.unopened += rows.length - changes.length
          // Who lost a compare-and-set lost it to somebody who did the same.
          if (changes.length > 0) sums[names[kind]] += await seals.replace(kind, changes)
          ports.crashPoint('reseal.committed')
          after = next
          told({ ...sums, left: after === null ? null : { kind, after } })
          // As long a pause as the batch took: half the store's time stays everybody's.
          await pause(clock, Math.min(1000, clock.now() - began))
        }
      }
      return { ...sums, left: null }
    },
    forget: (secret) => seals.forget(secret),
    async giveUp(secret, by) {
      const keys = await replaceKeys(ports, options, (_, sealedUnder) => sealedUnder === secret, by)
      let sessions = 0
      for (let after: string | null = ''; after !== null; ) {
        const { rows, next }: Awaited<ReturnType<typeof seals.page>> = await seals.page('session', { under: secret }, after, perBatch)
        const ended = await Promise.all(
          rows.map(({ id }) =>
            store.sessions.revoke({ sid: id }, 'admin', [
              { event: 'session.admin', userId: null, sid: id, clientId: null, ip: null, detail: { by, secret } },
            ]),
          ),
        )
        sessions += ended.reduce((sum, { sids }) => sum + sids.length, 0)
        after = next
        await pause(clock, 0)
      }
      return { sessions, keys }
    },
  }
}
