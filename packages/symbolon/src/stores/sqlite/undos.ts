// Addresses that were given up and can still be put back: until then nobody else can have them.

import type { AddressUndo } from '#core'
import { columns, undoColumns, undoOf } from '#stores/rows'
import type { Driver } from './driver.ts'

/** One that can still be used. */
export function findUndo(db: Driver, idHash: string, now: number): AddressUndo | undefined {
  const row = db.sql(`SELECT ${columns(undoColumns)} FROM address_undos WHERE id_hash = ? AND expires_at > ?`).get(idHash, now)
  return row === undefined ? undefined : undoOf(row)
}

/** Those of a user that can still be used, the newest first. */
export function listUndos(db: Driver, userId: string, now: number): readonly AddressUndo[] {
  return db
    .sql(`SELECT ${columns(undoColumns)} FROM address_undos WHERE user_id = ? AND expires_at > ? ORDER BY created_at DESC`)
    .all(userId, now)
    .map((row) => undoOf(row))
}

/** When an address was given up, while it can be put back. */
export function leftAt(db: Driver, email: string, now: number): number | undefined {
  return db.sql("SELECT max(created_at) FROM address_undos WHERE tenant = 'main' AND email = ? AND expires_at > ?").get(email, now)?.[0] as
    | number
    | undefined
}

/** Whether an address is another user's, or can still be put back by one. */
export function isTaken(db: Driver, email: string, userId: string | null, now: number): boolean {
  const row = db
    .sql(
      `SELECT EXISTS (SELECT 1 FROM users WHERE tenant = 'main' AND email = ?1 AND id IS NOT ?2) OR
       EXISTS (SELECT 1 FROM address_undos WHERE tenant = 'main' AND email = ?1 AND user_id IS NOT ?2 AND expires_at > ?3)`,
    )
    .get(email, userId, now)
  return row?.[0] === 1
}
