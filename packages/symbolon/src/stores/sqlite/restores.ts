// The steps of a restore: a new id for the log, epochs that nobody was ever given, no sign-in left under way. What was
// begun is noted, so that it can be taken up again, and so that nobody serves from it in between.

import type { FeedHead } from '@symbolon/protocol'
import type { AuditDraft, RestoreBegun, RestoreStore } from '#core'
import { epochLeap } from '#stores/rows'
import type { Driver } from './driver.ts'
import { renewFeed } from './feed.ts'
import { feedLife, headOf, type Write, writeAudit, writeFeed } from './write.ts'

/** The restore that was begun. */
export function pendingRestore(db: Driver): { cut: number } | undefined {
  const row = db.sql("SELECT value FROM meta WHERE name = 'restoring'").get()
  return row === undefined ? undefined : { cut: Number(row[0]) }
}

/** Whether the log has this id, or had it. */
export function hadFeed(db: Driver, feedId: string): boolean {
  return headOf(db).feedId === feedId || db.sql('SELECT 1 FROM meta WHERE name = ?').get(`feed ${feedId}`) !== undefined
}

/** Begins one, or finds it. */
export function beginRestore(write: Write, { former, kids, audit }: Parameters<RestoreStore['begin']>[0]): RestoreBegun {
  const { db, now } = write
  if (former !== null) db.sql("INSERT INTO meta VALUES (?, '') ON CONFLICT (name) DO NOTHING").run(`feed ${former}`)
  if (pendingRestore(db) === undefined) {
    renewFeed(write, headOf(db).feedId)
    db.sql("INSERT INTO meta VALUES ('restoring', ?)").run(now)
    writeAudit(write, audit)
  }
  for (const kid of kids) {
    if (db.sql('SELECT 1 FROM keys WHERE kid = ?').get(kid) !== undefined) continue
    if (db.sql("SELECT 1 FROM feed WHERE kind = 'key' AND id = ? AND state = 'revoked'").get(kid) !== undefined) continue
    write.feed.push({ kind: 'key', id: kid, state: 'revoked', expires: null })
  }
  const head = writeFeed(write)
  return { cut: pendingRestore(db)?.cut ?? now, head }
}

const perBatch = 500

/** Grows the epochs of the next ones. */
export function growEpochs(write: Write, what: 'user' | 'client', after: string): { count: number; next: string | null } {
  const { db, now } = write
  const [table, moved] = what === 'user' ? ['users', ''] : ['clients', 'revision = revision + 1, ']
  const rows = db
    .sql(`SELECT id, epoch FROM ${table} WHERE tenant = 'main' AND id > ? ORDER BY id LIMIT ?`)
    .all(after, perBatch)
    .map((row) => ({ id: row[0] as string, epoch: (row[1] as number) + epochLeap }))
  for (const { id, epoch } of rows) {
    db.sql(`UPDATE ${table} SET ${moved}epoch = ? WHERE tenant = 'main' AND id = ?`).run(epoch, id)
    write.feed.push({ kind: what, id, epoch, expires: now + feedLife[what] })
  }
  return { count: rows.length, next: rows.length < perBatch ? null : (rows.at(-1)?.id ?? null) }
}

/** Deletes attempts. */
export function dropAttempts({ db }: Write, limit: number): number {
  return db.sql('DELETE FROM attempts WHERE id_hash IN (SELECT id_hash FROM attempts LIMIT ?)').run(limit)
}

/** Ends it. */
export function endRestore(write: Write, audit: readonly AuditDraft[]): FeedHead {
  if (write.db.sql("DELETE FROM meta WHERE name = 'restoring'").run() === 1) writeAudit(write, audit)
  return headOf(write.db)
}
