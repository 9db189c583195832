// Live checks of a session: by its credential at its own door, or by the access token minted from it. They read and
// nothing else; activity is gathered. A check never decides on theft: only a refresh does.

import type { AccessTokenClaims, ErrorCode } from '@symbolon/protocol'
import type { Checked, CheckOptions, Refused } from './api.ts'
import { type Credential, isGenuine, openSessionKey, parseCredential } from './credential.ts'
import { isCurrent } from './decide.ts'
import { isExpired, limitsOf } from './limits.ts'
import type { Client, ClientPolicy } from './model.ts'
import type { Crypto, Eventually, FeedStore, SessionGlance, SessionSnapshot, SessionStore } from './ports.ts'
import type { Touches } from './touch.ts'

/** What checks stand on. */
export interface CheckParts {
  readonly store: Pick<SessionStore, 'find' | 'glance'>
  readonly feed: Pick<FeedStore, 'hasToken'>
  readonly crypto: Crypto
  readonly touches: Touches
  readonly policyOf: (client: Client) => ClientPolicy
}

/** A refusal by its code. */
export const refuse = (code: ErrorCode): Refused => ({ ok: false, code })

/** Why a session that was found cannot be used, or `undefined` when it is alive. */
export function deadBecause(snapshot: SessionGlance, policy: ClientPolicy, lastSeenAt?: number): ErrorCode | undefined {
  const { session, user, client, now } = snapshot
  if (session.revokedAt !== null || user.status !== 'active') return 'session_revoked'
  if (isExpired(limitsOf(session, policy, lastSeenAt), now)) return 'session_expired'
  if (client.status !== 'active') return 'denied'
  return undefined
}

/** Creates the two checks, on as much of a session as they look at, and on all of it (`whole`). Synchronous where the store is. */
export function createChecks(parts: CheckParts) {
  const { store, feed, crypto, touches, policyOf } = parts

  const byCredential = <Found extends SessionGlance>(
    text: string,
    credential: Credential,
    snapshot: Found | undefined,
    options: CheckOptions,
  ): Eventually<Checked<Found | SessionSnapshot>> => {
    // Unknown sid and wrong MAC are one outcome and cost about the same.
    const hash = crypto.hash(text)
    if (snapshot === undefined) return refuse('session_unknown')
    const { session } = snapshot
    if (credential.generation === session.generation)
      return crypto.equal(hash, session.credentialHash) ? alive(credential.generation, snapshot, options) : refuse('session_unknown')
    // Only the session's key can tell whether it was ever one of its credentials.
    const whole = store.find(session.sid)
    return whole instanceof Promise
      ? whole.then((found) => byKey(hash, credential, found, options))
      : byKey(hash, credential, whole, options)
  }

  const byKey = (
    hash: Uint8Array,
    credential: Credential,
    snapshot: SessionSnapshot | undefined,
    options: CheckOptions,
  ): Checked<SessionSnapshot> => {
    if (snapshot === undefined) return refuse('session_unknown')
    const { session } = snapshot
    if (credential.generation === session.generation) {
      if (!crypto.equal(hash, session.credentialHash)) return refuse('session_unknown')
    } else {
      const key = openSessionKey(crypto, session)
      if (key === undefined || !isGenuine(crypto, key, credential)) return refuse('session_unknown')
    }
    return alive(credential.generation, snapshot, options)
  }

  /** Judges the session of a credential that is genuine. */
  const alive = <Found extends SessionGlance>(n: number, snapshot: Found, options: CheckOptions): Checked<Found> => {
    const { session, now } = snapshot
    const policy = policyOf(snapshot.client)
    const dead = deadBecause(snapshot, policy, touches.lastSeen(session))
    if (dead !== undefined) return refuse(dead)
    if (!isCurrent(n, session, now, policy.window)) return refuse('session_superseded')
    if (options.quiet !== true) touches.note(session, now, options.background !== true, n, options.caller)
    return { ok: true, snapshot }
  }

  const byToken = <Found extends SessionGlance>(
    claims: AccessTokenClaims,
    snapshot: Found | undefined,
    options: CheckOptions,
  ): Eventually<Checked<Found>> => {
    if (snapshot?.tokensRevoked !== true) return bySession(claims, snapshot, options)
    // A read that begins after the first one: what was acknowledged before the check is in it.
    const revoked = feed.hasToken(claims.jti)
    const judge = (is: boolean) => (is ? refuse('token_revoked') : bySession(claims, snapshot, options))
    return revoked instanceof Promise ? revoked.then(judge) : judge(revoked)
  }

  const bySession = <Found extends SessionGlance>(
    claims: AccessTokenClaims,
    snapshot: Found | undefined,
    options: CheckOptions,
  ): Checked<Found> => {
    if (snapshot === undefined || snapshot.user.id !== claims.sub || snapshot.client.id !== claims.client_id)
      return refuse('session_unknown')
    const { session, user, client, now } = snapshot
    const dead = deadBecause(snapshot, policyOf(client), touches.lastSeen(session))
    if (dead !== undefined) return refuse(dead)
    if (claims.epoch !== user.epoch || claims.client_epoch !== client.epoch) return refuse('claims_stale')
    // A token minted with or after a credential shows that its answer arrived.
    if (options.quiet !== true) touches.note(session, now, options.background !== true, Number.parseInt(claims.jti, 10), options.caller)
    return { ok: true, snapshot }
  }

  const checksOn = <Found extends SessionGlance>(find: (sid: string) => Eventually<Found | undefined>) => ({
    check(text: string, kind: 'cookie' | 'token', options: CheckOptions = {}): Eventually<Checked<Found | SessionSnapshot>> {
      const credential = parseCredential(text)
      if (credential === undefined || credential.kind !== kind) return refuse('session_unknown')
      const found = find(credential.sid)
      return found instanceof Promise
        ? found.then((snapshot) => byCredential(text, credential, snapshot, options))
        : byCredential(text, credential, found, options)
    },
    checkToken(claims: AccessTokenClaims, options: CheckOptions = {}): Eventually<Checked<Found>> {
      if (claims.sid === undefined) return refuse('session_required')
      const found = find(claims.sid)
      return found instanceof Promise ? found.then((snapshot) => byToken(claims, snapshot, options)) : byToken(claims, found, options)
    },
  })

  return { ...checksOn<SessionGlance>(store.glance), whole: checksOn<SessionSnapshot>(store.find) }
}
