// What every verb is told and may answer: where a request comes from, a refusal, a fresh access token.

import type { AccessTokenClaims, ErrorCode, ErrorOptions } from '@symbolon/protocol'

/** A refusal: a code of the error table. */
export interface Refused {
  readonly ok: false
  readonly code: ErrorCode
  readonly options?: ErrorOptions
}

/** Where a request comes from, as the server that received it knows. */
export interface Caller {
  /** Canonical address (from the socket or trusted hops); null when unknown. */
  readonly ip: string | null
  readonly userAgent: string | null
  /** BCP 47, from Accept-Language. */
  readonly language?: string
  /** The device in words for people, such as "Firefox on Linux". */
  readonly device?: string
}

/** An access token fresh from the mint. `expiresIn`, `refreshIn` in seconds; `serverTime` in milliseconds since 1970. */
export interface Minted {
  readonly accessToken: string
  readonly claims: AccessTokenClaims
  readonly expiresIn: number
  readonly refreshIn: number
  readonly serverTime: number
}
