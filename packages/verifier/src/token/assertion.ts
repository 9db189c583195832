// A client's assertion of who it is (RFC 7523 §3): as strict as the check of an access token, by a key that was registered
// for that client. Whether it was used before is for the caller to find out. Must never throw on input.

import { fromBase64url, type PublicJwk } from '@symbolon/protocol'
import { compactVerify } from 'jose/jws/compact/verify'
import { importJWK } from 'jose/key/import'
import { readObject } from './json.ts'

/** What an assertion is held against. `now` in milliseconds since 1970. */
export interface AssertionRules {
  /** The client's registered keys; each has one algorithm. */
  readonly keys: readonly PublicJwk[]
  /** Who it may be for: the issuer, or the token endpoint. */
  readonly audiences: readonly string[]
  readonly now: number
}

/** What an assertion that holds says. `expires` in seconds since 1970. */
export interface Assertion {
  readonly clientId: string
  readonly jti: string
  readonly expires: number
}

const leeway = 5
const longest = 300
const most = 4096
const forbidden = ['jku', 'x5u', 'jwk', 'x5c', 'crit', 'b64']

const isTime = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** Who an assertion says it is from, before anything was verified: to find the keys, nothing else. */
export function assertedClient(assertion: string): string | undefined {
  const payload = assertion.length > most ? undefined : fromBase64url(assertion.split('.', 4)[1] ?? '')
  const claims = payload === undefined ? undefined : readObject(payload)
  return typeof claims?.sub === 'string' && claims.sub.length <= 100 ? claims.sub : undefined
}

/**
 * Checks an assertion: compact form, canonical base64url, a header without embedded keys, a registered key with its one
 * algorithm, `iss` and `sub` the client, one `aud` of ours, `exp` at most five minutes ahead and `iat` no older, a `jti`. `undefined` for anything else.
 */
export async function verifyAssertion(assertion: string, rules: AssertionRules): Promise<Assertion | undefined> {
  if (assertion.length > most) return undefined
  const parts = assertion.split('.', 4)
  const [header64 = '', payload64 = '', signature64 = ''] = parts
  const [headerBytes, payloadBytes] = [fromBase64url(header64), fromBase64url(payload64)]
  if (parts.length !== 3 || headerBytes === undefined || payloadBytes === undefined || !fromBase64url(signature64)?.length) return undefined
  const header = headerBytes.length > 1024 ? undefined : readObject(headerBytes)
  if (header === undefined || forbidden.some((name) => Object.hasOwn(header, name))) return undefined
  // An access token is no assertion, whoever signed it (RFC 8725 §3.11).
  if (header.typ !== undefined && !/^(?:jwt|client-authentication\+jwt)$/i.test(String(header.typ))) return undefined
  const fitting = rules.keys.filter((key) => key.alg === header.alg && (header.kid === undefined || header.kid === key.kid))
  const [key] = fitting
  if (key === undefined || fitting.length !== 1) return undefined
  try {
    await compactVerify(assertion, await importJWK({ ...key }, key.alg), { algorithms: [key.alg] })
  } catch {
    return undefined
  }
  const claims = readObject(payloadBytes)
  if (claims === undefined) return undefined
  const { iss, sub, exp, iat, nbf, jti } = claims
  const aud = Array.isArray(claims.aud) && claims.aud.length === 1 ? claims.aud[0] : claims.aud
  const seconds = rules.now / 1000
  if (typeof sub !== 'string' || iss !== sub || typeof aud !== 'string' || !rules.audiences.includes(aud)) return undefined
  if (!isTime(exp) || !(seconds < exp + leeway) || exp > seconds + longest + leeway) return undefined
  if (iat !== undefined && !(isTime(iat) && iat <= seconds + leeway && iat >= seconds - longest - leeway)) return undefined
  if (nbf !== undefined && !(isTime(nbf) && nbf <= seconds + leeway)) return undefined
  if (typeof jti !== 'string' || jti.length === 0 || new TextEncoder().encode(jti).length > 200) return undefined
  return { clientId: sub, jti, expires: exp + leeway }
}
