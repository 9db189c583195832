// Live checks of a session: by its credential at its own door, or by the access token minted from it. They read and
// nothing else; activity is gathered. A check never decides on theft: only a refresh does.

import type { AccessTokenClaims, ErrorCode } from '@symbolon/protocol'
import type { Caller, Checked, Refused } from './api.ts'
import { isGenuine, openSessionKey, parseCredential } from './credential.ts'
import { isCurrent } from './decide.ts'
import { isExpired, limitsOf } from './limits.ts'
import type { Client, ClientPolicy } from './model.ts'
import type { Crypto, Eventually, FeedStore, SessionSnapshot, SessionStore } from './ports.ts'
import type { Touches } from './touch.ts'

/** What checks stand on. */
export interface CheckParts {
  readonly store: Pick<SessionStore, 'find'>
  readonly feed: Pick<FeedStore, 'hasToken'>
  readonly crypto: Crypto
  readonly touches: Touches
  readonly policyOf: (client: Client) => ClientPolicy
}

/** How a check was made. */
export interface CheckOptions {
  /** Not the user's activity: the idle time is not extended. */
  readonly background?: boolean
  readonly caller?: Caller
}

/** A refusal by its code. */
export const refuse = (code: ErrorCode): Refused => ({ ok: false, code })

/** Why a session that was found cannot be used, or `undefined` when it is alive. */
export function deadBecause(snapshot: SessionSnapshot, policy: ClientPolicy, lastSeenAt?: number): ErrorCode | undefined {
  const { session, user, client, now } = snapshot
  if (session.revokedAt !== null || user.status !== 'active') return 'session_revoked'
  if (isExpired(limitsOf(session, policy, lastSeenAt), now)) return 'session_expired'
  if (client.status !== 'active') return 'denied'
  return undefined
}

/** Creates the two checks. Synchronous where the store is. */
export function createChecks(parts: CheckParts) {
  const { store, feed, crypto, touches, policyOf } = parts

  const byCredential = (text: string, n: number, snapshot: SessionSnapshot | undefined, options: CheckOptions): Checked => {
    // Unknown sid and wrong MAC are one outcome and cost about the same.
    const hash = crypto.hash(text)
    if (snapshot === undefined) return refuse('session_unknown')
    const { session, now } = snapshot
    const isG = n === session.generation && crypto.equal(hash, session.credentialHash)
    if (!isG) {
      const credential = parseCredential(text)
      const key = openSessionKey(crypto, session)
      if (n === session.generation || credential === undefined || key === undefined || !isGenuine(crypto, key, credential))
        return refuse('session_unknown')
    }
    const policy = policyOf(snapshot.client)
    const dead = deadBecause(snapshot, policy, touches.lastSeen(session))
    if (dead !== undefined) return refuse(dead)
    if (!isCurrent(n, session, now, policy.window)) return refuse('session_superseded')
    touches.note(session, now, options.background !== true, n, options.caller)
    return { ok: true, snapshot }
  }

  const byToken = (claims: AccessTokenClaims, snapshot: SessionSnapshot | undefined, options: CheckOptions): Eventually<Checked> => {
    if (snapshot?.tokensRevoked !== true) return bySession(claims, snapshot, options)
    // A read that begins after the first one: what was acknowledged before the check is in it.
    const revoked = feed.hasToken(claims.jti)
    const judge = (is: boolean) => (is ? refuse('token_revoked') : bySession(claims, snapshot, options))
    return revoked instanceof Promise ? revoked.then(judge) : judge(revoked)
  }

  const bySession = (claims: AccessTokenClaims, snapshot: SessionSnapshot | undefined, options: CheckOptions): Checked => {
    if (snapshot === undefined || snapshot.user.id !== claims.sub || snapshot.client.id !== claims.client_id)
      return refuse('session_unknown')
    const { session, user, client, now } = snapshot
    const dead = deadBecause(snapshot, policyOf(client), touches.lastSeen(session))
    if (dead !== undefined) return refuse(dead)
    if (claims.epoch !== user.epoch || claims.client_epoch !== client.epoch) return refuse('claims_stale')
    // A token minted with or after a credential shows that its answer arrived.
    touches.note(session, now, options.background !== true, Number.parseInt(claims.jti, 10), options.caller)
    return { ok: true, snapshot }
  }

  return {
    check(text: string, kind: 'cookie' | 'token', options: CheckOptions = {}): Eventually<Checked> {
      const credential = parseCredential(text)
      if (credential === undefined || credential.kind !== kind) return refuse('session_unknown')
      const found = store.find(credential.sid)
      return found instanceof Promise
        ? found.then((snapshot) => byCredential(text, credential.generation, snapshot, options))
        : byCredential(text, credential.generation, found, options)
    },
    checkToken(claims: AccessTokenClaims, options: CheckOptions = {}): Eventually<Checked> {
      if (claims.sid === undefined) return refuse('session_required')
      const found = store.find(claims.sid)
      return found instanceof Promise ? found.then((snapshot) => byToken(claims, snapshot, options)) : byToken(claims, found, options)
    },
  }
}
