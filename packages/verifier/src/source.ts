// The port behind a guard: where keys, live answers, tokens minted on the fly, and revocations come from.
// Two implementations: over HTTP (here, in source/) and in process (embed of the service). One suite for both.

import type { AccessTokenClaims, ErrorCode, ErrorOptions, FeedHead, PublicJwk, Revocation } from '@symbolon/protocol'

/** A live answer: the session, or a client calling in its own name, as the store knows it now, or why it is refused. `claims`: of an opaque token. */
export type LiveAnswer =
  | { readonly active: true; readonly session: LiveSession; readonly claims?: AccessTokenClaims }
  | { readonly active: true; readonly client: LiveClient; readonly claims?: AccessTokenClaims }
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

/** A client that is active, behind its own access token. */
export interface LiveClient {
  readonly clientId: string
  readonly clientEpoch: number
  readonly scope: readonly string[]
}

/**
 * What is asked of a live check: a session cookie's value, an access token that has been verified locally, or an opaque one.
 * `background`: nobody did anything, so it does not extend the session's idle time.
 */
export type LiveQuestion = (
  | { readonly by: 'opaque'; readonly token: string }
  | { readonly by: 'cookie'; readonly credential: string }
  | { readonly by: 'token'; readonly token: string; readonly claims: AccessTokenClaims }
) & { readonly background?: boolean }

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
   * Follows revocations: entries go to `apply` in order, at least once, also those of before that can still matter.
   * Absent: revocations are not known here, and tokens live until they expire.
   */
  readonly follow?: (apply: (entries: readonly Revocation[]) => void) => Feed
  /** What asking is like now, where asking can fail. */
  readonly status?: () => SourceStatus
  close(): Promise<void>
}

/** What a source says of itself, for operators. */
export interface SourceStatus {
  readonly breaker: 'closed' | 'open' | 'half_open'
  /** Live checks under way or waiting. */
  readonly asking: number
}

/** A feed that is followed. */
export interface Feed {
  /** An upper bound, in milliseconds, on how long ago the knowledge was complete; `Infinity` before it ever was. */
  staleness(): number
  /** Up to where entries were applied; `undefined` before the first time. */
  position(): FeedHead | undefined
  /** Whether everything up to this position is applied, at once or within `ms`; false for one that cannot be of this feed. Bounded. */
  reached(position: FeedHead, ms: number): boolean | Promise<boolean>
  /** Resolves when the knowledge is complete for the first time; rejects when the feed was ended before. */
  ready(): Promise<void>
  /** Where knowledge is fetched on demand only: brings it up to date, or gives up after a moment. Never rejects. */
  readonly refresh?: () => Promise<void>
  status(): FeedStatus
  end(): void
}

/** What a feed says of itself, for operators. */
export interface FeedStatus {
  readonly feedId: string | null
  /** The newest head heard of, and up to where entries are applied. */
  readonly head: number
  readonly applied: number
  readonly stalenessMs: number
  readonly transport: 'stream' | 'long_poll' | 'snapshot' | 'in_process' | 'none'
  readonly reconnects: number
  readonly snapshots: number
}
