// The log followed in the process's own store, on real files with a second store beside: what is applied when, and how old
// knowledge says it is.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Revocation, SymbolonError } from '@symbolon/protocol'
import type { Feed } from '@symbolon/verifier'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openSqliteStore, type SqliteStore } from '#stores/sqlite'
import { followStore } from '../../src/embed/following.ts'

let folder: string
let store: SqliteStore
let other: SqliteStore
let feeds: Feed[]
let applied: Revocation[]
let readable: boolean
const user = 'usr_x'
const bump = async (where: SqliteStore) => {
  const changed = await where.users.change(user, { bump: true }, [])
  if (changed === undefined) throw new Error('no user')
  return changed.head
}
const follow = (ready: () => Promise<void> = async () => {}): Feed => {
  const head = () => {
    if (!readable) throw new SymbolonError('store_unavailable')
    return store.feed.head()
  }
  const feed = followStore({
    store: () => ({ feed: { ...store.feed, head } }),
    onRevoked: (apply) => store.onRevocations(apply),
    ready,
    apply: (entries) => void applied.push(...entries),
  })
  feeds.push(feed)
  return feed
}
const until = async (met: () => boolean, what: string) => {
  for (const end = performance.now() + 10_000; !met(); await new Promise((resolve) => setTimeout(resolve, 5)))
    if (performance.now() > end) throw new Error(`never: ${what}`)
}
const epochs = () => applied.map(({ epoch }) => epoch)

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'symbolon-following-'))
  const path = join(folder, 'symbolon.db')
  store = await openSqliteStore({ path })
  other = await openSqliteStore({ path })
  await store.users.create({ id: user, email: 'x@example.com', roles: [] }, [])
  feeds = []
  applied = []
  readable = true
})
afterEach(async () => {
  for (const feed of feeds) feed.end()
  await store.close()
  await other.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('an embedded process', () => {
  it('knows nothing before it has read everything, then everything', async () => {
    await Promise.all(Array.from({ length: 2500 }, () => bump(store)))
    let open = () => {}
    const feed = follow(() => new Promise((resolve) => (open = resolve)))
    expect([feed.staleness(), feed.position(), feed.reached(await store.feed.head(), 10)]).toEqual([
      Number.POSITIVE_INFINITY,
      undefined,
      false,
    ])
    open()
    await feed.ready()
    expect(applied.map(({ seq }) => seq)).toEqual(Array.from({ length: 2500 }, (_, i) => i + 1))
    expect(feed.position()).toEqual(await store.feed.head())
    expect(feed.status()).toMatchObject({ head: 2500, applied: 2500, transport: 'in_process' })
  })

  it('has applied its own commits before their callers hear of them', async () => {
    const feed = follow()
    await feed.ready()
    for (let i = 0; i < 20; i++) {
      const head = await bump(store)
      expect(applied.at(-1)?.seq).toBe(head.seq)
      expect(feed.reached(head, 0)).toBe(true)
    }
  })

  it('applies what others commit within a look, and says until then how old it is', async () => {
    const feed = follow()
    await feed.ready()
    const committed = performance.now()
    const head = await bump(other)
    const reached = feed.reached(head, 2000)
    expect(await reached).toBe(true)
    expect(epochs().at(-1)).toBe((await store.users.find({ id: user }))?.epoch)
    expect(feed.staleness()).toBeGreaterThanOrEqual(0)
    // What is in there began after the commit, or it would not be in there.
    expect(performance.now() - feed.staleness()).toBeGreaterThanOrEqual(committed - 1)
    const later = await bump(other)
    await until(() => applied.at(-1)?.seq === later.seq, 'applied without being asked for')
  })

  it('gets older while the store cannot be read, and waits no longer than it is told', async () => {
    const feed = follow()
    await feed.ready()
    readable = false
    const head = await bump(other)
    expect(await feed.reached(head, 20)).toBe(false)
    await until(() => feed.staleness() > 300, 'old')
    expect(applied.at(-1)?.seq ?? 0).toBeLessThan(head.seq)
    readable = true
    await until(() => feed.staleness() < 100, 'young again')
    expect(feed.reached(head, 0)).toBe(true)
  })

  it('that cannot read its store at first is ready as soon as it can', async () => {
    readable = false
    const feed = follow()
    let ready = false
    void feed.ready().then(() => {
      ready = true
    })
    await new Promise((resolve) => setTimeout(resolve, 250))
    expect(ready).toBe(false)
    readable = true
    await feed.ready()
    expect(feed.staleness()).toBeLessThan(1000)
  })

  it('takes a machine’s sleep into account: the clock that went further counts', async () => {
    const feed = follow()
    await feed.ready()
    const real = Date.now
    try {
      Date.now = () => real() + 60_000
      expect(feed.staleness()).toBeGreaterThanOrEqual(59_000)
    } finally {
      Date.now = real
    }
    await until(() => feed.staleness() < 1000, 'looked again')
  })

  it('reads a feed of another id from its beginning, and unlearns nothing', async () => {
    const feed = follow()
    await feed.ready()
    const before = await bump(store)
    await other.feed.renew(before.feedId)
    await until(() => feed.position()?.feedId !== before.feedId, 'noticed')
    expect(epochs()).toEqual([2, 2])
    expect(feed.reached(before, 0)).toBe(false)
    expect(feed.reached(await store.feed.head(), 0)).toBe(true)
  })

  it('bounds what it waits for: no other feed, nothing far ahead, a hundred at once', async () => {
    const feed = follow()
    await feed.ready()
    const { feedId, seq } = await bump(store)
    expect(feed.reached({ feedId: '0123456789abcdef', seq: 1 }, 1000)).toBe(false)
    expect(feed.reached({ feedId, seq: seq + 10_001 }, 1000)).toBe(false)
    const waiting = Array.from({ length: 100 }, () => feed.reached({ feedId, seq: seq + 1 }, 5000))
    expect(waiting.every((one) => one instanceof Promise)).toBe(true)
    expect(feed.reached({ feedId, seq: seq + 1 }, 5000)).toBe(false)
    await bump(other)
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => true))
  })

  it('ends: nothing is applied, nobody waits', async () => {
    const feed = follow()
    await feed.ready()
    const { feedId, seq } = await bump(store)
    const waiting = feed.reached({ feedId, seq: seq + 1 }, 60_000)
    feed.end()
    expect(await waiting).toBe(false)
    const count = applied.length
    await bump(store)
    expect(applied).toHaveLength(count)
    const late = follow(() => new Promise(() => {}))
    late.end()
    await expect(late.ready()).rejects.toThrow('ended')
  })
})
