// The revocation log: read in pages, given a new id, told of single tokens. Every other verb that revokes writes it with
// what it changes (`write.ts`).

import type { FeedHead, Revocation } from '@symbolon/protocol'
import type { AuditDraft } from '#core'
import { columns, feedColumns, type Row, revocationOf } from '#stores/rows'
import type { Driver } from './driver.ts'
import { headOf, type Write, writeAudit, writeFeed } from './write.ts'

const listed = columns(feedColumns)
// As one JSON text: many small rows cost twice as much when each of their columns crosses from the database by itself.
const page = `SELECT json_group_array(json_array(${listed})) FROM (SELECT ${listed} FROM feed WHERE tenant = 'main' AND seq > ? ORDER BY seq LIMIT ?)`

/** Entries after a `seq`, in order. */
export function entriesAfter(db: Driver, seq: number, limit: number): readonly Revocation[] {
  const text = db.sql(page).get(seq, limit)?.[0] as string
  return (JSON.parse(text) as readonly Row[]).map((row) => revocationOf(row))
}

/** Whether a single token was revoked. */
export function isTokenRevoked(db: Driver, jti: string): boolean {
  return db.sql("SELECT 1 FROM feed WHERE kind = 'token' AND id = ?").get(jti) !== undefined
}

/** Logs a single token as revoked, once. */
export function revokeToken(write: Write, jti: string, expires: number, audit: readonly AuditDraft[]): FeedHead {
  if (isTokenRevoked(write.db, jti)) return headOf(write.db)
  write.feed.push({ kind: 'token', id: jti, expires })
  writeAudit(write, audit)
  return writeFeed(write)
}

/** Gives the log a new id, unless somebody did already; the old one stays known as one that it had. */
export function renewFeed({ db }: Write, feedId: string): FeedHead {
  if (headOf(db).feedId === feedId) db.sql("INSERT INTO meta VALUES (?, '') ON CONFLICT (name) DO NOTHING").run(`feed ${feedId}`)
  db.sql("UPDATE feed_head SET feed_id = lower(hex(randomblob(8))) WHERE tenant = 'main' AND feed_id = ?").run(feedId)
  return headOf(db)
}

/** Deletes entries whose time has come; what has no end stays. */
export function compactFeed({ db, now }: Write, limit: number): number {
  return db.sql('DELETE FROM feed WHERE (tenant, seq) IN (SELECT tenant, seq FROM feed WHERE expires < ? LIMIT ?)').run(now, limit)
}
