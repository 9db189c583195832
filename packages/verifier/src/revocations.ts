// What is known to be revoked: sessions, single tokens, keys, and the epochs of users and clients. Entries are applied
// idempotently and never undone; each is forgotten when no token that it speaks of can be alive. Bounded: what no longer
// fits makes the knowledge incomplete, which callers must treat as not knowing. Must never guess.

import type { AccessTokenClaims, ErrorCode, Revocation } from '@symbolon/protocol'
import { createIdReader, createIdTable, type IdReader, shardCount } from './id-table.ts'
import { later } from './timers.ts'

/** The knowledge of revocations. */
export interface Revocations {
  apply(entries: readonly Revocation[]): void
  /** The code that refuses a token, or `undefined`. */
  revoked(claims: AccessTokenClaims, kid: string): ErrorCode | undefined
  /** Whether this key is revoked: what names it is refused, whoever signed it. */
  keyRevoked(kid: string): boolean
  /** Whether everything applied that can still matter is held. */
  complete(): boolean
  /** Entries held. */
  size(): number
  /** Memory held, in bytes, as an estimate. */
  bytes(): number
  /** Ends the sweeping. */
  end(): void
}

/** Bounds: ids of 128 bits altogether, and each kind of other ids. */
export interface RevocationBounds {
  readonly ids: number
  readonly names: number
}

const usual: RevocationBounds = { ids: 2_000_000, names: 100_000 }
const forever = 0xffffffff
/** One of 256 shards each time: everything is looked at about once a minute. */
const sweepEvery = 250

/** Reads an id of its kind: a sid, `usr_…`, or a jti with or without its generation. */
function readId(reader: IdReader, kind: 'session' | 'user' | 'token', id: string): boolean {
  if (kind === 'session') return reader.read(id, 0)
  if (kind === 'user') return id.length === 26 && id.startsWith('usr_') && reader.read(id, 4)
  const dot = id.length - 23
  if (dot < 0) return reader.read(id, 0)
  if (dot > 15 || id.charCodeAt(dot) !== 46) return false
  for (let i = 0; i < dot; i++) {
    const code = id.charCodeAt(i)
    if (code < 48 || code > 57) return false
  }
  return reader.read(id, dot + 1)
}

/**
 * Creates the knowledge. `now`, in milliseconds since 1970, must never go back and must be the clock by which tokens
 * expire: an entry may be forgotten only when every token it speaks of is refused for its age.
 */
export function createRevocations(now: () => number, bounds: RevocationBounds = usual): Revocations {
  const reader = createIdReader()
  const { words } = reader
  const tables = { session: createIdTable(false), token: createIdTable(false), user: createIdTable(true) }
  /** What has another shape: clients' names, and ids that are no 128 bits. Epoch and end, by kind and id. */
  const names = new Map<string, { readonly epoch: number; readonly expires: number }>()
  const keys = new Set<string>()
  /** Until when something that did not fit could matter; seconds. */
  let incompleteUntil = 0
  let next = 0
  let cancel: (() => void) | undefined
  let ended = false

  const seconds = (): number => Math.floor(now() / 1000)
  const held = () => tables.session.size + tables.token.size + tables.user.size

  const sweepOne = (): void => {
    const time = seconds()
    tables.session.sweep(next, time)
    tables.token.sweep(next, time)
    tables.user.sweep(next, time)
    next = (next + 1) % shardCount
    if (next === 0) for (const [id, one] of names) if (one.expires < time) names.delete(id)
  }
  const schedule = (): void => {
    if (cancel !== undefined || ended || held() + names.size === 0) return
    cancel = later(sweepEvery, () => {
      cancel = undefined
      sweepOne()
      schedule()
    })
  }

  const putName = (name: string, epoch: number, expires: number): void => {
    const before = names.get(name)
    if (before === undefined && names.size >= bounds.names) incompleteUntil = Math.max(incompleteUntil, expires)
    else names.set(name, { epoch: Math.max(epoch, before?.epoch ?? 0), expires: Math.max(expires, before?.expires ?? 0) })
  }

  const put = ({ kind, id, epoch = 0, state, expires }: Revocation, time: number): void => {
    const end = expires === null ? forever : Math.min(forever, Math.max(1, Math.ceil(expires / 1000)))
    if (kind === 'key') {
      if (state !== 'revoked') return
      // A revoked key is never forgotten, so what does not fit is never known again.
      if (keys.size >= bounds.names && !keys.has(id)) incompleteUntil = Number.POSITIVE_INFINITY
      else keys.add(id)
      return
    }
    if (end < time) return
    if (kind === 'client' || epoch > forever || !readId(reader, kind, id)) {
      putName(`${kind} ${id}`, epoch, end)
      return
    }
    const table = tables[kind]
    if (held() >= bounds.ids && !table.has(words)) incompleteUntil = Math.max(incompleteUntil, end)
    else table.put(words, end, epoch)
  }

  const revokedName = (kind: string, id: string): boolean => names.size > 0 && names.has(`${kind} ${id}`)
  const epochOfName = (kind: string, id: string): number => (names.size === 0 ? -1 : (names.get(`${kind} ${id}`)?.epoch ?? -1))

  return {
    apply(entries) {
      const time = seconds()
      for (const entry of entries) put(entry, time)
      schedule()
    },
    revoked(claims, kid) {
      if (keys.size > 0 && keys.has(kid)) return 'token_revoked'
      const { sid, jti, sub } = claims
      if (sid !== undefined) {
        if (tables.session.size > 0 && reader.read(sid, 0) && tables.session.has(words)) return 'session_revoked'
        if (revokedName('session', sid)) return 'session_revoked'
      }
      if (tables.token.size > 0 && readId(reader, 'token', jti) && tables.token.has(words)) return 'token_revoked'
      if (revokedName('token', jti)) return 'token_revoked'
      if (sid !== undefined) {
        const epoch = claims.epoch ?? 0
        if (tables.user.size > 0 && readId(reader, 'user', sub) && epoch < tables.user.epochOf(words)) return 'claims_stale'
        if (epoch < epochOfName('user', sub)) return 'claims_stale'
      }
      return claims.client_epoch < epochOfName('client', claims.client_id) ? 'claims_stale' : undefined
    },
    keyRevoked: (kid) => keys.has(kid),
    complete: () => incompleteUntil === 0 || incompleteUntil < seconds(),
    size: () => held() + names.size + keys.size,
    bytes: () => tables.session.bytes() + tables.token.bytes() + tables.user.bytes() + names.size * 160 + keys.size * 100,
    end() {
      ended = true
      cancel?.()
      cancel = undefined
    },
  }
}
