// What a store does when a user is deleted: nothing of them works or stays, and whoever comes with their address is somebody
// else; whatever runs at the same moment comes before it, or finds nobody.

import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { handle, passkey } from './passkeys.ts'
import { id, plain, type StoreUnderTest, setStore, sign } from './setting.ts'

/** Runs the suite. */
export function removalSuite(name: string, open: (clock: () => number) => Promise<StoreUnderTest>): void {
  describe(`${name} deletes users`, () => {
    const set = setStore(open)
    const { opened, rotation, attempt } = set
    const store = () => set.under.store
    const line = (event: string, userId: string, ip: string | null = '192.0.2.1') => ({
      event,
      userId,
      sid: null,
      clientId: 'app',
      ip,
      detail: {},
    })
    const remove = (userId: string) => store().users.remove(userId, [line('user.deleted', userId, null)])
    const place = { ip: '192.0.2.7', userAgent: 'Firefox' }

    /** What is left of somebody who is gone: their sessions' rows are seen by making somebody of that id again. */
    const left = async (userId: string, sids: readonly string[] = []) => {
      expect(await store().users.find({ id: userId })).toBeUndefined()
      expect(await store().sessions.list(userId)).toMatchObject({ sessions: [] })
      expect(await store().passkeys.list(userId)).toEqual({ handle: null, passkeys: [] })
      for (const { ip } of await store().audit.list({ userId }, 100)) expect(ip).toBeNull()
      for (const sid of sids) {
        expect(await store().sessions.find(sid)).toBeUndefined()
        expect(await store().sessions.glance(sid)).toBeUndefined()
      }
      await store().users.create({ id: userId, email: `${id().toLowerCase()}@example.com`, roles: [] }, [])
      const rows = await Promise.all(sids.map((sid) => store().sessions.find(sid)))
      for (const row of rows)
        expect(row?.session).toMatchObject({
          revokedAt: expect.any(Number),
          revokedReason: expect.stringMatching(/^(user_deleted|parent)$/),
        })
      return rows.map((row) => row?.session)
    }

    it('ends every session, children too, grows the epoch in the feed, and keeps nothing but ids', async () => {
      const one = (await opened({ audit: [line('session.opened', '')] }, place)).snapshot
      const { id: userId, email } = one.user
      const two = (await opened({}, place)).snapshot.session.sid
      const child = (await opened({ user: { id: userId } }, { ...place, parent: two })).snapshot.session.sid
      const before = (await opened({ replaces: two, user: { email: 'eve@example.com', create: { id: 'usr_eve', roles: [] } } })).snapshot
      const own = passkey(userId)
      await store().passkeys.handle(userId, handle())
      await store().passkeys.add(own, 20, [], null)
      const begun = attempt({ purpose: 'enrol', userId, sid: one.session.sid })
      await store().attempts.start(begun, [], [])
      await store().users.change(userId, { bump: true }, [])
      await store().audit.write([line('token.revoked', 'usr_eve')])
      const { seq } = await store().feed.head()
      set.time += 1000

      const removed = await remove(userId)
      expect(plain(removed?.user)).toEqual(plain({ ...one.user, epoch: 2 }))
      expect(removed?.ended).toEqual([one.session.sid])
      const logged = await store().feed.after(seq, 100)
      expect(logged.map(({ kind, id, epoch }) => [kind, id, epoch])).toEqual([
        ['user', userId, 3],
        ['session', one.session.sid, undefined],
      ])
      expect(removed?.head.seq).toBe(logged.at(-1)?.seq)
      expect((await store().audit.list({ userId }, 1))[0]).toMatchObject({ event: 'user.deleted', at: set.time, ip: null })
      expect(await store().passkeys.find(own.id)).toBeUndefined()
      expect(await store().attempts.find(begun.idHash)).toBeUndefined()
      await set.under.reopen()
      expect(await store().users.find({ email })).toBeUndefined()
      const rows = await left(userId, [one.session.sid])
      expect(rows[0]).toMatchObject({ ip: null, userAgent: null, revokedReason: 'user_deleted', revokedAt: set.time })
      for (const sid of [two, child]) expect((await store().sessions.find(sid))?.session).toMatchObject({ ip: null, userAgent: null })

      // Nobody else lost anything.
      expect((await store().sessions.find(before.session.sid))?.session.revokedAt).toBeNull()
      expect(await store().audit.list({ userId: 'usr_eve' }, 1)).toMatchObject([{ ip: '192.0.2.1' }])
    })

    it('is done however much there is to blank', async () => {
      const { user } = (await opened()).snapshot
      await store().audit.write(Array.from({ length: 12_000 }, (_, n) => line(`e${n}`, user.id)))
      await store().audit.write([line('last', 'usr_eve')])
      expect(await remove(user.id)).toBeDefined()
      const lines = await store().audit.list({ userId: user.id }, 20_000)
      expect(lines).toHaveLength(12_001)
      expect(lines.filter(({ ip }) => ip !== null)).toEqual([])
      expect(await store().audit.list({ userId: 'usr_eve' }, 1)).toMatchObject([{ ip: '192.0.2.1' }])
    })

    it('gives the address to somebody else, who inherits nothing', async () => {
      const { user, session } = (await opened()).snapshot
      await remove(user.id)
      const again = (await opened()).snapshot
      expect(again.user.email).toBe(user.email)
      expect(again.user.id).not.toBe(user.id)
      expect(await store().passkeys.list(again.user.id)).toEqual({ handle: null, passkeys: [] })
      expect((await store().sessions.list(again.user.id)).sessions.map(({ sid }) => sid)).toEqual([again.session.sid])
      expect((await store().audit.list({ userId: again.user.id }, 10)).map(({ event }) => event)).not.toContain('user.deleted')
      expect(await store().sessions.find(session.sid)).toBeUndefined()
    })

    it('is done once, and never to who is not there', async () => {
      const { user } = (await opened()).snapshot
      const done = await Promise.all([1, 2, 3, 4].map(() => remove(user.id)))
      expect(done.filter((one) => one !== undefined)).toHaveLength(1)
      expect((await store().audit.list({ userId: user.id }, 10)).map(({ event }) => event)).toEqual(['user.deleted'])
      const { seq } = await store().feed.head()
      expect(await remove(`usr_${id()}`)).toBeUndefined()
      expect((await store().feed.head()).seq).toBe(seq)
    })

    it('leaves no session behind, whatever sign-ins come at the same moment', async () => {
      for (let round = 0; round < 5; round++) {
        const email = `${id().toLowerCase()}@example.com`
        const user = await store().users.create({ id: `usr_${id()}`, email, roles: [] }, [])
        if (user === 'conflict') throw new Error('conflict')
        const attempts = await Promise.all(
          [1, 2, 3, 4].map(async (n) => {
            const one = attempt(n % 2 === 0 ? { userId: user.id } : {})
            await store().attempts.start(one, [], [])
            return one.idHash
          }),
        )
        const tries = () =>
          attempts.map((idHash, n) =>
            store().sessions.open(sign({ attempt: idHash, user: n % 2 === 0 ? { email, create: null } : { id: user.id } }, place)),
          )
        // First, in their midst, and last.
        const early = round % 3 === 0 ? remove(user.id) : null
        const before = tries()
        const [removed, ...outcomes] = await Promise.all([early ?? remove(user.id), ...before])
        const sids = outcomes.flatMap((one) => (one.outcome === 'opened' ? [one.snapshot.session.sid] : []))
        for (const one of outcomes) expect(['opened', 'user_unknown', 'attempt_gone']).toContain(one.outcome)
        expect([...(removed?.ended ?? [])].sort()).toEqual([...sids].sort())
        for (const row of await left(user.id, sids)) expect(row).toMatchObject({ ip: null, userAgent: null })
      }
    })

    it('leaves no handle behind, whoever asks for one at the same moment', async () => {
      for (let round = 0; round < 10; round++) {
        const userId = `usr_${id()}`
        await store().users.create({ id: userId, email: `${id().toLowerCase()}@example.com`, roles: [] }, [])
        const asked = () => Array.from({ length: 4 }, () => store().passkeys.handle(userId, handle()))
        await Promise.all([...asked(), remove(userId), ...asked()])
        expect(await store().passkeys.list(userId)).toEqual({ handle: null, passkeys: [] })
      }
    })

    it('leaves nothing alive, whatever rotates, is raised, seen or added at the same moment', async () => {
      for (let round = 0; round < 5; round++) {
        const email = `${id().toLowerCase()}@example.com`
        const user = { email, create: { id: `usr_${id()}`, roles: [] } }
        const all = await Promise.all([1, 2, 3].map(() => opened({ user }, place)))
        const userId = all[0]?.snapshot.user.id as string
        const sids = all.map(({ snapshot }) => snapshot.session.sid)
        const [first, second, third] = sids as [string, string, string]
        const raising = attempt({ purpose: 'step_up', userId, sid: second })
        await store().attempts.start(raising, [], [])
        const raise = {
          ...{ sid: second, attempt: raising.idHash, from: 1, credentialHash: randomBytes(32), replacedFor: 'x', acr: 'b', amr: ['hwk'] },
          ...{ window: 10_000, audit: [line('session.stepped_up', userId)] },
        }
        const own = passkey(userId)
        const [rotated, raised, , added, given, removed] = await Promise.all([
          store().sessions.rotate(rotation(first, 1, { audit: [line('session.recovered', userId)] })),
          store().sessions.raise(raise),
          store().sessions.touch([{ sid: third, lastSeenAt: set.time, seenGeneration: 1, ...place }]),
          store().passkeys.add(own, 20, [line('passkey.added', userId)], null),
          store().passkeys.handle(userId, handle()),
          remove(userId),
        ])
        expect(['rotated', 'lost']).toContain(rotated.outcome)
        expect(['raised', 'session_gone', 'attempt_gone']).toContain(raised.outcome)
        expect(['added', 'user_gone']).toContain(added.outcome)
        expect(given === undefined || given.length === 86).toBe(true)
        expect([...(removed?.ended ?? [])].sort()).toEqual([...sids].sort())
        // What comes after finds nobody.
        expect((await store().sessions.rotate(rotation(first, rotated.outcome === 'rotated' ? 2 : 1))).outcome).toBe('lost')
        await store().sessions.touch([{ sid: third, lastSeenAt: set.time, seenGeneration: 1, ...place }])
        expect(await store().passkeys.add(passkey(userId), 20, [], null)).toEqual({ outcome: 'user_gone' })
        expect(await store().passkeys.handle(userId, handle())).toBeUndefined()
        expect(await store().passkeys.find(own.id)).toBeUndefined()
        for (const row of await left(userId, sids)) expect(row).toMatchObject({ ip: null, userAgent: null })
      }
    })
  })
}
