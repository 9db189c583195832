// Deleting a user: their sessions end, and nothing of them stays but ids; all in one transaction, which holds the database's
// write lock. Sessions and audit lines are kept as long as ever, without the addresses and devices that they came from.

import type { FeedHead } from '@symbolon/protocol'
import type { AuditDraft, User } from '#core'
import { endSessionsOf } from './sessions.ts'
import { findUser } from './users.ts'
import { feedLife, type Write, writeAudit, writeFeed } from './write.ts'

/** Deletes a user; the user as they were last. */
export function removeUser(
  write: Write,
  id: string,
  audit: readonly AuditDraft[],
): { user: User; ended: readonly string[]; head: FeedHead } | undefined {
  const { db, now } = write
  const user = findUser(db, { id })
  if (user === undefined) return undefined
  write.feed.push({ kind: 'user', id, epoch: user.epoch + 1, expires: now + feedLife.user })
  const ended = endSessionsOf(write, id, 'user_deleted')
  db.sql('UPDATE sessions SET revision = revision + 1, ip = NULL, user_agent = NULL WHERE user_id = ?').run(id)
  db.sql('UPDATE audit SET ip = NULL WHERE user_id = ? AND ip IS NOT NULL').run(id)
  db.sql("DELETE FROM passkeys WHERE tenant = 'main' AND user_id = ?").run(id)
  db.sql("DELETE FROM user_handles WHERE tenant = 'main' AND user_id = ?").run(id)
  db.sql('DELETE FROM address_undos WHERE user_id = ?').run(id)
  db.sql('DELETE FROM attempts WHERE user_id = ?').run(id)
  db.sql('DELETE FROM users WHERE id = ?').run(id)
  writeAudit(write, audit)
  return { user, ended, head: writeFeed(write) }
}
