// A node of the version before beside one of this version, on one database: it was there first, calls the verbs that it
// knows, by connections that stayed open over the change, and what either begins the other can end or leaves alone.

import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openMigrations, openPostgresStore } from '#stores/postgres'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'
import { client, id, sign } from '../suites/store/setting.ts'

let server: Postgres
beforeAll(async () => {
  server = await startPostgres(['fsync=off'])
})
afterAll(() => server.stop())

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

it('goes on with sign-ins on tables that a newer one has changed', async () => {
  const url = server.url(await server.create())
  const migrations = await openMigrations({ url })
  const all = await migrations.sql()
  const [first] = all.split("UPDATE symbolon.meta SET value = '1' WHERE name = 'steps';")
  const old = new Client({ connectionString: url })
  await old.connect()
  const verb = async (name: string, input: unknown) =>
    (await old.query({ name, text: `SELECT symbolon.${name}($1) AS v`, values: [JSON.stringify(input)] })).rows[0]?.v
  const begin = async (idHash: string) => {
    const attempt = {
      ...{ idHash, clientId: 'app', purpose: 'sign_in', method: 'email_otp', sealedIdentifier: hex(randomBytes(40)), bindingHash: null },
      ...{ codeHash: hex(randomBytes(32)), maxTries: 5, lifetime: 600_000, resendAfter: 30_000 },
    }
    const [row] = (await verb('start_attempts', [{ attempt, budgets: [], audit: [] }])) as unknown[][]
    expect([row?.[0], row?.length]).toEqual([idHash, 15])
  }
  const charge = async (hash: string) => {
    const [done] = (await verb('charge_attempts', [{ hash, budgets: [] }])) as [[number, unknown[]] | { refused: object }]
    return Array.isArray(done) ? done[1][8] : done.refused
  }
  const open = async (attempt: string) => {
    const { session, user, ...rest } = sign({ attempt })
    const bytes = { credentialHash: hex(session.credentialHash), sealedKey: hex(session.sealedKey), amr: JSON.stringify(session.amr) }
    const create = 'email' in user && user.create !== null ? { ...user.create, roles: JSON.stringify(user.create.roles) } : null
    const asked = { ...rest, session: { ...session, ...bytes }, user: { ...user, create } }
    const { done } = (await verb('open_sessions', [asked])) as { done: [{ created?: boolean; refused?: { outcome: string } }] }
    return done[0].refused?.outcome ?? 'opened'
  }
  try {
    await old.query(`${first}UPDATE symbolon.meta SET value = '1' WHERE name = 'steps'; COMMIT;`)
    await old.query(
      `INSERT INTO symbolon.clients (id, tenant, name, transport, status, epoch, origins, return_to, secret_hashes, scopes, audiences, policy, created_at, keys, token_format)
       VALUES ('app', 'main', 'App', 'cookie', 'active', 1, '[]', '[]', '[]', '[]', '[]', '{}', 0, '[]', 'jwt')`,
    )
    // Every verb once before the change, so that its plans are those of then.
    const before = [id(), id()] as const
    for (const one of before) {
      await begin(one)
      expect(await charge(one)).toBe(1)
    }
    expect(await open(before[0])).toBe('opened')
    expect(await migrations.up()).toBeGreaterThan(0)

    const store = await openPostgresStore({ url })
    try {
      expect(await store.clients.find('app')).toMatchObject(client('app', { name: 'App', transport: 'cookie' }))
      // Begun before, and known to both.
      expect(await charge(before[1])).toBe(2)
      const kept = await store.attempts.find(before[1])
      expect(kept?.attempt).toMatchObject({ state: 'verify', step: 0, tries: 2, proven: [], endsAt: kept?.attempt.expiresAt })
      // Begun after by the older one, ended by the newer one.
      const [late, both] = [id(), id()]
      await begin(late)
      expect((await store.attempts.charge(late, [])).outcome).toBe('charged')
      expect((await store.sessions.open(sign({ attempt: late }))).outcome).toBe('opened')
      expect(await open(late)).toBe('attempt_gone')
      // Begun by the newer one, ended by the older one, which gives its code no longer than it ever did.
      const started = {
        ...{ idHash: both, clientId: 'app', purpose: 'sign_in' as const, method: 'email_otp', sealedIdentifier: randomBytes(40) },
        ...{ bindingHash: null, codeHash: randomBytes(32), maxTries: 5, lifetime: 600_000, resendAfter: 0, linkHash: 'l', ends: 900_000 },
      }
      await store.attempts.start(started, [], [])
      expect(await charge(both)).toBe(1)
      expect(await open(both)).toBe('opened')
      expect((await store.sessions.open(sign({ attempt: both }))).outcome).toBe('attempt_gone')
      // What the newer one took on has no code that the older one could find right.
      const moved = { ...started, idHash: id() }
      await store.attempts.start(moved, [], [])
      const change = {
        ...{ from: 0, state: 'limit' as const, method: 'email_otp', sealedIdentifier: moved.sealedIdentifier, bindingHash: null },
        ...{ codeHash: randomBytes(32), linkHash: null, userId: 'usr_a', proven: [], tries: 0, maxTries: 5, sends: 1 },
        ...{ lifetime: 60_000, resendAfter: 60_000, ends: 1_800_000 },
      }
      await store.attempts.advance(moved.idHash, change, [])
      const seen = await old.query("SELECT encode(code_hash, 'hex') AS code FROM symbolon.attempts WHERE id_hash = $1", [moved.idHash])
      expect(seen.rows[0]?.code).toBe(hex(change.codeHash))
    } finally {
      await store.close()
    }
  } finally {
    await old.end()
    await migrations.close()
  }
})
