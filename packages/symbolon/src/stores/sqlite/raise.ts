// A step-up: a session's next credential, with what was proven for it. Runs inside one transaction, which holds the
// database's write lock; the attempt is not used up when the session is not raised.

import type { Raise, RaiseOutcome, SessionSnapshot } from '#core'
import { readSnapshot } from './finder.ts'
import { Refusal, type Write, writeAudit } from './write.ts'

/** Raises a session. */
export function raise(write: Write, input: Raise): RaiseOutcome {
  const { db, now } = write
  const used = db
    .sql(
      `UPDATE attempts SET consumed_at = ? WHERE id_hash = ? AND purpose = 'step_up' AND sid = ? AND consumed_at IS NULL
       AND coalesce(ends_at, expires_at) > ?`,
    )
    .run(now, input.attempt, input.sid, now)
  if (used !== 1) throw new Refusal({ outcome: 'attempt_gone' })
  const alive = db
    .sql(
      `SELECT u.status FROM sessions s JOIN users u ON u.id = s.user_id
       WHERE s.sid = ? AND s.revoked_at IS NULL AND s.expires_at > ? AND s.last_seen_at + s.idle > ?`,
    )
    .get(input.sid, now, now)
  if (alive === undefined) throw new Refusal({ outcome: 'session_gone' })
  if (alive[0] !== 'active') throw new Refusal({ outcome: 'user_disabled' })
  const raised = db
    .sql(
      `UPDATE sessions SET revision = revision + 1,
         replaced = CASE WHEN predecessor IS NOT NULL AND (seen = 0 OR ? - rotated_at < ?) THEN predecessor ELSE generation END,
         replaced_for = ?, predecessor = NULL, generation = generation + 1, recovered = 0, seen = 0, rotated_at = ?, auth_time = ?,
         base_acr = coalesce(base_acr, acr), base_amr = coalesce(base_amr, amr), acr = ?, amr = ?, credential_hash = ?,
         last_seen_at = max(last_seen_at, ?)
       WHERE sid = ? AND generation = ?`,
    )
    .run(
      now,
      input.window,
      input.replacedFor,
      now,
      now,
      input.acr,
      JSON.stringify(input.amr),
      input.credentialHash,
      now,
      input.sid,
      input.from,
    )
  if (raised !== 1) throw new Refusal({ outcome: 'lost' })
  writeAudit(write, input.audit)
  return { outcome: 'raised', snapshot: readSnapshot(db, input.sid, now) as SessionSnapshot }
}
