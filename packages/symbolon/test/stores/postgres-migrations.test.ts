// How the tables come to be what this version wants: once, by whoever comes first, beside those who read and write.

import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openMigrations, openPostgresStore, type PostgresStore } from '#stores/postgres'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'
import { client, id, sign } from '../suites/store/setting.ts'

let server: Postgres
beforeAll(async () => {
  server = await startPostgres(['fsync=off'])
})
const opened: PostgresStore[] = []
afterAll(async () => {
  await Promise.all(opened.map((store) => store.close()))
  server.stop()
})
async function open(url: string, options: Partial<Parameters<typeof openPostgresStore>[0]> = {}): Promise<PostgresStore> {
  const store = await openPostgresStore({ url, connections: 6, ...options })
  opened.push(store)
  return store
}
const signIn = async (store: PostgresStore) => (await store.sessions.open(sign())).outcome

/** As an operator runs what was printed. */
function psql(database: string, sql: string): void {
  const ran = spawnSync('psql', ['-v', 'ON_ERROR_STOP=1', '-q', server.url(database)], { input: sql, encoding: 'utf8' })
  expect([ran.status, ran.stderr]).toEqual([0, ''])
}

/** Tables as the first step leaves them. */
async function atFirstStep(database: string, sql: string): Promise<void> {
  const [first, rest] = sql.split(/(?<=^UPDATE \S+meta SET value = '1' WHERE name = 'steps';\n)/m)
  expect(rest).toContain('sessions_by_sid')
  await server.sql(database, `${first} COMMIT;`)
}

it('are run once, however many nodes start together', async () => {
  const database = await server.create()
  const stores = await Promise.all(Array.from({ length: 3 }, () => open(server.url(database))))
  expect(new Set(await Promise.all(stores.map(async (store) => (await store.feed.head()).feedId))).size).toBe(1)
})

it('can be read beforehand, run by hand, and are then done', async () => {
  const database = await server.create()
  const migrations = await openMigrations({ url: server.url(database) })
  try {
    expect(await migrations.status()).toMatchObject({ seen: 0, fits: false })
    await expect(open(server.url(database), { migrate: false })).rejects.toThrow(/symbolon migrate up/)
    psql(database, await migrations.sql())
    expect(await migrations.status()).toMatchObject({ fits: true })
    expect([await migrations.sql(), await migrations.up()]).toEqual(['', 0])
    const store = await open(server.url(database), { migrate: false })
    await store.clients.put(client('app'), null, [])
    expect(await signIn(store)).toBe('opened')
  } finally {
    await migrations.close()
  }
})

it('leave an older version running until a step says that it cannot', async () => {
  const database = await server.create()
  await (await open(server.url(database))).close()
  const newer = (steps: number, needs: number) =>
    server.sql(
      database,
      `UPDATE symbolon.meta SET value = CASE name WHEN 'steps' THEN '${steps}' ELSE '${needs}' END WHERE name IN ('steps', 'needs')`,
    )
  await newer(99, 1)
  expect((await (await open(server.url(database))).feed.head()).seq).toBe(0)
  await newer(99, 99)
  await expect(open(server.url(database))).rejects.toThrow(/newer version/)
})

it('go to a schema of their own', async () => {
  const database = await server.create()
  const [one, two] = [await open(server.url(database), { schema: 'one' }), await open(server.url(database), { schema: 'two' })]
  await one.clients.put(client('app'), null, [])
  expect([await one.clients.find('app'), await two.clients.find('app')]).toEqual([expect.objectContaining({ id: 'app' }), undefined])
  await expect(open(server.url(database), { schema: 'a; drop' })).rejects.toThrow()
  expect(await one.users.find({ id: id() })).toBeUndefined()
})

it('keep nobody waiting behind somebody who reads for long', async () => {
  const database = await server.create()
  const migrations = await openMigrations({ url: server.url(database) })
  try {
    await atFirstStep(database, await migrations.sql())
    expect(await migrations.status()).toMatchObject({ seen: 1, fits: false })
    const reader = server.hold(database, 'SELECT count(*) FROM symbolon.sessions')
    await reader.holds
    let done = false
    const said: string[] = []
    const up = migrations
      .up((text) => void said.push(text))
      .then((steps) => {
        done = true
        return steps
      })
    // As a node asks: a statement that is not answered in 900 ms is a refusal.
    let asked = 0
    for (const end = performance.now() + 2500; performance.now() < end; asked++)
      await server.sql(database, 'SET statement_timeout = 900; SELECT 1 FROM symbolon.sessions LIMIT 1')
    expect(asked).toBeGreaterThan(0)
    expect([done, (await migrations.status()).seen]).toEqual([false, 1])
    await reader.release()
    expect(await up).toBeGreaterThan(10)
    expect(said).toEqual([expect.stringMatching(/^Building an index/), expect.stringMatching(/^Somebody holds a table/)])
    expect(await migrations.status()).toMatchObject({ fits: true })
  } finally {
    await migrations.close()
  }
})

it('build an index again that was left half built', async () => {
  const database = await server.create()
  const migrations = await openMigrations({ url: server.url(database) })
  try {
    await atFirstStep(database, await migrations.sql())
    await server.sql(database, 'CREATE INDEX sessions_by_sid ON symbolon.sessions USING hash (sid)')
    await server.sql(database, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'symbolon.sessions_by_sid'::regclass")
    await migrations.up()
    expect(await server.sql(database, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'symbolon.sessions_by_sid'::regclass")).toEqual([
      { indisvalid: true },
    ])
  } finally {
    await migrations.close()
  }
})
