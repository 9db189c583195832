// What is known to be revoked: sessions, single tokens, keys, and the epochs of users and clients. Entries are applied
// idempotently and never undone; each is forgotten when no token that it speaks of can be alive.

import type { AccessTokenClaims, ErrorCode, Revocation } from '@symbolon/protocol'

/** The knowledge of revocations. */
export interface Revocations {
  apply(entries: readonly Revocation[]): void
  /** The code that refuses a token, or `undefined`. */
  revoked(claims: AccessTokenClaims, kid: string): ErrorCode | undefined
  /** Whether this key is revoked: what names it is refused, whoever signed it. */
  keyRevoked(kid: string): boolean
  size(): number
}

const most = 1_000_000

/** Creates the knowledge; `now` in milliseconds since 1970. */
export function createRevocations(now: () => number): Revocations {
  const until = new Map<string, number>()
  const epochs = new Map<string, { readonly epoch: number; readonly expires: number }>()
  const keys = new Set<string>()
  let overflowed = false
  let sweptAt = 0

  const sweep = () => {
    const time = now()
    if (time - sweptAt < 30_000) return
    sweptAt = time
    for (const [id, expires] of until) if (expires < time) until.delete(id)
    for (const [id, one] of epochs) if (one.expires < time) epochs.delete(id)
  }

  return {
    apply(entries) {
      sweep()
      for (const { kind, id, epoch = 0, state, expires } of entries) {
        if (kind === 'key') {
          if (state === 'revoked') keys.add(id)
        } else if (kind === 'session' || kind === 'token') {
          until.set(`${kind} ${id}`, Math.max(expires ?? Number.POSITIVE_INFINITY, until.get(`${kind} ${id}`) ?? 0))
        } else if (epoch > (epochs.get(`${kind} ${id}`)?.epoch ?? -1)) {
          epochs.set(`${kind} ${id}`, { epoch, expires: expires ?? Number.POSITIVE_INFINITY })
        }
      }
      overflowed ||= until.size + epochs.size > most
    },
    revoked(claims, kid) {
      // Knowledge that no longer fits is no knowledge: every token is asked about, none is guessed at.
      if (overflowed) return 'revocation_unknown'
      if (keys.size > 0 && keys.has(kid)) return 'token_revoked'
      if (until.size > 0) {
        if (claims.sid !== undefined && until.has(`session ${claims.sid}`)) return 'session_revoked'
        if (until.has(`token ${claims.jti}`)) return 'token_revoked'
      }
      if (epochs.size > 0) {
        const user = epochs.get(`user ${claims.sub}`)
        if (user !== undefined && (claims.epoch ?? 0) < user.epoch) return 'claims_stale'
        const client = epochs.get(`client ${claims.client_id}`)
        if (client !== undefined && claims.client_epoch < client.epoch) return 'claims_stale'
      }
      return undefined
    },
    keyRevoked: (kid) => keys.has(kid),
    size: () => until.size + epochs.size + keys.size,
  }
}
