// What a store does with sealed values, and with the steps of a restore: bounded walks, compare-and-set, and nothing
// twice where once is meant.

import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { SealedKind, SealedRow, Store } from '#core'
import { client, hour, id, type StoreUnderTest, setStore } from './setting.ts'

const [old, fresh] = ['0011223344556677', '8899aabbccddeeff']
const sealed = (secret: string) => new Uint8Array(Buffer.concat([Buffer.of(1), Buffer.from(secret, 'hex'), randomBytes(76)]))

async function walk(store: Store, kind: SealedKind, which: { under: string } | { notUnder: string }, limit: number) {
  const found: SealedRow[] = []
  let pages = 0
  for (let after: string | null = ''; after !== null; pages++) {
    const page: Awaited<ReturnType<Store['seals']['page']>> = await store.seals.page(kind, which, after, limit)
    expect(page.rows.length).toBeLessThanOrEqual(limit)
    found.push(...page.rows)
    after = page.next
  }
  return { found, pages }
}

/** Runs the suite; `open` opens an empty store on a clock. */
export function sealSuite(name: string, open: (clock: () => number) => Promise<StoreUnderTest>): void {
  describe(`${name} keeps what is sealed`, () => {
    const set = setStore(open)
    const { opened, attempt, find } = set
    const key = (kid: string, state: 'active' | 'next' | 'retiring') => ({
      kid,
      alg: 'ES256' as const,
      state,
      publicJwk: { kid, kty: 'EC', alg: 'ES256', use: 'sig' } as never,
      sealedPrivate: sealed(old),
    })

    it('walks through values by their secret, in bounded pages, and skips what was emptied', async () => {
      const sids: string[] = []
      for (let i = 0; i < 7; i++) sids.push((await opened({}, { sealedKey: sealed(i < 5 ? old : fresh) })).snapshot.session.sid)
      const { seals, keys } = set.under.store
      expect((await walk(set.under.store, 'session', { under: old }, 2)).found.map((row) => row.id)).toEqual(sids.slice(0, 5).sort())
      const others = await walk(set.under.store, 'session', { notUnder: old }, 2)
      expect(others.found.map((row) => row.id)).toEqual(sids.slice(5).sort())
      expect(others.found[0]?.kind).toBe('token')
      expect(Buffer.from((others.found[0] as SealedRow).sealed)).toEqual(
        Buffer.from((await find(others.found[0]?.id ?? '')).session.sealedKey),
      )
      await keys.change({ insert: [key('a', 'active'), key('b', 'next'), key('c', 'retiring')], move: [], audit: [] })
      await keys.change({ insert: [], move: [{ kid: 'b', from: 'next', to: 'revoked' }], audit: [] })
      expect((await walk(set.under.store, 'key', { notUnder: fresh }, 10)).found.map((row) => row.id)).toEqual(['a', 'c'])
      expect(await seals.count('key', '')).toEqual({ counts: [{ secret: old, count: 1 }], next: null })
    })

    it('counts what is still of use: live sessions, and sign-ins under way', async () => {
      const { snapshot } = await opened({}, { sealedKey: sealed(old) })
      await opened({}, { sealedKey: sealed(old) })
      await opened({}, { sealedKey: sealed(fresh), idle: 2 * hour })
      const one = attempt({ sealedIdentifier: sealed(old) })
      await set.under.store.attempts.start(one, [], [])
      const { seals, sessions } = set.under.store
      const count = async (kind: SealedKind) =>
        Object.fromEntries((await seals.count(kind, '')).counts.map(({ secret, count }) => [secret, count]))
      expect([await count('session'), await count('attempt')]).toEqual([{ [old]: 2, [fresh]: 1 }, { [old]: 1 }])
      await sessions.revoke({ sid: snapshot.session.sid }, 'admin', [])
      expect(await count('session')).toEqual({ [old]: 1, [fresh]: 1 })
      set.time += hour
      expect([await count('session'), await count('attempt')]).toEqual([{ [fresh]: 1 }, {}])
    })

    it('replaces a value only where the old one still stands, and shows the new one at once', async () => {
      const from = sealed(old)
      const { sid } = (await opened({}, { sealedKey: from })).snapshot.session
      await find(sid)
      const { seals, sessions } = set.under.store
      const [one, two] = [sealed(fresh), sealed(fresh)]
      const both = await Promise.all([one, two].map((to) => seals.replace('session', [{ id: sid, from, to }])))
      expect(both.sort()).toEqual([0, 1])
      const now = (await find(sid)).session
      expect([one, two].map((each) => Buffer.from(each).toString('hex'))).toContain(Buffer.from(now.sealedKey).toString('hex'))
      // A rotation meanwhile is no reason to give up, nor is one undone by it.
      await Promise.all([
        sessions.rotate(set.rotation(sid, 1)),
        seals.replace('session', [{ id: sid, from: now.sealedKey, to: from }, ...[{ id: id(), from, to: one }]]),
      ])
      const last = (await find(sid)).session
      expect([last.generation, Buffer.from(last.sealedKey)]).toEqual([2, Buffer.from(from)])
    })

    it('replaces values of keys and attempts too', async () => {
      const { seals, keys, attempts } = set.under.store
      const made = key('a', 'active')
      await keys.change({ insert: [made], move: [], audit: [] })
      const begun = attempt({ sealedIdentifier: sealed(old) })
      await attempts.start(begun, [], [])
      const to = sealed(fresh)
      expect(await seals.replace('key', [{ id: 'a', from: made.sealedPrivate, to }])).toBe(1)
      expect(await seals.replace('attempt', [{ id: begun.idHash, from: begun.sealedIdentifier, to }])).toBe(1)
      expect(Buffer.from((await keys.list()).keys[0]?.sealedPrivate ?? [])).toEqual(Buffer.from(to))
      expect(Buffer.from((await attempts.find(begun.idHash))?.attempt.sealedIdentifier ?? [])).toEqual(Buffer.from(to))
    })

    it('notes secrets once, the newest last, and forgets them', async () => {
      const { seals } = set.under.store
      expect(await seals.noted()).toEqual([])
      await seals.note([old, fresh])
      expect(await seals.noted()).toEqual([old, fresh])
      await seals.note([old])
      expect(await seals.noted()).toEqual([fresh, old])
      await seals.forget(old)
      expect(await seals.noted()).toEqual([fresh])
    })
  })

  describe(`${name} is restored`, () => {
    const set = setStore(open)
    const { opened, find, attempt } = set
    const line = (event: string) => ({ event, userId: null, sid: null, clientId: null, ip: null, detail: {} })

    it('begins once, whoever asks: a new id for the log, which knows the former ones', async () => {
      const { restores, feed, audit } = set.under.store
      const before = await feed.head()
      expect(await restores.pending()).toBeUndefined()
      const input = { former: 'elsewhere', kids: ['unknown-key'], audit: [line('store.restored')] }
      const begun = await Promise.all([restores.begin(input), restores.begin(input)])
      const head = await feed.head()
      expect(head.feedId).not.toBe(before.feedId)
      expect(head.seq).toBe(before.seq + 1)
      expect(begun[0]?.cut).toBe(begun[1]?.cut)
      expect(await restores.pending()).toEqual({ cut: set.time })
      expect(await Promise.all([before.feedId, head.feedId, 'elsewhere', 'never'].map((one) => restores.had(one)))).toEqual([
        true,
        true,
        true,
        false,
      ])
      expect(await feed.after(before.seq, 10)).toEqual([
        expect.objectContaining({ kind: 'key', id: 'unknown-key', state: 'revoked', expires: null }),
      ])
      expect(await restores.end([line('store.served')])).toEqual(head)
      expect(await restores.pending()).toBeUndefined()
      expect((await audit.list({}, 10)).map(({ event }) => event)).toEqual(['store.served', 'store.restored'])
    })

    it('remembers ids of the log that were renewed', async () => {
      const { feed, restores } = set.under.store
      const before = await feed.head()
      const after = await feed.renew(before.feedId)
      expect(await feed.renew(before.feedId)).toEqual(after)
      expect([await restores.had(before.feedId), await restores.had(after.feedId)]).toEqual([true, true])
    })

    it('ends every session opened up to the cut, and none after it', async () => {
      const user = { email: 'a@example.com', create: { id: `usr_${id()}`, roles: [] } }
      const early = []
      for (let i = 0; i < 3; i++) early.push((await opened({ user })).snapshot.session.sid)
      const cut = set.time
      set.time += 1
      const late = (await opened({ user })).snapshot.session.sid
      const { sids, rest } = await set.under.store.sessions.revoke({ before: cut }, 'restored', [])
      expect([[...sids].sort(), rest]).toEqual([[...early].sort(), null])
      expect((await find(early[0] as string)).session.revokedReason).toBe('restored')
      expect((await find(late)).session.revokedAt).toBeNull()
    })

    it('grows every epoch by a leap, and tells it to the log', async () => {
      const { restores, users, clients, feed } = set.under.store
      await clients.put(client('other'), null, [])
      await users.create({ id: 'usr_a', email: 'a@example.com', roles: [] }, [])
      const { seq } = await feed.head()
      expect(await restores.grow('user', '')).toEqual({ count: 1, next: null })
      expect(await restores.grow('client', '')).toEqual({ count: 2, next: null })
      expect(await restores.grow('client', 'app')).toEqual({ count: 1, next: null })
      const [user, app] = [await users.find({ id: 'usr_a' }), await clients.find('app')]
      expect(user?.epoch).toBeGreaterThan(10_000)
      expect(app?.epoch).toBe(user?.epoch)
      expect((await feed.after(seq, 10)).map(({ kind, id: of, epoch }) => [kind, of, epoch])).toEqual([
        ['user', 'usr_a', user?.epoch],
        ['client', 'app', app?.epoch],
        ['client', 'other', app?.epoch],
        ['client', 'other', (await clients.find('other'))?.epoch],
      ])
    })

    it('drops attempts in batches', async () => {
      const { restores, attempts } = set.under.store
      const all = [attempt(), attempt(), attempt()]
      for (const one of all) await attempts.start(one, [], [])
      expect([await restores.dropAttempts(2), await restores.dropAttempts(2), await restores.dropAttempts(2)]).toEqual([2, 1, 0])
      expect(await attempts.find(all[0]?.idHash ?? '')).toBeUndefined()
    })
  })
}
