// The store for many nodes on a database that misbehaves: it answers in time that it cannot, never that something was done,
// and goes on by itself when the database does.

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Store } from '#core'
import { openMigrations, openPostgresStore, type PostgresStore } from '#stores/postgres'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'
import { client, id, sign } from '../suites/store/setting.ts'

let server: Postgres
beforeAll(async () => {
  server = await startPostgres(['fsync=off'])
})
afterAll(() => server.stop())

const opened: PostgresStore[] = []
async function open(url: string, options: Partial<Parameters<typeof openPostgresStore>[0]> = {}): Promise<PostgresStore> {
  const store = await openPostgresStore({ url, connections: 6, ...options })
  opened.push(store)
  return store
}
const closeAll = () => Promise.all(opened.splice(0).map((store) => store.close()))

async function signedIn(store: Store): Promise<string> {
  const outcome = await store.sessions.open(sign())
  if (outcome.outcome !== 'opened') throw new Error(outcome.outcome)
  return outcome.snapshot.session.sid
}
const rotation = (sid: string, from: number) => ({
  sid,
  from,
  userEpoch: 1,
  clientEpoch: 1,
  credentialHash: new Uint8Array(32),
  as: 'rotated' as const,
  active: true,
  audit: [],
})

/** What came of many calls at once, and how long the slowest of them took. */
async function all(calls: readonly (() => unknown)[]) {
  const began = performance.now()
  let slowest = 0
  const codes = await Promise.all(
    calls.map(async (call) => {
      const code = await Promise.resolve()
        .then(call)
        .then(
          () => 'done',
          (error: { code?: string }) => error.code ?? String(error),
        )
      slowest = Math.max(slowest, performance.now() - began)
      return code
    }),
  )
  return { codes: [...new Set(codes)].sort(), slowest }
}

async function until(holds: () => Promise<boolean>, ms = 10_000): Promise<void> {
  const end = performance.now() + ms
  while (!(await holds().catch(() => false))) {
    if (performance.now() > end) throw new Error('It did not come to hold in time.')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

describe('a database that misbehaves', () => {
  let database: string
  let store: PostgresStore
  let sids: string[]
  const calls = () => [
    ...sids.map((sid) => () => store.sessions.find(sid)),
    ...sids.map((sid, at) => () => store.sessions.rotate(rotation(sid, at + 1))),
    () => store.sessions.revoke({ sid: sids[0] as string }, 'admin', []),
    () => store.feed.head(),
    () => store.limits.spend([{ key: 'k', limit: 1000, window: 1000 }]),
  ]
  beforeAll(async () => {
    database = await server.create()
    store = await open(server.url(database))
    await store.clients.put(client('app'), null, [])
    sids = []
    for (let i = 0; i < 40; i++) sids.push(await signedIn(store))
  })
  afterAll(closeAll)

  it('refuses in under two seconds while somebody locks a table, and goes on when the lock is gone', async () => {
    const holder = server.hold(database, 'LOCK TABLE symbolon.sessions IN ACCESS EXCLUSIVE MODE')
    await holder.holds
    const { codes, slowest } = await all(sids.map((sid) => () => store.sessions.find(sid)))
    expect(codes).toEqual(['store_unavailable'])
    expect(slowest).toBeLessThan(2000)
    // What does not need the table is answered.
    expect((await store.feed.head()).seq).toBeGreaterThanOrEqual(0)
    await holder.release()
    await until(async () => (await store.sessions.find(sids[0] as string)) !== undefined)
  })

  it('waits for one locked row without keeping others waiting', async () => {
    const [held, free] = [sids[0] as string, sids[1] as string]
    const holder = server.hold(database, `SELECT 1 FROM symbolon.sessions WHERE sid = '${held}' FOR UPDATE`)
    await holder.holds
    const outcomes = await Promise.allSettled([held, free].map((sid) => store.sessions.rotate(rotation(sid, 1))))
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    await holder.release()
    expect((await store.sessions.rotate(rotation(held, 1))).outcome).toBe('rotated')
  })

  it('refuses in under two seconds while the database is frozen, and is as before when it thaws', async () => {
    server.signal('SIGSTOP')
    try {
      const first = await all(calls())
      expect(first.codes).toEqual(['store_unavailable'])
      expect(first.slowest).toBeLessThan(2000)
      // Now that it is known, nobody waits.
      const later = await all(calls())
      expect(later.codes).toEqual(['store_unavailable'])
      expect(later.slowest).toBeLessThan(200)
    } finally {
      server.signal('SIGCONT')
    }
    await until(async () => (await all(calls())).codes.join() === 'done')
  })

  it('keeps what it acknowledged when the database crashes, and finds it again when it is back', async () => {
    const sid = await signedIn(store)
    const { head } = await store.sessions.revoke({ sid }, 'admin', [])
    server.halt('immediate')
    const { codes, slowest } = await all(calls())
    expect(codes).toEqual(['store_unavailable'])
    expect(slowest).toBeLessThan(2000)
    await server.start()
    await until(async () => (await store.feed.head()).seq >= head.seq)
    expect((await store.sessions.find(sid))?.session.revokedReason).toBe('admin')
    await until(async () => (await all(calls())).codes.join() === 'done')
  })

  it('shows a revocation that another one commits late in its place, and never one behind it before', async () => {
    const before = (await store.feed.head()).seq
    const late = server.hold(
      database,
      `UPDATE symbolon.feed_head SET seq = seq + 1; INSERT INTO symbolon.feed VALUES ('main', ${before + 1}, 'session', 'late', NULL, NULL, 1, NULL)`,
      true,
    )
    await late.holds
    const early = store.sessions.revoke({ sid: await signedIn(store) }, 'admin', [])
    const seen: number[] = []
    const look = async () => {
      for (const { seq } of await store.feed.after(seen.at(-1) ?? before, 10)) seen.push(seq)
    }
    for (let i = 0; i < 10; i++) {
      await look()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect([seen, (await store.feed.head()).seq]).toEqual([[], before])
    await late.release()
    expect((await early).head.seq).toBe(before + 2)
    await look()
    expect(seen).toEqual([before + 1, before + 2])
  })
})

it('refuses while the database takes no more connections, with a sentence, and goes on when it does', async () => {
  const small = await startPostgres(['fsync=off', 'max_connections=10', 'max_wal_senders=0', 'superuser_reserved_connections=0'])
  try {
    const database = await small.create()
    const store = await open(small.url(database))
    await store.clients.put(client('app'), null, [])
    await store.close()
    const crowd = Array.from({ length: 12 }, () => small.hold(database, 'SELECT 1'))
    await Promise.allSettled(crowd.map(({ holds }) => holds))
    await expect(open(small.url(database))).rejects.toThrow(/takes no more connections/)
    await Promise.all(crowd.map(({ release }) => release()))
    await until(async () => (await open(small.url(database))) !== undefined)
    expect((await opened.at(-1)?.clients.find('app'))?.id).toBe('app')
  } finally {
    await closeAll()
    small.stop()
  }
})

it('answers those who ask beside somebody whose question cannot be put', async () => {
  const store = await open(server.url(await server.create()))
  try {
    await store.clients.put(client('app'), null, [])
    const asked = await Promise.allSettled(['app', '\u0000', 'nobody'].map((id) => store.clients.find(id)))
    expect(asked.map((one) => (one.status === 'fulfilled' ? (one.value?.id ?? 'none') : 'refused'))).toEqual(['app', 'refused', 'none'])
  } finally {
    await closeAll()
  }
})

describe('rights', () => {
  afterAll(closeAll)
  const page = readFileSync(new URL('../../../../docs/postgres.md', import.meta.url), 'utf8')
  const rightsPage = page.slice(page.indexOf('## Rights'), page.indexOf('## When the database'))
  it('suffice as documented: the service changes rows, and no table', async () => {
    const database = await server.create()
    const as = (role: string) => server.url(database).replace('postgres@', `${role}@`)
    const url = as('symbolon_service')
    // The page's own lines, in their order: the superuser's, the migration by the owner, the owner's.
    const [roles, rights] = [...rightsPage.matchAll(/```sql\n(.*?)```/gs)].map(([, sql = '']) =>
      sql.replace('DATABASE symbolon', `DATABASE ${database}`),
    )
    await server.sql(database, roles ?? '')
    const migrations = await openMigrations({ url: as('symbolon_owner') })
    await migrations.up()
    await migrations.close()
    await expect(open(url, { migrate: false })).rejects.toThrow(/lacks rights/)
    await server.sql(database, `SET ROLE symbolon_owner; ${rights}`)
    const store = await open(url, { migrate: false })
    await store.clients.put(client('app'), null, [])
    const sid = await signedIn(store)
    expect((await store.sessions.revoke({ sid }, 'admin', [])).sids).toEqual([sid])
    const key = {
      kid: 'k',
      alg: 'ES256' as const,
      state: 'active' as const,
      publicJwk: { kty: 'EC' as const, kid: 'k', alg: 'ES256' as const, use: 'sig' as const },
      sealedPrivate: new Uint8Array(9),
    }
    expect((await store.keys.change({ insert: [key], move: [], whenNone: 'active', audit: [] })).outcome).toBe('changed')
    expect(await store.sessions.sweep(10)).toBe(0)
    expect(await store.leases.take('job', 'me', 1000)).toBe(true)
    expect(await store.examine()).toEqual([expect.stringContaining('fsync')])
    await expect(server.sql(database, 'SET ROLE symbolon_service; DROP TABLE symbolon.sessions')).rejects.toThrow(/must be owner/)
    await expect(server.sql(database, 'SET ROLE symbolon_service; CREATE TABLE symbolon.more (id text)')).rejects.toThrow(
      /permission denied/,
    )
    // Of tables that come later, too.
    await server.sql(database, 'SET ROLE symbolon_owner; CREATE TABLE symbolon.later (id text)')
    await server.sql(database, "SET ROLE symbolon_service; INSERT INTO symbolon.later VALUES ('x'); DELETE FROM symbolon.later")
  })
})

describe('migrations', () => {
  afterAll(closeAll)
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
      await server.sql(database, await migrations.sql())
      expect(await migrations.status()).toMatchObject({ fits: true })
      expect([await migrations.sql(), await migrations.up()]).toEqual(['', 0])
      const store = await open(server.url(database), { migrate: false })
      await store.clients.put(client('app'), null, [])
      expect(await signedIn(store)).toHaveLength(22)
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
})
