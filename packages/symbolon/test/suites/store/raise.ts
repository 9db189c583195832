// What a store does with a step-up: a session raised once, by an attempt of its own, and never one that ended; races included.

import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { NewAttempt, Raise } from '#core'
import { hour, id, plain, type StoreUnderTest, setStore } from './setting.ts'

/** Runs the suite; `open` opens an empty store on a clock. */
export function raiseSuite(name: string, open: (clock: () => number) => Promise<StoreUnderTest>): void {
  describe(`${name} steps sessions up`, () => {
    const set = setStore(open)
    const { opened, rotation, attempt, find } = set

    /** An attempt that is started, and what it raises its session with. */
    const raising = async (sid: string, change: Partial<Raise> = {}, started: Partial<NewAttempt> = {}): Promise<Raise> => {
      const one = attempt({ purpose: 'step_up', sid, ...started })
      await set.under.store.attempts.start(one, [], [])
      return {
        sid,
        attempt: one.idHash,
        from: 1,
        credentialHash: randomBytes(32),
        replacedFor: one.idHash,
        acr: 'b',
        amr: ['hwk', 'user'],
        window: 10_000,
        audit: [],
        ...change,
      }
    }
    const raise = (input: Raise) => set.under.store.sessions.raise(input)

    it('makes the next credential and forgets the one before, keeps what the sign-in proved, and says so in the log', async () => {
      const { session, user } = (await opened()).snapshot
      await set.under.store.sessions.touch([{ sid: session.sid, lastSeenAt: null, seenGeneration: 1 }])
      set.time += 60_000
      const line = { event: 'session.stepped_up', userId: user.id, sid: session.sid, clientId: 'app', ip: null, detail: { acr: 'b' } }
      const input = await raising(session.sid, { audit: [line] })
      const raised = await raise(input)
      expect(raised).toMatchObject({
        outcome: 'raised',
        snapshot: {
          now: set.time,
          session: {
            sid: session.sid,
            generation: 2,
            predecessor: null,
            replaced: 1,
            replacedFor: input.replacedFor,
            rotatedAt: set.time,
            authTime: set.time,
            lastSeenAt: set.time,
            seen: false,
            recovered: 0,
            acr: 'b',
            amr: ['hwk', 'user'],
            baseAcr: 'a',
            baseAmr: ['otp'],
            expiresAt: session.expiresAt,
            createdAt: session.createdAt,
          },
          user: { id: user.id, epoch: 1 },
        },
      })
      const now = await find(session.sid)
      if (raised.outcome === 'raised') expect(plain(now.session)).toEqual(plain(raised.snapshot.session))
      expect([...now.session.credentialHash]).toEqual([...input.credentialHash])
      expect((await set.under.store.sessions.glance(session.sid))?.session).toMatchObject({ acr: 'b', baseAcr: 'a', baseAmr: ['otp'] })
      expect(await set.under.store.audit.list({ userId: user.id }, 1)).toMatchObject([{ event: 'session.stepped_up', at: set.time }])
      await set.under.reopen()
      expect(plain((await find(session.sid)).session)).toEqual(plain(now.session))
      // A second one keeps what the sign-in proved, not what the first step-up did.
      await raise(await raising(session.sid, { from: 2, acr: 'c', amr: ['otp'] }))
      expect((await find(session.sid)).session).toMatchObject({ generation: 3, replaced: 2, acr: 'c', baseAcr: 'a', baseAmr: ['otp'] })
      // A rotation goes on from there.
      await set.under.store.sessions.rotate(rotation(session.sid, 3))
      expect((await find(session.sid)).session).toMatchObject({ generation: 4, predecessor: 3, replaced: null, acr: 'c', baseAcr: 'a' })
    })

    it.each([
      ['the one before, while nobody saw the current one', 11_000, false, 1],
      ['the one before, while its window is open', 9999, true, 1],
      ['the current one, once it was seen and the window is closed', 10_000, true, 2],
    ])('replaces %s', async (_, later, seen, replaced) => {
      const { sid } = (await opened()).snapshot.session
      await set.under.store.sessions.rotate(rotation(sid, 1))
      if (seen) await set.under.store.sessions.touch([{ sid, lastSeenAt: null, seenGeneration: 2 }])
      set.time += later
      expect((await raise(await raising(sid, { from: 2 }))).outcome).toBe('raised')
      expect((await find(sid)).session).toMatchObject({ generation: 3, predecessor: null, replaced })
    })

    it('raises once, however many use its attempt at once', async () => {
      const { sid } = (await opened()).snapshot.session
      const input = await raising(sid)
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => raise(input)))
      expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual([...Array<string>(19).fill('attempt_gone'), 'raised'])
      expect((await find(sid)).session.generation).toBe(2)
    })

    it('raises once for several attempts at the same generation, and gives back those that lost', async () => {
      const { sid } = (await opened()).snapshot.session
      const inputs = await Promise.all(Array.from({ length: 8 }, () => raising(sid)))
      const outcomes = await Promise.all(inputs.map(raise))
      expect(outcomes.filter(({ outcome }) => outcome === 'raised')).toHaveLength(1)
      expect(outcomes.filter(({ outcome }) => outcome === 'lost')).toHaveLength(7)
      const lost = inputs.find((_, at) => outcomes[at]?.outcome === 'lost') as Raise
      expect((await raise({ ...lost, from: 2 })).outcome).toBe('raised')
    })

    it('takes no attempt of another session, of another purpose, or that is over', async () => {
      const { sid } = (await opened()).snapshot.session
      const other = (await opened()).snapshot.session.sid
      const gone = { outcome: 'attempt_gone' }
      expect(await raise({ ...(await raising(other)), sid })).toEqual(gone)
      expect(await raise(await raising(sid, {}, { purpose: 'sign_in' }))).toEqual(gone)
      expect(await raise(await raising(sid, { attempt: id() }))).toEqual(gone)
      const late = await raising(sid)
      set.time += 600_000
      expect(await raise(late)).toEqual(gone)
      expect((await raise(await raising(sid))).outcome).toBe('raised')
    })

    it('raises no session that ended, in whichever way', async () => {
      const gone = { outcome: 'session_gone' }
      const ended = (await opened()).snapshot.session.sid
      const first = await raising(ended)
      await set.under.store.sessions.revoke({ sid: ended }, 'sign_out', [])
      expect(await raise(first)).toEqual(gone)
      const idle = (await opened({}, { idle: 1000 })).snapshot.session.sid
      const over = (await opened({}, { absolute: 1000 })).snapshot.session.sid
      const alive = (await opened({}, { idle: 1001, absolute: 1001 })).snapshot.session.sid
      set.time += 1000
      expect(await raise(await raising(idle))).toEqual(gone)
      expect(await raise(await raising(over))).toEqual(gone)
      expect((await raise(await raising(alive))).outcome).toBe('raised')
      const { user } = (await opened()).snapshot
      const { sid } = (await opened()).snapshot.session
      const last = await raising(sid)
      await set.under.store.users.change(user.id, { status: 'disabled' }, [])
      expect((await raise(last)).outcome).toMatch(/^(?:session_gone|user_disabled)$/)
    })

    it('meets a rotation, a sign-out or a disabling in either order, and leaves what each of them says', async () => {
      for (let round = 0; round < 6; round++) {
        const order = <T>(both: readonly (() => Promise<T>)[]) =>
          Promise.all((round % 2 === 0 ? both : [...both].reverse()).map((run) => run()))
        const { sid } = (await opened()).snapshot.session
        const input = await raising(sid)
        await order<unknown>([() => raise(input), () => set.under.store.sessions.rotate(rotation(sid, 1))])
        const { session } = await find(sid)
        expect([session.generation, session.predecessor, session.replaced]).toEqual(session.acr === 'b' ? [2, null, 1] : [2, 1, null])

        const out = (await opened()).snapshot.session.sid
        const meeting = await raising(out)
        await order<unknown>([() => raise(meeting), () => set.under.store.sessions.revoke({ sid: out }, 'sign_out', [])])
        expect((await find(out)).session.revokedAt).toBe(set.time)

        const { session: held, user } = (
          await opened({ user: { email: `r${round}@example.com`, create: { id: `usr_${id()}`, roles: [] } } })
        ).snapshot
        const third = await raising(held.sid)
        await order<unknown>([() => raise(third), () => set.under.store.users.change(user.id, { status: 'disabled' }, [])])
        expect((await set.under.store.sessions.list(user.id)).sessions).toEqual([])
      }
    })

    it('keeps the time in which a session lives: nothing is prolonged but the idle time', async () => {
      const { session } = (await opened({}, { absolute: 2 * hour })).snapshot
      set.time += hour / 2
      await raise(await raising(session.sid))
      const now = (await find(session.sid)).session
      expect([now.expiresAt, now.idle, now.lastSeenAt]).toEqual([session.expiresAt, session.idle, set.time])
    })
  })
}
