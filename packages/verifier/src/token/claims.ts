// What the claims of an access token must look like (RFC 9068 §2.2), and when they hold. Pure decisions.
// Must never put a value that was sent into a detail.

import type { AccessTokenClaims, ErrorCode } from '@symbolon/protocol'

/** What the claims are held against. `leeway` and `maxLifetime` in seconds. */
export interface ClaimRules {
  readonly issuer: string
  readonly audience: string
  readonly leeway: number
  readonly maxLifetime: { readonly user: number; readonly client: number }
}

/** A refusal: the public code, and privately the check that failed. */
export interface TokenRefused {
  readonly ok: false
  readonly code: ErrorCode
  readonly detail: string
}

/** Checks shape, issuer and audience; time is judged by {@link refusedByTime}. `undefined` when all is well. */
export function refusedByShape(claims: Readonly<Record<string, unknown>>, rules: ClaimRules): string | undefined {
  const aud = Array.isArray(claims.aud) && claims.aud.length === 1 ? claims.aud[0] : claims.aud
  if (aud !== rules.audience) return 'aud'
  if (claims.iss !== rules.issuer) return 'iss'
  for (const name of ['exp', 'iat']) if (!isTime(claims[name])) return name
  if (claims.nbf !== undefined && !isTime(claims.nbf)) return 'nbf'
  // A client's own token names it twice (RFC 9068 §2.2); every other one is a user's and needs a session behind it.
  const user = claims.sub !== claims.client_id
  if (!user && (claims.sid !== undefined || claims.epoch !== undefined)) return 'sub'
  const life = (claims.exp as number) - (claims.iat as number)
  if (life <= 0 || life > (user ? rules.maxLifetime.user : rules.maxLifetime.client)) return 'lifetime'
  if (claims.cnf !== undefined) return 'cnf'
  for (const name of ['sub', 'client_id', 'jti']) if (!isText(claims[name], 256)) return name
  if (!isCount(claims.client_epoch)) return 'client_epoch'
  if (user) {
    for (const name of ['sid', 'acr']) if (!isText(claims[name], 256)) return name
    if (!isCount(claims.epoch)) return 'epoch'
    if (!isTime(claims.auth_time)) return 'auth_time'
    if (!isTexts(claims.amr)) return 'amr'
  }
  if (claims.scope !== undefined && !(claims.scope === '' || isText(claims.scope, 2048))) return 'scope'
  if (claims.roles !== undefined && !isTexts(claims.roles)) return 'roles'
  return undefined
}

/** Whether the claims hold at `now` (milliseconds since 1970): refused at now ≥ exp + leeway, iat or nbf > now + leeway. */
export function refusedByTime(claims: AccessTokenClaims, now: number, leeway: number): TokenRefused | undefined {
  const seconds = now / 1000
  if (!(seconds < claims.exp + leeway)) return expired
  if (!(claims.iat <= seconds + leeway)) return early
  const nbf = claims.nbf
  return typeof nbf === 'number' && !(nbf <= seconds + leeway) ? early : undefined
}

const expired: TokenRefused = { ok: false, code: 'token_expired', detail: 'exp' }
const early: TokenRefused = { ok: false, code: 'invalid_token', detail: 'iat or nbf' }
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
const isTime = (value: unknown): boolean => isCount(value) && (value as number) < 100_000_000_000
const isText = (value: unknown, most: number): boolean => typeof value === 'string' && value.length > 0 && value.length <= most
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.length <= 64 && value.every((one) => isText(one, 128))
