// The tables of a database and the steps that bring them up to date, for operators who run them by hand. A file needs none
// of it: it is brought up to date by whoever opens it.

import { type AuthOptions, readOptions, refuseOption } from './options.ts'
import { loadPostgres, postgresOptions } from './store.ts'

/** Where a database stands, and the way on. */
export interface Migrations {
  /** Steps the database has seen, steps this version knows, and whether this version can run on it as it is. */
  status(): Promise<{ readonly seen: number; readonly known: number; readonly fits: boolean }>
  /** What `up` would run; empty when there is nothing to do. */
  sql(): Promise<string>
  /** Takes the steps that are left, once, however many do so at the same time; how many that were. `say` hears what takes long, in sentences. */
  up(say?: (text: string) => void): Promise<number>
  close(): Promise<void>
}

/** Opens the database of the options. Throws `invalid_option` when they name none, `store_unavailable` with a sentence. */
export async function createMigrations(options: AuthOptions): Promise<Migrations> {
  const settings = readOptions(options)
  if (settings.database === undefined)
    throw refuseOption(
      'There is no database to migrate: an SQLite file is brought up to date by whoever opens it. Name one in database (SYMBOLON_DATABASE_URL).',
    )
  const { openMigrations } = await loadPostgres()
  return openMigrations(postgresOptions(settings.database, () => {}))
}
