// Passkeys: public keys and counters, each a row. A counter only grows, decided by the row itself; a person's last one
// can be kept, decided in the one transaction that counts them.

import type { AuditDraft, NewPasskey, Passkey, PasskeyFound, PasskeyProof } from '#core'
import { columns, passkeyColumns, passkeyOf, userColumns, userOf } from '#stores/rows'
import type { Driver } from './driver.ts'
import { holdProof } from './proof.ts'
import { Refusal, type Write, writeAudit } from './write.ts'

const select = `SELECT ${columns(passkeyColumns)} FROM passkeys WHERE tenant = 'main'`

/** Finds one, with its owner. */
export function findPasskey(db: Driver, id: string, now: number): PasskeyFound | undefined {
  const row = db
    .sql(
      `SELECT h.handle, ${columns(passkeyColumns, 'p')}, ${columns(userColumns, 'u')} FROM passkeys p JOIN users u ON u.id = p.user_id
       JOIN user_handles h ON h.tenant = p.tenant AND h.user_id = p.user_id WHERE p.tenant = 'main' AND p.id = ?`,
    )
    .get(id)
  if (row === undefined) return undefined
  return { now, handle: row[0] as string, passkey: passkeyOf(row, 1), user: userOf(row, 1 + passkeyColumns.length) }
}

/** A user's handle, and their passkeys, oldest first. */
export function listPasskeys(db: Driver, userId: string): { handle: string | null; passkeys: readonly Passkey[] } {
  const row = db.sql("SELECT handle FROM user_handles WHERE tenant = 'main' AND user_id = ?").get(userId)
  return { handle: (row?.[0] as string | undefined) ?? null, passkeys: passkeysOf(db, userId) }
}

function passkeysOf(db: Driver, userId: string): readonly Passkey[] {
  return db
    .sql(`${select} AND user_id = ? ORDER BY created_at, id`)
    .all(userId)
    .map((row) => passkeyOf(row))
}

/** The handle of a user; made when there is none. */
export function userHandle({ db }: Write, userId: string, fresh: string): string | undefined {
  if (db.sql('SELECT 1 FROM users WHERE id = ?').get(userId) === undefined) return undefined
  db.sql("INSERT INTO user_handles (tenant, user_id, handle) VALUES ('main', ?, ?) ON CONFLICT DO NOTHING").run(userId, fresh)
  return db.sql("SELECT handle FROM user_handles WHERE tenant = 'main' AND user_id = ?").get(userId)?.[0] as string
}

/** Adds one, if there is room and nobody has it. */
export function addPasskey(
  write: Write,
  passkey: NewPasskey,
  most: number,
  audit: readonly AuditDraft[],
): { outcome: 'added'; passkey: Passkey } | { outcome: 'conflict' | 'limit' | 'user_gone' } {
  const { db, now } = write
  if (db.sql('SELECT status FROM users WHERE id = ?').get(passkey.userId)?.[0] !== 'active') return { outcome: 'user_gone' }
  if (passkeysOf(db, passkey.userId).length >= most) return { outcome: 'limit' }
  const added = db
    .sql(`INSERT INTO passkeys (${columns(passkeyColumns)}) VALUES (?, 'main', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL) ON CONFLICT DO NOTHING`)
    .run(
      passkey.id,
      passkey.userId,
      passkey.publicKey,
      passkey.counter,
      JSON.stringify(passkey.transports),
      Number(passkey.backupEligible),
      Number(passkey.backedUp),
      passkey.aaguid,
      passkey.name,
      Number(passkey.userVerified),
      now,
    )
  if (added === 0) return { outcome: 'conflict' }
  writeAudit(write, audit)
  return { outcome: 'added', passkey: passkeyOf(db.sql(`${select} AND id = ?`).get(passkey.id) as readonly unknown[]) }
}

/** Adds one that its owner, who is signed in, made just now. */
export function enrolPasskey(
  write: Write,
  passkey: NewPasskey,
  most: number,
  audit: readonly AuditDraft[],
  proof: PasskeyProof | null,
): { outcome: 'added'; passkey: Passkey } {
  if (proof !== null) holdProof(write, 'enrol', passkey.userId, proof)
  const added = addPasskey(write, passkey, most, audit)
  if (added.outcome !== 'added') throw new Refusal(added)
  return added
}

/** Notes a use; a counter that does not grow changes nothing and is audited. */
export function usePasskey(
  write: Write,
  id: string,
  { counter, backedUp }: { readonly counter: number; readonly backedUp: boolean },
  whenBack: readonly AuditDraft[],
): 'used' | 'counter_back' | 'gone' {
  const { db, now } = write
  const used = db
    .sql(
      `UPDATE passkeys SET counter = ?, backed_up = ?, last_used_at = max(coalesce(last_used_at, 0), ?)
       WHERE tenant = 'main' AND id = ? AND (counter < ? OR (counter = 0 AND ? = 0))`,
    )
    .run(counter, Number(backedUp), now, id, counter, counter)
  if (used === 1) return 'used'
  if (db.sql("SELECT 1 FROM passkeys WHERE tenant = 'main' AND id = ?").get(id) === undefined) return 'gone'
  writeAudit(write, whenBack)
  return 'counter_back'
}

/** Names one of a user's. */
export function renamePasskey(write: Write, userId: string, id: string, name: string, audit: readonly AuditDraft[]): boolean {
  const named = write.db.sql("UPDATE passkeys SET name = ? WHERE tenant = 'main' AND user_id = ? AND id = ?").run(name, userId, id)
  if (named === 1) writeAudit(write, audit)
  return named === 1
}

/** Removes one of a user's. */
export function removePasskey(
  write: Write,
  userId: string,
  id: string,
  keepOne: boolean,
  audit: readonly AuditDraft[],
): 'removed' | 'last' | 'gone' {
  const held = passkeysOf(write.db, userId)
  if (!held.some((one) => one.id === id)) return 'gone'
  if (keepOne && held.length === 1) return 'last'
  write.db.sql("DELETE FROM passkeys WHERE tenant = 'main' AND user_id = ? AND id = ?").run(userId, id)
  writeAudit(write, audit)
  return 'removed'
}
