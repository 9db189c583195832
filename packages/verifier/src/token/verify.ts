// The strict check of an access token, in the documented order, and the bounded memory of tokens checked before.
// Must never throw on input, and never answer from memory without asking time and revocations again.

import { type AccessTokenClaims, type Algorithm, type ErrorCode, fromBase64url, type PublicJwk } from '@symbolon/protocol'
import type { CryptoKey } from 'jose'
import { compactVerify } from 'jose/jws/compact/verify'
import { importJWK } from 'jose/key/import'
import { refusedByShape, refusedByTime, type TokenRefused } from './claims.ts'
import { readObject } from './json.ts'

/** A token that holds. */
export interface TokenAccepted {
  readonly ok: true
  readonly claims: AccessTokenClaims
  readonly kid: string
}

/** The outcome of a check. */
export type TokenResult = TokenAccepted | TokenRefused

/** What a token verifier is given. Seconds, but `now` in milliseconds since 1970. */
export interface TokenVerifierOptions {
  readonly issuer: string
  readonly audience: string
  /** 5 unless said; 0–60. */
  readonly leeway?: number
  /** Caps on `exp − iat`: 900 for users' tokens, 3600 for clients' own. */
  readonly maxLifetime?: { readonly user: number; readonly client: number }
  keys(kid: string): Promise<readonly PublicJwk[]> | readonly PublicJwk[]
  now(): number
  /** What is known of revocations: a code refuses the token. Asked at every check. */
  revoked?(claims: AccessTokenClaims, kid: string): ErrorCode | undefined
  /** Whether a key is revoked. It has left the key set, but its tokens are told so (`token_revoked`), and their bearers mint anew. */
  keyRevoked?(kid: string): boolean
  /** How many checked tokens are remembered; 100,000 unless said, 0: none. */
  readonly cache?: { readonly size: number }
}

/** Checks access tokens. A remembered token is answered without a promise. */
export interface TokenVerifier {
  verify(token: string): TokenResult | Promise<TokenResult>
}

const forbidden = ['jku', 'x5u', 'jwk', 'x5c', 'crit', 'b64']
const kty: Readonly<Record<Algorithm, string>> = { ES256: 'EC', Ed25519: 'OKP', RS256: 'RSA', PS256: 'RSA' }

/** Makes a token verifier; throws a TypeError for a leeway outside 0–60. */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const leeway = options.leeway ?? 5
  if (!(leeway >= 0 && leeway <= 60)) throw new TypeError('leeway is 0 to 60 seconds.')
  const rules = { ...options, leeway, maxLifetime: options.maxLifetime ?? { user: 900, client: 3600 } }
  const half = Math.ceil((options.cache?.size ?? 100_000) / 2)
  const imported = new WeakMap<PublicJwk, CryptoKey | Uint8Array>()
  let young = new Map<string, TokenAccepted>()
  let old = new Map<string, TokenAccepted>()
  /** Tokens being checked, so that many requests with a new one cost one signature. */
  const checking = new Map<string, Promise<TokenResult>>()
  let latest = 0

  function judge(found: TokenAccepted): TokenResult {
    const read = options.now()
    if (read > latest) latest = read
    const late = refusedByTime(found.claims, latest, leeway)
    if (late !== undefined) return late
    const code = options.revoked?.(found.claims, found.kid)
    return code === undefined ? found : refuse('revocation', code)
  }

  function remember(token: string, found: TokenAccepted): void {
    if (half === 0) return
    if (young.size >= half) {
      old = young
      young = new Map()
    }
    young.set(token, found)
  }

  async function keyOf(jwk: PublicJwk): Promise<CryptoKey | Uint8Array> {
    // Sources give the same object until a key changes, so that identity is enough.
    const known = imported.get(jwk)
    if (known !== undefined) return known
    const key = await importJWK({ ...jwk }, jwk.alg)
    imported.set(jwk, key)
    return key
  }

  async function cold(token: string): Promise<TokenResult> {
    const parts = token.split('.', 4)
    if (parts.length !== 3) return refuse('compact form')
    const [header64, payload64, signature64] = parts as [string, string, string]
    const headerBytes = fromBase64url(header64)
    const payloadBytes = fromBase64url(payload64)
    if (headerBytes === undefined || payloadBytes === undefined || !fromBase64url(signature64)?.length) return refuse('base64url')
    if (headerBytes.length > 1024) return refuse('header size')
    const header = readObject(headerBytes)
    if (header === undefined) return refuse('header JSON')
    if (forbidden.some((name) => Object.hasOwn(header, name))) return refuse('header member')
    const { typ, kid, alg } = header
    if (typeof typ !== 'string' || !/^(?:application\/)?at\+jwt$/i.test(typ)) return refuse('typ')
    if (typeof kid !== 'string' || kid.length === 0 || kid.length > 128) return refuse('kid')
    if (options.keyRevoked?.(kid) === true) return refuse('revocation', 'token_revoked')
    let jwk: PublicJwk | undefined
    try {
      const matching = (await options.keys(kid)).filter((one) => one.kid === kid)
      if (matching.length === 1) jwk = matching[0]
    } catch {
      return refuse('keys', 'keys_unavailable')
    }
    if (jwk === undefined) return refuse('key')
    if (jwk.alg !== alg || kty[jwk.alg] !== jwk.kty) return refuse('alg')
    try {
      await compactVerify(token, await keyOf(jwk), { algorithms: [jwk.alg] })
    } catch {
      return refuse('signature')
    }
    const claims = readObject(payloadBytes)
    if (claims === undefined) return refuse('payload JSON')
    const detail = refusedByShape(claims, rules)
    if (detail !== undefined) return refuse(detail)
    const one = freeze({ ...claims, aud: options.audience }) as unknown as AccessTokenClaims
    return { ok: true, claims: one, kid }
  }

  /** Time and revocations are asked for each caller: whoever joined late may have begun after something changed. */
  async function once(token: string): Promise<TokenResult> {
    let check = checking.get(token)
    if (check === undefined) {
      check = cold(token).finally(() => checking.delete(token))
      checking.set(token, check)
    }
    const found = await check
    if (!found.ok) return found
    const result = judge(found)
    if (result.ok && young.get(token) !== found) remember(token, found)
    return result
  }

  return {
    verify(token) {
      if (typeof token !== 'string' || token.length > 8192) return refuse('size')
      let found = young.get(token)
      if (found === undefined) {
        found = old.get(token)
        if (found !== undefined) remember(token, found)
      }
      return found === undefined ? once(token) : judge(found)
    },
  }
}

/** Claims are handed to many requests: none may change them for the others. */
function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const one of Object.values(Object.freeze(value))) freeze(one)
  return value
}

function refuse(detail: string, code: ErrorCode = 'invalid_token'): TokenRefused {
  return { ok: false, code, detail }
}
