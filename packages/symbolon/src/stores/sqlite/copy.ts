// A file as one side of a move: read in pages in order of key, written by the writing thread's verbs, a page a commit.

import { basename, dirname } from 'node:path'
import { type CopiedTable, type CopyPosition, type CopySide, closedError, type Row, sentenceOfClosing } from '#stores/rows'
import { arrivedIn, closingIn, lastingIn, peopleIn } from './closing.ts'
import { type Driver, openDriver, storeError } from './driver.ts'
import { migrate } from './schema.ts'
import { headOf } from './write.ts'
import { createWriter } from './writer.ts'

/** How a command names a file: by its data directory, if it lies in one. */
export const placeOf = (path: string) => (basename(path) === 'symbolon.db' ? dirname(path) : `sqlite:${path}`)

/** Refuses a file that is closed to services, with a sentence that says where everything went. */
export function checkOpen(db: Driver, path: string): void {
  const closing = closingIn(db)
  if (closing !== undefined) throw closedError(sentenceOfClosing(closing, placeOf(path)))
}

/** Opens a file as a side; makes it when it is not there. Throws `store_corrupt` or `store_unavailable` with a sentence. */
export async function openSqliteCopy({ path }: { readonly path: string }): Promise<CopySide> {
  const db = openDriver(path)
  const guarded = <T>(run: () => T): T => {
    try {
      return run()
    } catch (error) {
      throw storeError(error, path)
    }
  }
  try {
    guarded(() => migrate(db, path))
  } catch (error) {
    db.close()
    throw error
  }
  const writer = createWriter({ path, crashPoint: null, wall: Date.now, committed: () => {} })
  const select = ({ columns, bytes }: CopiedTable) =>
    columns.map((name) => (bytes.includes(name) ? `lower(hex(${name}))` : name)).join(', ')
  const marks = (names: readonly unknown[]) => names.map(() => '?').join(', ')
  return {
    standing: () =>
      guarded(() => ({
        feedId: headOf(db).feedId ?? '',
        people: peopleIn(db),
        closing: closingIn(db),
        arrived: arrivedIn(db),
        lasting: lastingIn(db),
      })),
    close: (closing) => writer.call('copy.close', closing),
    complete: (move, other) => writer.call('copy.complete', move, other),
    open: (arrived) => writer.call('copy.open', arrived),
    count: ({ name }) => guarded(() => Number(db.sql(`SELECT count(*) FROM ${name}`).get()?.[0])),
    last: ({ name, key }) =>
      guarded(
        () =>
          (db.sql(`SELECT ${key.join(', ')} FROM ${name} ORDER BY ${key.map((one) => `${one} DESC`).join(', ')} LIMIT 1`).get() ??
            null) as CopyPosition,
      ),
    page: (table, after, limit) =>
      guarded(() => {
        const { name, key } = table
        const from = after === null ? '' : `WHERE (${key.join(', ')}) > (${marks(key)})`
        return db
          .sql(`SELECT ${select(table)} FROM ${name} ${from} ORDER BY ${key.join(', ')} LIMIT ?`)
          .all(...(after ?? []), limit) as readonly Row[]
      }),
    put: ({ name }, rows) => writer.call('copy.put', name, rows),
    async end() {
      await writer.close()
      db.close()
    },
  }
}
