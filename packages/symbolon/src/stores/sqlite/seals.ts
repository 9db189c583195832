// Sealed values: walked by the secret that they name, counted, and put in each other's place. Which secrets may have
// sealed anything is noted, so that a start need not walk through every session to know.

import type { SealChange, SealedKind, SealedRow, SealStore } from '#core'
import { sealPlaces, sealWalk } from '#stores/rows'
import type { Driver } from './driver.ts'
import type { Write } from './write.ts'

const prefix = 'secret '

/** Secrets noted so far, the newest note last. */
export function notedSecrets(db: Driver): readonly string[] {
  return db
    .sql("SELECT substr(name, 8) FROM meta WHERE name LIKE 'secret %' ORDER BY value")
    .all()
    .map((row) => row[0] as string)
}

/** Notes secrets, or notes them anew as the newest. */
export function noteSecrets({ db }: Write, secrets: readonly string[]): void {
  for (const secret of secrets)
    db.sql(
      "INSERT INTO meta SELECT ?, coalesce(max(value), 0) + 1 FROM meta WHERE name LIKE 'secret %' ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    ).run(prefix + secret)
}

/** Forgets one. */
export function forgetSecret({ db }: Write, secret: string): void {
  db.sql('DELETE FROM meta WHERE name = ?').run(prefix + secret)
}

const secretOf = (sealed: string) => `lower(hex(substr(${sealed}, 2, 8)))`

/** Where a part of so many rows ends; `null` when it reaches to the end. */
function endOf(db: Driver, { table, id }: (typeof sealPlaces)[SealedKind], after: string, rows: number): string | null {
  return (db.sql(`SELECT ${id} FROM ${table} WHERE ${id} > ? ORDER BY ${id} LIMIT 1 OFFSET ?`).get(after, rows - 1)?.[0] as string) ?? null
}

/** Values of the next part. */
export function pageSealed(db: Driver, kind: SealedKind, ...[which, after, limit]: Tail<Parameters<SealStore['page']>>) {
  const place = sealPlaces[kind]
  const end = endOf(db, place, after, sealWalk.page)
  const [operator, secret] = 'under' in which ? ['=', which.under] : ['<>', which.notUnder]
  const found = db
    .sql(
      `SELECT ${place.id}, ${place.kind}, hex(${place.sealed}) FROM ${place.table}
       WHERE ${place.id} > ? AND (? IS NULL OR ${place.id} <= ?) AND length(${place.sealed}) > 0 AND ${secretOf(place.sealed)} ${operator} ?
       ORDER BY ${place.id} LIMIT ?`,
    )
    .all(after, end, end, secret, limit)
  const rows = found.map((row): SealedRow => {
    return { id: row[0] as string, kind: row[1] as SealedRow['kind'], sealed: new Uint8Array(Buffer.from(row[2] as string, 'hex')) }
  })
  return { rows, next: rows.length === limit ? (rows.at(-1) as SealedRow).id : end }
}

type Tail<T extends readonly unknown[]> = T extends readonly [unknown, ...infer Rest] ? Rest : never

/** Counts the next part. */
export function countSealed(db: Driver, kind: SealedKind, after: string, now: number) {
  const place = sealPlaces[kind]
  const end = endOf(db, place, after, sealWalk.count)
  const counted = db
    .sql(
      `SELECT ${secretOf(place.sealed)}, count(*) FROM ${place.table}, (SELECT ? AS now)
       WHERE ${place.id} > ? AND (? IS NULL OR ${place.id} <= ?) AND length(${place.sealed}) > 0 AND ${place.wanted} GROUP BY 1`,
    )
    .all(now, after, end, end)
  return { counts: counted.map((row) => ({ secret: row[0] as string, count: row[1] as number })), next: end }
}

/** Puts values in the place of others that still stand there. */
export function replaceSealed({ db }: Write, kind: SealedKind, changes: readonly SealChange[]): number {
  const { table, id, sealed } = sealPlaces[kind]
  const moved = kind === 'session' ? 'revision = revision + 1, ' : ''
  const update = db.sql(`UPDATE ${table} SET ${moved}${sealed} = ? WHERE ${id} = ? AND ${sealed} = ?`)
  return changes.reduce((sum, { id, from, to }) => sum + update.run(to, id, from), 0)
}
