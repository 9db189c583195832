// The entries of the revocation log, as stores write them and verifiers apply them. Ids only, no personal data.

/** What an entry revokes. */
export type RevocationKind = 'session' | 'user' | 'client' | 'token' | 'key'

/** One entry of the revocation log, in commit order of `seq`. Times in milliseconds since 1970. */
export interface Revocation {
  readonly seq: number
  readonly tenant: string
  readonly kind: RevocationKind
  /** A sid, user id, client id, jti or kid. */
  readonly id: string
  /** For users and clients: tokens with a smaller epoch are stale. */
  readonly epoch?: number
  /** For keys: announced, or dead for good. */
  readonly state?: 'published' | 'revoked'
  readonly at: number
  /** When no token that this entry speaks of can be alive any more; `null`: never compacted (revoked keys). */
  readonly expires: number | null
}

/** Where a log stands: its id and the `seq` of its last entry. */
export interface FeedHead {
  readonly feedId: string
  readonly seq: number
}
