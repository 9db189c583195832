// The store for many nodes passes the suite with two service processes' worth of stores on one database: what one writes
// the other reads. The database's own clock is one that the tests move.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Store } from '#core'
import { openPostgresStore, type PostgresStore } from '#stores/postgres'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'
import { feedSuite } from '../suites/store/feed.ts'
import { storeSuite } from '../suites/store/suite.ts'

let server: Postgres
beforeAll(async () => {
  server = await startPostgres(['fsync=off'])
})
afterAll(() => server.stop())

/** Puts the tests' clock into a database, and gives what brings it up to date before a verb is called. */
async function tellTime(database: string, clock: () => number) {
  await server.sql(
    database,
    `CREATE TABLE symbolon.test_clock (at bigint); INSERT INTO symbolon.test_clock VALUES (${clock()});
     CREATE OR REPLACE FUNCTION symbolon.wall() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT at FROM symbolon.test_clock'`,
  )
  let told = clock()
  let telling: Promise<unknown> = Promise.resolve()
  return () => {
    if (clock() !== told) {
      told = clock()
      telling = server.sql(database, `UPDATE symbolon.test_clock SET at = ${told}`)
    }
    return telling
  }
}

/** The same store, whose verbs wait for the clock; those that name no order go to either of two stores. */
function timed(stores: () => readonly Store[], tell: () => Promise<unknown>): Store {
  let turn = 0
  const wrap = (path: readonly string[]): unknown =>
    new Proxy(() => {}, {
      get: (_, name) => (name === 'then' ? undefined : wrap([...path, String(name)])),
      apply: async (_, __, input: readonly unknown[]) => {
        await tell()
        const all = stores()
        // biome-ignore lint/suspicious/noExplicitAny: a path through an object
        let at: any = all[turn++ % all.length]
        for (const name of path.slice(0, -1)) at = at[name]
        return at[path.at(-1) as string](...input)
      },
    })
  return wrap([]) as Store
}

async function open(clock: () => number) {
  const database = await server.create()
  const one = () => openPostgresStore({ url: server.url(database), connections: 6 })
  let stores: PostgresStore[] = [await one(), await one()]
  const tell = await tellTime(database, clock)
  const closeAll = () => Promise.all(stores.map((store) => store.close()))
  return {
    database,
    store: timed(() => stores, tell),
    async reopen() {
      await tell()
      await closeAll()
      stores = [await one(), await one()]
    },
    async beside() {
      const other = await one()
      stores = [...stores]
      others.push(other)
      return timed(() => [other], tell)
    },
    async close() {
      await closeAll()
      await Promise.all(others.splice(0).map((store) => store.close()))
    },
  }
}
const others: PostgresStore[] = []

storeSuite('PostgreSQL', open)
feedSuite('PostgreSQL', open)

describe('the database', () => {
  it('is there', async () => {
    expect(await server.sql('postgres', 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  })
})
