// Budgets by the generic cell rate algorithm, one row for each key: the theoretical arrival time. All are spent or none.

import type { Budget } from '#core'
import { Refusal, type Write } from './write.ts'

/** Spends each budget once; throws a refusal that says when to come back. */
export function spend({ db, now }: Write, budgets: readonly Budget[]): void {
  let retryAfterMs = 0
  const arrivals = budgets.map(({ key, limit, window }) => {
    const row = db.sql("SELECT arrival FROM budgets WHERE tenant = 'main' AND key = ?").get(key)
    const arrival = Math.max(now, (row?.[0] as number | undefined) ?? 0) + Math.ceil(window / limit)
    retryAfterMs = Math.max(retryAfterMs, arrival - now - window)
    return { key, arrival }
  })
  // Rounding up each interval must not take the last unit away.
  if (retryAfterMs > Math.max(0, ...budgets.map((one) => one.limit))) throw new Refusal({ outcome: 'limited', retryAfterMs })
  for (const { key, arrival } of arrivals)
    db.sql(
      "INSERT INTO budgets (tenant, key, arrival) VALUES ('main', ?, ?) ON CONFLICT (tenant, key) DO UPDATE SET arrival = excluded.arrival",
    ).run(key, arrival)
}

/** Deletes budgets that are whole again. */
export function sweepBudgets({ db, now }: Write, limit: number): number {
  return db.sql('DELETE FROM budgets WHERE (tenant, key) IN (SELECT tenant, key FROM budgets WHERE arrival < ? LIMIT ?)').run(now, limit)
}
