// The one file that knows libsql: opening a database, prepared statements with raw rows, and its errors as ours.
// It binds numbers, texts, bytes and null only, and always as one array: libsql aborts the whole process on a boolean, and
// on bytes that stand alone (it takes them for an object of names).

import { chmodSync, closeSync, existsSync, fchownSync, openSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { SymbolonError } from '@symbolon/protocol'
import Libsql from 'libsql'
import type { Row } from '#stores/rows'

/** What a statement takes. */
export type Value = number | string | Uint8Array | null

/** A prepared statement. Rows are arrays in the order of the columns. */
export interface Statement {
  get(...values: readonly Value[]): Row | undefined
  all(...values: readonly Value[]): readonly Row[]
  /** Returns the number of rows changed. */
  run(...values: readonly Value[]): number
}

/** One connection. */
export interface Driver {
  /** Prepared once for each text. */
  sql(text: string): Statement
  exec(text: string): void
  close(): void
}

const codeOf = (error: unknown) => String((error as { code?: unknown } | null)?.code ?? '')

/** Whether another connection holds the lock. */
export const isBusy = (error: unknown) => codeOf(error).startsWith('SQLITE_BUSY') || codeOf(error) === 'SQLITE_LOCKED'

/** How long a lock held by another process is waited for, in milliseconds. */
const lockPatience = 4000
const cell = new Int32Array(new SharedArrayBuffer(4))

/** Begins to write, as soon as nobody else does. Throws what SQLite says when that takes too long. */
export function begin(db: Pick<Driver, 'exec'>): void {
  for (let waited = 0; ; ) {
    try {
      db.exec('BEGIN IMMEDIATE')
      return
    } catch (error) {
      if (!isBusy(error) || waited >= lockPatience) throw error
      const ms = 1 + Math.floor(Math.random() * 10)
      Atomics.wait(cell, 0, 0, ms)
      waited += ms
    }
  }
}

/** A fault of the database as an error with a sentence that says what to do. */
export function storeError(error: unknown, path: string): SymbolonError {
  if (error instanceof SymbolonError) return error
  const code = codeOf(error)
  const say = (name: 'store_corrupt' | 'store_unavailable', sentence: string) => {
    const made = new SymbolonError(name, { detail: sentence, cause: error, retryAfter: 2 })
    made.message = sentence
    return made
  }
  if (code === 'SQLITE_NOTADB')
    return say('store_corrupt', `${path} is not a database; restore it from a backup, or move it away to start anew.`)
  if (code.startsWith('SQLITE_CORRUPT')) return say('store_corrupt', `The database ${path} is damaged; restore it from a backup.`)
  if (code.startsWith('SQLITE_READONLY'))
    return say('store_unavailable', `The database ${path} cannot be written; mend its owner or mode, and its directory's.`)
  if (code === 'SQLITE_FULL') return say('store_unavailable', `The disk that holds ${path} is full; make room.`)
  if (isBusy(error)) return say('store_unavailable', `The database ${path} is locked by another process for too long.`)
  if (code.startsWith('SQLITE_CANTOPEN') || /Unable to open/.test(String(error)))
    return say('store_unavailable', `The database ${path} cannot be opened; check that its directory exists and can be written.`)
  return say('store_unavailable', `The database ${path} failed (${code || String(error)}).`)
}

/** Made by root, for a command of an operator, it is its directory's owner's: the service runs as them. SQLite gives them the files beside it. */
function makeFile(path: string): void {
  const file = openSync(path, 'a', 0o600)
  try {
    const { uid, gid } = statSync(dirname(resolve(path)))
    if (process.geteuid?.() === 0) fchownSync(file, uid, gid)
  } finally {
    closeSync(file)
  }
}

/** Opens a database file (mode 0600), in WAL mode, every commit flushed. Throws as `storeError` says. */
export function openDriver(path: string): Driver {
  try {
    // The file is ours alone from its first moment on, and so are the files that SQLite puts beside it.
    if (existsSync(path)) chmodSync(path, 0o600)
    else makeFile(path)
  } catch (error) {
    const code = codeOf(error)
    throw storeError({ code: code === 'EACCES' || code === 'EROFS' || code === 'EPERM' ? 'SQLITE_READONLY' : 'SQLITE_CANTOPEN' }, path)
  }
  let db: Libsql.Database
  try {
    db = new Libsql(path)
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000',
    )
  } catch (error) {
    throw storeError(error, path)
  }
  const prepared = new Map<string, Statement>()
  return {
    sql(text) {
      let statement = prepared.get(text)
      if (statement === undefined) {
        const plain = db.prepare(text)
        const raw = plain.reader ? plain.raw() : plain
        statement = {
          get: (...values) => raw.get(values) as Row | undefined,
          all: (...values) => raw.all(values) as Row[],
          run: (...values) => raw.run(values).changes,
        }
        prepared.set(text, statement)
      }
      return statement
    },
    exec: (text) => void db.exec(text),
    close: () => void db.close(),
  }
}
