// Signing keys and their life: next, active, retiring, retired. One next key is always published, so that verifiers
// know a key before it signs. All moves are compare-and-sets in the store: many processes may tend the same keys.

import { type PublicJwk, SymbolonError } from '@symbolon/protocol'
import type { Keys } from './api.ts'
import type { SigningKey } from './model.ts'
import type { Ports } from './ports.ts'

/** Keys as the rest of core needs them. */
export interface KeyRing extends Keys {
  active(): SigningKey | undefined
  /** What JWKS publishes. The same array until something changes. */
  published(): readonly PublicJwk[]
}

const hour = 3_600_000
/** How long a key is published before it may sign by schedule. */
const published = 24 * hour
/** How long the longest token can live after its key stopped signing, with leeway and room. */
const retiring = 2 * hour

const unopenable = (kid: string) =>
  new SymbolonError('key_unopenable', {
    detail: `The signing key ${kid} cannot be opened with the server secrets given: put back the secret that sealed it (secrets takes several, the newest first).`,
  })

/** Creates the key ring; nothing is read before `maintain`. */
export function createKeys(ports: Ports, options: { readonly algorithm: SigningKey['alg']; readonly keyRotation: number }): KeyRing {
  const { store, crypto, signer } = ports
  let known: readonly SigningKey[] = []
  let jwks: readonly PublicJwk[] = []
  const loaded = new Set<string>()

  const make = async (state: 'next' | 'active') => {
    const { publicJwk, privateKey } = await signer.generate(options.algorithm)
    const sealedPrivate = crypto.seal(privateKey, `signing key\n${publicJwk.kid}`)
    return { kid: publicJwk.kid, alg: publicJwk.alg, state, publicJwk, sealedPrivate }
  }
  const audit = (event: string, kid: string, by: string) => [
    { event, userId: null, sid: null, clientId: null, ip: null, detail: { kid, by } },
  ]

  const read = async (): Promise<number> => {
    const { now, keys } = await store.keys.list()
    for (const key of keys) {
      if ((key.state !== 'active' && key.state !== 'next') || loaded.has(key.kid)) continue
      const plain = crypto.open(key.sealedPrivate, `signing key\n${key.kid}`)
      if (plain === undefined) throw unopenable(key.kid)
      signer.load(key.kid, key.alg, plain)
      loaded.add(key.kid)
    }
    for (const kid of loaded) {
      if (keys.some((key) => key.kid === kid && key.state !== 'retired')) continue
      signer.unload(kid)
      loaded.delete(kid)
    }
    const same = (a: SigningKey, b: SigningKey | undefined) => b !== undefined && a.kid === b.kid && a.state === b.state
    if (keys.length !== known.length || !keys.every((key, i) => same(key, known[i]))) {
      known = keys
      jwks = keys.filter((key) => key.state !== 'retired').map((key) => key.publicJwk)
    }
    return now
  }
  const one = (state: SigningKey['state']) => known.find((key) => key.state === state)

  /** Makes the next key sign and publishes another. `lost`: somebody else did it first. */
  const advance = async (by: string): Promise<'changed' | 'lost'> => {
    const [active, next] = [one('active'), one('next')]
    if (active === undefined || next === undefined) return 'lost'
    return store.keys.change({
      insert: [await make('next')],
      move: [
        { kid: active.kid, from: 'active', to: 'retiring' },
        { kid: next.kid, from: 'next', to: 'active' },
      ],
      audit: audit('key.rotated', next.kid, by),
    })
  }

  return {
    active: () => one('active'),
    published: () => jwks,
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
  }
}
