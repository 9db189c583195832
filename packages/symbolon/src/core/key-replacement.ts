// Replacing signing keys without opening them: those chosen are revoked for good, and new ones are there in the same
// step, so that there is always one that signs and one that waits.

import { SymbolonError } from '@symbolon/protocol'
import type { KeyState, SigningKey } from './model.ts'
import type { Ports } from './ports.ts'
import { sealPlace, secretOf } from './seal-place.ts'

/** Revokes the chosen keys, in whatever state they are, and makes what is missing then; how many were revoked. */
export async function replaceKeys(
  { store, crypto, signer }: Pick<Ports, 'store' | 'crypto' | 'signer'>,
  options: { readonly algorithm: SigningKey['alg'] },
  chosen: (key: SigningKey, secret: string) => boolean,
  by: string,
): Promise<number> {
  const make = async (state: 'next' | 'active') => {
    const { publicJwk, privateKey } = await signer.generate(options.algorithm)
    return {
      kid: publicJwk.kid,
      alg: publicJwk.alg,
      state,
      publicJwk,
      sealedPrivate: crypto.seal(privateKey, sealPlace('key', publicJwk.kid)),
    }
  }
  for (let turn = 0; turn < 5; turn++) {
    const { keys } = await store.keys.list()
    const gone = keys.filter((key) => key.state !== 'revoked' && chosen(key, secretOf(key.sealedPrivate)))
    if (gone.length === 0) return 0
    const stays = (state: KeyState) => keys.find((key) => key.state === state && !gone.includes(key))
    const move: { kid: string; from: KeyState; to: KeyState }[] = gone.map(({ kid, state }) => ({ kid, from: state, to: 'revoked' }))
    const insert = []
    let next = stays('next')
    if (stays('active') === undefined) {
      if (next === undefined) insert.push(await make('active'))
      else move.push({ kid: next.kid, from: 'next', to: 'active' })
      next = undefined
    }
    if (next === undefined) insert.push(await make('next'))
    const audit = gone.map(({ kid }) => ({ event: 'key.revoked', userId: null, sid: null, clientId: null, ip: null, detail: { kid, by } }))
    if ((await store.keys.change({ insert, move, audit })).outcome === 'changed') return gone.length
  }
  throw new SymbolonError('try_later', { detail: 'the signing keys change all the time', retryAfter: 1 })
}
