// The embedded store passes the suite, and meets what only a file can meet.

import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'libsql'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openSqliteStore, type SqliteStore } from '#stores/sqlite'
import { feedSuite } from '../suites/store/feed.ts'
import { storeSuite } from '../suites/store/suite.ts'

storeSuite('SQLite', async (clock) => {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-store-'))
  const path = join(folder, 'symbolon.db')
  const under = {
    store: await openSqliteStore({ path, clock }),
    async reopen() {
      await under.store.close()
      under.store = await openSqliteStore({ path, clock })
    },
    async close() {
      await under.store.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return under
})

feedSuite('SQLite', async (clock) => {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-log-'))
  const path = join(folder, 'symbolon.db')
  const opened = [await openSqliteStore({ path, clock })]
  return {
    store: opened[0] as SqliteStore,
    async beside() {
      const other = await openSqliteStore({ path, clock })
      opened.push(other)
      return other
    },
    async close() {
      for (const store of opened) await store.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
})

it('shows a revocation that another process commits late in its place, and never one behind it before', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-late-'))
  const path = join(folder, 'symbolon.db')
  const store = await openSqliteStore({ path })
  const late = new Database(path)
  try {
    // The other one has taken its number, and takes its time to commit.
    late.exec(
      "BEGIN IMMEDIATE; UPDATE feed_head SET seq = seq + 1; INSERT INTO feed VALUES ('main', 1, 'session', 'late', NULL, NULL, 1, NULL)",
    )
    const early = store.users
      .create({ id: 'usr_x', email: 'x@example.com', roles: [] }, [])
      .then(() => store.users.change('usr_x', { roles: ['a'] }, []))
    const seen: number[] = []
    let last = 0
    const look = async () => {
      for (const { seq } of await store.feed.after(last, 10)) {
        seen.push(seq)
        last = seq
      }
    }
    for (let i = 0; i < 10; i++) {
      await look()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect([seen, await store.feed.head()]).toEqual([[], expect.objectContaining({ seq: 0 })])
    late.exec('COMMIT')
    expect((await early)?.head.seq).toBe(2)
    await look()
    expect(seen).toEqual([1, 2])
  } finally {
    late.close()
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  }
})

describe('the file', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'symbolon-store-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('is its owner’s alone', async () => {
    const path = join(folder, 'symbolon.db')
    await (await openSqliteStore({ path })).close()
    expect(statSync(path).mode & 0o777).toBe(0o600)
    chmodSync(path, 0o644)
    await (await openSqliteStore({ path })).close()
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it.each([
    ['not a database', (path: string) => writeFileSync(path, 'hello world '.repeat(500)), 'is not a database'],
    [
      'of a newer version',
      (path: string) => {
        const db = new Database(path)
        db.exec('PRAGMA user_version = 99')
        db.close()
      },
      'newer version',
    ],
    ['in no directory', (path: string) => rmSync(join(path, '..'), { recursive: true }), 'cannot be opened'],
  ])('is refused with a sentence when it is %s', async (_, make, sentence) => {
    const path = join(folder, 'symbolon.db')
    make(path)
    await expect(openSqliteStore({ path })).rejects.toThrow(sentence)
  })

  it('serves two stores at once, and waits out a lock without blocking the event loop', async () => {
    const path = join(folder, 'symbolon.db')
    const stores: SqliteStore[] = [await openSqliteStore({ path }), await openSqliteStore({ path })]
    try {
      const budget = { key: 'one', limit: 10, window: 60_000 }
      const spent = await Promise.all(Array.from({ length: 30 }, (_, i) => (stores[i % 2] as SqliteStore).limits.spend([budget])))
      expect(spent.filter(({ outcome }) => outcome === 'spent')).toHaveLength(10)
      /** The longest time in which nothing else ran while a write waited for a lock. */
      const round = async () => {
        const other = new Database(path)
        other.exec('BEGIN IMMEDIATE')
        let worst = 0
        let last = performance.now()
        const ticks = setInterval(() => {
          worst = Math.max(worst, performance.now() - last)
          last = performance.now()
        }, 5)
        const waiting = (stores[0] as SqliteStore).limits.spend([{ ...budget, key: 'two' }])
        await new Promise((resolve) => setTimeout(resolve, 300))
        other.exec('COMMIT')
        other.close()
        expect(await waiting).toEqual({ outcome: 'spent' })
        clearInterval(ticks)
        return worst
      }
      // A machine may stand still for once; a store that blocks does so each time.
      let least = await round()
      for (let again = 0; again < 4 && least >= 150; again++) least = Math.min(least, await round())
      expect(least).toBeLessThan(150)
    } finally {
      for (const store of stores) await store.close()
    }
  })
})

it('says that it cannot be reached when it is closed, to readers of its clock and to writers', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-store-'))
  const store = await openSqliteStore({ path: join(folder, 'symbolon.db') })
  expect(await store.now()).toBeGreaterThan(0)
  await store.close()
  expect(() => store.now()).toThrow(expect.objectContaining({ code: 'store_unavailable' }))
  await expect(store.limits.spend([])).rejects.toMatchObject({ code: 'store_unavailable' })
  rmSync(folder, { recursive: true, force: true })
})
