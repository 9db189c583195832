// Jobs that run once, whichever process they run in: who holds one, until when, and when it last came to its end.

import type { Lease } from '#core'
import { leaseOf } from '#stores/rows'
import type { Driver } from './driver.ts'
import type { Write } from './write.ts'

/** Takes a lease, or keeps it. Those that a dead holder left, and that never ran, leave nothing behind. */
export function takeLease({ db, now }: Write, name: string, holder: string, lasts: number): boolean {
  db.sql('DELETE FROM leases WHERE until <= ? AND ran_at IS NULL AND name <> ?').run(now, name)
  return (
    db
      .sql(
        `INSERT INTO leases (name, holder, until, ran_at) VALUES (?, ?, ?, NULL)
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE until <= ? OR holder = excluded.holder`,
      )
      .run(name, holder, now + lasts, now) === 1
  )
}

/** Lets it go; one that never ran is no more. */
export function releaseLease({ db, now }: Write, name: string, holder: string, ran: boolean): void {
  db.sql('UPDATE leases SET until = 0, ran_at = coalesce(?, ran_at) WHERE name = ? AND holder = ?').run(ran ? now : null, name, holder)
  db.sql('DELETE FROM leases WHERE name = ? AND holder = ? AND ran_at IS NULL').run(name, holder)
}

/** Every lease, in order of name. */
export function listLeases(db: Driver): readonly Lease[] {
  return db
    .sql('SELECT name, holder, until, ran_at FROM leases ORDER BY name')
    .all()
    .map((row) => leaseOf(row))
}
