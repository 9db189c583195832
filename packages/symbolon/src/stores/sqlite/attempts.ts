// Attempts to sign in: started, guessed at, sent again. A guess is charged here, in its own committed transaction,
// before anybody compares anything.

import type { Attempt, AttemptChange, AttemptStore, AuditDraft, Budget, NewAttempt } from '#core'
import { attemptColumns, attemptOf, attemptSelection, columns } from '#stores/rows'
import type { Driver, Value } from './driver.ts'
import { spend } from './limits.ts'
import { Refusal, type Write, writeAudit } from './write.ts'

const selection = attemptSelection.join(', ')

/** The one attempt that a statement tells of. */
const attemptBy = (db: Driver, text: string, ...values: readonly Value[]): Attempt | undefined => {
  const row = db.sql(text).get(...values)
  return row === undefined ? undefined : attemptOf(row)
}

/** Finds an attempt, whatever became of it. */
export const findAttempt = (db: Driver, idHash: string): Attempt | undefined =>
  attemptBy(db, `SELECT ${selection} FROM attempts WHERE id_hash = ?`, idHash)

/** Starts an attempt within its budgets. */
export function startAttempt(write: Write, attempt: NewAttempt, budgets: readonly Budget[], audit: readonly AuditDraft[]) {
  const { db, now } = write
  spend(write, budgets)
  const { need = null, ends = attempt.lifetime } = attempt
  const started = attemptBy(
    db,
    `INSERT INTO attempts (${columns(attemptColumns)}) VALUES (?, 'main', ?, ?, ?, ?, ?, ?, 0, ?, 1, ?, ?, ?, NULL, ?, 0, ?, ?, ?, ?, ?, NULL, ?, ?, ?) RETURNING ${selection}`,
    attempt.idHash,
    attempt.clientId,
    attempt.purpose,
    attempt.method,
    attempt.sealedIdentifier,
    attempt.bindingHash,
    attempt.codeHash,
    attempt.maxTries,
    now,
    now + attempt.lifetime,
    now + attempt.resendAfter,
    attempt.state ?? 'verify',
    attempt.linkHash ?? null,
    now + ends,
    attempt.userAgent ?? null,
    attempt.returnTo ?? null,
    attempt.userId ?? null,
    attempt.sid ?? null,
    need === null ? null : JSON.stringify(need),
    attempt.action ?? null,
  )
  writeAudit(write, audit)
  return { outcome: 'started', attempt: started as Attempt } as const
}

function alive({ db, now }: Write, idHash: string): Attempt {
  const attempt = findAttempt(db, idHash)
  if (attempt === undefined || attempt.consumedAt !== null || now >= attempt.expiresAt || attempt.tries >= attempt.maxTries)
    throw new Refusal({ outcome: 'gone' })
  return attempt
}

/** Charges one guess. */
export function chargeAttempt(write: Write, idHash: string, budgets: readonly Budget[]) {
  const { db, now } = write
  alive(write, idHash)
  spend(write, budgets)
  const charged = attemptBy(db, `UPDATE attempts SET tries = tries + 1 WHERE id_hash = ? RETURNING ${selection}`, idHash)
  return { outcome: 'charged', now, attempt: charged as Attempt } as const
}

/** Replaces code and link. Tries are not given back, and the attempt lives no longer. */
export function resendAttempt(write: Write, idHash: string, change: Parameters<AttemptStore['resend']>[1], budgets: readonly Budget[]) {
  const { db, now } = write
  const attempt = alive(write, idHash)
  if (attempt.sends >= change.maxSends) throw new Refusal({ outcome: 'limited', retryAfterMs: attempt.expiresAt - now })
  if (now < attempt.resendAt) throw new Refusal({ outcome: 'limited', retryAfterMs: attempt.resendAt - now })
  spend(write, budgets)
  const resent = attemptBy(
    db,
    `UPDATE attempts SET code_hash = ?, link_hash = ?, sends = sends + 1, resend_at = ? WHERE id_hash = ? RETURNING ${selection}`,
    change.codeHash,
    change.linkHash ?? null,
    now + change.resendAfter,
    idHash,
  )
  return { outcome: 'resent', attempt: resent as Attempt } as const
}

/** Moves an attempt on, if it lives and still stands where the change was decided. */
export function advanceAttempt(write: Write, idHash: string, change: AttemptChange, audit: readonly AuditDraft[]) {
  const { db, now } = write
  const attempt = attemptBy(
    db,
    `UPDATE attempts SET state = ?, step = step + 1, method = ?, sealed_identifier = ?, binding_hash = ?, code_hash = ?, link_hash = ?, user_id = ?, proven = ?,
       tries = ?, max_tries = ?, sends = ?, expires_at = min(? + ?, created_at + ?), ends_at = created_at + ?, resend_at = ? + ?
     WHERE id_hash = ? AND step = ? AND consumed_at IS NULL AND coalesce(ends_at, expires_at) > ? RETURNING ${selection}`,
    change.state,
    change.method,
    change.sealedIdentifier,
    change.bindingHash,
    change.codeHash,
    change.linkHash,
    change.userId,
    JSON.stringify(change.proven),
    change.tries,
    change.maxTries,
    change.sends,
    now,
    change.lifetime,
    change.ends,
    change.ends,
    now,
    change.resendAfter,
    idHash,
    change.from,
    now,
  )
  if (attempt === undefined) throw new Refusal({ outcome: 'gone' })
  writeAudit(write, audit)
  return { outcome: 'advanced', now, attempt } as const
}

/** Uses up an attempt: once, while it lives. */
export function consumeAttempt({ db, now }: Write, idHash: string): boolean {
  return (
    db
      .sql('UPDATE attempts SET consumed_at = ? WHERE id_hash = ? AND consumed_at IS NULL AND coalesce(ends_at, expires_at) > ?')
      .run(now, idHash, now) === 1
  )
}

/** Deletes attempts that are over for an hour. */
export function sweepAttempts({ db, now }: Write, limit: number): number {
  return db
    .sql('DELETE FROM attempts WHERE id_hash IN (SELECT id_hash FROM attempts WHERE expires_at < ? LIMIT ?)')
    .run(now - 3_600_000, limit)
}
