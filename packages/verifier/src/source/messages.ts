// What the feed says, read strictly: one bad member and the message is refused whole, since half an understanding of
// revocations is none. Nothing of a message that is refused is applied.

import type { FeedEvents, FeedPage, Revocation, RevocationKind, SnapshotEnd, SnapshotEntry, SnapshotStart } from '@symbolon/protocol'
import { nonsense } from './lines.ts'

type Members = Readonly<Record<string, unknown>>

const kinds: ReadonlySet<unknown> = new Set<RevocationKind>(['session', 'user', 'client', 'token', 'key'])
const feedId = /^[0-9a-f]{16}$/

function membersOf(value: unknown): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw nonsense('a message is not an object')
  return value as Members
}
const seqOf = (value: unknown): number => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw nonsense('a position is no whole number')
  return value as number
}
const timeOf = (value: unknown): number => {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw nonsense('a time is no number')
  return value
}
const feedOf = (value: unknown): string => {
  if (typeof value !== 'string' || !feedId.test(value)) throw nonsense('a feed id is malformed')
  return value
}

/** An entry from its parts; throws for anything that is none. */
function entryOf(seq: number, kind: unknown, id: unknown, extra: unknown, at: number, expires: unknown): Revocation {
  if (!kinds.has(kind)) throw nonsense('an entry of an unknown kind')
  if (typeof id !== 'string' || id.length === 0 || id.length > 256) throw nonsense('an entry without an id')
  const over = expires === null ? null : timeOf(expires)
  const common = { seq, tenant: 'main', id, at, expires: over }
  if (kind === 'key') {
    if (extra !== 'published' && extra !== 'revoked') throw nonsense('a key without a state')
    return { ...common, kind, state: extra }
  }
  if (kind === 'user' || kind === 'client') return { ...common, kind, epoch: seqOf(extra) }
  return { ...common, kind: kind as 'session' | 'token' }
}

function entriesOf(value: unknown): readonly Revocation[] {
  if (!Array.isArray(value) || value.length > 10_000) throw nonsense('entries are no list')
  return value.map((one: unknown) => {
    const { seq, kind, id, epoch, state, at, expires } = membersOf(one)
    return entryOf(seqOf(seq), kind, id, kind === 'key' ? state : epoch, timeOf(at), expires)
  })
}

/** A range of the log, entries as they are applied. */
export interface Range {
  readonly feed: string
  readonly from: number
  readonly to: number
  readonly entries: readonly Revocation[]
}

function rangeOf(members: Members): Range {
  const range = { feed: feedOf(members.feed), from: seqOf(members.from), to: seqOf(members.to), entries: entriesOf(members.entries) }
  if (range.to < range.from) throw nonsense('a range that runs backwards')
  return range
}

/** An event of the stream. */
export type FeedMessage =
  | { readonly event: 'open'; readonly data: FeedEvents['open'] }
  | { readonly event: 'revocations'; readonly data: Range }
  | { readonly event: 'beat'; readonly data: FeedEvents['beat'] }
  | { readonly event: 'snapshot'; readonly data: FeedEvents['snapshot'] }
  | { readonly event: 'bye'; readonly data: FeedEvents['bye'] }

/** Reads an event; `undefined` for a name that is not known. Throws for nonsense. */
export function readEvent(event: string, text: string): FeedMessage | undefined {
  const read = () => membersOf(JSON.parse(text))
  switch (event) {
    case 'open': {
      const { feed, head, t0 } = read()
      return { event, data: { feed: feedOf(feed), head: seqOf(head), t0: timeOf(t0) } }
    }
    case 'revocations':
      return { event, data: rangeOf(read()) }
    case 'beat': {
      const { feed, head, t } = read()
      return { event, data: { feed: feedOf(feed), head: seqOf(head), t: timeOf(t) } }
    }
    case 'snapshot': {
      const { feed, reason } = read()
      return { event, data: { feed: feedOf(feed), reason: reason === 'renewed' ? 'renewed' : 'behind' } }
    }
    case 'bye':
      return { event, data: { retry_ms: Math.max(0, timeOf(read().retry_ms)) } }
    default:
      return undefined
  }
}

/** Reads a page of the long poll. Throws for nonsense. */
export function readPage(value: unknown): Range & Omit<FeedPage, 'entries'> {
  const members = membersOf(value)
  return { ...rangeOf(members), head: seqOf(members.head), t0: timeOf(members.t0), t: timeOf(members.t) }
}

/** Reads a snapshot's first line. */
export function readStart(value: unknown): SnapshotStart {
  const { feed, head, t0, t } = membersOf(value)
  return { feed: feedOf(feed), head: seqOf(head), t0: timeOf(t0), t: timeOf(t) }
}

/** Reads a snapshot's last line. */
export function readEnd(value: unknown): SnapshotEnd {
  const { count, sha256 } = membersOf(value)
  if (typeof sha256 !== 'string') throw nonsense('a snapshot without its digest')
  return { count: seqOf(count), sha256 }
}

/** Reads a line of a snapshot's entries. They carry no `seq` and no time: both are 0. */
export function readSnapshotEntries(value: readonly unknown[]): readonly Revocation[] {
  return value.map((one) => {
    if (!Array.isArray(one) || one.length !== 4) throw nonsense('a snapshot entry of another shape')
    const [kind, id, extra, expires] = one as unknown as SnapshotEntry
    return entryOf(0, kind, id, extra, 0, expires)
  })
}
