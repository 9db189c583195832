// What a person who is signed in proves a change by: an attempt for it, used up with it, and their session, which lives.

import type { AttemptPurpose } from '#core'
import { Refusal, type Write } from './write.ts'

/** Holds both, or ends the verb: `attempt_gone`, `session_gone`. */
export function holdProof(
  { db, now }: Write,
  purpose: AttemptPurpose,
  userId: string,
  { attempt, sid }: { readonly attempt: string; readonly sid: string },
): void {
  const used = db
    .sql(
      `UPDATE attempts SET consumed_at = ? WHERE id_hash = ? AND purpose = ? AND user_id = ? AND sid = ? AND consumed_at IS NULL
       AND coalesce(ends_at, expires_at) > ?`,
    )
    .run(now, attempt, purpose, userId, sid, now)
  if (used !== 1) throw new Refusal({ outcome: 'attempt_gone' })
  const alive = db
    .sql(
      `SELECT 1 FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.sid = ? AND s.user_id = ? AND u.status = 'active'
       AND s.revoked_at IS NULL AND s.expires_at > ? AND s.last_seen_at + s.idle > ?`,
    )
    .get(sid, userId, now, now)
  if (alive === undefined) throw new Refusal({ outcome: 'session_gone' })
}
