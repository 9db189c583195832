// What a store does with passkeys: one owner each, a bounded number, counters that only grow, and the last one kept
// however many are removed at once.

import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { NewPasskey, PasskeyProof } from '#core'
import { id, plain, type StoreUnderTest, setStore } from './setting.ts'

/** A passkey as it is added. */
export const passkey = (userId: string, change: Partial<NewPasskey> = {}): NewPasskey => ({
  id: randomBytes(32).toString('base64url'),
  userId,
  publicKey: randomBytes(77),
  counter: 0,
  transports: ['internal', 'hybrid'],
  backupEligible: true,
  backedUp: false,
  aaguid: '00000000-0000-0000-0000-000000000000',
  name: 'Ünïcode "🙂"',
  userVerified: true,
  ...change,
})
/** A user handle. */
export const handle = () => randomBytes(64).toString('base64url')

/** Runs the suite. */
export function passkeySuite(name: string, open: (clock: () => number) => Promise<StoreUnderTest>): void {
  describe(`${name} keeps passkeys`, () => {
    const set = setStore(open)
    const passkeys = () => set.under.store.passkeys
    const person = async (email = `${id().toLowerCase()}@example.com`) => {
      const user = await set.under.store.users.create({ id: `usr_${id()}`, email, roles: [] }, [])
      if (user === 'conflict') throw new Error('conflict')
      return user
    }
    /** Somebody with a session. */
    const signedIn = async () => {
      const email = `${id().toLowerCase()}@example.com`
      const { session, user } = (await set.opened({ user: { email, create: { id: `usr_${id()}`, roles: [] } } })).snapshot
      return { user: user.id, sid: session.sid }
    }
    const begin = async ({ user, sid }: { user: string; sid: string }, change: Parameters<typeof set.attempt>[0] = {}) => {
      const begun = set.attempt({ purpose: 'enrol', state: 'challenge', method: 'passkey', userId: user, sid, ...change })
      await set.under.store.attempts.start(begun, [], [])
      return begun.idHash
    }
    const line = (event: string, userId: string) => ({ event, userId, sid: null, clientId: null, ip: null, detail: {} })
    const events = async (userId: string) => (await set.under.store.audit.list({ userId }, 100)).map(({ event }) => event)

    it('gives a person one handle for good, whoever asks at once', async () => {
      const { id: user } = await person()
      const given = await Promise.all(Array.from({ length: 8 }, () => passkeys().handle(user, handle())))
      expect(new Set(given).size).toBe(1)
      expect(given[0]).toMatch(/^[\w-]{86}$/)
      await set.under.reopen()
      expect(await passkeys().handle(user, handle())).toBe(given[0])
      const other = await passkeys().handle((await person()).id, handle())
      expect(other).not.toBe(given[0])
      expect(await passkeys().handle(`usr_${id()}`, handle())).toBeUndefined()
    })

    it('keeps every field, and finds it with its owner', async () => {
      const user = await person()
      const own = handle()
      await passkeys().handle(user.id, own)
      const one = passkey(user.id, { counter: 4_294_967_295, backupEligible: true, backedUp: true, userVerified: false })
      const added = await passkeys().add(one, 20, [line('passkey.added', user.id)], null)
      expect(plain(added)).toEqual({
        outcome: 'added',
        passkey: plain({ ...one, tenant: 'main', createdAt: set.time, lastUsedAt: null }),
      })
      await set.under.reopen()
      expect(plain(await passkeys().find(one.id))).toEqual({
        now: set.time,
        handle: own,
        user: plain(user),
        passkey: plain({ ...one, tenant: 'main', createdAt: set.time, lastUsedAt: null }),
      })
      expect(await passkeys().find(handle())).toBeUndefined()
      set.time += 1000
      const two = passkey(user.id)
      await passkeys().add(two, 20, [], null)
      expect((await passkeys().list(user.id)).passkeys.map((each) => each.id)).toEqual([one.id, two.id])
      expect(await passkeys().list((await person()).id)).toEqual({ handle: null, passkeys: [] })
      expect((await passkeys().list(user.id)).handle).toBe(own)
      expect(await events(user.id)).toEqual(['passkey.added'])
    })

    it('gives an id to one person only, however many ask at once', async () => {
      const people = await Promise.all([1, 2, 3, 4].map(() => person()))
      const credential = randomBytes(32).toString('base64url')
      const tries = await Promise.all(
        people.map(({ id }) => passkeys().add(passkey(id, { id: credential }), 20, [line('added', id)], null)),
      )
      expect(tries.map(({ outcome }) => outcome).sort()).toEqual(['added', 'conflict', 'conflict', 'conflict'])
      const held = await Promise.all(people.map(async ({ id }) => (await passkeys().list(id)).passkeys.length))
      expect(held.sort()).toEqual([0, 0, 0, 1])
      // Nobody's log says what did not happen.
      expect((await Promise.all(people.map(({ id }) => events(id)))).flat()).toEqual(['added'])
    })

    it('holds the number that a person may have, however many are added at once', async () => {
      const { id: user } = await person()
      const tries = await Promise.all(Array.from({ length: 9 }, () => passkeys().add(passkey(user), 5, [], null)))
      expect(tries.filter(({ outcome }) => outcome === 'added')).toHaveLength(5)
      expect(tries.filter(({ outcome }) => outcome === 'limit')).toHaveLength(4)
      expect((await passkeys().list(user)).passkeys).toHaveLength(5)
    })

    it('adds none to who is disabled or unknown, and keeps those that are there', async () => {
      const { id: user } = await person()
      await passkeys().handle(user, handle())
      const one = passkey(user)
      await passkeys().add(one, 20, [], null)
      await set.under.store.users.change(user, { status: 'disabled' }, [])
      expect(await passkeys().add(passkey(user), 20, [], null)).toEqual({ outcome: 'user_gone' })
      expect(await passkeys().add(passkey(`usr_${id()}`), 20, [], null)).toEqual({ outcome: 'user_gone' })
      expect((await passkeys().find(one.id))?.user.status).toBe('disabled')
    })

    it('adds one by an attempt and a session of its person: once, and while both live', async () => {
      const ada = await signedIn()
      const bob = await signedIn()
      const begun = await begin(ada)
      const one = passkey(ada.user)
      const add = (proof: PasskeyProof, key = passkey(ada.user), most = 20) => passkeys().add(key, most, [line('added', ada.user)], proof)
      const used = async (attempt: string) => (await set.under.store.attempts.find(attempt))?.attempt.consumedAt !== null
      const over = await begin(ada, { lifetime: 1000 })
      set.time += 1000
      const gone: readonly (readonly [string, string])[] = [
        [id(), ada.sid],
        [over, ada.sid],
        [await begin(bob), ada.sid],
        [await begin(ada, { purpose: 'change_email', state: 'address' }), ada.sid],
        [begun, bob.sid],
        [await begin(ada, { sid: bob.sid }), ada.sid],
      ]
      for (const [attempt, sid] of gone) expect(await add({ attempt, sid })).toEqual({ outcome: 'attempt_gone' })
      expect(await add({ attempt: await begin(ada, { sid: bob.sid }), sid: bob.sid })).toEqual({ outcome: 'session_gone' })
      // A refusal uses nothing up.
      expect(await add({ attempt: begun, sid: ada.sid }, one, 0)).toEqual({ outcome: 'limit' })
      expect([await used(begun), (await passkeys().list(ada.user)).passkeys]).toEqual([false, []])
      expect(await add({ attempt: begun, sid: ada.sid }, one)).toMatchObject({ outcome: 'added', passkey: { id: one.id } })
      expect(await used(begun)).toBe(true)
      expect(await add({ attempt: begun, sid: ada.sid })).toEqual({ outcome: 'attempt_gone' })
      const again = await begin(ada)
      expect(await add({ attempt: again, sid: ada.sid }, one)).toEqual({ outcome: 'conflict' })
      await set.under.store.sessions.revoke({ sid: ada.sid }, 'signed_out_elsewhere', [])
      expect(await add({ attempt: again, sid: ada.sid })).toEqual({ outcome: 'session_gone' })
      expect([await used(again), await events(ada.user)]).toEqual([false, ['added']])
      const late = await begin(bob)
      set.time += 400 * 86_400_000
      expect(await passkeys().add(passkey(bob.user), 20, [], { attempt: late, sid: bob.sid })).toEqual({ outcome: 'attempt_gone' })
      expect(await passkeys().add(passkey(bob.user), 20, [], { attempt: await begin(bob), sid: bob.sid })).toEqual({
        outcome: 'session_gone',
      })
    })

    it('adds none after the end of its session, whichever comes first', async () => {
      const { sessions, users } = set.under.store
      const seen = new Set<string>()
      for (let round = 0; round < 24; round++) {
        const { user, sid } = await signedIn()
        const proof = { attempt: await begin({ user, sid }), sid }
        const ends = [
          () => sessions.revoke({ sid }, 'sign_out', []),
          () => sessions.revoke({ user }, 'admin', []),
          () => users.change(user, { status: 'disabled' }, []),
        ]
        const end = () => (ends[round % 3] as (typeof ends)[number])()
        const work = [end, () => passkeys().add(passkey(user), 20, [line('added', user)], proof)]
        const [, added] = await (round % 2 === 0
          ? Promise.all(work.map((run) => run()))
          : Promise.all([...work].reverse().map((run) => run())).then((all) => [...all].reverse()))
        const { outcome } = added as { readonly outcome: string }
        seen.add(outcome)
        expect(['added', 'session_gone']).toContain(outcome)
        expect((await passkeys().list(user)).passkeys).toHaveLength(outcome === 'added' ? 1 : 0)
        // The end has come by now.
        expect(await passkeys().add(passkey(user), 20, [], { attempt: await begin({ user, sid }), sid })).toEqual({
          outcome: 'session_gone',
        })
      }
      expect([...seen].sort()).toEqual(['added', 'session_gone'])
    })

    // WebAuthn §6.1.1.
    it.each([
      ['both zero', 0, 0, 'used', 0],
      ['one more', 5, 6, 'used', 6],
      ['a leap', 5, 4_294_967_295, 'used', 4_294_967_295],
      ['the first that counts', 0, 1, 'used', 1],
      ['the same', 5, 5, 'counter_back', 5],
      ['one less', 5, 4, 'counter_back', 5],
      ['none any more', 5, 0, 'counter_back', 5],
    ] as const)('holds a counter against the one before: %s', async (_, before, shown, outcome, after) => {
      const { id: user } = await person()
      await passkeys().handle(user, handle())
      const one = passkey(user, { counter: before })
      await passkeys().add(one, 20, [], null)
      set.time += 5000
      expect(await passkeys().use(one.id, { counter: shown, backedUp: true }, [line('passkey.counter_back', user)])).toBe(outcome)
      const found = (await passkeys().find(one.id))?.passkey
      const used = outcome === 'used'
      expect(found).toMatchObject({ counter: after, backedUp: used, lastUsedAt: used ? set.time : null })
      expect(await events(user)).toEqual(used ? [] : ['passkey.counter_back'])
    })

    it('takes one use of a counter, however many show it at once', async () => {
      const { id: user } = await person()
      const one = passkey(user, { counter: 7 })
      await passkeys().add(one, 20, [], null)
      const uses = await Promise.all(Array.from({ length: 12 }, () => passkeys().use(one.id, { counter: 8, backedUp: false }, [])))
      expect(uses.filter((outcome) => outcome === 'used')).toHaveLength(1)
      expect(uses.filter((outcome) => outcome === 'counter_back')).toHaveLength(11)
      expect(await passkeys().use(handle(), { counter: 1, backedUp: false }, [line('x', user)])).toBe('gone')
      expect(await events(user)).toEqual([])
    })

    it('lets nobody but its owner name or remove it', async () => {
      const [owner, other] = [await person(), await person()]
      const one = passkey(owner.id)
      await passkeys().add(one, 20, [], null)
      expect(await passkeys().rename(other.id, one.id, 'mine', [line('x', other.id)])).toBe(false)
      expect(await passkeys().remove(other.id, one.id, false, [line('x', other.id)])).toBe('gone')
      expect(await passkeys().rename(owner.id, one.id, 'laptop', [line('passkey.renamed', owner.id)])).toBe(true)
      expect((await passkeys().list(owner.id)).passkeys[0]?.name).toBe('laptop')
      expect(await passkeys().remove(owner.id, one.id, false, [line('passkey.removed', owner.id)])).toBe('removed')
      expect(await passkeys().remove(owner.id, one.id, false, [line('x', owner.id)])).toBe('gone')
      expect(await passkeys().use(one.id, { counter: 1, backedUp: false }, [])).toBe('gone')
      expect([await events(owner.id), await events(other.id)]).toEqual([['passkey.removed', 'passkey.renamed'], []])
    })

    it('keeps the last one where that is asked for, however many are removed at once', async () => {
      const { id: user } = await person()
      const held = Array.from({ length: 4 }, () => passkey(user))
      for (const one of held) await passkeys().add(one, 20, [], null)
      const outcomes = await Promise.all(held.map((one) => passkeys().remove(user, one.id, true, [])))
      expect(outcomes.sort()).toEqual(['last', 'removed', 'removed', 'removed'])
      const [left] = (await passkeys().list(user)).passkeys
      expect(await passkeys().remove(user, left?.id ?? '', false, [])).toBe('removed')
    })
  })
}
