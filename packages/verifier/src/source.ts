// The port behind a guard: where keys, live answers, tokens minted on the fly, and revocations come from.
// Two implementations: over HTTP (here, in source/) and in process (embed of the service). One suite for both.

import type { AccessTokenClaims, ErrorCode, ErrorOptions, PublicJwk, Revocation } from '@symbolon/protocol'

/** A live answer: the session as the store knows it now, or why it is refused. */
export type LiveAnswer =
  | { readonly active: true; readonly session: LiveSession }
  | { readonly active: false; readonly code: ErrorCode; readonly options?: ErrorOptions }

/** A session that is alive, with what its user may do now. Times in seconds since 1970. */
export interface LiveSession {
  readonly sub: string
  readonly sid: string
  readonly clientId: string
  readonly epoch: number
  readonly clientEpoch: number
  readonly roles: readonly string[]
  readonly scope: readonly string[]
  readonly authTime: number
  readonly acr: string
  readonly amr: readonly string[]
}

/** What is asked of a live check: a session cookie's value, or an access token that has been verified locally. */
export type LiveQuestion =
  | { readonly by: 'cookie'; readonly credential: string }
  | { readonly by: 'token'; readonly token: string; readonly claims: AccessTokenClaims }

/** A token minted on the fly for a session cookie, without rotation; never extends a session beyond its limits. */
export type MintAnswer =
  | { readonly minted: true; readonly accessToken: string; readonly claims: AccessTokenClaims; readonly session: LiveSession }
  | { readonly minted: false; readonly code: ErrorCode; readonly options?: ErrorOptions }

/** Where a guard's knowledge comes from. Every failure to know is a thrown `SymbolonError` with a 503 code; never a yes. */
export interface Source {
  /** The issuer's public signing keys as last known; `kid` says which one is missed, so that the source may fetch anew (bounded). */
  keys(kid: string): Promise<readonly PublicJwk[]> | readonly PublicJwk[]
  /** The live answer; a read that begins after this call. */
  check(question: LiveQuestion): Promise<LiveAnswer> | LiveAnswer
  /** Mints from a session cookie. Absent where the source cannot. */
  readonly mint?: (credential: string) => Promise<MintAnswer>
  /**
   * Follows revocations: entries in order, at least once, also those of before that can still matter. Absent: revocations
   * are not known here, and tokens live until they expire. Returns the function that ends it.
   */
  readonly follow?: (apply: (entries: readonly Revocation[]) => void) => () => void
  /** How old the knowledge of revocations may be, in milliseconds; 0 in process; absent with `follow`. */
  readonly staleness?: () => number
  close(): Promise<void>
}
