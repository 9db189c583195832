// What webhook targets are still to be told. A line of the audit log and what waits for it are written in one transaction;
// what waits goes when it was delivered, and at no other time but after its budget: then it is parked, for an operator.

import type { DeliveryFailure, NamedTarget, WaitingDelivery, WebhookTarget } from '#core'
import { auditColumns, columns, countedAtMost, deliveryLife, targetOf, waitingOf } from '#stores/rows'
import type { Driver } from './driver.ts'

/** One verb's place in a transaction, as `write.ts` has it, which stands on this file. */
type Write = { readonly db: Driver; readonly now: number }

/** Makes a line wait for every target that is told of it. */
export function writeDeliveries({ db, now }: Write, event: string): void {
  // Most services have none, and every line comes by here.
  if (db.sql('SELECT EXISTS (SELECT 1 FROM targets)').get()?.[0] === 0) return
  const told = db.sql('SELECT name FROM targets WHERE EXISTS (SELECT 1 FROM json_each(lines) WHERE value = ?)').all(event)
  if (told.length === 0) return
  const id = db.sql('SELECT last_insert_rowid()').get()?.[0] as number
  for (const [name] of told)
    db.sql("INSERT INTO deliveries (target, audit_id, tenant, since, tries, due_at) VALUES (?, ?, 'main', ?, 0, ?)").run(
      name as string,
      id,
      now,
      now,
    )
}

/** Names targets, new ones and those that are there. */
export function nameTargets({ db, now }: Write, targets: readonly NamedTarget[]): void {
  for (const { name, lines } of targets)
    db.sql(
      `INSERT INTO targets (name, tenant, lines, created_at, named_at, failures, retry_at) VALUES (?, 'main', ?, ?, ?, 0, 0)
       ON CONFLICT (name) DO UPDATE SET lines = excluded.lines, named_at = excluded.named_at`,
    ).run(name, JSON.stringify(lines), now, now)
}

/** What is due for each of these targets, at most `limit` for one. */
export function dueDeliveries(db: Driver, names: readonly string[], limit: number, now: number): readonly WaitingDelivery[] {
  return names.flatMap((name) =>
    db
      .sql(
        `SELECT d.target, d.audit_id, d.tries, t.failures, ${columns(auditColumns, 'a')} FROM targets t JOIN deliveries d ON d.target = t.name
         LEFT JOIN audit a ON a.id = d.audit_id
         WHERE t.name = ? AND t.retry_at <= ? AND d.parked_at IS NULL AND d.due_at <= ? ORDER BY d.due_at, d.audit_id LIMIT ?`,
      )
      .all(name, now, now, limit)
      .map((row) => waitingOf(row)),
  )
}

/** It was delivered: nothing is left of it, and its target is well. */
export function deliveryDone({ db, now }: Write, target: string, id: number): void {
  db.sql('DELETE FROM deliveries WHERE target = ? AND audit_id = ?').run(target, id)
  db.sql(
    `UPDATE targets SET failures = 0, failing_since = NULL, retry_at = 0, fault = NULL, delivered_at = ?
     WHERE name = ? AND (failures > 0 OR coalesce(delivered_at, 0) < ?)`,
  ).run(now, target, now - 1000)
}

/** It was not: it is due again later, or parked when its budget is over, and others with it that a dead target never took. */
export function deliveryFailed({ db, now }: Write, target: string, id: number, failure: DeliveryFailure): number {
  const { fault, wait, targetWait, budget } = failure
  const tried = db
    .sql('UPDATE deliveries SET tries = tries + 1, due_at = ?, fault = ? WHERE target = ? AND audit_id = ? AND parked_at IS NULL')
    .run(now + wait, fault, target, id)
  if (tried !== 1) return 0
  db.sql(
    'UPDATE targets SET failures = failures + 1, failing_since = coalesce(failing_since, ?), retry_at = ?, fault = ? WHERE name = ?',
  ).run(now, now + targetWait, fault, target)
  const before = now - budget
  return db
    .sql(
      `UPDATE deliveries SET parked_at = ? WHERE (target, audit_id) IN (
         SELECT d.target, d.audit_id FROM deliveries d JOIN targets t ON t.name = d.target
         WHERE d.target = ? AND d.parked_at IS NULL AND d.since <= ? AND (d.audit_id = ? OR t.failing_since <= ?) LIMIT ?)`,
    )
    .run(now, target, before, id, before, deliveryLife.perBatch)
}

/** Makes what was parked or put off due at once, with a whole budget; at most a batch. */
export function retryDeliveries({ db, now }: Write, target: string): number {
  db.sql('UPDATE targets SET failures = 0, failing_since = NULL, retry_at = 0 WHERE name = ?').run(target)
  return db
    .sql(
      `UPDATE deliveries SET parked_at = NULL, tries = 0, since = ?, due_at = ?, fault = NULL WHERE (target, audit_id) IN (
         SELECT target, audit_id FROM deliveries WHERE target = ? AND (parked_at IS NOT NULL OR tries > 0) LIMIT ?)`,
    )
    .run(now, now, target, deliveryLife.perBatch)
}

/** Every target, in order of name. */
export function listTargets(db: Driver): readonly WebhookTarget[] {
  const count = (which: string) =>
    `(SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE target = t.name AND parked_at ${which} LIMIT ${countedAtMost}))`
  return db
    .sql(
      `SELECT name, created_at, named_at, failures, failing_since, retry_at, fault, delivered_at, ${count('IS NULL')}, ${count('IS NOT NULL')}
       FROM targets t ORDER BY name`,
    )
    .all()
    .map((row) => targetOf(row))
}

/** Deletes what was parked long ago, and targets that nobody names any more with all that waits for them. */
export function sweepDeliveries({ db, now }: Write, limit: number): number {
  let deleted = db
    .sql(
      `DELETE FROM deliveries WHERE (target, audit_id) IN (
         SELECT target, audit_id FROM deliveries WHERE parked_at IS NOT NULL AND parked_at < ? LIMIT ?)`,
    )
    .run(now - deliveryLife.parked, limit)
  for (const [name] of db.sql('SELECT name FROM targets WHERE named_at < ?').all(now - deliveryLife.unnamed)) {
    const gone = db
      .sql(`DELETE FROM deliveries WHERE (target, audit_id) IN (SELECT target, audit_id FROM deliveries WHERE target = ? LIMIT ?)`)
      .run(name as string, Math.max(0, limit - deleted))
    deleted += gone
    if (deleted >= limit) return deleted
    deleted += db.sql('DELETE FROM targets WHERE name = ?').run(name as string)
  }
  return deleted
}
