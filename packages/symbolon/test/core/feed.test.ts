// The feed's hub on a real store, with a clock moved by hand and ears that may be slow.

import { SymbolonError } from '@symbolon/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Client, FeedEar, FeedHub, FeedMessage } from '#core'
import { createFeed } from '../../src/core/feed.ts'
import { openSetting, type Setting } from '../setting/service.ts'

/** A clock that stands still until it is moved. */
function handClock() {
  let now = 1000
  const timers = new Set<{ readonly at: number; readonly run: () => void }>()
  return {
    now: () => now,
    after(ms: number, run: () => void) {
      // A breath is not a wait: it comes by itself.
      if (ms === 0) setImmediate(run)
      const timer = { at: now + ms, run }
      if (ms > 0) timers.add(timer)
      return () => void timers.delete(timer)
    },
    async advance(ms: number) {
      for (const end = now + ms; now < end; ) {
        now = Math.min(end, now + 50)
        for (const timer of [...timers])
          if (timer.at <= now && timers.delete(timer)) {
            timer.run()
            await turn()
          }
      }
      await turn()
    },
  }
}
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
const until = async (met: () => boolean, what: string) => {
  for (const end = performance.now() + 10_000; !met(); await turn()) if (performance.now() > end) throw new Error(`never: ${what}`)
}

/** An ear that takes `room` messages, then none until it is given more. */
function listen(room = Number.POSITIVE_INFINITY) {
  const heard: FeedMessage[] = []
  let left = room
  let release = () => {}
  const state = { ended: false, cut: false }
  const ear: FeedEar = {
    write(message) {
      if (left <= 0) return false
      left--
      heard.push(message)
      return true
    },
    room: () =>
      left > 0 || state.ended
        ? Promise.resolve(!state.ended)
        : new Promise((resolve) => {
            release = () => resolve(!state.ended)
          }),
    end: () => {
      state.ended = true
      release()
    },
    cut: () => {
      state.cut = true
      state.ended = true
      release()
    },
  }
  const told = () => heard.flatMap(({ event, data }) => (event === 'revocations' ? [data] : []))
  return {
    ear,
    heard,
    state,
    words: () => heard.map(({ event }) => event),
    /** The numbers of all entries; throws when a range does not begin where the one before ended. */
    seqs() {
      told().forEach((range, i, all) => {
        if (i > 0) expect(range.from).toBe(all[i - 1]?.to)
      })
      return told().flatMap(({ entries }) => entries.map(({ seq }) => seq))
    },
    told,
    give(more: number) {
      left = more
      release()
    },
  }
}

let setting: Setting
let clock: ReturnType<typeof handClock>
let hub: FeedHub
let api: Client
let user: string
/** Whether the store's log can be read. */
let readable: boolean
const events: { readonly event: string; readonly [field: string]: unknown }[] = []
const bump = async (count: number) => {
  for (let done = 0; done < count; done += 2000)
    await Promise.all(Array.from({ length: Math.min(2000, count - done) }, () => setting.store.users.change(user, { bump: true }, [])))
}
const client = async (id: string) => (await setting.core.clients.find(id)) as Client
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + 1 + i)
const head = async () => (await setting.store.feed.head()) as { feedId: string; seq: number }

beforeEach(async () => {
  setting = await openSetting()
  await setting.core.clients.create({ id: 'api', name: 'API', transport: 'service', scopes: ['revocations:read'] }, 'test')
  api = await client('api')
  const made = await setting.core.users.create({ email: 'ada@example.com' }, 'test')
  user = made.ok ? made.user.id : ''
  clock = handClock()
  events.length = 0
  readable = true
  const { store } = setting
  const head = () => {
    if (!readable) throw new SymbolonError('store_unavailable')
    return store.feed.head()
  }
  const ports = { ...setting.ports, store: { ...store, feed: { ...store.feed, head } } }
  hub = createFeed({ ...ports, clock, observe: (event) => void events.push(event) })
  setting.store.onRevocations(hub.wake)
})
afterEach(async () => {
  hub.close()
  await setting.close()
})

describe('a follower', () => {
  it('hears: open, a beat, entries, and beats at least each second that never speak of what it was not told', async () => {
    const one = listen()
    await hub.follow(api, undefined, one.ear)
    expect(one.words()).toEqual(['open', 'beat'])
    const { seq } = await head()
    await bump(3)
    await until(() => one.seqs().length === 3, 'three entries')
    for (let second = 0; second < 5; second++) {
      const before = one.words().filter((word) => word === 'beat').length
      await clock.advance(1000)
      await bump(1)
      expect(one.words().filter((word) => word === 'beat').length).toBeGreaterThan(before)
    }
    await until(() => one.seqs().length === 8, 'eight entries')
    expect(one.seqs()).toEqual(range(seq, seq + 8))
    let applied = seq
    for (const { event, data } of one.heard) {
      if (event === 'revocations') applied = data.to
      if (event === 'beat') expect(data.head).toBe(applied)
      if (event === 'beat') expect(data.t).toBeGreaterThanOrEqual(1000)
    }
  })

  it('hears within a look what another process commits', async () => {
    const { openSqliteStore } = await import('#stores/sqlite')
    const path = setting.path
    const other = await openSqliteStore({ path, clock: () => setting.time })
    try {
      const one = listen()
      await hub.follow(api, undefined, one.ear)
      await other.users.change(user, { bump: true }, [])
      await turn()
      expect(one.seqs()).toEqual([])
      await clock.advance(100)
      expect(one.seqs()).toHaveLength(1)
    } finally {
      await other.close()
    }
  })

  it('hears no beat from a node that cannot read its store', async () => {
    const one = listen()
    await hub.follow(api, undefined, one.ear)
    await clock.advance(3000)
    const before = one.words().length
    expect(before).toBeGreaterThanOrEqual(5)
    readable = false
    await clock.advance(5000)
    expect(one.words()).toHaveLength(before)
    await expect(hub.follow(api, undefined, listen().ear)).rejects.toMatchObject({ status: 503 })
    await expect(hub.poll(api, { feedId: '0123456789abcdef', seq: 0 }, 0)).rejects.toMatchObject({ status: 503 })
    expect(hub.followers()).toHaveLength(1)
    readable = true
    await clock.advance(1000)
    expect(one.words().length).toBeGreaterThan(before)
  })

  it('that is behind is given the log in pages, and then what comes, without a gap or a thing twice', async () => {
    const from = await head()
    await bump(2600)
    const followers = [listen(), listen(2), listen()]
    await Promise.all(followers.map(({ ear }) => hub.follow(api, from, ear)))
    const coming = bump(300)
    followers[1]?.give(Number.POSITIVE_INFINITY)
    await coming
    for (const one of followers) {
      await until(() => one.seqs().length >= 2900, 'everything')
      expect(one.seqs()).toEqual(range(from.seq, from.seq + 2900))
      expect(one.words().filter((word) => word === 'beat').length).toBeGreaterThanOrEqual(1)
    }
    // One reading for all who are at the same place.
    expect(followers[0]?.told()[0]).toBe(followers[2]?.told()[0])
  })

  it('that has no room goes on from where it was when it has; without room for long it is cut', async () => {
    const [slow, dead, quick] = [listen(3), listen(3), listen()]
    for (const { ear } of [slow, dead, quick]) await hub.follow(api, undefined, ear)
    const { seq } = await head()
    for (let i = 0; i < 5; i++) {
      await bump(1)
      await turn()
    }
    expect([slow.seqs(), quick.seqs()]).toEqual([[seq + 1], range(seq, seq + 5)])
    await clock.advance(4000)
    slow.give(Number.POSITIVE_INFINITY)
    await until(() => slow.seqs().length === 5, 'the rest')
    expect(slow.seqs()).toEqual(range(seq, seq + 5))
    await clock.advance(1100)
    expect([slow.state.cut, dead.state.cut, quick.state.cut]).toEqual([false, true, false])
    expect(events.filter(({ event }) => event === 'feed.cut')).toEqual([{ event: 'feed.cut', clientId: 'api' }])
    expect(hub.followers()).toHaveLength(2)
  })

  it('too far behind, or of another time, is told to take a snapshot', async () => {
    const from = await head()
    await bump(10_001)
    const far = listen()
    await hub.follow(api, from, far.ear)
    expect(far.heard.at(-1)).toMatchObject({ event: 'snapshot', data: { reason: 'behind' } })
    expect([far.words(), far.state.ended, hub.followers()]).toEqual([['open', 'snapshot'], true, []])
    expect(await hub.poll(api, from, 0)).toBe('snapshot_required')
    const near = listen()
    await hub.follow(api, { ...from, seq: from.seq + 1 }, near.ear)
    await until(() => near.seqs().length === 10_000, 'ten thousand')
  })

  it('that knows more than the store renews the feed, once however many there are; all take a snapshot', async () => {
    const before = await head()
    const witness = listen()
    await hub.follow(api, undefined, witness.ear)
    const ahead = Array.from({ length: 5 }, () => listen())
    await Promise.all(ahead.map(({ ear }) => hub.follow(api, { ...before, seq: before.seq + 1 }, ear)))
    const after = await head()
    expect(after).toEqual({ feedId: expect.not.stringMatching(before.feedId), seq: before.seq })
    for (const one of [witness, ...ahead]) {
      expect(one.heard.at(-1)).toMatchObject({ event: 'snapshot', data: { feed: after.feedId, reason: 'renewed' } })
      expect(one.state.ended).toBe(true)
    }
    for (const one of ahead) expect(one.words()).toEqual(['open', 'snapshot'])
    expect(events.filter(({ event }) => event === 'feed.renewed')).toHaveLength(1)
    const next = listen()
    await hub.follow(api, after, next.ear)
    expect(next.words()).toEqual(['open', 'beat'])
  })

  it('is sent elsewhere after ten minutes, and when the service ends', async () => {
    const [old, young] = [listen(), listen()]
    await hub.follow(api, undefined, old.ear)
    await clock.advance(530_000)
    expect(old.state.ended).toBe(false)
    await hub.follow(api, undefined, young.ear)
    await clock.advance(75_000)
    expect([old.words().at(-1), old.state.ended, young.state.ended]).toEqual(['bye', true, false])
    hub.close()
    expect([young.words().at(-1), young.state.ended]).toEqual(['bye', true])
    await expect(hub.follow(api, undefined, listen().ear)).rejects.toMatchObject({ code: 'try_later' })
  })

  it('is sent away before what it showed is over, though the store cannot be read; others stay', async () => {
    const [timed, other, longer] = [listen(), listen(), listen()]
    await hub.follow(api, undefined, timed.ear, setting.time + 60_000)
    await hub.follow(api, undefined, longer.ear, setting.time + 120_000)
    await hub.follow(api, undefined, other.ear)
    const polled = hub.poll(api, await head(), 30_000, setting.time + 20_000)
    await clock.advance(18_900)
    expect(await Promise.race([polled, Promise.resolve('waits')])).toBe('waits')
    await clock.advance(200)
    expect(await polled).toMatchObject({ entries: [] })
    readable = false
    await clock.advance(39_600)
    expect(timed.state.ended).toBe(false)
    await clock.advance(400)
    expect([timed.words().at(-1), timed.state.ended, other.state.ended, longer.state.ended]).toEqual(['bye', true, false, false])
  })

  it('that shows what is all but over is let in, and sent away at once', async () => {
    const late = listen()
    await hub.follow(api, undefined, late.ear, setting.time + 500)
    await clock.advance(100)
    expect([late.words(), late.state.ended]).toEqual([['open', 'beat', 'bye'], true])
    expect(await hub.poll(api, await head(), 30_000, setting.time - 500)).toMatchObject({ entries: [] })
  })

  it.each([
    ['is disabled', async () => setting.core.clients.change('api', { status: 'disabled' }, 'test')],
    ['loses the scope', async () => setting.core.clients.change('api', { scopes: [] }, 'test')],
    [
      'has its secret replaced',
      async () => [await setting.core.clients.rotateSecret('api', 'test'), await setting.core.clients.rotateSecret('api', 'test')],
    ],
  ])('ends within two beats when its client %s; others stay', async (_, change) => {
    await setting.core.clients.create({ id: 'other', name: 'Other', transport: 'service', scopes: ['revocations:read'] }, 'test')
    const [one, other] = [listen(), listen()]
    await hub.follow(api, undefined, one.ear)
    await hub.follow(await client('other'), undefined, other.ear)
    const waiting = hub.poll(api, await head(), 30_000)
    waiting.catch(() => {})
    await clock.advance(2000)
    expect(hub.followers().map(({ clientId, transport }) => [clientId, transport])).toEqual([
      ['api', 'stream'],
      ['other', 'stream'],
      ['api', 'long_poll'],
    ])
    await change()
    await clock.advance(2000)
    expect([one.state.ended, other.state.ended]).toEqual([true, false])
    await waiting.then(
      // A change of the client is an entry itself, and may have been told just before.
      (page) => expect(page).toMatchObject({ entries: [{ kind: 'client' }] }),
      (error) => expect(error).toMatchObject({ code: 'invalid_client' }),
    )
  })

  it('is one of so many of its client', async () => {
    const all = await Promise.all(Array.from({ length: 2000 }, () => hub.follow(api, undefined, listen().ear)))
    await expect(hub.follow(api, undefined, listen().ear)).rejects.toMatchObject({ code: 'rate_limited' })
    await expect(hub.poll(api, await head(), 0)).rejects.toMatchObject({ code: 'rate_limited' })
    all[0]?.()
    await hub.follow(api, undefined, listen().ear)
  })
})

describe('a long poll', () => {
  it('waits for an entry or its time, and never longer', async () => {
    const from = await head()
    const told = hub.poll(api, from, 20_000)
    await turn()
    await bump(1)
    expect(await told).toMatchObject({ from: from.seq, to: from.seq + 1, head: from.seq + 1, entries: [{ id: user }] })
    let page: unknown
    const waiting = hub.poll(api, await head(), 20_000).then((one) => {
      page = one
    })
    await turn()
    await clock.advance(19_000)
    expect(page).toBeUndefined()
    await clock.advance(1000)
    await waiting
    expect(page).toMatchObject({ entries: [], head: from.seq + 1, t0: 1000, t: expect.any(Number) })
    expect((page as { t: number }).t).toBeGreaterThanOrEqual(20_000)
    // Listed until it should have asked again.
    expect(hub.followers()).toMatchObject([{ clientId: 'api', transport: 'long_poll' }])
    await clock.advance(3100)
    expect(hub.followers()).toEqual([])
    await bump(1)
    expect(await hub.poll(api, { ...from, seq: from.seq + 1 }, 0)).toMatchObject({ to: from.seq + 2, entries: [{ id: user }] })
  })
})

describe('a snapshot', () => {
  it('holds what can still matter up to its head, and fails when the feed is renewed under it', async () => {
    await bump(1500)
    setting.time += 1_020_001
    await bump(1200)
    const lines = []
    for await (const line of hub.snapshot()) lines.push(line)
    const { feedId, seq } = await head()
    expect(lines[0]).toEqual({ feed: feedId, head: seq, t0: 1000, t: 1000 })
    // Keys published at the start stand for a day; of the user's entries only those of now.
    const entries = lines.slice(1).flatMap((line) => (Array.isArray(line) ? [...line] : []))
    expect(entries.filter(([kind]) => kind === 'user')).toHaveLength(1200)
    expect(entries.filter(([kind]) => kind === 'key').length).toBeGreaterThan(0)
    const torn = hub.snapshot()
    await torn.next()
    await setting.store.feed.renew(feedId)
    await expect(
      (async () => {
        for await (const _ of torn);
      })(),
    ).rejects.toMatchObject({ code: 'try_later' })
  })

  it('is one of so many at once', async () => {
    const all = Array.from({ length: 50 }, () => hub.snapshot())
    for (const one of all) await one.next()
    await expect(hub.snapshot().next()).rejects.toMatchObject({ code: 'try_later' })
    await all[0]?.return()
    await hub.snapshot().next()
  })
})
