// What a store is: every implementation must pass this, races included. Times move by the suite's own clock.

import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Budget, NewAttempt, OpenSession, Rotation, Store } from '#core'

/** An open store under test. */
export interface StoreUnderTest {
  readonly store: Store
  /** Closes and opens the same data again. */
  reopen(): Promise<void>
  close(): Promise<void>
}

const id = () => randomBytes(16).toString('base64url')
/** Bytes as text: drivers give them in different classes. */
const plain = (value: unknown) =>
  JSON.parse(
    JSON.stringify(value, (_, one) => {
      if (one?.type === 'Buffer') return Buffer.from(one.data).toString('hex')
      return one instanceof Uint8Array ? Buffer.from(one).toString('hex') : one
    }),
  )
const hour = 3_600_000

/** Runs the suite; `open` opens an empty store on a clock. */
export function storeSuite(name: string, open: (clock: () => number) => Promise<StoreUnderTest>): void {
  describe(`${name} is a store`, () => {
    let under: StoreUnderTest
    let time = 0
    beforeEach(async () => {
      time = 1_800_000_000_000
      under = await open(() => time)
      await under.store.clients.put(
        {
          id: 'app',
          name: 'App',
          transport: 'cookie',
          status: 'active',
          origins: [],
          returnTo: [],
          secretHashes: [],
          scopes: [],
          keys: [],
          accessTokenFormat: 'jwt',
          audiences: [],
          policy: {},
        },
        null,
        [],
      )
    })
    afterEach(() => under.close())

    const sign = (change: Partial<OpenSession> = {}, session: Partial<OpenSession['session']> = {}): OpenSession => ({
      session: {
        sid: id(),
        kind: 'token',
        parent: null,
        clientId: 'app',
        acr: 'a',
        amr: ['otp'],
        idle: hour,
        absolute: 10 * hour,
        ip: null,
        userAgent: null,
        binding: null,
        credentialHash: randomBytes(32),
        sealedKey: randomBytes(61),
        ...session,
      },
      attempt: null,
      user: { email: 'ada@example.com', create: { id: `usr_${id()}`, roles: ['member'] } },
      maxSessions: 0,
      onLimit: 'deny',
      replaces: null,
      audit: [],
      ...change,
    })
    const opened = async (change: Partial<OpenSession> = {}, session: Partial<OpenSession['session']> = {}) => {
      const outcome = await under.store.sessions.open(sign(change, session))
      if (outcome.outcome !== 'opened') throw new Error(outcome.outcome)
      return outcome
    }
    const rotation = (sid: string, from: number, change: Partial<Rotation> = {}): Rotation => ({
      sid,
      from,
      userEpoch: 1,
      clientEpoch: 1,
      credentialHash: randomBytes(32),
      as: 'rotated',
      active: true,
      audit: [],
      ...change,
    })
    const attempt = (change: Partial<NewAttempt> = {}): NewAttempt => ({
      idHash: id(),
      clientId: 'app',
      purpose: 'sign_in',
      method: 'email_otp',
      sealedIdentifier: randomBytes(40),
      bindingHash: null,
      codeHash: randomBytes(32),
      maxTries: 5,
      lifetime: 600_000,
      resendAfter: 30_000,
      ...change,
    })
    const find = async (sid: string) => {
      const found = await under.store.sessions.find(sid)
      if (found === undefined) throw new Error('no session')
      return found
    }

    it('opens a session for a new user, reads it as one, and keeps it over a restart', async () => {
      const { snapshot, created } = await opened()
      expect(created).toBe(true)
      const { sid } = snapshot.session
      expect(plain(await find(sid))).toEqual(plain({ ...snapshot, now: time }))
      expect(snapshot).toMatchObject({
        session: { generation: 1, predecessor: null, seen: false, recovered: 0 },
        user: { roles: ['member'], epoch: 1 },
        client: { id: 'app' },
      })
      await under.reopen()
      expect(plain((await find(sid)).session)).toEqual(plain(snapshot.session))
      expect(await under.store.sessions.find(id())).toBeUndefined()
      expect((await opened()).created).toBe(false)
    })

    it('consumes an attempt once, however many sign in with it at once', async () => {
      const one = attempt()
      await under.store.attempts.start(one, [], [])
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => under.store.sessions.open(sign({ attempt: one.idHash }))))
      expect(outcomes.filter(({ outcome }) => outcome === 'opened')).toHaveLength(1)
      expect(outcomes.filter(({ outcome }) => outcome === 'attempt_gone')).toHaveLength(19)
    })

    it('gives an attempt back when the session is refused', async () => {
      const one = attempt()
      await under.store.attempts.start(one, [], [])
      await opened({ maxSessions: 1 })
      expect(await under.store.sessions.open(sign({ attempt: one.idHash, maxSessions: 1 }))).toEqual({ outcome: 'limit' })
      expect((await under.store.sessions.open(sign({ attempt: one.idHash, maxSessions: 2 }))).outcome).toBe('opened')
    })

    it('keeps the limit: denies, or evicts whom nobody saw for longest', async () => {
      const first = await opened({ maxSessions: 2 })
      time += 1000
      await opened({ maxSessions: 2 })
      expect(await under.store.sessions.open(sign({ maxSessions: 2 }))).toEqual({ outcome: 'limit' })
      const third = await opened({ maxSessions: 2, onLimit: 'evict_oldest' })
      expect(third.ended).toEqual([first.snapshot.session.sid])
      expect((await find(first.snapshot.session.sid)).session.revokedReason).toBe('evicted')
      const parallel = await Promise.all(Array.from({ length: 10 }, () => under.store.sessions.open(sign({ maxSessions: 3 }))))
      expect(parallel.filter(({ outcome }) => outcome === 'opened')).toHaveLength(1)
    })

    it('refuses a disabled user, a disabled client and an unknown user', async () => {
      const { snapshot } = await opened()
      expect(await under.store.sessions.open(sign({ user: { email: 'eve@example.com', create: null } }))).toEqual({
        outcome: 'user_unknown',
      })
      await under.store.users.change(snapshot.user.id, { status: 'disabled' }, [])
      expect(await under.store.sessions.open(sign())).toEqual({ outcome: 'user_disabled' })
      await under.store.clients.put({ ...snapshot.client, status: 'disabled' }, snapshot.client, [])
      expect(
        await under.store.sessions.open(sign({ user: { email: 'eve@example.com', create: { id: `usr_${id()}`, roles: [] } } })),
      ).toEqual({ outcome: 'client_disabled' })
    })

    it('leaves no live session behind when a sign-in meets a disabling, in either order', async () => {
      const { snapshot } = await opened()
      for (let round = 0; round < 10; round++) {
        await under.store.users.change(snapshot.user.id, { status: 'active' }, [])
        const both = [() => under.store.sessions.open(sign()), () => under.store.users.change(snapshot.user.id, { status: 'disabled' }, [])]
        await Promise.all((round % 2 === 0 ? both : both.reverse()).map((run) => run()))
        expect((await under.store.sessions.list(snapshot.user.id)).sessions).toEqual([])
      }
    })

    it('rotates once, however many try at once', async () => {
      const { sid } = (await opened()).snapshot.session
      const outcomes = await Promise.all(Array.from({ length: 50 }, () => under.store.sessions.rotate(rotation(sid, 1))))
      expect(outcomes.filter(({ outcome }) => outcome === 'rotated')).toHaveLength(1)
      expect((await find(sid)).session).toMatchObject({ generation: 2, predecessor: 1, seen: false })
    })

    it('rotates only the generation, epochs and life that are named', async () => {
      const { session, user } = (await opened()).snapshot
      expect(await under.store.sessions.rotate(rotation(session.sid, 2))).toEqual({ outcome: 'lost' })
      expect(await under.store.sessions.rotate(rotation(session.sid, 1, { userEpoch: 2 }))).toEqual({ outcome: 'lost' })
      expect(await under.store.sessions.rotate(rotation(session.sid, 1, { clientEpoch: 2 }))).toEqual({ outcome: 'lost' })
      expect(await under.store.sessions.rotate(rotation(session.sid, 1))).toEqual({ outcome: 'rotated', now: time })
      await under.store.users.change(user.id, { roles: ['other'] }, [])
      expect(await under.store.sessions.rotate(rotation(session.sid, 2))).toEqual({ outcome: 'lost' })
      await under.store.sessions.revoke({ sid: session.sid }, 'admin', [])
      expect(await under.store.sessions.rotate(rotation(session.sid, 2, { userEpoch: 2 }))).toEqual({ outcome: 'lost' })
    })

    it('recovers while nobody saw the successor: the predecessor stays, the count grows', async () => {
      const { sid } = (await opened()).snapshot.session
      await under.store.sessions.rotate(rotation(sid, 1))
      await under.store.sessions.rotate(rotation(sid, 2, { as: 'recovered' }))
      expect((await find(sid)).session).toMatchObject({ generation: 3, predecessor: 1, recovered: 1 })
      await under.store.sessions.touch([{ sid, lastSeenAt: null, seenGeneration: 3 }])
      expect(await under.store.sessions.rotate(rotation(sid, 3, { as: 'recovered' }))).toEqual({ outcome: 'lost' })
      await under.store.sessions.rotate(rotation(sid, 3))
      expect((await find(sid)).session).toMatchObject({ generation: 4, predecessor: 3, recovered: 0, seen: false })
    })

    it('touches forward only, and marks only the current generation as seen', async () => {
      const { sid } = (await opened()).snapshot.session
      time += 5000
      await under.store.sessions.touch([{ sid, lastSeenAt: time, seenGeneration: 9, ip: '192.0.2.7', userAgent: 'x' }])
      expect((await find(sid)).session).toMatchObject({ lastSeenAt: time, seen: false, ip: '192.0.2.7' })
      await under.store.sessions.touch([{ sid, lastSeenAt: time - 4000, seenGeneration: 1 }])
      expect((await find(sid)).session).toMatchObject({ lastSeenAt: time, seen: true })
    })

    it('revokes a session with its children, others of a user, and only its owner’s', async () => {
      const parent = (await opened()).snapshot
      const child = (await opened({}, { parent: parent.session.sid })).snapshot.session.sid
      const other = (await opened()).snapshot.session.sid
      // Read before, so that nothing remembered of it can stand for it afterwards.
      expect((await find(child)).session.revokedAt).toBeNull()
      expect((await under.store.sessions.revoke({ sid: other, ofUser: 'usr_somebody_else' }, 'admin', [])).sids).toEqual([])
      const revoked = await under.store.sessions.revoke({ sid: parent.session.sid }, 'sign_out', [])
      expect([...revoked.sids].sort()).toEqual([parent.session.sid, child].sort())
      expect((await find(child)).session).toMatchObject({ revokedReason: 'parent', revokedAt: time })
      expect((await under.store.sessions.revoke({ sid: parent.session.sid }, 'sign_out', [])).sids).toEqual([])
      expect((await under.store.sessions.revoke({ user: parent.user.id, except: other }, 'admin', [])).sids).toEqual([])
      expect((await under.store.sessions.revoke({ user: parent.user.id }, 'admin', [])).sids).toEqual([other])
    })

    it('logs revocations in commit order without a gap, and nothing for what ended nobody', async () => {
      const head = await under.store.feed.head()
      const sids = await Promise.all(Array.from({ length: 8 }, async () => (await opened()).snapshot.session.sid))
      await Promise.all(sids.map((sid) => under.store.sessions.revoke({ sid }, 'admin', [])))
      await under.store.sessions.revoke({ sid: id() }, 'admin', [])
      const entries = await under.store.feed.after(head.seq, 100)
      expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, i) => head.seq + 1 + i))
      expect(entries.map((entry) => entry.id).sort()).toEqual([...sids].sort())
      expect((await under.store.feed.head()).seq).toBe(head.seq + 8)
      time += 1_020_001
      expect(await under.store.feed.compact(100)).toBe(8)
      await under.reopen()
      expect(await under.store.feed.head()).toEqual({ feedId: head.feedId, seq: head.seq + 8 })
    })

    it('charges exactly as many guesses as there are, however many come at once', async () => {
      const one = attempt()
      await under.store.attempts.start(one, [], [])
      const outcomes = await Promise.all(Array.from({ length: 40 }, () => under.store.attempts.charge(one.idHash, [])))
      expect(outcomes.filter(({ outcome }) => outcome === 'charged')).toHaveLength(5)
      time += 600_000
      const two = attempt()
      await under.store.attempts.start(two, [], [])
      time += 600_000
      expect(await under.store.attempts.charge(two.idHash, [])).toEqual({ outcome: 'gone' })
    })

    it('sends again only when it is time, and not without end', async () => {
      const one = attempt()
      await under.store.attempts.start(one, [], [])
      const again = () => under.store.attempts.resend(one.idHash, { codeHash: randomBytes(32), resendAfter: 60_000, maxSends: 2 }, [])
      expect(await again()).toEqual({ outcome: 'limited', retryAfterMs: 30_000 })
      time += 30_000
      expect((await again()).outcome).toBe('resent')
      time += 60_000
      expect((await again()).outcome).toBe('limited')
    })

    it('spends all budgets or none, exactly under parallel tries, and gives back with time', async () => {
      const [small, large]: Budget[] = [
        { key: 'small', limit: 5, window: 50_000 },
        { key: 'large', limit: 100, window: 50_000 },
      ]
      const tries = await Promise.all(Array.from({ length: 20 }, () => under.store.limits.spend([small as Budget, large as Budget])))
      expect(tries.filter(({ outcome }) => outcome === 'spent')).toHaveLength(5)
      const left = await Promise.all(Array.from({ length: 120 }, () => under.store.limits.spend([large as Budget])))
      expect(left.filter(({ outcome }) => outcome === 'spent')).toHaveLength(95)
      expect(await under.store.limits.spend([small as Budget])).toEqual({ outcome: 'limited', retryAfterMs: 10_000 })
      time += 10_000
      await under.reopen()
      expect(await under.store.limits.spend([small as Budget])).toEqual({ outcome: 'spent' })
      expect((await under.store.limits.spend([small as Budget])).outcome).toBe('limited')
      time += 100_000
      expect(await under.store.limits.sweep(100)).toBe(2)
    })

    it('sees a key once until it is over, however many show it at once, over a restart too', async () => {
      const shown = await Promise.all(Array.from({ length: 20 }, () => under.store.limits.once('key', time + 60_000)))
      expect(shown.filter((first) => first)).toHaveLength(1)
      expect(await under.store.limits.once('another', time + 60_000)).toBe(true)
      await under.reopen()
      time += 59_000
      expect(await under.store.limits.once('key', time + 60_000)).toBe(false)
      expect(await under.store.limits.once('over', time)).toBe(false)
      time += 2000
      expect(await under.store.limits.once('key', time + 60_000)).toBe(true)
      time += 60_001
      expect(await under.store.limits.sweep(100)).toBe(2)
    })

    it('changes a client only as it was read: who was overtaken is told, and undoes nothing', async () => {
      const before = await under.store.clients.find('app')
      if (before === undefined) throw new Error('no client')
      const head = (await under.store.feed.head()).seq
      const changes = [{ status: 'disabled' as const }, { secretHashes: ['x'] }]
      const put = await Promise.all(changes.map((change) => under.store.clients.put({ ...before, ...change }, before, [])))
      expect(put).toEqual([
        { client: expect.objectContaining({ status: 'disabled', epoch: 2 }), head: expect.objectContaining({ seq: head + 1 }) },
        'conflict',
      ])
      expect(await under.store.clients.find('app')).toMatchObject({ status: 'disabled', secretHashes: [] })
      expect(await under.store.clients.put(before, null, [])).toBe('conflict')
    })

    it('tells of a single revoked token, once, until no such token can be alive', async () => {
      const { sid } = (await opened()).snapshot.session
      expect((await find(sid)).tokensRevoked).toBeUndefined()
      const head = (await under.store.feed.head()).seq
      const heads = await Promise.all([1, 2].map(() => under.store.feed.revokeToken('1.abc', time + 60_000, [])))
      expect(heads.map(({ seq }) => seq)).toEqual([head + 1, head + 1])
      expect([await under.store.feed.hasToken('1.abc'), await under.store.feed.hasToken('1.abd')]).toEqual([true, false])
      expect((await find(sid)).tokensRevoked).toBe(true)
      expect(await under.store.feed.after(head, 10)).toMatchObject([{ kind: 'token', id: '1.abc', expires: time + 60_000 }])
      time += 60_001
      await under.store.feed.compact(100)
      expect([await under.store.feed.hasToken('1.abc'), (await find(sid)).tokensRevoked]).toEqual([false, undefined])
    })

    it('grows the epoch with roles and status, once for each real change', async () => {
      const { user } = (await opened()).snapshot
      const head = (await under.store.feed.head()).seq
      expect((await under.store.users.change(user.id, { roles: ['member'] }, []))?.user.epoch).toBe(1)
      expect((await under.store.users.change(user.id, { roles: ['admin'] }, []))?.user).toMatchObject({ epoch: 2, roles: ['admin'] })
      const disabled = await under.store.users.change(user.id, { status: 'disabled' }, [])
      expect(disabled).toMatchObject({ user: { epoch: 3, status: 'disabled' }, head: { seq: head + 3 } })
      expect(disabled?.ended).toHaveLength(1)
      expect(await under.store.users.change(user.id, { bump: true }, [])).toMatchObject({ user: { epoch: 4 }, head: { seq: head + 4 } })
      expect(await under.store.users.change(`usr_${id()}`, { roles: [] }, [])).toBeUndefined()
      expect(await under.store.clients.bump('app', [])).toMatchObject({ client: { epoch: 2 }, head: { seq: head + 5 } })
      expect(await under.store.clients.bump('none', [])).toBeUndefined()
      expect((await under.store.feed.after(head + 3, 10)).map(({ kind, epoch }) => [kind, epoch])).toEqual([
        ['user', 4],
        ['client', 2],
      ])
      expect(await under.store.users.create({ id: `usr_${id()}`, email: 'ada@example.com', roles: [] }, [])).toBe('conflict')
    })

    it('moves keys all together or not at all, and tells the feed with it', async () => {
      const key = (kid: string, state: 'active' | 'next') => ({
        kid,
        alg: 'ES256' as const,
        state,
        publicJwk: { kty: 'EC' as const, kid, alg: 'ES256' as const, use: 'sig' as const },
        sealedPrivate: randomBytes(90),
      })
      const { feedId, seq } = await under.store.feed.head()
      const none = { move: [], whenNone: 'active' as const, audit: [] }
      expect(await under.store.keys.change({ ...none, insert: [key('a', 'active'), key('b', 'next')] })).toEqual({
        outcome: 'changed',
        head: { feedId, seq: seq + 2 },
      })
      expect(await under.store.keys.change({ ...none, insert: [key('c', 'active')] })).toEqual({ outcome: 'lost' })
      const step = (next: string) => ({
        insert: [key(next, 'next')],
        move: [
          { kid: 'a', from: 'active' as const, to: 'retiring' as const },
          { kid: 'b', from: 'next' as const, to: 'active' as const },
        ],
        audit: [],
      })
      const both = await Promise.all([under.store.keys.change(step('d')), under.store.keys.change(step('e'))])
      expect(both.map(({ outcome }) => outcome).sort()).toEqual(['changed', 'lost'])
      expect((await under.store.keys.list()).keys.map(({ state }) => state).sort()).toEqual(['active', 'next', 'retiring'])
      const revoke = { insert: [], move: [{ kid: 'a', from: 'retiring' as const, to: 'revoked' as const }], audit: [] }
      expect(await under.store.keys.change(revoke)).toMatchObject({ outcome: 'changed', head: { seq: seq + 4 } })
      const gone = (await under.store.keys.list()).keys.find(({ kid }) => kid === 'a')
      expect(gone).toMatchObject({ state: 'revoked', publicJwk: { kid: 'a' } })
      expect(gone?.sealedPrivate).toHaveLength(0)
      time += 30 * 24 * hour
      const told = async () => (await under.store.feed.after(seq, 10)).map(({ id, state, expires }) => [id, state, expires !== null])
      expect(await told()).toEqual([
        ['a', 'published', true],
        ['b', 'published', true],
        [expect.stringMatching(/^[de]$/), 'published', true],
        ['a', 'revoked', false],
      ])
      await under.store.feed.compact(100)
      expect(await told()).toEqual([['a', 'revoked', false]])
    })

    it('has a clock that never goes back, not over a restart either', async () => {
      const { sid } = (await opened()).snapshot.session
      time += 2 * hour
      expect((await find(sid)).now).toBe(time)
      await under.reopen()
      const before = time
      time -= 2 * hour
      expect((await find(sid)).now).toBeGreaterThanOrEqual(before - 1000)
      expect((await under.store.sessions.list((await find(sid)).user.id)).sessions).toEqual([])
    })

    it('sweeps what ended over a day ago, in bounded batches', async () => {
      for (let i = 0; i < 6; i++) await opened()
      time += 26 * hour + 10 * hour
      const kept = (await opened()).snapshot.session.sid
      expect(await under.store.sessions.sweep(4)).toBe(4)
      expect(await under.store.sessions.sweep(4)).toBe(2)
      expect(await under.store.sessions.sweep(4)).toBe(0)
      expect((await find(kept)).session.sid).toBe(kept)
    })

    it('sweeps sessions left idle too, long before their absolute end', async () => {
      for (let i = 0; i < 6; i++) await opened({}, { absolute: 1000 * hour })
      time += 20 * hour
      expect(await under.store.sessions.sweep(4)).toBe(0)
      const kept = (await opened({}, { absolute: 1000 * hour })).snapshot.session.sid
      time += 5.5 * hour
      expect(await under.store.sessions.sweep(4)).toBe(4)
      expect(await under.store.sessions.sweep(4)).toBe(2)
      expect((await find(kept)).session.sid).toBe(kept)
    })

    it('writes audit lines with the change they tell of, newest first', async () => {
      const line = { event: 'session.opened', userId: null, sid: null, clientId: 'app', ip: null, detail: { method: 'email_otp' } }
      const { user } = (await opened({ audit: [line] })).snapshot
      time += 1000
      await under.store.audit.write([{ ...line, event: 'later', userId: user.id }])
      expect((await under.store.audit.list({ userId: user.id }, 10)).map(({ event }) => event)).toEqual(['later', 'session.opened'])
    })
  })
}
