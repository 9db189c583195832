// The store for many nodes passes the suite with two service processes' worth of stores on one database: what one writes
// the other reads. The database's own clock is one that the tests move.

import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Store } from '#core'
import { openMigrations, openPostgresStore, type PostgresStore } from '#stores/postgres'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'
import { feedSuite } from '../suites/store/feed.ts'
import { client, id, sign } from '../suites/store/setting.ts'
import { storeSuite } from '../suites/store/suite.ts'

let server: Postgres
/** A database with the tables in it. */
let made: string
beforeAll(async () => {
  server = await startPostgres(['fsync=off'])
  made = await server.create()
  await (await openPostgresStore({ url: server.url(made) })).close()
})
afterAll(() => server.stop())

/** Puts the tests' clock into a database, and gives what brings it up to date before a verb is called, and what ends that. */
async function tellTime(database: string, clock: () => number) {
  const client = new Client({ connectionString: server.url(database) })
  await client.connect()
  await client.query(
    `CREATE TABLE symbolon.test_clock (at bigint); INSERT INTO symbolon.test_clock VALUES (${clock()});
     CREATE OR REPLACE FUNCTION symbolon.wall() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT at FROM symbolon.test_clock'`,
  )
  let told = clock()
  let telling: Promise<unknown> = Promise.resolve()
  const tell = () => {
    if (clock() !== told) {
      told = clock()
      telling = client.query(`UPDATE symbolon.test_clock SET at = ${told}`)
    }
    return telling
  }
  return { tell, end: () => client.end() }
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
  const database = await server.create(made)
  const one = () => openPostgresStore({ url: server.url(database), connections: 6 })
  let stores: PostgresStore[] = [await one(), await one()]
  const { tell, end } = await tellTime(database, clock)
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
      await end()
      await closeAll()
      await Promise.all(others.splice(0).map((store) => store.close()))
    },
  }
}
const others: PostgresStore[] = []

storeSuite('PostgreSQL', open)
feedSuite('PostgreSQL', open)

describe('a node', () => {
  it.each([
    [
      'people',
      'users',
      "SELECT 'usr_' || n, 'main', 'person' || n || '@example.com', '[]', 'active', 1, 0 FROM generate_series(0, 19999) n",
      async (store: PostgresStore, n: number) => (await store.users.find({ email: `person${n}@example.com` })) !== undefined,
    ],
    [
      'attempts that are guessed at',
      'attempts',
      `SELECT 'hash' || n, 'main', 'app', 'sign_in', 'email_otp', '', NULL, '', 0, 1000, 1, 0, 9999999999999, 0 FROM generate_series(0, 19999) n`,
      async (store: PostgresStore, n: number) => (await store.attempts.charge(`hash${n}`, [])).outcome === 'charged',
    ],
    [
      'the sessions that count for a limit',
      'sessions',
      `SELECT 'sid' || n, 'main', 'token', NULL, 'app', 'usr_' || n, 1, 1, 0, 0, 'a', '[]', 9999999999999, 9999999999999, 0, NULL, NULL, NULL, 1, NULL, NULL, 0, 0, 0, '', '', NULL, NULL, 0 FROM generate_series(0, 19999) n`,
      async (store: PostgresStore, n: number) => {
        const user = { email: `person${n}@example.com`, create: { id: `usr_${n}`, roles: [] } }
        return (await store.sessions.open(sign({ user, maxSessions: 1000 }))).outcome === 'opened'
      },
    ],
  ])('finds %s by one look into the index each, though it made its plan while there were few', async (_, table, rows, find) => {
    const database = await server.create()
    const store = await openPostgresStore({ url: server.url(database), connections: 4 })
    try {
      await store.clients.put(client('app'), null, [])
      // Nothing tells the database meanwhile that its plan is an old one.
      await server.sql(database, `ALTER TABLE symbolon.${table} SET (autovacuum_enabled = off)`)
      const look = () => Promise.all(Array.from({ length: 30 }, (_, n) => find(store, n)))
      const counted = async () => {
        const text = `SELECT sum(idx_tup_read) AS found FROM pg_stat_all_indexes WHERE relname = '${table}'`
        return Number((await server.sql(database, text))[0]?.found)
      }
      for (let i = 0; i < 3; i++) await look()
      await server.sql(database, `INSERT INTO symbolon.${table} ${rows}`)
      const before = await counted()
      // Counts are told at the first look behind a second.
      for (let i = 0; i < 25; i++) {
        expect(new Set(await look())).toEqual(new Set([true]))
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      const each = ((await counted()) - before) / (25 * 30)
      expect(each).toBeGreaterThan(0)
      expect(each).toBeLessThan(100)
    } finally {
      await store.close()
    }
  })

  it('remembers sessions that come again, and answers from memory only what the database says is as it was', async () => {
    const url = server.url(await server.create())
    const stores = await Promise.all([1, 2].map(() => openPostgresStore({ url })))
    const [store, other] = stores as [PostgresStore, PostgresStore]
    try {
      for (const name of ['app', 'native']) await store.clients.put(client(name), null, [])
      const sids: string[] = []
      for (let i = 0; i < 6; i++) {
        const user = { email: `user${i}@example.com`, create: { id: `usr_${id()}`, roles: ['member'] } }
        const outcome = await store.sessions.open(sign({ user }, { clientId: i % 2 === 0 ? 'app' : 'native' }))
        if (outcome.outcome !== 'opened') throw new Error(outcome.outcome)
        sids.push(outcome.snapshot.session.sid)
      }
      const look = async (together: boolean) => {
        const one = async (sid: string) => {
          const found = await store.sessions.glance(sid)
          return [found?.session.revokedAt === null, found?.session.generation, found?.user.roles[0], found?.client.name]
        }
        if (together) return Promise.all(sids.map(one))
        const all: unknown[] = []
        for (const sid of sids) all.push(await one(sid))
        return all
      }
      // Often enough to be remembered.
      for (let i = 0; i < 4; i++) for (const together of [true, false]) await look(together)
      const [first, second, third] = sids as [string, string, string]
      const rotation = {
        from: 1,
        userEpoch: 1,
        clientEpoch: 1,
        credentialHash: new Uint8Array(32),
        as: 'rotated',
        active: true,
        audit: [],
      } as const
      await other.sessions.revoke({ sid: first }, 'admin', [])
      await other.sessions.rotate({ sid: second, ...rotation })
      const { user } = (await other.sessions.find(third)) ?? {}
      await other.users.change(user?.id as string, { roles: ['editor'] }, [])
      const native = await other.clients.find('native')
      await other.clients.put({ ...(native as NonNullable<typeof native>), name: 'Changed' }, native as NonNullable<typeof native>, [])
      const now = [
        [false, 1, 'member', 'app'],
        [true, 2, 'member', 'Changed'],
        [true, 1, 'editor', 'app'],
        [true, 1, 'member', 'Changed'],
        [true, 1, 'member', 'app'],
        [true, 1, 'member', 'Changed'],
      ]
      expect(await look(true)).toEqual(now)
      expect(await look(false)).toEqual(now)
      await other.sessions.revoke({ sid: third }, 'admin', [])
      expect((await look(false))[2]).toEqual([false, 1, 'editor', 'app'])
      await other.sessions.revoke({ sid: second }, 'admin', [])
      expect((await look(true))[1]).toEqual([false, 2, 'member', 'Changed'])
    } finally {
      await Promise.all(stores.map((one) => one.close()))
    }
  })

  it('remembers no session with its user as they were before, though it was opened while they changed', async () => {
    const url = server.url(await server.create())
    const stores = await Promise.all([1, 2].map(() => openPostgresStore({ url })))
    const [store, other] = stores as [PostgresStore, PostgresStore]
    try {
      await store.clients.put(client('app'), null, [])
      const sids: string[] = []
      const open = async (on: PostgresStore, parent: string | null) => {
        const user = { email: 'ann@example.com', create: { id: `usr_${id()}`, roles: ['r0'] } }
        const outcome = await on.sessions.open(sign({ user }, { clientId: 'app', parent }))
        if (outcome.outcome !== 'opened') throw new Error(outcome.outcome)
        sids.push(outcome.snapshot.session.sid)
        return outcome.snapshot
      }
      const first = await open(store, null)
      for (let round = 1; round <= 25; round++) {
        let over = false
        const looking = (async () => {
          while (!over) await Promise.all(sids.map((sid) => store.sessions.glance(sid)))
        })()
        await Promise.all([
          other.users.change(first.user.id, { roles: [`r${round}`] }, []),
          ...[null, null, first.session.sid].map((parent) => open(other, parent)),
        ])
        over = true
        await looking
        const found = await Promise.all(sids.map((sid) => store.sessions.glance(sid)))
        expect(new Set(found.map((one) => one?.user.roles[0]))).toEqual(new Set([`r${round}`]))
      }
    } finally {
      await Promise.all(stores.map((one) => one.close()))
    }
  })
  it('reads the user of a session that was opened before rows noted it, and follows their changes from then on', async () => {
    const name = await server.create()
    const store = await openPostgresStore({ url: server.url(name) })
    try {
      await store.clients.put(client('app'), null, [])
      const user = { email: 'ann@example.com', create: { id: `usr_${id()}`, roles: ['member'] } }
      const outcome = await store.sessions.open(sign({ user }, { clientId: 'app' }))
      if (outcome.outcome !== 'opened') throw new Error(outcome.outcome)
      const { sid } = outcome.snapshot.session
      await server.sql(name, 'UPDATE symbolon.sessions SET user_now = NULL')
      expect((await store.sessions.glance(sid))?.user).toMatchObject({ id: user.create.id, roles: ['member'], status: 'active', epoch: 1 })
      await store.users.change(user.create.id, { roles: [] }, [])
      expect((await store.sessions.glance(sid))?.user).toMatchObject({ roles: [], epoch: 2 })
    } finally {
      await store.close()
    }
  })
})

describe('a line whose transaction commits late', () => {
  it('is told all the same, though lines with higher numbers were delivered before', async () => {
    const database = await server.create()
    const store = await openPostgresStore({ url: server.url(database) })
    try {
      await store.webhooks.name([{ name: 'all', lines: ['early', 'late'] }])
      const write = (event: string) => `SELECT symbolon.write_audit('[{"event":"${event}","detail":"{}"}]'::jsonb, symbolon.time(), NULL)`
      // It has the lower number, and nobody sees it yet.
      const held = server.hold(database, write('late'), true)
      await held.holds
      await server.sql(database, write('early'))
      const [first] = await store.webhooks.due(['all'], 10)
      expect(first?.line?.event).toBe('early')
      await store.webhooks.done('all', first?.id ?? 0)
      expect(await store.webhooks.due(['all'], 10)).toEqual([])
      await held.release()
      const [second, ...rest] = await store.webhooks.due(['all'], 10)
      expect([second?.line?.event, rest.length]).toEqual(['late', 0])
      expect(second?.id).toBeLessThan(first?.id ?? 0)
      // One that is undone is told to nobody.
      const undone = server.hold(database, write('late'))
      await undone.holds
      await undone.release()
      expect(await store.webhooks.due(['all'], 10)).toHaveLength(1)
    } finally {
      await store.close()
    }
  })
})

it('tells of what a node of the version before writes, over a connection that stayed open meanwhile', async () => {
  const database = await server.create()
  const url = server.url(database)
  const migrations = await openMigrations({ url })
  const ended = "UPDATE symbolon.meta SET value = '1' WHERE name = 'steps';"
  const old = new Client({ connectionString: url })
  await old.connect()
  const lines = JSON.stringify([{ event: 'told', detail: '{}' }])
  const write = () => old.query({ name: 'audit', text: 'SELECT symbolon.write_audit($1, symbolon.time(), NULL)', values: [lines] })
  try {
    await old.query(`${(await migrations.sql()).split(ended)[0]}${ended} COMMIT;`)
    await write()
    await migrations.up()
    await write()
    const store = await openPostgresStore({ url })
    try {
      await store.webhooks.name([{ name: 'all', lines: ['told'] }])
      await write()
      expect((await store.webhooks.due(['all'], 10)).map(({ line }) => line?.event)).toEqual(['told'])
      expect(await store.audit.list({}, 10)).toHaveLength(3)
    } finally {
      await store.close()
    }
  } finally {
    await old.end()
    await migrations.close()
  }
})
