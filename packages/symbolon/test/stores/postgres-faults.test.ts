// The store for many nodes on a database that misbehaves: it answers in time that it cannot, never that something was done,
// and goes on by itself when the database does.

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Session, Store } from '#core'
import { openMigrations, openPostgresStore, type PostgresStore } from '#stores/postgres'
import { type Pulse, startPulse } from '../../../../test/faults/pulse.ts'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'
import { createTouches } from '../../src/core/touch.ts'
import { client, id, sign, sixAtOnce } from '../suites/store/setting.ts'

let server: Postgres
let pulse: Pulse
beforeAll(async () => {
  server = await startPostgres(['fsync=off'])
  pulse = startPulse()
})
afterAll(() => {
  pulse.stop()
  server.stop()
})

const opened: PostgresStore[] = []
async function open(url: string, options: Partial<Parameters<typeof openPostgresStore>[0]> = {}): Promise<PostgresStore> {
  const store = await openPostgresStore({ url, connections: 6, ...options })
  opened.push(store)
  return store
}
const many = 8000
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

/** What came of many calls at once, how long the slowest of them took, and two seconds in which this process could run. */
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
  // The pulse tells of what was lost when it beats again.
  await new Promise((resolve) => setTimeout(resolve, 50))
  return { codes: [...new Set(codes)].sort(), slowest, twoSeconds: 2000 + 2 * pulse.lost(began, began + slowest) }
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
    const { codes, slowest, twoSeconds } = await all(sids.map((sid) => () => store.sessions.find(sid)))
    expect(codes).toEqual(['store_unavailable'])
    expect(slowest).toBeLessThan(twoSeconds)
    // What does not need the table is answered: in a moment, where the refusal came so late that the database was taken for lost.
    await until(async () => (await store.feed.head()).seq >= 0)
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

  it('notes activity beside a session whose row is held, and keeps neither those nor their refreshes', async () => {
    const [held, free, third] = [await signedIn(store), await signedIn(store), await signedIn(store)]
    const touches = createTouches(store.sessions, { after: () => () => {} })
    const note = async (sid: string) => {
      const { session, now } = (await store.sessions.find(sid)) ?? {}
      touches.note(session as Session, now as number, true, 1, undefined)
    }
    const seen = async (sid: string) => (await store.sessions.find(sid))?.session.seen
    for (const sid of [held, free, third]) await note(sid)
    const holder = server.hold(database, `SELECT 1 FROM symbolon.sessions WHERE sid = '${held}' FOR UPDATE`)
    await holder.holds
    // As refreshes of one moment ask for it.
    const order: string[] = []
    const outcomes = await Promise.allSettled([held, free].map((sid) => touches.flushOf(sid).finally(() => void order.push(sid))))
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    expect(order).toEqual([free, held])
    expect(outcomes[0]).toMatchObject({ reason: { code: 'store_unavailable' } })
    // What is written each second waits for nobody, however few there are.
    for (let n = 0; n < 3; n++) await touches.flush()
    expect(await Promise.all([held, free, third].map(seen))).toEqual([false, true, true])
    await holder.release()
    await touches.flushOf(held)
    expect(await seen(held)).toBe(true)
  })

  it('signs people in beside somebody whose row is held', async () => {
    const people = [1, 2, 3].map((n) => ({ email: `held${n}@example.com`, create: { id: `usr_${id()}`, roles: [] } }))
    const signIn = (user: (typeof people)[number]) => store.sessions.open(sign({ user }))
    const [first] = await Promise.all(people.map(signIn))
    const person = first?.outcome === 'opened' ? first.snapshot.user.id : ''
    const holder = server.hold(database, `SELECT 1 FROM symbolon.users WHERE id = '${person}' FOR UPDATE`)
    await holder.holds
    // Of one moment, which one statement takes to the database.
    const outcomes = await Promise.allSettled(people.map(signIn))
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
    await holder.release()
    expect((await signIn(people[0] as (typeof people)[number])).outcome).toBe('opened')
  })

  it('ends sessions beside one that is held', async () => {
    const [held, free] = [await signedIn(store), await signedIn(store)]
    const holder = server.hold(database, `SELECT 1 FROM symbolon.sessions WHERE sid = '${held}' FOR UPDATE`, true)
    await holder.holds
    const order: string[] = []
    const ended = (sid: string) => store.sessions.revoke({ sid }, 'admin', []).finally(() => void order.push(sid))
    const waiting = ended(held)
    // Sent by itself, before the other one comes.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    expect((await ended(free)).sids).toEqual([free])
    expect(order).toEqual([free])
    await holder.release()
    await waiting.catch(() => {})
    expect(order).toEqual([free, held])
  })

  it('disables, moves and deletes somebody with very many sessions', async () => {
    const person = async (email: string) => {
      const outcome = await store.sessions.open(sign({ user: { email, create: { id: `usr_${id()}`, roles: [] } } }))
      if (outcome.outcome !== 'opened') throw new Error(outcome.outcome)
      const { sid, userId } = outcome.snapshot.session
      const columns = (
        await server.sql(database, "SELECT attname FROM pg_attribute WHERE attrelid = 'symbolon.sessions'::regclass AND attnum > 0")
      )
        .map(({ attname }) => attname as string)
        .filter((name) => name !== 'sid' && name !== 'mark')
        .join(', ')
      await server.sql(
        database,
        `INSERT INTO symbolon.sessions (sid, ${columns}) SELECT '${sid}' || n, ${columns} FROM symbolon.sessions, generate_series(1, ${many - 1}) n WHERE sid = '${sid}'`,
      )
      return userId
    }
    const left = async (userId: string) =>
      (await server.sql(database, `SELECT 1 FROM symbolon.sessions WHERE user_id = '${userId}' AND revoked_at IS NULL`)).length
    const [ada, bob, eve] = [await person('many1@example.com'), await person('many2@example.com'), await person('many3@example.com')]
    expect((await store.users.change(ada, { status: 'disabled' }, []))?.ended).toHaveLength(many)
    // A change that is refused ends nothing.
    const taken = { userId: bob, email: 'many1@example.com', proof: null, undoHash: id(), undoLife: 1000, audit: [] }
    expect((await store.addresses.change(taken)).outcome).toBe('taken')
    expect(await left(bob)).toBe(many)
    const moved = { userId: bob, email: 'many4@example.com', proof: null, undoHash: id(), undoLife: 1000, audit: [] }
    const changed = await store.addresses.change(moved)
    expect(changed.outcome === 'changed' && changed.ended.length).toBe(many)
    expect((await store.users.remove(eve, []))?.ended).toHaveLength(many)
    expect(await Promise.all([ada, bob, eve].map(left))).toEqual([0, 0, 0])
  })

  it('has webhooks sent again while others are being noted', async () => {
    await store.webhooks.name([{ name: 'all', lines: ['told'] }])
    const told = { event: 'told', userId: null, sid: null, clientId: null, ip: null, detail: {} }
    await store.audit.write(Array.from({ length: 60 }, () => told))
    const due = await store.webhooks.due(['all'], 60)
    expect(due).toHaveLength(60)
    const failure = { fault: 'status 500', wait: 0, targetWait: 0, budget: 60_000 }
    await sixAtOnce(due, async ({ id }, at) => {
      for (let turn = 0; turn < 10; turn++) {
        if (at % 6 === 0) await store.webhooks.retry('all')
        else await store.webhooks.failed('all', id, failure)
      }
      if (at % 2 === 0) await store.webhooks.done('all', id)
    })
    expect(await store.webhooks.due(['all'], 60)).toHaveLength(30)
  })

  it('refuses in under two seconds while the database is frozen, and is as before when it thaws', async () => {
    server.signal('SIGSTOP')
    try {
      const first = await all(calls())
      expect(first.codes).toEqual(['store_unavailable'])
      expect(first.slowest).toBeLessThan(first.twoSeconds)
      // Now that it is known, nobody waits; the best of three, for a machine that pauses.
      const later = [await all(calls()), await all(calls()), await all(calls())]
      expect(later.flatMap(({ codes }) => codes)).toEqual(Array(3).fill('store_unavailable'))
      expect(Math.min(...later.map(({ slowest }) => slowest))).toBeLessThan(200)
    } finally {
      server.signal('SIGCONT')
    }
    await until(async () => (await all(calls())).codes.join() === 'done')
  })

  it('keeps what it acknowledged when the database crashes, and finds it again when it is back', async () => {
    const sid = await signedIn(store)
    const { head } = await store.sessions.revoke({ sid }, 'admin', [])
    server.halt('immediate')
    const { codes, slowest, twoSeconds } = await all(calls())
    expect(codes).toEqual(['store_unavailable'])
    expect(slowest).toBeLessThan(twoSeconds)
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
    // On a node of more patience: how long it waits for the other one is not the question.
    const patient = await open(server.url(database), { patience: 5000 })
    const early = patient.sessions.revoke({ sid: await signedIn(store) }, 'admin', [])
    const seen: number[] = []
    const look = async () => {
      for (const { seq } of await store.feed.after(seen.at(-1) ?? before, 10)) seen.push(seq)
    }
    const waits = `SELECT 1 FROM pg_stat_activity WHERE datname = '${database}' AND wait_event_type = 'Lock'`
    await until(async () => (await server.sql(database, waits)).length > 0)
    for (let i = 0; i < 2; i++) await look()
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

it('goes on over the connections it has while the database takes no more', async () => {
  const small = await startPostgres(['fsync=off', 'max_connections=12', 'max_wal_senders=0', 'superuser_reserved_connections=0'])
  try {
    const database = await small.create()
    // With patience: whether a busy machine refuses connections fast is not the question.
    const store = await open(small.url(database), { connections: 9, patience: 5000 })
    await store.clients.put(client('app'), null, [])
    expect(await store.clients.find(await signedIn(store))).toBeUndefined()
    const crowd = Array.from({ length: 12 }, () => small.hold(database, 'SELECT 1'))
    await Promise.allSettled(crowd.map(({ holds }) => holds))
    const calls = Array.from({ length: 10 }, (_, n) => [
      () => store.clients.find(`app${n}`),
      () => store.audit.page({ userId: `usr_${n}`, names: [], before: null }, 10),
      () => store.limits.once(`key${n}`, 10 ** 13),
      () => store.leases.take(`lease${n}`, 'me', 1000),
    ]).flat()
    expect((await all(calls)).codes).toEqual(['done'])
    await Promise.all(crowd.map(({ release }) => release()))
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
