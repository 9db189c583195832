// Access tokens as the service itself reads them: the keys it publishes, its own verification, and introspection
// (RFC 7662), which answers only what the caller owns and otherwise `active: false`, whatever the reason.

import { type AccessTokenClaims, fromBase64url, type IntrospectionAnswer } from '@symbolon/protocol'
import { createTokenVerifier, type TokenResult, type TokenVerifier } from '@symbolon/verifier/token'
import type { Refused, Sessions, Tokens } from './api.ts'
import { isGenuine, openSessionKey, parseCredential } from './credential.ts'
import { isCurrent } from './decide.ts'
import type { KeyRing } from './keys.ts'
import { limitsOf } from './limits.ts'
import type { Client, ClientPolicy } from './model.ts'
import { openOpaque } from './opaque.ts'
import type { Ports } from './ports.ts'
import { standingOf } from './proven.ts'
import { deadBecause, refuse } from './session.ts'

/** What tokens stand on. */
export interface TokenParts {
  readonly ports: Ports
  readonly keys: KeyRing
  readonly sessions: Pick<Sessions, 'checkToken' | 'revoke'>
  readonly options: { readonly issuer: string; readonly audience: string }
  readonly policyOf: (client: Client) => ClientPolicy
}

/** Seconds beyond its expiry for which a revoked token stays known: the most leeway there is, and room. */
const room = 120
const inactive: IntrospectionAnswer = { active: false }

/** Creates the tokens' verbs. */
export function createTokens(parts: TokenParts): Tokens {
  const { ports, keys, sessions, options, policyOf } = parts
  const { store, crypto } = ports
  const open = (token: string) => openOpaque(crypto, token)
  const verifiers = new Map<string, TokenVerifier>()
  let now = 0
  // A remembered token is asked about again: its key may have been revoked since.
  const revoked = (_: AccessTokenClaims, kid: string) => (keys.revoked(kid) ? 'token_revoked' : undefined)

  const verifierFor = (audience: string) => {
    let verifier = verifiers.get(audience)
    if (verifier === undefined) {
      verifier = createTokenVerifier({
        issuer: options.issuer,
        audience,
        keys: () => keys.published(),
        now: () => now,
        revoked,
        keyRevoked: keys.revoked,
      })
      // As many as there are audiences of clients; a registry that changes a lot starts over.
      if (verifiers.size >= 1000) verifiers.clear()
      verifiers.set(audience, verifier)
    }
    return verifier
  }

  /** Whichever audience it names, if that is one that a client of ours owns or may call. */
  const audienceOf = async (token: string): Promise<string | undefined> => {
    const aud = unverifiedAudience(token)
    if (aud === undefined || aud === options.audience) return aud
    const clients = await store.clients.list()
    return clients.some((client) => client.audiences.includes(aud) || policyOf(client).targets.includes(aud)) ? aud : undefined
  }

  const judge = async (token: string): Promise<TokenResult> => {
    const audience = await audienceOf(token)
    if (audience === undefined) return { ok: false, code: 'invalid_token', detail: 'form, or an audience that no client has' }
    await keys.catchUp()
    now = Math.max(now, await store.now())
    return verifierFor(audience).verify(token)
  }
  const verify = async (token: string): Promise<{ readonly ok: true; readonly claims: AccessTokenClaims } | Refused> => {
    const result = await judge(token)
    return result.ok ? { ok: true, claims: result.claims } : refuse(result.code)
  }

  const checkClient: Tokens['checkClient'] = async (claims) => {
    const [client, revoked] = [await store.clients.find(claims.client_id), await store.feed.hasToken(claims.jti)]
    if (claims.sid !== undefined || claims.sub !== claims.client_id || client === undefined) return refuse('invalid_token')
    if (revoked || client.status !== 'active') return refuse('token_revoked')
    return claims.client_epoch === client.epoch ? { ok: true, client } : refuse('claims_stale')
  }

  const accessToken = async (text: string, caller: Client): Promise<IntrospectionAnswer> => {
    const token = open(text)
    const verified = token === undefined ? refuse('invalid_token') : await verify(token)
    const aud = verified.ok ? verified.claims.aud : unverifiedAudience(token ?? '')
    // Of a token that is not the caller's, nothing is said, not even why.
    if (aud === undefined || !caller.audiences.includes(aud)) return inactive
    if (!verified.ok) return { active: false, code: verified.code }
    const { claims } = verified
    if (claims.sid === undefined) {
      const checked = await checkClient(claims)
      return checked.ok ? { ...claims, active: true, token_type: 'Bearer' } : { active: false, code: checked.code }
    }
    const checked = await sessions.checkToken(claims)
    if (!checked.ok) return { active: false, code: checked.code }
    const { session, user, client, now } = checked.snapshot
    const { authTime, acr, amr } = standingOf(session, policyOf(client), now)
    // As of now (RFC 9470 §6.2); an older token proves no more than it did.
    const proven = (claims.auth_time ?? 0) < Math.floor(authTime / 1000) ? {} : { auth_time: Math.floor(authTime / 1000), acr, amr }
    return { ...claims, ...proven, active: true, token_type: 'Bearer', roles: user.roles, client_id: client.id }
  }

  /** Introspecting a refresh token changes nothing: it is not presented to refresh, and does not count as seen. */
  const refreshToken = async (token: string, caller: Client): Promise<IntrospectionAnswer> => {
    const credential = parseCredential(token)
    if (credential === undefined || credential.kind !== 'token') return inactive
    const snapshot = await store.sessions.find(credential.sid)
    if (snapshot === undefined || snapshot.client.id !== caller.id) return inactive
    const { session, user, client } = snapshot
    const key = openSessionKey(crypto, session)
    if (key === undefined || !isGenuine(crypto, key, credential)) return inactive
    const policy = policyOf(client)
    if (deadBecause(snapshot, policy) !== undefined || !isCurrent(credential.generation, session, snapshot.now, policy.window))
      return inactive
    const limits = limitsOf(session, policy)
    return {
      active: true,
      token_type: 'refresh_token',
      iss: options.issuer,
      sub: user.id,
      client_id: client.id,
      sid: session.sid,
      exp: Math.floor(Math.min(limits.endsAt, limits.idleEndsAt) / 1000),
      iat: Math.floor(session.rotatedAt / 1000),
    }
  }

  return {
    keys: () => keys.published(),
    verify,
    async explain(text) {
      const token = open(text)
      if (token === undefined) return { ok: false, code: 'invalid_token', detail: 'an opaque token that cannot be opened here', token }
      const result = await judge(token)
      if (!result.ok) return { ok: false, code: result.code, detail: result.detail, token }
      const { claims } = result
      const checked = await (claims.sid === undefined ? checkClient(claims) : sessions.checkToken(claims, { quiet: true }))
      return checked.ok ? { ok: true, token } : { ok: false, code: checked.code, token }
    },
    async verifyOwn(token) {
      const verified = await verify(token)
      const own = !verified.ok || verified.claims.aud === options.audience || verified.claims.aud === options.issuer
      return own ? verified : refuse('invalid_token')
    },
    async introspect(token, caller) {
      if (token.length > 8192) return inactive
      return /^sy[ctg]_/.test(token) ? refreshToken(token, caller) : accessToken(token, caller)
    },
    open,
    checkClient,
    async revoke(token, caller, from) {
      const credential = parseCredential(token)
      if (credential !== undefined) {
        const snapshot = credential.kind === 'token' ? await store.sessions.find(credential.sid) : undefined
        const key = snapshot === undefined ? undefined : openSessionKey(crypto, snapshot.session)
        const own = snapshot?.client.id === caller.id && key !== undefined && isGenuine(crypto, key, credential)
        if (!own) return store.feed.head()
        return (await sessions.revoke({ sid: credential.sid }, 'sign_out', { actor: caller.id, caller: from })).head
      }
      const plain = token.length > 8192 ? undefined : open(token)
      const verified = plain === undefined ? undefined : await verify(plain)
      if (verified?.ok !== true || verified.claims.client_id !== caller.id) return store.feed.head()
      const { jti, exp, sub, sid = null } = verified.claims
      const detail = { by: caller.id }
      const userId = sid === null ? null : sub
      return store.feed.revokeToken(jti, (exp + room) * 1000, [
        { event: 'token.revoked', userId, sid, clientId: caller.id, ip: from.ip, detail },
      ])
    },
  }
}

/** The audience a token claims, to choose who verifies it; nothing is decided by it. */
function unverifiedAudience(token: string): string | undefined {
  if (token.length > 8192) return undefined
  const payload = token.split('.', 3)[1]
  const bytes = payload === undefined ? undefined : fromBase64url(payload)
  if (bytes === undefined) return undefined
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  try {
    // Parsed, not searched for: a claim of somebody's own may have an `aud` inside.
    const aud = (JSON.parse(text) as { readonly aud?: unknown } | null)?.aud
    return typeof aud === 'string' ? aud : undefined
  } catch {
    return undefined
  }
}
