// Attempts to sign in: started, guessed at, sent again. A guess is charged here, in its own committed transaction,
// before anybody compares anything.

import type { Attempt, AttemptStore, AuditDraft, Budget, NewAttempt } from '#core'
import { attemptColumns, attemptOf, columns } from '#stores/rows'
import type { Driver } from './driver.ts'
import { spend } from './limits.ts'
import { Refusal, type Write, writeAudit } from './write.ts'

/** Finds an attempt, whatever became of it. */
export function findAttempt(db: Driver, idHash: string): Attempt | undefined {
  const row = db.sql(`SELECT ${columns(attemptColumns)} FROM attempts WHERE id_hash = ?`).get(idHash)
  return row === undefined ? undefined : attemptOf(row)
}

/** Starts an attempt within its budgets. */
export function startAttempt(write: Write, attempt: NewAttempt, budgets: readonly Budget[], audit: readonly AuditDraft[]) {
  const { db, now } = write
  spend(write, budgets)
  db.sql(`INSERT INTO attempts (${columns(attemptColumns)}) VALUES (?, 'main', ?, ?, ?, ?, ?, ?, 0, ?, 1, ?, ?, ?, NULL)`).run(
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
  )
  writeAudit(write, audit)
  return { outcome: 'started', attempt: findAttempt(db, attempt.idHash) as Attempt } as const
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
  db.sql('UPDATE attempts SET tries = tries + 1 WHERE id_hash = ?').run(idHash)
  return { outcome: 'charged', now, attempt: findAttempt(db, idHash) as Attempt } as const
}

/** Replaces the code. Tries are not given back, and the attempt lives no longer. */
export function resendAttempt(write: Write, idHash: string, change: Parameters<AttemptStore['resend']>[1], budgets: readonly Budget[]) {
  const { db, now } = write
  const attempt = alive(write, idHash)
  if (attempt.sends >= change.maxSends) throw new Refusal({ outcome: 'limited', retryAfterMs: attempt.expiresAt - now })
  if (now < attempt.resendAt) throw new Refusal({ outcome: 'limited', retryAfterMs: attempt.resendAt - now })
  spend(write, budgets)
  db.sql('UPDATE attempts SET code_hash = ?, sends = sends + 1, resend_at = ? WHERE id_hash = ?').run(
    change.codeHash,
    now + change.resendAfter,
    idHash,
  )
  return { outcome: 'resent', attempt: findAttempt(db, idHash) as Attempt } as const
}

/** Deletes attempts that are over for an hour. */
export function sweepAttempts({ db, now }: Write, limit: number): number {
  return db
    .sql('DELETE FROM attempts WHERE id_hash IN (SELECT id_hash FROM attempts WHERE expires_at < ? LIMIT ?)')
    .run(now - 3_600_000, limit)
}
