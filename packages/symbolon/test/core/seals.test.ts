// Everything is sealed again under a new secret while people refresh, on both stores and from two nodes at once: every
// refresh before, during and after works, and each adds exactly one generation.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Core, createCore, defaultBudgets, defaultPolicy, type Ports, type Store } from '#core'
import { openPostgresStore } from '#stores/postgres'
import { openSqliteStore } from '#stores/sqlite'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'
import { createBudgets } from '../../src/core/budgets.ts'
import { newCredential } from '../../src/core/credential.ts'
import { createCrypto } from '../../src/embed/crypto.ts'
import { createSigner } from '../../src/embed/signer.ts'
import { caller, issuer } from '../setting/service.ts'
import { sign } from '../suites/store/setting.ts'

const [x, y] = ['the old secret of at least thirty-two bytes', 'the new secret of at least thirty-two bytes']
const idOf = (secret: string) => createCrypto([secret]).secretIds[0] as string

let server: Postgres
let folder: string
const stores: Store[] = []
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'symbolon-seals-'))
  server = await startPostgres(['fsync=off'])
})
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close()
})
afterAll(() => {
  server.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** A place for stores, each opening the same data. */
const places = {
  async SQLite() {
    const path = join(mkdtempSync(join(folder, 'file-')), 'symbolon.db')
    return () => openSqliteStore({ path })
  },
  async PostgreSQL() {
    const url = server.url(await server.create())
    return () => openPostgresStore({ url, connections: 8, patience: 5000 })
  },
}

/** A node of its own on a store of its own. */
async function node(open: () => Promise<Store>, ...secrets: string[]): Promise<{ core: Core; store: Store; ports: Ports }> {
  const store = await open()
  stores.push(store)
  const ports: Ports = {
    store,
    crypto: createCrypto(secrets),
    signer: createSigner(),
    courier: { queue: () => {} },
    clock: {
      now: () => performance.now(),
      after: (ms, run) => {
        const timer = setTimeout(run, ms)
        return () => clearTimeout(timer)
      },
    },
    observe: () => {},
    crashPoint: () => {},
  }
  const core = createCore(ports, {
    issuer,
    audience: issuer,
    policy: { ...defaultPolicy, rotate: 'always' },
    algorithm: 'ES256',
    keyRotation: 30 * 86_400_000,
    steps: [],
    budgets: defaultBudgets,
  })
  return { core, store, ports }
}

/** Opens so many sessions under a node's first secret; their credentials by sid. */
async function openMany({ store, ports }: { store: Store; ports: Ports }, count: number) {
  const held = new Map<string, string>()
  const one = async () => {
    const { credential, ...session } = newCredential(ports.crypto, 'token')
    const opened = await store.sessions.open(sign({ user: { id: 'usr_ada' } }, { ...session, clientId: 'native' }))
    if (opened.outcome !== 'opened') throw new Error(opened.outcome)
    held.set(session.sid, credential)
  }
  // No more at once than a store takes in its time.
  while (held.size < count) await Promise.all(Array.from({ length: Math.min(100, count - held.size) }, one))
  return held
}

/** Refreshes every one of these once, some at the same time, by nodes in turn; throws when one does not rotate. */
async function refreshAll(held: Map<string, string>, sids: readonly string[], nodes: readonly Core[]) {
  let at = 0
  const worker = async () => {
    for (let i = at++; i < sids.length; i = at++) {
      const sid = sids[i] as string
      const core = nodes[i % nodes.length] as Core
      const outcome = await core.sessions.refresh({ credential: held.get(sid) as string, kind: 'token', caller, background: false })
      if (!outcome.ok || outcome.outcome !== 'rotated') throw new Error(`${sid}: ${outcome.outcome}`)
      held.set(sid, outcome.credential)
    }
  }
  await Promise.all(Array.from({ length: 16 }, worker))
}

const always = async () => true

describe.each(['SQLite', 'PostgreSQL'] as const)('%s', (name) => {
  it('seals thousands of sessions again while they are refreshed on two nodes', async () => {
    const open = await places[name]()
    const before = await node(open, x)
    expect(await before.core.seals.open()).toEqual([])
    await before.core.jobs.maintain()
    await before.core.clients.create({ id: 'native', name: 'Native', transport: 'native' }, 'test')
    await before.store.users.create({ id: 'usr_ada', email: 'ada@example.com', roles: [] }, [])
    const held = await openMany(before, 2500)
    const sids = [...held.keys()]
    await refreshAll(held, sids.slice(0, 300), [before.core])
    expect(await before.core.seals.due()).toBe(false)

    const nodes = [await node(open, y, x), await node(open, y, x)] as const
    for (const { core } of nodes) {
      expect(await core.seals.open()).toEqual([])
      await core.jobs.maintain()
      expect(await core.seals.due()).toBe(true)
    }
    // The node that still seals under the old one must not seal back what these do.
    expect(await before.core.seals.due()).toBe(false)
    let batches = 0
    const count = () => void batches++
    const [one, two] = await Promise.all([
      nodes[0].core.seals.reseal(always, count),
      nodes[1].core.seals.reseal(always, count),
      refreshAll(
        held,
        sids,
        nodes.map(({ core }) => core),
      ),
    ])
    expect(one.left).toBeNull()
    expect(one.sessions + two.sessions).toBe(2500)
    expect([one.keys + two.keys, one.unopened + two.unopened]).toEqual([2, 0])
    // In batches of a hundred at most, by whichever node.
    expect(batches).toBeGreaterThanOrEqual(25)
    expect((await nodes[0].core.seals.status()).find(({ secret }) => secret === idOf(x))).toMatchObject({ place: 2, sessions: 0, keys: 0 })

    // The old secret is gone, and everything still opens.
    const after = await node(open, y)
    expect(await after.core.seals.open()).toEqual([idOf(x)])
    await after.core.jobs.maintain()
    await refreshAll(held, sids, [after.core])
    for (const [at, sid] of sids.entries()) {
      const found = await after.store.sessions.find(sid)
      if (found?.session.generation !== (at < 300 ? 4 : 3) || found.session.revokedAt !== null)
        throw new Error(`${sid} is at ${found?.session.generation}`)
    }
    await after.core.seals.forget(idOf(x))
    expect([await after.core.seals.due(), await after.core.seals.reseal(always)]).toEqual([
      false,
      { sessions: 0, keys: 0, attempts: 0, unopened: 0, left: null },
    ])
  })

  it('stops where it is told to, goes on from there, and leaves alone what does not open', async () => {
    const open = await places[name]()
    const before = await node(open, x)
    await before.core.seals.open()
    await before.core.jobs.maintain()
    await before.core.clients.create({ id: 'native', name: 'Native', transport: 'native' }, 'test')
    await before.store.users.create({ id: 'usr_ada', email: 'ada@example.com', roles: [] }, [])
    const held = await openMany(before, 250)
    const lost = await openMany(
      { store: before.store, ports: { ...before.ports, crypto: createCrypto(['a secret that nobody has, of thirty-two bytes']) } },
      3,
    )

    const { core, store } = await node(open, y, x)
    await core.jobs.maintain()
    let left = 2
    const first = await core.seals.reseal(async () => left-- > 0)
    expect(first).toMatchObject({ keys: 2, left: { kind: 'session' } })
    expect(first.sessions).toBeGreaterThan(90)
    const second = await core.seals.reseal(always, () => {}, first.left)
    expect(second).toMatchObject({ sessions: 250 - first.sessions, keys: 0, left: null })
    expect(first.unopened + second.unopened).toBe(3)
    await refreshAll(held, [...held.keys()], [core])
    const [sid, credential] = [...lost][0] as [string, string]
    await expect(core.sessions.refresh({ credential, kind: 'token', caller, background: false })).rejects.toMatchObject({
      code: 'try_later',
    })
    expect((await store.sessions.find(sid))?.session.revokedAt).toBeNull()
  })

  it('gives up what is sealed under a secret that is gone, and only that', async () => {
    const open = await places[name]()
    const before = await node(open, x)
    await before.core.seals.open()
    await before.core.jobs.maintain()
    await before.core.clients.create({ id: 'native', name: 'Native', transport: 'native' }, 'test')
    await before.store.users.create({ id: 'usr_ada', email: 'ada@example.com', roles: [] }, [])
    const [gone] = [...(await openMany(before, 130)).keys()] as [string]
    const { core, store, ports } = await node(open, y)
    const kept = await openMany({ store, ports }, 2)
    expect(await core.seals.open()).toEqual([idOf(x)])
    await expect(core.jobs.maintain()).rejects.toMatchObject({ code: 'key_unopenable' })
    const { seq } = await store.feed.head()
    expect(await core.seals.giveUp(idOf(x), 'test')).toEqual({ sessions: 130, keys: 2 })
    expect((await store.sessions.find(gone))?.session.revokedReason).toBe('admin')
    expect((await store.feed.after(seq, 1000)).filter(({ kind }) => kind === 'session')).toHaveLength(130)
    await core.jobs.maintain()
    expect((await core.keys.list()).map(({ state }) => state).sort()).toEqual(['active', 'next', 'revoked', 'revoked'])
    expect((await core.seals.status()).map(({ secret, sessions, keys }) => [secret, sessions, keys])).toEqual([[idOf(y), 2, 2]])
    await refreshAll(kept, [...kept.keys()], [core])
  })
})

describe('budgets while secrets change', () => {
  it.each(Object.keys(places) as (keyof typeof places)[])('are one for all nodes, and outlive the secret that goes: %s', async (place) => {
    const store = await (await places[place]())()
    stores.push(store)
    const rates = { ...defaultBudgets, verifyPerAccount: { limit: 4, window: 86_400_000 } }
    const guess = async (...secrets: string[]) => {
      const budgets = createBudgets(createCrypto(secrets), rates).verify({ mailbox: 'ada@example.com', ip: '192.0.2.1', known: false })
      return (await store.limits.spend(budgets)).outcome
    }
    // A node that has not heard of the new one; one that has; one where it seals.
    expect([await guess(x), await guess(x, y), await guess(y, x), await guess(y, x)]).toEqual(Array(4).fill('spent'))
    expect([await guess(x), await guess(x, y), await guess(y, x)]).toEqual(Array(3).fill('limited'))
    // The old one is gone. What was spent since the new one was known counts on.
    expect([await guess(y), await guess(y)]).toEqual(['spent', 'limited'])
  })
})
