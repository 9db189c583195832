// Moves between the stores: each to itself and to the other.

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'libsql'
import { afterAll, beforeAll } from 'vitest'
import { openPostgresCopy, openPostgresStore } from '#stores/postgres'
import { openSqliteCopy, openSqliteStore } from '#stores/sqlite'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'
import { copySuite, type Place } from '../suites/store/copy.ts'

let server: Postgres
let database: string
beforeAll(async () => {
  server = await startPostgres(['fsync=off'])
  database = await server.create()
})
afterAll(() => server.stop())

async function file(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-copy-'))
  const path = join(folder, 'symbolon.db')
  const raw = <T>(run: (db: Database.Database) => T): T => {
    const db = new Database(path)
    try {
      return run(db)
    } finally {
      db.close()
    }
  }
  return {
    address: folder,
    store: () => openSqliteStore({ path }),
    side: () => openSqliteCopy({ path }),
    tables: async () =>
      raw((db) => (db.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as { name: string }[]).map(({ name }) => name)),
    sql: async (text) => raw((db) => void db.exec(text.replaceAll('T.', ''))),
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

async function schemaOf(): Promise<Place> {
  const schema = `s_${randomBytes(6).toString('hex')}`
  const options = { url: server.url(database), schema, connections: 4 }
  return {
    address: `${server.url(database)}#${schema}`,
    store: () => openPostgresStore(options),
    side: () => openPostgresCopy({ ...options, create: true }),
    tables: async () =>
      (await server.sql(database, 'SELECT tablename FROM pg_tables WHERE schemaname = $1', [schema])).map(({ tablename }) =>
        String(tablename),
      ),
    sql: async (text) => void (await server.sql(database, `SET symbolon.copy = 'on'; ${text.replaceAll('T.', `${schema}.`)}`)),
    remove: async () => void (await server.sql(database, `DROP SCHEMA IF EXISTS ${schema} CASCADE`)),
  }
}

copySuite('SQLite to SQLite', file, file)
copySuite('SQLite to PostgreSQL', file, schemaOf)
copySuite('PostgreSQL to SQLite', schemaOf, file)
copySuite('PostgreSQL to PostgreSQL', schemaOf, schemaOf)
