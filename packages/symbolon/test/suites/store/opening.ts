// What a store does with many sign-ins of one moment: each is answered as if it had come alone, whatever the others are.

import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { NewPasskey, OpenSession } from '#core'
import { client, id, type StoreUnderTest, setStore } from './setting.ts'

/** Runs the suite; `open` opens an empty store on a clock. */
export function openingSuite(name: string, open: (clock: () => number) => Promise<StoreUnderTest>): void {
  describe(`${name} opens sessions of one moment`, () => {
    const set = setStore(open)
    const { attempt, sign, opened, find } = set
    /** A sign-in by an attempt that is under way. */
    const ready = async (change: Partial<OpenSession> = {}, session: Partial<OpenSession['session']> = {}): Promise<OpenSession> => {
      const one = attempt()
      await set.under.store.attempts.start(one, [], [])
      const audit = [{ event: 'session.opened', userId: null, sid: null, clientId: 'app', ip: null, detail: { of: one.idHash } }]
      return sign({ attempt: one.idHash, audit, ...change }, session)
    }
    const person = (address: string) => {
      const userId = `usr_${id()}`
      const made = { event: 'user.created', userId, sid: null, clientId: null, ip: null, detail: {} }
      return { email: address, create: { id: userId, roles: ['member'], audit: [made] } }
    }

    it('each as if it were alone', async () => {
      const { store } = set.under
      await store.clients.put(client('closed', { status: 'disabled' }), null, [])
      const disabled = (await opened({ user: person('eve@example.com') })).snapshot.user
      await store.users.change(disabled.id, { status: 'disabled' }, [])
      const old = (await opened({ user: person('bob@example.com') })).snapshot
      const full = (await opened({ user: person('cy@example.com') })).snapshot
      const idle = (await opened({ user: person('di@example.com') })).snapshot
      set.time += 120_000
      const gone = await ready({ user: person('gone@example.com') })
      await store.attempts.consume(gone.attempt as string)
      const twice = await ready({ user: person('twice@example.com') })
      const signIns: readonly (readonly [OpenSession, string])[] = [
        [await ready({ user: person('new@example.com') }), 'opened'],
        [await ready({ user: { email: 'nobody@example.com', create: null } }), 'user_unknown'],
        [await ready({ user: { id: 'usr_nobody' } }), 'user_unknown'],
        [await ready({ user: { id: old.user.id } }), 'opened'],
        [await ready({ user: { email: 'bob@example.com', create: null }, replaces: old.session.sid }), 'opened'],
        [await ready({ user: { email: 'eve@example.com', create: null } }), 'user_disabled'],
        [await ready({ user: person('other@example.com') }, { clientId: 'closed' }), 'client_disabled'],
        [gone, 'attempt_gone'],
        [twice, 'opened'],
        [{ ...twice, session: { ...twice.session, sid: id() } }, 'attempt_gone'],
        [await ready({ user: person('same@example.com') }), 'opened'],
        [await ready({ user: person('same@example.com') }), 'opened'],
        [await ready({ user: { id: full.user.id }, maxSessions: 1 }), 'limit'],
        // What a policy that is stricter by now has ended is no session any more.
        [await ready({ user: { id: idle.user.id }, maxSessions: 1 }, { idle: 60_000 }), 'opened'],
        [await ready({ user: person('one@example.com'), maxSessions: 1 }), 'opened'],
        [await ready({ user: person('last@example.com') }), 'opened'],
      ]
      const outcomes = await Promise.all(signIns.map(([one]) => store.sessions.open(one)))
      // Which of the two that share an attempt is first, nobody says: they may be at two nodes.
      const came = outcomes.map(({ outcome }) => outcome)
      const at = signIns.findIndex(([one]) => one === twice)
      expect([
        ...came.slice(0, at),
        ...came
          .slice(at, at + 2)
          .sort()
          .reverse(),
        ...came.slice(at + 2),
      ]).toEqual(signIns.map(([, outcome]) => outcome))
      /** How many of somebody's sign-ins say that they made them. */
      const people = new Map<string, number>()
      for (const [at, outcome] of outcomes.entries()) {
        const [asked] = signIns[at] as (typeof signIns)[number]
        const living = asked.attempt === null ? undefined : (await store.attempts.find(asked.attempt))?.attempt.consumedAt === null
        if (outcome.outcome !== 'opened') {
          // What was refused has used nothing up, and left nobody behind.
          expect(living).toBe(outcome.outcome !== 'attempt_gone')
          continue
        }
        const { session, user } = outcome.snapshot
        expect(living).toBe(false)
        expect(session.sid).toBe(asked.session.sid)
        expect((await find(session.sid)).user).toEqual(user)
        expect((await store.sessions.glance(session.sid))?.user).toMatchObject({
          id: user.id,
          status: 'active',
          epoch: 1,
          roles: ['member'],
        })
        people.set(user.id, (people.get(user.id) ?? 0) + Number(outcome.created))
        expect(outcome.ended).toEqual(asked.replaces === null ? [] : [old.session.sid])
        const entries = await store.audit.list({ userId: user.id }, 100)
        expect(entries.filter(({ event, detail }) => event === 'session.opened' && detail.of === asked.attempt)).toHaveLength(1)
        expect(entries.filter(({ event }) => event === 'user.created')).toHaveLength(1)
      }
      for (const [userId, made] of people) expect(made).toBe([old.user.id, idle.user.id].includes(userId) ? 0 : 1)
      expect(await store.users.find({ email: 'other@example.com' })).toBeUndefined()
      expect(await store.users.find({ email: 'gone@example.com' })).toBeUndefined()
      expect((await find(old.session.sid)).session.revokedReason).toBe('replaced')
    })

    it('and with each the key that its person made, who must have none', async () => {
      const { store } = set.under
      const key = (change: Partial<NewPasskey> = {}) => {
        const passkey = {
          ...{ id: id(), publicKey: randomBytes(77), counter: 0, transports: ['internal'], backupEligible: true, backedUp: true },
          ...{ aaguid: '', name: 'Key', userVerified: true, ...change },
        }
        const line = { event: 'passkey.added', userId: null, sid: null, clientId: 'app', ip: null, detail: { passkey: passkey.id } }
        return { handle: randomBytes(64).toString('base64url'), passkey, audit: [line] }
      }
      const owner = (await opened({ user: person('owner@example.com') })).snapshot.user
      const { publicKey, ...rest } = key().passkey
      await store.passkeys.handle(owner.id, 'handle')
      await store.passkeys.add({ ...rest, publicKey, userId: owner.id }, 20, [], null)
      const handled = (await opened({ user: person('handled@example.com') })).snapshot.user
      const handle = (await store.passkeys.handle(handled.id, 'own')) as string
      const full = (await opened({ user: person('full@example.com') })).snapshot.user
      const signIns: readonly (readonly [OpenSession, string])[] = [
        [await ready({ user: person('new@example.com'), enrols: key() }), 'opened'],
        [await ready({ user: { id: owner.id }, enrols: { ...key(), handle: 'handle' } }), 'enrolled'],
        [await ready({ user: { id: handled.id }, enrols: key() }), 'enrolled'],
        [await ready({ user: { id: handled.id }, enrols: { ...key(), handle } }), 'opened'],
        [await ready({ user: person('thief@example.com'), enrols: key({ id: rest.id }) }), 'key_taken'],
        [await ready({ user: person('plain@example.com') }), 'opened'],
        // At their limit of sessions, too: who may not store a key is not asked which session ends for it.
        [await ready({ user: { id: owner.id }, enrols: key(), maxSessions: 1 }), 'enrolled'],
        [await ready({ user: { id: full.id }, enrols: key({ id: rest.id }), maxSessions: 1 }), 'key_taken'],
        [await ready({ user: { id: full.id }, enrols: key(), maxSessions: 1 }), 'limit'],
      ]
      const outcomes = await Promise.all(signIns.map(([one]) => store.sessions.open(one)))
      expect(outcomes.map(({ outcome }) => outcome)).toEqual(signIns.map(([, outcome]) => outcome))
      for (const [at, outcome] of outcomes.entries()) {
        const [{ enrols, attempt }] = signIns[at] as (typeof signIns)[number]
        expect((await store.attempts.find(attempt as string))?.attempt.consumedAt === null).toBe(outcome.outcome !== 'opened')
        if (outcome.outcome !== 'opened') continue
        const { user } = outcome.snapshot
        const kept = await store.passkeys.list(user.id)
        expect(kept.passkeys).toMatchObject(enrols ? [{ id: enrols.passkey.id, userId: user.id, name: 'Key', createdAt: set.time }] : [])
        expect(kept.handle).toBe(enrols?.handle ?? null)
        const lines = (await store.audit.list({ userId: user.id }, 20)).filter(({ event }) => event === 'passkey.added')
        expect(lines.map(({ detail }) => detail.passkey)).toEqual(enrols ? [enrols.passkey.id] : [])
      }
      expect(await store.users.find({ email: 'thief@example.com' })).toBeUndefined()
      expect((await store.passkeys.list(owner.id)).passkeys).toHaveLength(1)
    })

    it('and each says what its user is at, whoever changes them before or at that moment', async () => {
      const { store } = set.under
      const { user } = (await opened({ user: person('ada@example.com') })).snapshot
      for (let round = 0; round < 10; round++) {
        const signIns = [await ready({ user: { id: user.id } }), await ready({ user: person(`other${round}@example.com`) })]
        const change = () => store.users.change(user.id, { roles: [`role${round}`] }, [])
        // In turn: before them, and among them.
        if (round % 2 === 0) await change()
        const [mine] = await Promise.all([...signIns.map((one) => store.sessions.open(one)), ...(round % 2 === 0 ? [] : [change()])])
        expect(mine).toMatchObject({ outcome: 'opened' })
        const sid = signIns[0]?.session.sid as string
        const now = await store.users.find({ id: user.id })
        expect(now).toMatchObject({ epoch: round + 2, roles: [`role${round}`] })
        // Twice: what was remembered says the same.
        for (let turn = 0; turn < 2; turn++)
          expect((await store.sessions.glance(sid))?.user).toMatchObject({
            id: user.id,
            status: 'active',
            epoch: now?.epoch,
            roles: now?.roles,
          })
      }
    })

    it('one person once, however many sign in as them for the first time at one moment', async () => {
      const signIns = await Promise.all(Array.from({ length: 40 }, (_, n) => ready({ user: person(`new${n % 4}@example.com`) })))
      const outcomes = await Promise.all(signIns.map((one) => set.under.store.sessions.open(one)))
      const made = outcomes.map((one) => (one.outcome === 'opened' ? one.snapshot.user.id : one.outcome))
      expect(new Set(made).size).toBe(4)
      expect(outcomes.filter((one) => one.outcome === 'opened' && one.created)).toHaveLength(4)
    })
  })
}
