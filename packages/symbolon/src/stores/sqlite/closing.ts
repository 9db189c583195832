// Closing a file to services, and what a move writes into it. The note is read in every transaction that writes, so that a
// process that slept through the closing cannot write behind it; only the verbs of this file pass.

import type { Arrived, Closing, CopiedTable, Row } from '#stores/rows'
import {
  arrivedName,
  type CloseOutcome,
  closingName,
  closingOf,
  columns,
  copiedTables,
  isHalfOf,
  isLasting,
  servingPrefix,
} from '#stores/rows'
import type { Driver, Value } from './driver.ts'
import type { Write } from './write.ts'

const note = (db: Driver, name: string) => db.sql('SELECT value FROM meta WHERE name = ?').get(name)?.[0]
const setNote = (db: Driver, name: string, value: string) =>
  void db.sql('INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value').run(name, value)

/** Why the file is closed, if it is. */
export const closingIn = (db: Driver): Closing | undefined => closingOf(note(db, closingName))
/** The last move that came to its end here. */
export const arrivedIn = (db: Driver) => note(db, arrivedName) as string | undefined
/** Notes that go along with a move. */
export const lastingIn = (db: Driver) =>
  db
    .sql('SELECT name, CAST(value AS TEXT) FROM meta')
    .all()
    .map((row) => row as readonly [string, string])
    .filter(([name]) => isLasting(name))
/** Users and sessions. */
export const peopleIn = (db: Driver) => Number(db.sql('SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM sessions)').get()?.[0])

/** Closes it, if no service uses it. */
export function closeStore({ db, now }: Write, wanted: Omit<Closing, 'at'>): CloseOutcome {
  const used = db
    .sql('SELECT max(until) FROM leases WHERE substr(name, 1, ?) = ? AND until > ?')
    .get(servingPrefix.length, servingPrefix, now)
  if (typeof used?.[0] === 'number') return { outcome: 'in_use', ms: used[0] - now }
  const held = closingIn(db)
  let { move } = wanted
  if (wanted.side === 'from') move = held?.move ?? move
  else if (held?.move !== move) {
    if (!isHalfOf(held, wanted) && (held !== undefined || peopleIn(db) > 0)) return { outcome: 'not_empty' }
    for (const { name } of copiedTables) db.sql(`DELETE FROM ${name}`).run()
  }
  setNote(db, closingName, JSON.stringify({ ...wanted, move, at: now } satisfies Closing))
  keepTime(db, now)
  return { outcome: 'closed', move, now }
}

/** Notes that everything has arrived; `false` when it is not this move any more. */
export function completeMove({ db }: Write, move: string, other: string): boolean {
  const held = closingIn(db)
  if (held?.side !== 'from' || held.move !== move || held.other !== other) return false
  setNote(db, closingName, JSON.stringify({ ...held, complete: true } satisfies Closing))
  return true
}

/** Opens it to services. */
export function openAgain({ db }: Write, arrived: Arrived | null): void {
  db.sql('DELETE FROM meta WHERE name = ?').run(closingName)
  if (arrived === null) return
  setNote(db, arrivedName, arrived.move)
  for (const [name, value] of arrived.lasting) setNote(db, name, value)
  keepTime(db, arrived.now)
}

const keepTime = (db: Driver, now: number) => void db.sql("UPDATE meta SET value = max(value, ?) WHERE name = 'clock'").run(now)

/** Adds rows that are not there. */
export function putRows({ db }: Write, name: CopiedTable['name'], rows: readonly Row[]): void {
  const table: CopiedTable | undefined = copiedTables.find((one) => one.name === name)
  if (table === undefined) throw new Error(`no table ${name}`)
  // What a process remembers of a client goes by its revision; it begins anew here.
  const own = name === 'clients' ? { columns: ', revision', values: ', 1' } : { columns: '', values: '' }
  const insert = db.sql(
    `INSERT INTO ${name} (${columns(table.columns)}${own.columns}) VALUES (${table.columns.map(() => '?').join(', ')}${own.values}) ON CONFLICT DO NOTHING`,
  )
  const places = table.bytes.map((one) => table.columns.indexOf(one))
  for (const row of rows) {
    const values = [...row] as Value[]
    for (const at of places) values[at] = new Uint8Array(Buffer.from(values[at] as string, 'hex'))
    insert.run(...values)
  }
}
