// The claims of an access token (RFC 9068 §2.2) as Symbolon makes and accepts them. Personal data is in none of
// them unless an operator's claims template adds it.

/** Claims of every access token. Times in whole seconds since 1970 (RFC 7519 §2). */
export interface AccessTokenClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: string
  readonly client_id: string
  readonly iat: number
  readonly exp: number
  /** For a session's token `<generation>.<128 random bits>`: a live check learns from it which credential was received. */
  readonly jti: string
  readonly client_epoch: number
  /** With a session: the user's epoch at mint. */
  readonly epoch?: number
  readonly sid?: string
  /** Seconds; when the user last proved who they are (OIDC Core §2). */
  readonly auth_time?: number
  readonly acr?: string
  /** RFC 8176 names. */
  readonly amr?: readonly string[]
  /** Space separated (RFC 8693 §4.2). */
  readonly scope?: string
  readonly roles?: readonly string[]
  readonly cnf?: Readonly<Record<string, unknown>>
  /** Claims of the operator's template or of a refresh step. */
  readonly [name: string]: unknown
}

/** Names a claims template or a refresh step may not set. */
export const reservedClaims: ReadonlySet<string> = new Set([
  'iss',
  'sub',
  'aud',
  'client_id',
  'iat',
  'exp',
  'nbf',
  'jti',
  'client_epoch',
  'epoch',
  'sid',
  'auth_time',
  'acr',
  'amr',
  'scope',
  'roles',
  'cnf',
  '__proto__',
])

/** The signature algorithms of access tokens; `Ed25519` as RFC 9864 names it. */
export type Algorithm = 'ES256' | 'Ed25519' | 'RS256' | 'PS256'

/** A public key as JWKS publishes it (RFC 7517 §4); never holds a private member. */
export interface PublicJwk {
  readonly kty: 'EC' | 'OKP' | 'RSA'
  readonly kid: string
  readonly alg: Algorithm
  readonly use: 'sig'
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly n?: string
  readonly e?: string
}
