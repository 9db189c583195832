// Signing keys and their life: next, active, retiring, retired; or revoked, for good. One next key is always published, so
// that verifiers know a key before it signs. All moves are compare-and-sets in the store: many processes may tend the same
// keys. A key once seen revoked never signs here again, whatever a slower read still says.

import { type FeedHead, type PublicJwk, SymbolonError } from '@symbolon/protocol'
import type { Keys } from './api.ts'
import type { SigningKey } from './model.ts'
import type { Ports } from './ports.ts'
import { sealPlace, secretOf } from './seal-place.ts'
import { refuse } from './session.ts'

/** Keys as the rest of core needs them. */
export interface KeyRing extends Keys {
  active(): SigningKey | undefined
  /** What JWKS publishes. The same array until something changes. */
  published(): readonly PublicJwk[]
  /** Whether this key is known to be revoked. */
  revoked(kid: string): boolean
  /** Reads the keys again if the log has moved on since: whatever another process did to them before this call is known after it. */
  catchUp(): Promise<void>
}

const hour = 3_600_000
/** How long a key is published before it may sign by schedule. */
const published = 24 * hour
/** How long the longest token can live after its key stopped signing, with leeway and room. */
const retiring = 2 * hour

const unopenable = ({ kid, sealedPrivate }: SigningKey) =>
  new SymbolonError('key_unopenable', {
    detail: `The signing key ${kid} cannot be opened with the server secrets given: put back the secret ${secretOf(sealedPrivate)} that sealed it (secrets takes several, the newest first), or give up what it sealed: symbolon secrets drop ${secretOf(sealedPrivate)} --revoke`,
  })

/** Creates the key ring; nothing is read before `maintain`. */
export function createKeys(ports: Ports, options: { readonly algorithm: SigningKey['alg']; readonly keyRotation: number }): KeyRing {
  const { store, crypto, signer } = ports
  let known: readonly SigningKey[] = []
  let jwks: readonly PublicJwk[] = []
  const loaded = new Set<string>()
  const dead = new Set<string>()
  let begun = 0
  let newest = 0
  /** Where the log stood before the newest read: every change of a key is told there. */
  let at: FeedHead | undefined
  let next: Promise<void> | undefined
  let tended = false

  const make = async (state: 'next' | 'active') => {
    const { publicJwk, privateKey } = await signer.generate(options.algorithm)
    const sealedPrivate = crypto.seal(privateKey, sealPlace('key', publicJwk.kid))
    return { kid: publicJwk.kid, alg: publicJwk.alg, state, publicJwk, sealedPrivate }
  }
  const audit = (event: string, kid: string, by: string) => [
    { event, userId: null, sid: null, clientId: null, ip: null, detail: { kid, by } },
  ]

  const unload = (kid: string) => {
    if (loaded.delete(kid)) signer.unload(kid)
  }

  const read = async (): Promise<number> => {
    const turn = ++begun
    const head = await store.feed.head()
    const { now, keys } = await store.keys.list()
    // A read that was overtaken by a later one says nothing new.
    if (turn < newest) return now
    newest = turn
    for (const key of keys) if (key.state === 'revoked') dead.add(key.kid)
    at = head
    for (const key of keys) {
      if ((key.state !== 'active' && key.state !== 'next') || loaded.has(key.kid)) continue
      const plain = crypto.open(key.sealedPrivate, sealPlace('key', key.kid))
      if (plain === undefined) throw unopenable(key)
      signer.load(key.kid, key.alg, plain)
      loaded.add(key.kid)
    }
    for (const kid of loaded) if (dead.has(kid) || !keys.some((key) => key.kid === kid && key.state !== 'retired')) unload(kid)
    const same = (a: SigningKey, b: SigningKey | undefined) => b !== undefined && a.kid === b.kid && a.state === b.state
    if (keys.length !== known.length || !keys.every((key, i) => same(key, known[i]))) {
      known = keys
      jwks = keys.filter((key) => key.state !== 'retired' && !dead.has(key.kid)).map((key) => key.publicJwk)
    }
    return now
  }
  const isUpTo = (head: FeedHead) => at !== undefined && at.feedId === head.feedId && at.seq >= head.seq
  const one = (state: SigningKey['state']) => known.find((key) => key.state === state && !dead.has(key.kid))

  /** Makes the next key sign and publishes another. `lost`: somebody else did it first. */
  const advance = async (by: string): Promise<'changed' | 'lost'> => {
    const [active, next] = [one('active'), one('next')]
    if (active === undefined || next === undefined) return 'lost'
    const { outcome } = await store.keys.change({
      insert: [await make('next')],
      move: [
        { kid: active.kid, from: 'active', to: 'retiring' },
        { kid: next.kid, from: 'next', to: 'active' },
      ],
      audit: audit('key.rotated', next.kid, by),
    })
    return outcome
  }

  /** Who follows a revoked key: the published next one signs at once, however young, and another is published. */
  const succession = async (key: SigningKey): Promise<Pick<Parameters<typeof store.keys.change>[0], 'insert' | 'move'>> => {
    const revocation = { kid: key.kid, from: key.state, to: 'revoked' as const }
    if (key.state === 'next') return { insert: [await make('next')], move: [revocation] }
    if (key.state !== 'active') return { insert: [], move: [revocation] }
    const next = one('next')
    return next === undefined
      ? { insert: [await make('active'), await make('next')], move: [revocation] }
      : { insert: [await make('next')], move: [revocation, { kid: next.kid, from: 'next', to: 'active' }] }
  }

  return {
    active: () => one('active'),
    published: () => jwks,
    revoked: (kid) => dead.has(kid),
    async catchUp() {
      if (isUpTo(await store.feed.head())) return
      // Those who come in one moment share a read that begins after all of them.
      next ??= Promise.resolve().then(async () => {
        next = undefined
        // A key that does not open here signs nothing here; what is revoked was noted before.
        await read().catch((error) => {
          if (!(error instanceof SymbolonError) || error.code !== 'key_unopenable') throw error
        })
      })
      await next
    },
    ready: () => one('active') !== undefined,
    list: async () => (await store.keys.list()).keys,
    async maintain() {
      let now = await read()
      if (one('active') === undefined && one('next') === undefined) {
        const [first, second] = [await make('active'), await make('next')]
        await store.keys.change({ insert: [first, second], move: [], whenNone: 'active', audit: audit('key.created', first.kid, 'system') })
        now = await read()
      }
      if (one('next') === undefined) {
        const next = await make('next')
        await store.keys.change({ insert: [next], move: [], whenNone: 'next', audit: audit('key.created', next.kid, 'system') })
        now = await read()
      }
      // Another algorithm was configured: the key that waits is not the one wanted. Once in a process, so that two of them
      // with different configurations do not take turns.
      const waiting = tended ? undefined : one('next')
      if (waiting !== undefined && waiting.alg !== options.algorithm) {
        const next = await make('next')
        const move = [{ kid: waiting.kid, from: 'next' as const, to: 'retired' as const }]
        await store.keys.change({ insert: [next], move, audit: audit('key.created', next.kid, 'system') })
        now = await read()
      }
      tended = true
      const [active, next] = [one('active'), one('next')]
      if (
        active !== undefined &&
        next !== undefined &&
        now - active.changedAt >= options.keyRotation &&
        now - next.createdAt >= published
      ) {
        await advance('system')
        now = await read()
      }
      const over = known.filter((key) => key.state === 'retiring' && now - key.changedAt >= retiring)
      for (const key of over)
        await store.keys.change({
          insert: [],
          move: [{ kid: key.kid, from: 'retiring', to: 'retired' }],
          audit: audit('key.retired', key.kid, 'system'),
        })
      if (over.length > 0) await read()
      if (one('active') === undefined)
        throw new SymbolonError('keys_unavailable', { detail: 'there is no active signing key', retryAfter: 5 })
    },
    async rotate(by) {
      await read()
      const outcome = await advance(by)
      await read()
      const active = one('active')
      if (active === undefined) throw new SymbolonError('keys_unavailable', { retryAfter: 5 })
      ports.observe({ event: outcome === 'changed' ? 'key.rotated' : 'key.rotation_lost', kid: active.kid })
      return active
    },
    async revoke(kid, options, by) {
      // Said in so many words: there is no way back, and every token of this key is refused from now on.
      if ((options as { readonly now?: unknown } | undefined)?.now !== true)
        return { ok: false, code: 'invalid_request', options: { field: 'now' } }
      // A lost race means that somebody else moved a key; an emergency does not give way to the second rotation of a moment.
      for (let turn = 0; turn < 5; turn++) {
        await read()
        const key = known.find((each) => each.kid === kid)
        if (key === undefined) return refuse('not_found')
        if (key.state === 'revoked') return { ok: true, key, head: await store.feed.head() }
        const changed = await store.keys.change({ ...(await succession(key)), audit: audit('key.revoked', kid, by) })
        if (changed.outcome === 'lost') continue
        dead.add(kid)
        unload(kid)
        ports.crashPoint('key.revoked')
        ports.observe({ event: 'key.revoked', kid, was: key.state, active: one('active')?.kid })
        await read()
        return { ok: true, key: known.find((each) => each.kid === kid) ?? { ...key, state: 'revoked' }, head: changed.head }
      }
      throw new SymbolonError('try_later', { detail: 'the signing keys change all the time', retryAfter: 1 })
    },
  }
}
