// A person's e-mail address: changed, and put back. What was given up is kept for whoever undoes it, and nobody else can have
// it meanwhile. Each runs inside one transaction, which holds the database's write lock.

import type { AddressChange, AddressStore, User } from '#core'
import { columns, undoColumns } from '#stores/rows'
import { holdProof } from './proof.ts'
import { endSessionsOf } from './sessions.ts'
import { findUndo, isTaken } from './undos.ts'
import { findUser } from './users.ts'
import { feedLife, Refusal, type Write, writeAudit, writeFeed } from './write.ts'

/** Gives a user an address; the user, and the address that they had. */
function readdress(write: Write, id: string, email: string): { user: User; before: string } {
  const { db, now } = write
  const { email: before, epoch } = findUser(db, { id }) as User
  db.sql('UPDATE users SET email = ?, epoch = epoch + 1 WHERE id = ?').run(email, id)
  write.feed.push({ kind: 'user', id, epoch: epoch + 1, expires: now + feedLife.user })
  return { user: findUser(db, { id }) as User, before }
}

/** Keeps the address that was given up. Each is later than those before it, in one moment too: an undo takes what is later away. */
function keepUndo({ db, now }: Write, { undoHash, undoLife, userId }: AddressChange, before: string): void {
  const last = (db.sql('SELECT max(created_at) FROM address_undos WHERE user_id = ?').get(userId)?.[0] ?? 0) as number
  const at = Math.max(now, last + 1)
  db.sql(`INSERT INTO address_undos (${columns(undoColumns)}) VALUES (?, 'main', ?, ?, ?, ?)`).run(
    undoHash,
    userId,
    before,
    at,
    at + undoLife,
  )
}

/** Changes an address. */
export function changeAddress(write: Write, input: AddressChange) {
  const { db, now } = write
  const { userId, email, proof } = input
  if (proof !== null) holdProof(write, 'change_email', userId, proof)
  const user = findUser(db, { id: userId })
  if (user === undefined) throw new Refusal({ outcome: 'user_gone' })
  if (user.email === email || isTaken(db, email, userId, now)) throw new Refusal({ outcome: 'taken' })
  const changed = readdress(write, userId, email)
  const ended = endSessionsOf(write, userId, 'signed_out_elsewhere', proof?.sid)
  // Back to one that was given up is its undo: who came between has no way back.
  const left = db
    .sql('SELECT min(created_at) FROM address_undos WHERE user_id = ? AND email = ? AND expires_at > ?')
    .get(userId, email, now)
  const since = (left?.[0] ?? null) as number | null
  if (since !== null) db.sql('DELETE FROM address_undos WHERE user_id = ? AND created_at >= ?').run(userId, since)
  else keepUndo(write, input, changed.before)
  writeAudit(write, input.audit)
  return { outcome: 'changed', now, ...changed, wayBack: since === null, ended, head: writeFeed(write) } as const
}

/** Puts an address back. */
export function undoAddress(write: Write, { idHash, reach, audit }: Parameters<AddressStore['undo']>[0]) {
  const { db, now } = write
  const undo = findUndo(db, idHash, now)
  if (undo === undefined || findUser(db, { id: undo.userId }) === undefined) throw new Refusal({ outcome: 'gone' })
  const { userId, email, createdAt } = undo
  const holder = findUser(db, { email })
  if (holder !== undefined && holder.id !== userId) throw new Refusal({ outcome: 'taken' })
  const changed = readdress(write, userId, email)
  const ended = endSessionsOf(write, userId, 'signed_out_elsewhere')
  const passkeys = db.sql("DELETE FROM passkeys WHERE tenant = 'main' AND user_id = ? AND created_at >= ?").run(userId, createdAt - reach)
  db.sql('DELETE FROM address_undos WHERE user_id = ? AND created_at >= ?').run(userId, createdAt)
  writeAudit(write, audit, { userId })
  return { outcome: 'undone', now, passkeys, ...changed, ended, head: writeFeed(write) } as const
}

/** Deletes those whose time is over. */
export function sweepUndos({ db, now }: Write, limit: number): number {
  return db
    .sql('DELETE FROM address_undos WHERE id_hash IN (SELECT id_hash FROM address_undos WHERE expires_at <= ? LIMIT ?)')
    .run(now, limit)
}
