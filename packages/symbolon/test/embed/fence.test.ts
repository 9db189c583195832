// A node that was frozen, or cut off, for longer than its claim to the store lasts: what it still reads there is believed
// only while nobody has moved everything elsewhere (G1, G2). On a real file with clocks of our own, and behind a cut.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { copyStore, prepareData, reopenStore } from '#embed'
import { servingPrefix } from '#stores/rows'
import { openSqliteStore } from '#stores/sqlite'
import { startTcpProxy } from '../../../../test/faults/tcp-proxy.ts'
import { startPostgres } from '../../../../test/postgres.ts'
import { fenceStore } from '../../src/embed/fence.ts'
import { type Claim, claimStore } from '../../src/embed/serving.ts'
import type { NodeStore } from '../../src/embed/store.ts'
import { createBrowser, signInOver } from '../setting/browser.ts'
import { startService } from '../setting/server.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'symbolon-fence-'))
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true, force: true })
})
const unavailable = { code: 'store_unavailable' }
const minutes = 60_000

describe('on a file', () => {
  let store: NodeStore
  let claim: Claim
  let fenced: NodeStore
  let closed: number
  let passed: { monotonic: number; wall: number }
  const copy = () => copyStore(join(folder, 'from'), join(folder, 'to'))
  const reads: Readonly<Record<string, () => unknown>> = {
    'a live check': () => fenced.sessions.glance('ses_x'),
    'a refresh': () => fenced.sessions.find('ses_x'),
    'a client': () => fenced.clients.find('app'),
    'the keys': () => fenced.keys.list(),
    'the log’s head': () => fenced.feed.head(),
    'the log': () => fenced.feed.after(0, 10),
    'a token of its own': () => fenced.feed.hasToken('x'),
    'a write that changes nothing': () => fenced.sessions.touch([]),
    'the time': () => fenced.now(),
  }
  const asked = async () =>
    Object.fromEntries(
      await Promise.all(
        Object.entries(reads).map(async ([name, read]) => {
          const code = await (async () => read())().then(
            () => 'answered',
            (error) => (error as { code?: string }).code,
          )
          return [name, code] as const
        }),
      ),
    )
  const all = (is: string) => Object.fromEntries(Object.keys(reads).map((name) => [name, is]))
  const until = async () => (await store.leases.list()).leases.find(({ name }) => name.startsWith(servingPrefix))?.until ?? 0
  /** As if the process had stood still, or the machine slept, which only the wall clock tells. */
  const freeze = (clock: 'monotonic' | 'wall') => {
    passed[clock] += 2 * minutes
  }

  beforeEach(async () => {
    prepareData(join(folder, 'from'))
    // By the time of whoever copies, every claim that is made here has run out.
    const sqlite = await openSqliteStore({ path: join(folder, 'from', 'symbolon.db'), clock: () => Date.now() - 10 * minutes })
    store = { ...sqlite, onHint: () => () => {} }
    passed = { monotonic: 0, wall: 0 }
    closed = 0
    claim = await claimStore(store.leases, { seals: 'a', closed: () => void closed++, clocks: () => ({ ...passed }) })
    fenced = fenceStore(store, claim)
  })
  afterEach(async () => {
    await claim.letGo()
    await store.close()
  })

  it.each(['monotonic', 'wall'] as const)('refuses everything after a freeze in which the data was moved (%s clock)', async (clock) => {
    expect(await asked()).toEqual(all('answered'))
    freeze(clock)
    await copy()
    expect(await asked()).toEqual(all('store_unavailable'))
    expect(closed).toBe(1)
    // Nor later, whatever becomes of the store.
    await reopenStore(join(folder, 'from'))
    expect(await asked()).toEqual(all('store_unavailable'))
    expect(closed).toBe(1)
  })

  it('answers at once after a freeze in which nobody moved anything, and has its claim again', async () => {
    const before = await until()
    freeze('monotonic')
    expect(claim.holds()).toBe(false)
    expect(await asked()).toEqual(all('answered'))
    await expect.poll(() => claim.holds()).toBe(true)
    expect(await until()).toBeGreaterThan(before)
    expect(closed).toBe(0)
  })

  it('goes on reading where a claim cannot be renewed, and asks of every answer whether the store is open', async () => {
    let writable = false
    const leases = { ...store.leases, take: store.leases.take }
    leases.take = async (...input) => {
      if (!writable && passed.monotonic > 0) throw new Error('The disk is full.')
      return store.leases.take(...input)
    }
    const own = await claimStore(leases, { seals: 'a', closed: () => void closed++, clocks: () => ({ ...passed }) })
    const full = fenceStore(store, own)
    freeze('monotonic')
    expect(await full.feed.head()).toMatchObject({ seq: 0 })
    expect(own.holds()).toBe(false)
    await copy()
    expect(() => full.feed.head()).toThrow(expect.objectContaining(unavailable))
    writable = true
    await own.letGo()
  })

  it('does not believe an answer that was on its way during the freeze', async () => {
    const slow = fenceStore(
      {
        ...store,
        feed: {
          ...store.feed,
          async head() {
            const head = await store.feed.head()
            freeze('monotonic')
            await copy()
            return head
          },
        },
      },
      claim,
    )
    await expect(slow.feed.head()).rejects.toMatchObject(unavailable)
  })
})

describe('behind a cut', () => {
  it('of two minutes: served again at once, unless everything was moved meanwhile', async () => {
    const server = await startPostgres(['fsync=off'])
    const proxy = await startTcpProxy(server.port)
    let gone = 0
    const now = Date.now
    vi.spyOn(Date, 'now').mockImplementation(() => now() + gone)
    const database = await server.create()
    const events: string[] = []
    const service = await startService({
      database: server.url(database, proxy.port),
      observe: ({ event }) => void events.push(event),
    })
    const { auth } = service
    try {
      const browser = createBrowser(service.origin)
      expect((await signInOver(browser, '', 'ada@example.com')).status).toBe(200)
      const check = async () => (await browser.fetch('/v1/session')).status
      const mint = async () => (await browser.fetch('/v1/session/token', { method: 'POST', json: {} })).status
      const isFresh = () => auth.verifier.status().stalenessMs < 5000
      await auth.verifier.ready()
      expect([await check(), await mint(), isFresh()]).toEqual([200, 200, true])
      /** The link is down for two minutes: the claim runs out there, and both know of the time. */
      const cut = async (meanwhile: () => Promise<unknown>) => {
        events.length = 0
        proxy.become({ as: 'cut' })
        await expect.poll(async () => [await check(), events.includes('store.down')], { timeout: 10_000 }).toEqual([503, true])
        await server.sql(database, 'UPDATE symbolon.leases SET until = 0')
        gone += 2 * minutes
        await meanwhile()
        proxy.become({ as: 'pass' })
        await expect.poll(() => events, { interval: 2, timeout: 10_000 }).toContain('store.up')
      }

      await cut(async () => {})
      expect([await check(), await mint()]).toEqual([200, 200])
      await expect.poll(isFresh, { timeout: 5000 }).toBe(true)
      await expect(auth.feed.head()).resolves.toMatchObject({ feedId: expect.any(String) })

      await cut(() => copyStore(server.url(database), folder))
      expect([await check(), await mint()]).toEqual([503, 503])
      await expect(auth.feed.head()).rejects.toMatchObject(unavailable)
      expect(isFresh()).toBe(false)
      expect(events).toContain('store.closed')
    } finally {
      await service.close()
      await proxy.close()
      server.stop()
    }
  })
})
