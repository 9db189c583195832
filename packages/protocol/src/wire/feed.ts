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

/** A position in words: `<feed id>.<seq>`, as `after=`, the SSE `id` and the `Symbolon-Seq` header have it. */
export function formatPosition({ feedId, seq }: FeedHead): string {
  return `${feedId}.${seq}`
}

/** Reads a position; `undefined` for anything else. */
export function parsePosition(text: string): FeedHead | undefined {
  const match = /^([0-9a-f]{16})\.(0|[1-9]\d{0,14})$/.exec(text)
  return match === null ? undefined : { feedId: match[1] as string, seq: Number(match[2]) }
}

/** The header of a position: on the answer to a call that revokes, and on a request that must see that revocation. */
export const positionHeader = 'symbolon-seq'

/** The scope of a client that may follow revocations. */
export const followScope = 'revocations:read'

/** An entry as it goes over the wire: a stored one without its tenant. */
export type WireRevocation = Omit<Revocation, 'tenant'>

/**
 * The events of the stream `GET /v1/revocations` (server-sent events). `t0` and `t` are milliseconds of the sender's
 * monotonic clock: `t0` read after the request was received, `t` when the query that read `head` began.
 * `open` comes first. `revocations` holds every entry of the range (`from`, `to`] that can still matter: continuity is
 * `from` being what was applied, whatever compaction has left out. `beat` comes after all entries up to its `head`.
 * `snapshot`: what is missing is no longer kept, or too much: take a snapshot. `bye`: this node ends; connect again.
 */
export interface FeedEvents {
  readonly open: { readonly feed: string; readonly head: number; readonly t0: number }
  readonly revocations: { readonly feed: string; readonly from: number; readonly to: number; readonly entries: readonly WireRevocation[] }
  readonly beat: { readonly feed: string; readonly head: number; readonly t: number }
  readonly snapshot: { readonly feed: string; readonly reason: 'behind' | 'renewed' }
  readonly bye: { readonly retry_ms: number }
}

/** The answer of the long poll `GET /v1/revocations?after=<position>&wait=<seconds>`: a range, and what a beat says of its end. */
export interface FeedPage {
  readonly feed: string
  readonly from: number
  readonly to: number
  readonly entries: readonly WireRevocation[]
  readonly head: number
  readonly t0: number
  readonly t: number
}

/**
 * The lines of `GET /v1/revocations/snapshot` (JSON, one a line): this one first, then arrays of `SnapshotEntry`, at most
 * 1,000 each, then `SnapshotEnd`. Complete up to `head`.
 */
export interface SnapshotStart {
  readonly feed: string
  readonly head: number
  readonly t0: number
  readonly t: number
}

/** kind; id; epoch or key state; when it is over (null: never). */
export type SnapshotEntry = readonly [
  kind: RevocationKind,
  id: string,
  epochOrState: number | 'published' | 'revoked' | null,
  expires: number | null,
]

/** The last line. `sha256`: base64url, over the joined SHA-256 digests of every line before it (without its line feed). */
export interface SnapshotEnd {
  readonly count: number
  readonly sha256: string
}

/** Entries in one event, page or snapshot line; at most. */
export const feedPage = 1000
