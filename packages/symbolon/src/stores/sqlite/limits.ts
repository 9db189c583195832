// Budgets by the generic cell rate algorithm, one row for each key: the theoretical arrival time. All are spent or none.

import type { Budget } from '#core'
import { Refusal, type Write } from './write.ts'

/** Spends each budget once; throws a refusal that says when to come back. One look and one change for all of them. */
export function spend({ db, now }: Write, budgets: readonly Budget[]): void {
  if (budgets.length === 0) return
  const keys = budgets.map(({ key }) => key)
  const places = (one: string) => keys.map(() => one).join(', ')
  const row = db.sql(`SELECT json_group_object(key, arrival) FROM budgets WHERE tenant = 'main' AND key IN (${places('?')})`).get(...keys)
  const found = new Map(Object.entries(JSON.parse(row?.[0] as string) as Record<string, number>))
  let retryAfterMs = 0
  const arrivals = budgets.map(({ key, limit, window }) => {
    const arrival = Math.max(now, found.get(key) ?? 0) + Math.ceil(window / limit)
    const wait = arrival - now - window
    // Rounding up each interval must not take the last unit away.
    if (wait > limit) retryAfterMs = Math.max(retryAfterMs, wait)
    return arrival
  })
  if (retryAfterMs > 0) throw new Refusal({ outcome: 'limited', retryAfterMs })
  db.sql(
    `INSERT INTO budgets (tenant, key, arrival) VALUES ${places("('main', ?, ?)")} ON CONFLICT (tenant, key) DO UPDATE SET arrival = excluded.arrival`,
  ).run(...keys.flatMap((key, at) => [key, arrivals[at] as number]))
}

/** Notes a key, unless it is there. */
export function once({ db, now }: Write, key: string, expires: number): boolean {
  if (expires <= now) return false
  // What is over may come again; it was checked before that it is not.
  db.sql("DELETE FROM used WHERE tenant = 'main' AND key = ? AND expires <= ?").run(key, now)
  return db.sql("INSERT INTO used (tenant, key, expires) VALUES ('main', ?, ?) ON CONFLICT DO NOTHING").run(key, expires) === 1
}

/** Deletes budgets that are whole again, and keys that may come again. */
export function sweepBudgets({ db, now }: Write, limit: number): number {
  const used = db.sql('DELETE FROM used WHERE (tenant, key) IN (SELECT tenant, key FROM used WHERE expires <= ? LIMIT ?)').run(now, limit)
  return (
    used + db.sql('DELETE FROM budgets WHERE (tenant, key) IN (SELECT tenant, key FROM budgets WHERE arrival < ? LIMIT ?)').run(now, limit)
  )
}
