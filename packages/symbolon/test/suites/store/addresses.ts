// What a store does when somebody's address changes, and when that is undone: one transaction each, once, and whoever runs
// beside it comes before it or finds it done.

import { describe, expect, it } from 'vitest'
import { handle, passkey } from './passkeys.ts'
import { expectSwept, id, type StoreUnderTest, setStore, sign } from './setting.ts'

const day = 86_400_000

/** Runs the suite. */
export function addressSuite(name: string, open: (clock: () => number) => Promise<StoreUnderTest>): void {
  describe(`${name} changes addresses`, () => {
    const set = setStore(open)
    const { opened, attempt, find } = set
    const store = () => set.under.store
    const line = (event: string, userId: string | null) => ({ event, userId, sid: null, clientId: 'app', ip: null, detail: {} })
    const fresh = () => `${id().toLowerCase()}@example.com`

    /** Somebody with a session. */
    const person = async (email = fresh()) => {
      const { session, user } = (await opened({ user: { email, create: { id: `usr_${id()}`, roles: [] } } })).snapshot
      return { sid: session.sid, user }
    }
    type Person = Awaited<ReturnType<typeof person>>
    const begin = async ({ sid, user }: Person, change: Parameters<typeof attempt>[0] = {}) => {
      const begun = attempt({ purpose: 'change_email', state: 'address', userId: user.id, sid, ...change })
      await store().attempts.start(begun, [], [])
      return begun.idHash
    }
    const change = async (who: Person, email: string, more: { attempt?: string; undoHash?: string; sid?: string } = {}) =>
      store().addresses.change({
        userId: who.user.id,
        email,
        proof: { attempt: more.attempt ?? (await begin(who)), sid: more.sid ?? who.sid },
        undoHash: more.undoHash ?? id(),
        undoLife: 7 * day,
        audit: [line('user.email', who.user.id)],
      })
    const undo = (idHash: string) => store().addresses.undo({ idHash, reach: day, audit: [line('user.email_undone', null)] })
    const isAlive = async (sid: string) => (await find(sid)).session.revokedAt === null
    const emailOf = async ({ user }: Person) => (await store().users.find({ id: user.id }))?.email

    it('moves the address, grows the epoch, ends the other sessions, and keeps the old address for its undo', async () => {
      const ada = await person('ada@example.com')
      const other = (await opened({ user: { id: ada.user.id } })).snapshot.session.sid
      const { seq } = await store().feed.head()
      set.time += 1000
      const undoHash = id()
      const changed = await change(ada, 'new@example.com', { undoHash })
      expect(changed).toMatchObject({
        outcome: 'changed',
        now: set.time,
        before: 'ada@example.com',
        user: { id: ada.user.id, email: 'new@example.com', epoch: 2 },
        ended: [other],
      })
      const logged = await store().feed.after(seq, 10)
      expect(logged.map((one) => [one.kind, one.id, one.epoch])).toEqual([
        ['user', ada.user.id, 2],
        ['session', other, undefined],
      ])
      expect('head' in changed && changed.head.seq).toBe(logged.at(-1)?.seq)
      expect([await isAlive(ada.sid), await isAlive(other)]).toEqual([true, false])
      // What was remembered of the session says the new address, too.
      expect((await find(ada.sid)).user).toMatchObject({ email: 'new@example.com', epoch: 2 })
      expect((await store().sessions.glance(ada.sid))?.user.epoch).toBe(2)
      expect(await store().users.find({ email: 'ada@example.com' })).toBeUndefined()
      expect((await store().users.find({ email: 'new@example.com' }))?.id).toBe(ada.user.id)
      expect((await store().audit.list({ userId: ada.user.id }, 1))[0]).toMatchObject({ event: 'user.email', at: set.time })
      expect(await store().addresses.findUndo(undoHash)).toMatchObject({
        userId: ada.user.id,
        email: 'ada@example.com',
        createdAt: set.time,
        expiresAt: set.time + 7 * day,
      })
      expect(await Promise.all(['ada@example.com', 'new@example.com'].map((one) => store().addresses.leftAt(one)))).toEqual([
        set.time,
        undefined,
      ])
      expect(await store().addresses.undos(ada.user.id)).toEqual([await store().addresses.findUndo(undoHash)])
      await set.under.reopen()
      expect(await emailOf(ada)).toBe('new@example.com')
    })

    it('takes an attempt of this purpose, user and session, once, and while it lives', async () => {
      const [ada, bob] = [await person(), await person()]
      const second = { sid: (await opened({ user: { id: ada.user.id } })).snapshot.session.sid, user: ada.user }
      for (const wrong of [
        await begin(ada, { purpose: 'sign_in' }),
        await begin(ada, { purpose: 'step_up' }),
        await begin(bob),
        await begin(second),
        id(),
      ])
        expect(await change(ada, fresh(), { attempt: wrong })).toEqual({ outcome: 'attempt_gone' })
      const late = await begin(ada)
      set.time += 600_000
      expect(await change(ada, fresh(), { attempt: late })).toEqual({ outcome: 'attempt_gone' })
      const right = await begin(ada)
      expect(await change(ada, fresh(), { attempt: right })).toMatchObject({ outcome: 'changed' })
      expect(await change(ada, fresh(), { attempt: right })).toEqual({ outcome: 'attempt_gone' })
    })

    it('is refused to a session that ended, to another’s, and to who was disabled; the attempt stays', async () => {
      const [ada, bob] = [await person(), await person()]
      await store().sessions.revoke({ sid: ada.sid }, 'sign_out', [])
      const begun = await begin(ada)
      expect(await change(ada, fresh(), { attempt: begun })).toEqual({ outcome: 'session_gone' })
      expect((await store().attempts.find(begun))?.attempt.consumedAt).toBeNull()
      expect(await change(ada, fresh(), { attempt: await begin({ ...ada, sid: bob.sid }), sid: bob.sid })).toEqual({
        outcome: 'session_gone',
      })
      await store().users.change(bob.user.id, { status: 'disabled' }, [])
      expect(await change(bob, fresh())).toEqual({ outcome: 'session_gone' })
    })

    it('is an operator’s without a proof: every session ends, of who is disabled too', async () => {
      const ada = await person('ada@example.com')
      const undoHash = id()
      expect(await assign(ada.user.id, 'b@example.com', undoHash)).toMatchObject({
        outcome: 'changed',
        ended: [ada.sid],
        before: 'ada@example.com',
      })
      await store().users.change(ada.user.id, { status: 'disabled' }, [])
      expect(await assign(ada.user.id, 'c@example.com')).toMatchObject({ outcome: 'changed', user: { status: 'disabled' } })
      expect([await assign(ada.user.id, 'c@example.com'), await assign(`usr_${id()}`, fresh())]).toEqual([
        { outcome: 'taken' },
        { outcome: 'user_gone' },
      ])
      expect(await undo(undoHash)).toMatchObject({ outcome: 'undone', user: { email: 'ada@example.com', status: 'disabled' } })
    })

    it('gives nobody an address that somebody has, or may still put back; its own user may go back to it', async () => {
      const [ada, bob, eve] = [await person('ada@example.com'), await person('bob@example.com'), await person()]
      expect(await change(ada, 'bob@example.com')).toEqual({ outcome: 'taken' })
      expect(await change(ada, 'ada@example.com')).toEqual({ outcome: 'taken' })
      expect([
        await store().addresses.isTaken('bob@example.com', ada.user.id),
        await store().addresses.isTaken('bob@example.com', bob.user.id),
      ]).toEqual([true, false])
      expect(await change(bob, 'new@example.com')).toMatchObject({ outcome: 'changed' })
      expect([
        await store().addresses.isTaken('bob@example.com', eve.user.id),
        await store().addresses.isTaken('bob@example.com', null),
        await store().addresses.isTaken('bob@example.com', bob.user.id),
      ]).toEqual([true, true, false])
      expect(await change(eve, 'bob@example.com')).toEqual({ outcome: 'taken' })
      // Neither does a sign-in or an operator make a user of it.
      const signIn = sign({ user: { email: 'bob@example.com', create: { id: `usr_${id()}`, roles: [] } } })
      expect(await store().sessions.open(signIn)).toEqual({ outcome: 'user_unknown' })
      expect(await store().users.create({ id: `usr_${id()}`, email: 'bob@example.com', roles: [] }, [])).toBe('conflict')
      // Beside others whose address is free, by an attempt as every sign-in has one.
      const many = await Promise.all(
        ['bob@example.com', fresh(), fresh()].map(async (email) => {
          const begun = attempt()
          await store().attempts.start(begun, [], [])
          return sign({ attempt: begun.idHash, user: { email, create: { id: `usr_${id()}`, roles: [] } } })
        }),
      )
      expect((await Promise.all(many.map((one) => store().sessions.open(one)))).map(({ outcome }) => outcome)).toEqual([
        'user_unknown',
        'opened',
        'opened',
      ])
      set.time += 60_000
      expect(await change(bob, 'bob@example.com')).toMatchObject({ outcome: 'changed', before: 'new@example.com' })
      set.time += 7 * day
      expect(
        await store().sessions.open(sign({ user: { email: 'new@example.com', create: { id: `usr_${id()}`, roles: [] } } })),
      ).toMatchObject({
        outcome: 'opened',
        created: true,
      })
    })

    const assign = (userId: string, email: string, undoHash = id()) =>
      store().addresses.change({ userId, email, proof: null, undoHash, undoLife: 7 * day, audit: [line('user.email', userId)] })

    it('keeps the first way back from changes that come in one moment, whichever is undone', async () => {
      const { user } = await person('ada@example.com')
      const [first, second, third] = [id(), id(), id()]
      for (const [email, hash] of [
        ['b@example.com', first],
        ['c@example.com', second],
        ['d@example.com', third],
      ] as const)
        expect(await assign(user.id, email, hash)).toMatchObject({ outcome: 'changed', wayBack: true })
      expect(await undo(second)).toMatchObject({ outcome: 'undone', user: { email: 'b@example.com' } })
      expect(await undo(third)).toEqual({ outcome: 'gone' })
      expect(await store().addresses.isTaken('ada@example.com', null)).toBe(true)
      expect(await undo(first)).toMatchObject({ outcome: 'undone', user: { email: 'ada@example.com' } })
    })

    it('takes a change back to an address that was given up for its undo: who came between has no way back', async () => {
      const { user } = await person('ada@example.com')
      const [first, second, third, fourth] = [id(), id(), id(), id()]
      await assign(user.id, 'b@example.com', first)
      set.time += 1000
      await assign(user.id, 'c@example.com', second)
      // To the middle: the first way back stays, and the one that is left has none.
      expect(await assign(user.id, 'b@example.com', third)).toMatchObject({ outcome: 'changed', before: 'c@example.com', wayBack: false })
      expect((await store().addresses.undos(user.id)).map(({ idHash }) => idHash)).toEqual([first])
      expect(await store().addresses.isTaken('c@example.com', null)).toBe(false)
      set.time += 1000
      await assign(user.id, 'c@example.com', second)
      expect(await assign(user.id, 'ada@example.com', fourth)).toMatchObject({ outcome: 'changed', wayBack: false })
      expect(await store().addresses.undos(user.id)).toEqual([])
      for (const hash of [first, second, third, fourth]) expect(await undo(hash)).toEqual({ outcome: 'gone' })
      // Once its time is over it is an address like any other.
      await assign(user.id, 'b@example.com', id())
      set.time += 7 * day
      expect(await assign(user.id, 'ada@example.com', id())).toMatchObject({ wayBack: true })
    })

    it('lets one of several have an address, whoever asks at once', async () => {
      for (let round = 0; round < 5; round++) {
        const email = fresh()
        const people = await Promise.all([1, 2, 3, 4].map(() => person()))
        const begun = await Promise.all(people.map((one) => begin(one)))
        const outcomes = await Promise.all(people.map((one, n) => change(one, email, { attempt: begun[n] as string })))
        expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['changed', 'taken', 'taken', 'taken'])
      }
    })

    it('leaves nobody signed in by the old address, whatever sign-ins come at the same moment', async () => {
      for (let round = 0; round < 6; round++) {
        const ada = await person()
        const begun = await begin(ada)
        const attempts = await Promise.all(
          [1, 2, 3].map(async () => {
            const one = attempt()
            await store().attempts.start(one, [], [])
            return one.idHash
          }),
        )
        const early = round % 2 === 0 ? change(ada, fresh(), { attempt: begun }) : null
        const signIns = attempts.map((one) => store().sessions.open(sign({ attempt: one, user: { email: ada.user.email, create: null } })))
        const [changed, ...outcomes] = await Promise.all([early ?? change(ada, fresh(), { attempt: begun }), ...signIns])
        const sids = outcomes.flatMap((one) => (one.outcome === 'opened' ? [one.snapshot.session.sid] : []))
        for (const one of outcomes) expect(['opened', 'user_unknown']).toContain(one.outcome)
        expect('ended' in changed && [...changed.ended].sort()).toEqual([...sids].sort())
        expect(await isAlive(ada.sid)).toBe(true)
        for (const sid of sids) expect(await isAlive(sid)).toBe(false)
      }
    })

    it('puts an address back, once: every session ends, and keys since the day before are gone', async () => {
      const ada = await person('ada@example.com')
      await store().passkeys.handle(ada.user.id, handle())
      const keys = [passkey(ada.user.id), passkey(ada.user.id), passkey(ada.user.id)] as const
      await store().passkeys.add(keys[0], 20, [], null)
      set.time += day + 1
      await store().passkeys.add(keys[1], 20, [], null)
      set.time += day
      const undoHash = id()
      const { sid } = (await opened({ user: { id: ada.user.id } })).snapshot.session
      expect(await change({ ...ada, sid }, 'thief@example.com', { undoHash })).toMatchObject({ outcome: 'changed' })
      await store().passkeys.add(keys[2], 20, [], null)
      const { seq } = await store().feed.head()
      set.time += 7 * day - 1
      const done = await Promise.all([undo(undoHash), undo(undoHash), undo(undoHash)])
      expect(done.map(({ outcome }) => outcome).sort()).toEqual(['gone', 'gone', 'undone'])
      const undone = done.find(({ outcome }) => outcome === 'undone')
      expect(undone).toMatchObject({
        before: 'thief@example.com',
        passkeys: 2,
        user: { id: ada.user.id, email: 'ada@example.com', epoch: 3 },
      })
      expect((await store().passkeys.list(ada.user.id)).passkeys.map((one) => one.id)).toEqual([keys[0].id])
      expect((await store().feed.after(seq, 10)).map((one) => [one.kind, one.epoch])).toContainEqual(['user', 3])
      expect(await emailOf(ada)).toBe('ada@example.com')
      expect((await store().audit.list({ userId: ada.user.id }, 1))[0]).toMatchObject({ event: 'user.email_undone', userId: ada.user.id })
    })

    it('ends the sessions that live when it is undone', async () => {
      const ada = await person()
      const undoHash = id()
      await change(ada, fresh(), { undoHash })
      const later = (await opened({ user: { id: ada.user.id } })).snapshot.session.sid
      const undone = await undo(undoHash)
      expect('ended' in undone && [...undone.ended].sort()).toEqual([ada.sid, later].sort())
      expect([await isAlive(ada.sid), await isAlive(later)]).toEqual([false, false])
    })

    it('leads back to the first address, whatever changes came after it, and takes the ways back to later ones', async () => {
      const ada = await person('ada@example.com')
      const [first, second, third] = [id(), id(), id()]
      await change(ada, 'b@example.com', { undoHash: first })
      set.time += 60_000
      await change(ada, 'c@example.com', { undoHash: second })
      set.time += 60_000
      await change(ada, 'd@example.com', { undoHash: third })
      expect(await undo(third)).toMatchObject({ outcome: 'undone', user: { email: 'c@example.com' } })
      expect(await undo(first)).toMatchObject({ outcome: 'undone', user: { email: 'ada@example.com' } })
      expect([await undo(second), await undo(first)]).toEqual([{ outcome: 'gone' }, { outcome: 'gone' }])
      expect(await emailOf(ada)).toBe('ada@example.com')
    })

    it('is over after its time, and gone with its user; what is over is swept', async () => {
      const [ada, bob] = [await person('ada@example.com'), await person()]
      const [one, two] = [id(), id()]
      await change(ada, fresh(), { undoHash: one })
      await change(bob, fresh(), { undoHash: two })
      await store().users.remove(ada.user.id, [])
      expect([await undo(one), await store().addresses.findUndo(one)]).toEqual([{ outcome: 'gone' }, undefined])
      expect(await store().addresses.isTaken('ada@example.com', null)).toBe(false)
      expect(await store().addresses.sweep(10)).toBe(0)
      set.time += 7 * day
      expect([await undo(two), await store().addresses.findUndo(two)]).toEqual([{ outcome: 'gone' }, undefined])
      await expectSwept(1, () => store().addresses.sweep(10))
      expect(await store().addresses.sweep(10)).toBe(0)
    })

    it('comes to one end when it is undone, changed again and deleted at the same moment', async () => {
      for (let round = 0; round < 4; round++) {
        const ada = await person()
        const [undoHash, next] = [id(), fresh()]
        const between = fresh()
        await change(ada, between, { undoHash })
        const begun = await begin(ada)
        const [undone, changed, removed] = await Promise.all([
          undo(undoHash),
          change(ada, next, { attempt: begun }),
          round % 2 === 0 ? store().users.remove(ada.user.id, []) : undefined,
        ])
        expect(['undone', 'gone']).toContain(undone.outcome)
        expect(['changed', 'session_gone', 'attempt_gone']).toContain(changed.outcome)
        if (round % 2 === 0) {
          expect(removed).toBeDefined()
          expect(await store().users.find({ id: ada.user.id })).toBeUndefined()
          for (const email of [ada.user.email, between, next]) expect(await store().addresses.isTaken(email, null)).toBe(false)
        } else expect(await emailOf(ada)).toBe(ada.user.email)
      }
    })
  })
}
