// What a store does with sessions: opened once, rotated once, touched forward, ended with their children, races included.

import { describe, expect, it } from 'vitest'
import { id, plain, type StoreUnderTest, setStore } from './setting.ts'

/** Runs the suite; `open` opens an empty store on a clock. */
export function sessionSuite(name: string, open: (clock: () => number) => Promise<StoreUnderTest>): void {
  describe(`${name} keeps sessions`, () => {
    const set = setStore(open)
    const { sign, opened, rotation, attempt, find } = set

    it('opens a session for a new user, reads it as one, and keeps it over a restart', async () => {
      const { snapshot, created } = await opened()
      expect(created).toBe(true)
      const { sid } = snapshot.session
      expect(plain(await find(sid))).toEqual(plain({ ...snapshot, now: set.time }))
      expect(snapshot).toMatchObject({
        session: { generation: 1, predecessor: null, seen: false, recovered: 0 },
        user: { roles: ['member'], epoch: 1 },
        client: { id: 'app' },
      })
      await set.under.reopen()
      expect(plain((await find(sid)).session)).toEqual(plain(snapshot.session))
      expect(await set.under.store.sessions.find(id())).toBeUndefined()
      expect((await opened()).created).toBe(false)
    })

    it('reads what is there now, whatever was read before', async () => {
      const { session, user, client } = (await opened()).snapshot
      const { store } = set.under
      const read = async () => {
        const now = await find(session.sid)
        const { generation, seen, lastSeenAt } = now.session
        return [generation, seen, lastSeenAt - session.createdAt, now.user.roles, now.user.epoch, now.client.name, now.client.epoch]
      }
      expect(await read()).toEqual([1, false, 0, ['member'], 1, 'App', 1])
      await store.sessions.rotate(rotation(session.sid, 1, { active: false }))
      expect(await read()).toEqual([2, false, 0, ['member'], 1, 'App', 1])
      await store.sessions.touch([{ sid: session.sid, lastSeenAt: null, seenGeneration: 2 }])
      expect(await read()).toEqual([2, true, 0, ['member'], 1, 'App', 1])
      set.time += 5000
      await store.sessions.touch([{ sid: session.sid, lastSeenAt: set.time, seenGeneration: null }])
      expect(await read()).toEqual([2, true, 5000, ['member'], 1, 'App', 1])
      await store.users.change(user.id, { roles: ['other'] }, [])
      expect(await read()).toEqual([2, true, 5000, ['other'], 2, 'App', 1])
      await store.clients.put({ ...client, name: 'Changed' }, client, [])
      expect(await read()).toEqual([2, true, 5000, ['other'], 2, 'Changed', 1])
      await store.clients.bump(client.id, [])
      expect(await read()).toEqual([2, true, 5000, ['other'], 2, 'Changed', 2])
      await store.sessions.revoke({ sid: session.sid }, 'admin', [])
      expect((await find(session.sid)).session.revokedAt).toBe(set.time)
    })

    it.each(['find', 'glance'] as const)('finds as many as are asked for at once, each its own: %s', async (by) => {
      const sids: string[] = []
      for (let i = 0; i < 1100; i += 50)
        sids.push(...(await Promise.all(Array.from({ length: 50 }, async () => (await opened()).snapshot.session.sid))))
      const unknown = id()
      const found = await Promise.all([...sids, unknown, ...sids].map((sid) => set.under.store.sessions[by](sid)))
      expect(found.map((one) => one?.session.sid)).toEqual([...sids, undefined, ...sids])
    })

    it('glances at what it finds: the same session, user and client, whatever changed', async () => {
      const { store } = set.under
      const { sid } = (await opened()).snapshot.session
      const { user, client } = await find(sid)
      const other = (await opened()).snapshot.session.sid
      const alike = async () => {
        for (const sids of [[sid], [sid, other]])
          for (let turn = 0; turn < 3; turn++) {
            const [[glance], whole] = [await Promise.all(sids.map((one) => store.sessions.glance(one))), await find(sid)]
            const { credentialHash, ...session } = glance?.session ?? { credentialHash: new Uint8Array() }
            expect(whole.session).toMatchObject(session)
            expect([...credentialHash]).toEqual([...whole.session.credentialHash])
            expect(whole.user).toMatchObject(glance?.user ?? {})
            expect(glance?.client).toEqual(whole.client)
            expect(Object.keys(session)).toContain('revokedAt')
          }
      }
      await alike()
      const rotation = { from: 1, userEpoch: 1, clientEpoch: 1, credentialHash: new Uint8Array(32).fill(7), audit: [] }
      expect(await store.sessions.rotate({ sid, ...rotation, as: 'rotated', active: true })).toMatchObject({ outcome: 'rotated' })
      await alike()
      await store.sessions.touch([{ sid, lastSeenAt: set.time, seenGeneration: 2 }])
      await alike()
      await store.users.change(user.id, { roles: ['editor'] }, [])
      await alike()
      await store.clients.put({ ...client, name: 'Changed' }, client, [])
      await alike()
      await store.clients.bump(client.id, [])
      await alike()
      await store.sessions.revoke({ sid: other }, 'admin', [])
      await store.users.change(user.id, { status: 'disabled' }, [])
      await alike()
      expect(await store.sessions.glance(id())).toBeUndefined()
    })

    it.each(['find', 'glance'] as const)('shows each of several sessions that are looked for together as it is then: %s', async (by) => {
      const { store } = set.under
      const sids = [(await opened()).snapshot.session.sid, (await opened()).snapshot.session.sid, id()]
      const look = async () => (await Promise.all(sids.map((sid) => store.sessions[by](sid)))).map((one) => one?.session.revokedAt === null)
      expect(await look()).toEqual([true, true, false])
      await store.sessions.revoke({ sid: sids[0] as string }, 'sign_out', [])
      expect(await look()).toEqual([false, true, false])
      await store.users.change((await find(sids[1] as string)).user.id, { roles: ['editor'] }, [])
      const [, second] = await Promise.all(sids.map((sid) => store.sessions[by](sid)))
      expect(second?.user).toMatchObject({ roles: ['editor'], epoch: 2 })
    })

    it('consumes an attempt once, however many sign in with it at once', async () => {
      const one = attempt()
      await set.under.store.attempts.start(one, [], [])
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => set.under.store.sessions.open(sign({ attempt: one.idHash }))))
      expect(outcomes.filter(({ outcome }) => outcome === 'opened')).toHaveLength(1)
      expect(outcomes.filter(({ outcome }) => outcome === 'attempt_gone')).toHaveLength(19)
    })

    it('gives an attempt back when the session is refused', async () => {
      const one = attempt()
      await set.under.store.attempts.start(one, [], [])
      await opened({ maxSessions: 1 })
      expect(await set.under.store.sessions.open(sign({ attempt: one.idHash, maxSessions: 1 }))).toEqual({ outcome: 'limit' })
      expect((await set.under.store.sessions.open(sign({ attempt: one.idHash, maxSessions: 2 }))).outcome).toBe('opened')
    })

    it('keeps the limit: denies, or evicts whom nobody saw for longest', async () => {
      const first = await opened({ maxSessions: 2 })
      set.time += 1000
      await opened({ maxSessions: 2 })
      expect(await set.under.store.sessions.open(sign({ maxSessions: 2 }))).toEqual({ outcome: 'limit' })
      const third = await opened({ maxSessions: 2, onLimit: 'evict_oldest' })
      expect(third.ended).toEqual([first.snapshot.session.sid])
      expect((await find(first.snapshot.session.sid)).session.revokedReason).toBe('evicted')
      const parallel = await Promise.all(Array.from({ length: 10 }, () => set.under.store.sessions.open(sign({ maxSessions: 3 }))))
      expect(parallel.filter(({ outcome }) => outcome === 'opened')).toHaveLength(1)
    })

    it.each([{ idle: 60_000 }, { absolute: 60_000 }])(
      'does not count what a policy that is stricter by now has ended: %j',
      async (policy) => {
        const first = await opened({ maxSessions: 1 })
        set.time += 59_999
        expect(await set.under.store.sessions.open(sign({ maxSessions: 1 }, policy))).toEqual({ outcome: 'limit' })
        set.time += 1
        expect(await set.under.store.sessions.open(sign({ maxSessions: 1 }))).toEqual({ outcome: 'limit' })
        const next = await opened({ maxSessions: 1, onLimit: 'evict_oldest' }, policy)
        expect([next.ended, (await find(first.snapshot.session.sid)).session.revokedAt]).toEqual([[], null])
      },
    )

    it('refuses a disabled user, a disabled client and an unknown user', async () => {
      const { snapshot } = await opened()
      expect(await set.under.store.sessions.open(sign({ user: { email: 'eve@example.com', create: null } }))).toEqual({
        outcome: 'user_unknown',
      })
      await set.under.store.users.change(snapshot.user.id, { status: 'disabled' }, [])
      expect(await set.under.store.sessions.open(sign())).toEqual({ outcome: 'user_disabled' })
      await set.under.store.clients.put({ ...snapshot.client, status: 'disabled' }, snapshot.client, [])
      expect(
        await set.under.store.sessions.open(sign({ user: { email: 'eve@example.com', create: { id: `usr_${id()}`, roles: [] } } })),
      ).toEqual({ outcome: 'client_disabled' })
    })

    it('opens nothing below a session that ended, in whichever order they meet', async () => {
      const parent = (await opened()).snapshot.session.sid
      expect((await opened({}, { parent })).snapshot.session.parent).toBe(parent)
      for (let round = 0; round < 6; round++) {
        const { session, user } = (await opened()).snapshot
        const both = [
          () => set.under.store.sessions.open(sign({}, { parent: session.sid })),
          () => set.under.store.sessions.revoke({ sid: session.sid }, 'sign_out', []),
        ]
        await Promise.all((round % 2 === 0 ? both : both.reverse()).map((run) => run()))
        const { sessions } = await set.under.store.sessions.list(user.id)
        expect(sessions.filter((one) => one.parent === session.sid)).toEqual([])
        expect(await set.under.store.sessions.open(sign({}, { parent: session.sid }))).toEqual({ outcome: 'parent_gone' })
      }
      expect(await set.under.store.sessions.open(sign({}, { parent: id() }))).toEqual({ outcome: 'parent_gone' })
    })

    it('leaves no live session behind when a sign-in meets a disabling, in either order', async () => {
      const { snapshot } = await opened()
      for (let round = 0; round < 10; round++) {
        await set.under.store.users.change(snapshot.user.id, { status: 'active' }, [])
        const both = [
          () => set.under.store.sessions.open(sign()),
          () => set.under.store.users.change(snapshot.user.id, { status: 'disabled' }, []),
        ]
        await Promise.all((round % 2 === 0 ? both : both.reverse()).map((run) => run()))
        expect((await set.under.store.sessions.list(snapshot.user.id)).sessions).toEqual([])
      }
    })

    it('rotates once, however many try at once', async () => {
      const { sid } = (await opened()).snapshot.session
      const outcomes = await Promise.all(Array.from({ length: 50 }, () => set.under.store.sessions.rotate(rotation(sid, 1))))
      expect(outcomes.filter(({ outcome }) => outcome === 'rotated')).toHaveLength(1)
      expect((await find(sid)).session).toMatchObject({ generation: 2, predecessor: 1, seen: false })
    })

    it('rotates only the generation, epochs and life that are named', async () => {
      const { session, user } = (await opened()).snapshot
      expect(await set.under.store.sessions.rotate(rotation(session.sid, 2))).toEqual({ outcome: 'lost' })
      expect(await set.under.store.sessions.rotate(rotation(session.sid, 1, { userEpoch: 2 }))).toEqual({ outcome: 'lost' })
      expect(await set.under.store.sessions.rotate(rotation(session.sid, 1, { clientEpoch: 2 }))).toEqual({ outcome: 'lost' })
      expect(await set.under.store.sessions.rotate(rotation(session.sid, 1))).toEqual({ outcome: 'rotated', now: set.time })
      await set.under.store.users.change(user.id, { roles: ['other'] }, [])
      expect(await set.under.store.sessions.rotate(rotation(session.sid, 2))).toEqual({ outcome: 'lost' })
      await set.under.store.sessions.revoke({ sid: session.sid }, 'admin', [])
      expect(await set.under.store.sessions.rotate(rotation(session.sid, 2, { userEpoch: 2 }))).toEqual({ outcome: 'lost' })
    })

    it('recovers while nobody saw the successor: the predecessor stays, the count grows', async () => {
      const { sid } = (await opened()).snapshot.session
      await set.under.store.sessions.rotate(rotation(sid, 1))
      await set.under.store.sessions.rotate(rotation(sid, 2, { as: 'recovered' }))
      expect((await find(sid)).session).toMatchObject({ generation: 3, predecessor: 1, recovered: 1 })
      await set.under.store.sessions.touch([{ sid, lastSeenAt: null, seenGeneration: 3 }])
      expect(await set.under.store.sessions.rotate(rotation(sid, 3, { as: 'recovered' }))).toEqual({ outcome: 'lost' })
      await set.under.store.sessions.rotate(rotation(sid, 3))
      expect((await find(sid)).session).toMatchObject({ generation: 4, predecessor: 3, recovered: 0, seen: false })
    })

    it('touches forward only, and marks only the current generation as seen', async () => {
      const { sid } = (await opened()).snapshot.session
      set.time += 5000
      await set.under.store.sessions.touch([{ sid, lastSeenAt: set.time, seenGeneration: 9, ip: '192.0.2.7', userAgent: 'x' }])
      expect((await find(sid)).session).toMatchObject({ lastSeenAt: set.time, seen: false, ip: '192.0.2.7' })
      await set.under.store.sessions.touch([{ sid, lastSeenAt: set.time - 4000, seenGeneration: 1 }])
      expect((await find(sid)).session).toMatchObject({ lastSeenAt: set.time, seen: true })
      // That the one before was seen says nothing of its successor, whose answer may be lost.
      await set.under.store.sessions.rotate(rotation(sid, 1))
      await set.under.store.sessions.touch([{ sid, lastSeenAt: null, seenGeneration: 1 }])
      expect((await find(sid)).session).toMatchObject({ generation: 2, seen: false })
    })

    it('revokes a session with its children, others of a user, and only its owner’s', async () => {
      const parent = (await opened()).snapshot
      const child = (await opened({}, { parent: parent.session.sid })).snapshot.session.sid
      const grandchild = (await opened({}, { parent: child })).snapshot.session.sid
      const other = (await opened()).snapshot.session.sid
      // Read before, so that nothing remembered of it can stand for it afterwards.
      expect((await find(child)).session.revokedAt).toBeNull()
      expect((await set.under.store.sessions.revoke({ sid: other, ofUser: 'usr_somebody_else' }, 'admin', [])).sids).toEqual([])
      const revoked = await set.under.store.sessions.revoke({ sid: parent.session.sid }, 'sign_out', [])
      expect([...revoked.sids].sort()).toEqual([parent.session.sid, child, grandchild].sort())
      // Each is told of by its own entry: verifiers know nothing of families.
      const log = await set.under.store.feed.after(0, 100)
      expect(log.map((entry) => [entry.kind, entry.id]).sort()).toEqual(revoked.sids.map((sid) => ['session', sid]).sort())
      expect(revoked.head.seq).toBe(3)
      expect((await find(child)).session).toMatchObject({ revokedReason: 'parent', revokedAt: set.time })
      expect((await set.under.store.sessions.revoke({ sid: parent.session.sid }, 'sign_out', [])).sids).toEqual([])
      expect((await set.under.store.sessions.revoke({ user: parent.user.id, except: other }, 'admin', [])).sids).toEqual([])
      expect((await set.under.store.sessions.revoke({ user: parent.user.id }, 'admin', [])).sids).toEqual([other])
    })

    it('logs revocations in commit order without a gap, and nothing for what ended nobody', async () => {
      const head = await set.under.store.feed.head()
      const sids = await Promise.all(Array.from({ length: 8 }, async () => (await opened()).snapshot.session.sid))
      await Promise.all(sids.map((sid) => set.under.store.sessions.revoke({ sid }, 'admin', [])))
      await set.under.store.sessions.revoke({ sid: id() }, 'admin', [])
      const entries = await set.under.store.feed.after(head.seq, 100)
      expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, i) => head.seq + 1 + i))
      expect(entries.map((entry) => entry.id).sort()).toEqual([...sids].sort())
      expect((await set.under.store.feed.head()).seq).toBe(head.seq + 8)
      set.time += 1_020_001
      expect(await set.under.store.feed.compact(100)).toBe(8)
      await set.under.reopen()
      expect(await set.under.store.feed.head()).toEqual({ feedId: head.feedId, seq: head.seq + 8 })
      // No number is given twice, though nothing of the log is left.
      const { head: next } = await set.under.store.sessions.revoke({ sid: (await opened()).snapshot.session.sid }, 'admin', [])
      expect(next).toEqual({ feedId: head.feedId, seq: head.seq + 9 })
      expect((await set.under.store.feed.after(0, 100)).map(({ seq }) => seq)).toEqual([head.seq + 9])
    })
  })
}
