// What a store is: every implementation must pass this, races included. Times move by the suite's own clock.

import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Budget } from '#core'
import { addressSuite } from './addresses.ts'
import { attemptSuite } from './attempts.ts'
import { openingSuite } from './opening.ts'
import { passkeySuite } from './passkeys.ts'
import { raiseSuite } from './raise.ts'
import { removalSuite } from './removal.ts'
import { sealSuite } from './seals.ts'
import { sessionSuite } from './sessions.ts'
import { expectSwept, hour, id, plain, type StoreUnderTest, setStore, sixAtOnce } from './setting.ts'
import { webhookSuite } from './webhooks.ts'

/** Runs the suite, that of sessions first; `open` opens an empty store on a clock. */
export function storeSuite(name: string, open: (clock: () => number) => Promise<StoreUnderTest>): void {
  sessionSuite(name, open)
  openingSuite(name, open)
  raiseSuite(name, open)
  sealSuite(name, open)
  webhookSuite(name, open)
  passkeySuite(name, open)
  attemptSuite(name, open)
  removalSuite(name, open)
  addressSuite(name, open)
  describe(`${name} is a store`, () => {
    const set = setStore(open)
    const { opened, attempt, find } = set

    it('charges exactly as many guesses as there are, however many come at once', async () => {
      const one = attempt()
      await set.under.store.attempts.start(one, [], [])
      const outcomes = await Promise.all(Array.from({ length: 40 }, () => set.under.store.attempts.charge(one.idHash, [])))
      expect(outcomes.filter(({ outcome }) => outcome === 'charged')).toHaveLength(5)
      set.time += 600_000
      const two = attempt()
      await set.under.store.attempts.start(two, [], [])
      set.time += 600_000
      expect(await set.under.store.attempts.charge(two.idHash, [])).toEqual({ outcome: 'gone' })
    })

    it('sends again only when it is time, and not without end', async () => {
      const one = attempt()
      await set.under.store.attempts.start(one, [], [])
      const again = () => set.under.store.attempts.resend(one.idHash, { codeHash: randomBytes(32), resendAfter: 60_000, maxSends: 2 }, [])
      expect(await again()).toEqual({ outcome: 'limited', retryAfterMs: 30_000 })
      set.time += 30_000
      expect((await again()).outcome).toBe('resent')
      set.time += 60_000
      expect((await again()).outcome).toBe('limited')
    })

    it('spends all budgets or none, exactly under parallel tries, and gives back with time', async () => {
      const [small, large]: Budget[] = [
        { key: 'small', limit: 5, window: 50_000 },
        { key: 'large', limit: 100, window: 50_000 },
      ]
      // How finely one is counted makes none of the others wider.
      const fine = { key: 'fine', limit: 1_000_000, window: 50_000 }
      const tries = await Promise.all(
        Array.from({ length: 20 }, () => set.under.store.limits.spend([small as Budget, large as Budget, fine])),
      )
      expect(tries.filter(({ outcome }) => outcome === 'spent')).toHaveLength(5)
      const left = await sixAtOnce(Array.from({ length: 120 }), () => set.under.store.limits.spend([large as Budget]))
      expect(left.filter(({ outcome }) => outcome === 'spent')).toHaveLength(95)
      expect(await set.under.store.limits.spend([small as Budget])).toEqual({ outcome: 'limited', retryAfterMs: 10_000 })
      set.time += 10_000
      await set.under.reopen()
      expect(await set.under.store.limits.spend([small as Budget])).toEqual({ outcome: 'spent' })
      expect((await set.under.store.limits.spend([small as Budget])).outcome).toBe('limited')
      set.time += 100_000
      await expectSwept(3, () => set.under.store.limits.sweep(100))
    })

    it('sees a key once until it is over, however many show it at once, over a restart too', async () => {
      const shown = await Promise.all(Array.from({ length: 20 }, () => set.under.store.limits.once('key', set.time + 60_000)))
      expect(shown.filter((first) => first)).toHaveLength(1)
      expect(await set.under.store.limits.once('another', set.time + 60_000)).toBe(true)
      await set.under.reopen()
      set.time += 59_000
      expect(await set.under.store.limits.once('key', set.time + 60_000)).toBe(false)
      expect(await set.under.store.limits.once('over', set.time)).toBe(false)
      set.time += 2000
      expect(await set.under.store.limits.once('key', set.time + 60_000)).toBe(true)
      set.time += 60_001
      expect(await set.under.store.limits.sweep(100)).toBe(2)
    })

    it('changes a client only as it was read: who was overtaken is told, and undoes nothing', async () => {
      const before = await set.under.store.clients.find('app')
      if (before === undefined) throw new Error('no client')
      const head = (await set.under.store.feed.head()).seq
      const changes = [{ status: 'disabled' as const }, { secretHashes: ['x'] }]
      const put = await Promise.all(changes.map((change) => set.under.store.clients.put({ ...before, ...change }, before, [])))
      expect(put.filter((one) => one === 'conflict')).toHaveLength(1)
      const [winner] = put.filter((one) => one !== 'conflict')
      const grown = winner?.client.status === 'disabled' ? 1 : 0
      expect(winner).toMatchObject({ client: { epoch: 1 + grown, secretHashes: grown === 1 ? [] : ['x'] }, head: { seq: head + grown } })
      expect(plain(await set.under.store.clients.find('app'))).toEqual(plain(winner?.client))
      const { client } = winner as { client: typeof before }
      const disabled = await set.under.store.clients.put({ ...client, status: grown === 1 ? 'active' : 'disabled' }, client, [])
      expect(disabled).toMatchObject({ client: { epoch: 2 + grown }, head: { seq: head + grown + 1 } })
      expect(await set.under.store.clients.put(before, null, [])).toBe('conflict')
    })

    it('tells of a single revoked token, once, until no such token can be alive', async () => {
      const { sid } = (await opened()).snapshot.session
      expect((await find(sid)).tokensRevoked).toBeUndefined()
      const head = (await set.under.store.feed.head()).seq
      const heads = await Promise.all([1, 2].map(() => set.under.store.feed.revokeToken('1.abc', set.time + 60_000, [])))
      expect(heads.map(({ seq }) => seq)).toEqual([head + 1, head + 1])
      expect([await set.under.store.feed.hasToken('1.abc'), await set.under.store.feed.hasToken('1.abd')]).toEqual([true, false])
      expect((await find(sid)).tokensRevoked).toBe(true)
      expect(await set.under.store.feed.after(head, 10)).toMatchObject([{ kind: 'token', id: '1.abc', expires: set.time + 60_000 }])
      set.time += 60_001
      await set.under.store.feed.compact(100)
      expect([await set.under.store.feed.hasToken('1.abc'), (await find(sid)).tokensRevoked]).toEqual([false, undefined])
    })

    it('grows the epoch with roles and status, once for each real change', async () => {
      const { user } = (await opened()).snapshot
      const head = (await set.under.store.feed.head()).seq
      expect((await set.under.store.users.change(user.id, { roles: ['member'] }, []))?.user.epoch).toBe(1)
      expect((await set.under.store.users.change(user.id, { roles: ['admin'] }, []))?.user).toMatchObject({ epoch: 2, roles: ['admin'] })
      const disabled = await set.under.store.users.change(user.id, { status: 'disabled' }, [])
      expect(disabled).toMatchObject({ user: { epoch: 3, status: 'disabled' }, head: { seq: head + 3 } })
      expect(disabled?.ended).toHaveLength(1)
      expect(await set.under.store.users.change(user.id, { bump: true }, [])).toMatchObject({ user: { epoch: 4 }, head: { seq: head + 4 } })
      expect(await set.under.store.users.change(`usr_${id()}`, { roles: [] }, [])).toBeUndefined()
      expect(await set.under.store.clients.bump('app', [])).toMatchObject({ client: { epoch: 2 }, head: { seq: head + 5 } })
      expect(await set.under.store.clients.bump('none', [])).toBeUndefined()
      expect((await set.under.store.feed.after(head + 3, 10)).map(({ kind, epoch }) => [kind, epoch])).toEqual([
        ['user', 4],
        ['client', 2],
      ])
      expect(await set.under.store.users.create({ id: `usr_${id()}`, email: 'ada@example.com', roles: [] }, [])).toBe('conflict')
    })

    it('moves keys all together or not at all, and tells the feed with it', async () => {
      const key = (kid: string, state: 'active' | 'next') => ({
        kid,
        alg: 'ES256' as const,
        state,
        publicJwk: { kty: 'EC' as const, kid, alg: 'ES256' as const, use: 'sig' as const },
        sealedPrivate: randomBytes(90),
      })
      const { feedId, seq } = await set.under.store.feed.head()
      const none = { move: [], whenNone: 'active' as const, audit: [] }
      expect(await set.under.store.keys.change({ ...none, insert: [key('a', 'active'), key('b', 'next')] })).toEqual({
        outcome: 'changed',
        head: { feedId, seq: seq + 2 },
      })
      expect(await set.under.store.keys.change({ ...none, insert: [key('c', 'active')] })).toEqual({ outcome: 'lost' })
      const step = (next: string) => ({
        insert: [key(next, 'next')],
        move: [
          { kid: 'a', from: 'active' as const, to: 'retiring' as const },
          { kid: 'b', from: 'next' as const, to: 'active' as const },
        ],
        audit: [],
      })
      const both = await Promise.all([set.under.store.keys.change(step('d')), set.under.store.keys.change(step('e'))])
      expect(both.map(({ outcome }) => outcome).sort()).toEqual(['changed', 'lost'])
      expect((await set.under.store.keys.list()).keys.map(({ state }) => state).sort()).toEqual(['active', 'next', 'retiring'])
      const revoke = { insert: [], move: [{ kid: 'a', from: 'retiring' as const, to: 'revoked' as const }], audit: [] }
      expect(await set.under.store.keys.change(revoke)).toMatchObject({ outcome: 'changed', head: { seq: seq + 4 } })
      const gone = (await set.under.store.keys.list()).keys.find(({ kid }) => kid === 'a')
      expect(gone).toMatchObject({ state: 'revoked', publicJwk: { kid: 'a' } })
      expect(gone?.sealedPrivate).toHaveLength(0)
      set.time += 30 * 24 * hour
      const told = async () => (await set.under.store.feed.after(seq, 10)).map(({ id, state, expires }) => [id, state, expires !== null])
      expect(await told()).toEqual([
        ['a', 'published', true],
        ['b', 'published', true],
        [expect.stringMatching(/^[de]$/), 'published', true],
        ['a', 'revoked', false],
      ])
      await set.under.store.feed.compact(100)
      expect(await told()).toEqual([['a', 'revoked', false]])
    })

    it('has a clock that never goes back, not over a restart either', async () => {
      const { sid } = (await opened()).snapshot.session
      set.time += 2 * hour
      expect((await find(sid)).now).toBe(set.time)
      await set.under.reopen()
      const before = set.time
      set.time -= 2 * hour
      expect((await find(sid)).now).toBeGreaterThanOrEqual(before - 1000)
      expect((await set.under.store.sessions.list((await find(sid)).user.id)).sessions).toEqual([])
    })

    it('sweeps what ended over a day ago, in bounded batches', async () => {
      for (let i = 0; i < 6; i++) await opened()
      set.time += 26 * hour + 10 * hour
      const kept = (await opened()).snapshot.session.sid
      expect(await set.under.store.sessions.sweep(4)).toBe(4)
      expect(await set.under.store.sessions.sweep(4)).toBe(2)
      expect(await set.under.store.sessions.sweep(4)).toBe(0)
      expect((await find(kept)).session.sid).toBe(kept)
    })

    it('sweeps sessions left idle too, long before their absolute end', async () => {
      for (let i = 0; i < 6; i++) await opened({}, { absolute: 1000 * hour })
      set.time += 20 * hour
      expect(await set.under.store.sessions.sweep(4)).toBe(0)
      const kept = (await opened({}, { absolute: 1000 * hour })).snapshot.session.sid
      set.time += 5.5 * hour
      expect(await set.under.store.sessions.sweep(4)).toBe(4)
      expect(await set.under.store.sessions.sweep(4)).toBe(2)
      expect((await find(kept)).session.sid).toBe(kept)
    })

    it('writes audit lines with the change they tell of, newest first', async () => {
      const line = { event: 'session.opened', userId: null, sid: null, clientId: 'app', ip: null, detail: { method: 'email_otp' } }
      const { user } = (await opened({ audit: [line] })).snapshot
      set.time += 1000
      await set.under.store.audit.write([{ ...line, event: 'later', userId: user.id }])
      expect((await set.under.store.audit.list({ userId: user.id }, 10)).map(({ event }) => event)).toEqual(['later', 'session.opened'])
    })

    it('pages through the lines of one person and of these names, newest first', async () => {
      const line = (event: string, userId: string) => ({ event, userId, sid: null, clientId: null, ip: '192.0.2.1', detail: { n: 1 } })
      const all = Array.from({ length: 5 }, (_, n) => [line(`told.${n}`, 'usr_a'), line('told.0', 'usr_b'), line('other', 'usr_a')]).flat()
      await set.under.store.audit.write(all)
      const names = ['told.0', 'told.1', 'told.2', 'told.3', 'told.4']
      const page = (before: number | null, userId = 'usr_a') => set.under.store.audit.page({ userId, names, before }, 2)
      const seen: string[] = []
      for (let before: number | null = null; ; ) {
        const found = await page(before)
        expect(found.length).toBeLessThanOrEqual(2)
        seen.push(...found.map((one) => one.line.event))
        before = found.at(-1)?.id ?? null
        if (before === null) break
      }
      expect(seen).toEqual([...names].reverse())
      expect(plain((await page(null, 'usr_b'))[0]?.line)).toEqual({ ...line('told.0', 'usr_b'), at: set.time, tenant: 'main' })
      expect(await page(null, 'usr_c')).toEqual([])
    })
  })
}
