// People: created, found, listed, changed. A change of roles or status grows the epoch and is logged to the feed;
// disabling ends the sessions; all in the one transaction.

import type { FeedHead } from '@symbolon/protocol'
import type { AuditDraft, User, UserChange } from '#core'
import { columns, userColumns, userOf } from '#stores/rows'
import type { Driver } from './driver.ts'
import { endSessionsOf } from './sessions.ts'
import { isTaken } from './undos.ts'
import { feedLife, Refusal, type Write, writeAudit, writeFeed } from './write.ts'

const select = `SELECT ${columns(userColumns)} FROM users`

/** Finds a user by id or normalised address. */
export function findUser(db: Driver, by: { readonly id: string } | { readonly email: string }): User | undefined {
  const row =
    'id' in by ? db.sql(`${select} WHERE id = ?`).get(by.id) : db.sql(`${select} WHERE tenant = 'main' AND email = ?`).get(by.email)
  return row === undefined ? undefined : userOf(row)
}

/** Users in order of id. */
export function listUsers(db: Driver, after: string | null, limit: number): readonly User[] {
  return db
    .sql(`${select} WHERE tenant = 'main' AND id > ? ORDER BY id LIMIT ?`)
    .all(after ?? '', limit)
    .map((row) => userOf(row))
}

/** Creates a user, unless the address is taken. */
export function createUser(
  write: Write,
  user: { id: string; email: string; roles: readonly string[] },
  audit: readonly AuditDraft[],
): User {
  if (isTaken(write.db, user.email, null, write.now)) throw new Refusal('conflict')
  write.db
    .sql("INSERT INTO users (id, tenant, email, roles, status, epoch, created_at) VALUES (?, 'main', ?, ?, 'active', 1, ?)")
    .run(user.id, user.email, JSON.stringify(user.roles), write.now)
  writeAudit(write, audit)
  return findUser(write.db, { id: user.id }) as User
}

/** Changes roles or status, or only grows the epoch. What changes nothing grows none. */
export function changeUser(
  write: Write,
  id: string,
  change: UserChange,
  audit: readonly AuditDraft[],
): { user: User; ended: readonly string[]; head: FeedHead } | undefined {
  const { db, now } = write
  const before = findUser(db, { id })
  if (before === undefined) return undefined
  const roles = JSON.stringify(change.roles ?? before.roles)
  const status = change.status ?? before.status
  let ended: readonly string[] = []
  if (change.bump === true || roles !== JSON.stringify(before.roles) || status !== before.status) {
    db.sql('UPDATE users SET roles = ?, status = ?, epoch = epoch + 1 WHERE id = ?').run(roles, status, id)
    write.feed.push({ kind: 'user', id, epoch: before.epoch + 1, expires: now + feedLife.user })
    if (status === 'disabled') ended = endSessionsOf(write, id, 'user_disabled')
    writeAudit(write, audit)
  }
  return { user: findUser(db, { id }) as User, ended, head: writeFeed(write) }
}
