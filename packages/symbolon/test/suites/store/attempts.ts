// What a store does with attempts of several steps and with links: one state at a time, one step for whoever is first, one
// session however many ways lead to it, and a session given up for the new one in the same transaction.

import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { AttemptChange, Budget, NewAttempt } from '#core'
import { hour, id, plain, type StoreUnderTest, setStore } from './setting.ts'

const minute = 60_000

/** Runs the suite; `open` opens an empty store on a clock. */
export function attemptSuite(name: string, open: (clock: () => number) => Promise<StoreUnderTest>): void {
  describe(`${name} keeps sign-ins under way`, () => {
    const set = setStore(open)
    const { attempt, opened, sign, find } = set
    const start = async (change: Partial<NewAttempt> = {}) => {
      const one = attempt(change)
      const started = await set.under.store.attempts.start(one, [], [])
      if (started.outcome !== 'started') throw new Error(started.outcome)
      return started.attempt
    }
    const change = (from: number, other: Partial<AttemptChange> = {}): AttemptChange => ({
      ...{
        from,
        state: 'choose' as const,
        method: 'email_otp',
        sealedIdentifier: randomBytes(50),
        bindingHash: 'there',
        codeHash: randomBytes(32),
      },
      ...{
        linkHash: null,
        userId: 'usr_a',
        proven: [{ method: 'email_otp', amr: ['otp'], at: set.time }],
        tries: 0,
        maxTries: 4,
        sends: 1,
      },
      ...{ lifetime: 5 * minute, resendAfter: minute, ends: 30 * minute },
      ...other,
    })
    const read = async (idHash: string) => (await set.under.store.attempts.find(idHash))?.attempt

    it('keeps every field of one, over a restart too', async () => {
      const bare = await start()
      expect(bare).toMatchObject({ state: 'verify', step: 0, linkHash: null, proven: [], userId: null, need: null, endsAt: bare.expiresAt })
      const need = { acr: 'a', amr: ['hwk'], maxAge: 60 }
      const wanted = {
        state: 'challenge',
        linkHash: 'l',
        userAgent: 'Ünï',
        returnTo: '/there',
        userId: 'usr_a',
        sid: 's',
        need,
        action: 'pay',
      } as const
      const full = await start({ purpose: 'step_up', ends: 15 * minute, ...wanted })
      expect(full).toMatchObject({ purpose: 'step_up', ...wanted, endsAt: set.time + 15 * minute, expiresAt: set.time + 10 * minute })
      await set.under.reopen()
      expect(plain([await read(bare.idHash), await read(full.idHash)])).toEqual(plain([bare, full]))
    })

    it.each([
      [
        'starts',
        async (budgets: readonly Budget[]) => {
          const one = attempt()
          const { outcome } = await set.under.store.attempts.start(one, budgets, [])
          return { outcome, left: (await read(one.idHash)) !== undefined }
        },
        'started',
      ],
      [
        'guesses',
        async (budgets: readonly Budget[]) => {
          const { idHash } = await start()
          const { outcome } = await set.under.store.attempts.charge(idHash, budgets)
          return { outcome, left: (await read(idHash))?.tries === 1 }
        },
        'charged',
      ],
    ] as const)('spends for %s all budgets or none, exactly when many come at once, and gives back with time', async (_, act, done) => {
      const common = { key: 'all', limit: 6, window: 60_000 }
      const own = (at: number) => ({ key: `own ${at}`, limit: 1, window: 60_000 })
      // How finely one is counted makes none of the others wider.
      const fine = { key: 'fine', limit: 1_000_000, window: 60_000 }
      // Whose own is used up is refused, and keeps nobody else of the same moment from theirs.
      expect((await act([own(0)])).outcome).toBe(done)
      const acts = await Promise.all(Array.from({ length: 20 }, (_, at) => act([common, own(at), fine])))
      expect(acts[0]).toEqual({ outcome: 'limited', left: false })
      expect(acts.filter(({ outcome }) => outcome === done)).toHaveLength(6)
      // Nothing is left of what was refused.
      expect(acts.map(({ left }) => left)).toEqual(acts.map(({ outcome }) => outcome === done))
      const [allowed, refused] = [done, 'limited'].map((one) => acts.findIndex(({ outcome }, at) => at > 0 && outcome === one))
      expect((await act([own(refused as number)])).outcome).toBe(done)
      expect((await act([own(allowed as number)])).outcome).toBe('limited')
      set.time += 10_000
      const later = await Promise.all(Array.from({ length: 5 }, (_, at) => act([common, own(100 + at)])))
      expect(later.filter(({ outcome }) => outcome === done)).toHaveLength(1)
      set.time += 50_000
      expect((await act([own(allowed as number)])).outcome).toBe(done)
    })

    it('moves on once, however many decided on the same step, and forgets what was waited for before', async () => {
      const { idHash, codeHash } = await start({ linkHash: 'l' })
      await set.under.store.attempts.charge(idHash, [])
      const moves = await Promise.all(Array.from({ length: 12 }, () => set.under.store.attempts.advance(idHash, change(0), [])))
      expect(moves.filter(({ outcome }) => outcome === 'advanced')).toHaveLength(1)
      const now = await read(idHash)
      expect(now).toMatchObject({ state: 'choose', step: 1, linkHash: null, bindingHash: 'there', userId: 'usr_a', tries: 0, maxTries: 4 })
      expect(now?.proven).toEqual([{ method: 'email_otp', amr: ['otp'], at: set.time }])
      expect(plain(now?.codeHash)).not.toEqual(plain(codeHash))
      expect((await set.under.store.attempts.advance(idHash, change(1, { state: 'limit' }), [])).outcome).toBe('advanced')
    })

    it('moves on no longer than it lives, and lives no longer than was said at its start', async () => {
      const late = await start()
      set.time += 10 * minute
      expect(await set.under.store.attempts.advance(late.idHash, change(0), [])).toEqual({ outcome: 'gone' })
      const linked = await start({ ends: 15 * minute })
      set.time += 12 * minute
      // The code is too old, the link is not.
      expect(await set.under.store.attempts.charge(linked.idHash, [])).toEqual({ outcome: 'gone' })
      const moved = await set.under.store.attempts.advance(linked.idHash, change(0, { lifetime: 60 * minute }), [])
      expect(moved).toMatchObject({ attempt: { expiresAt: linked.createdAt + 30 * minute, endsAt: linked.createdAt + 30 * minute } })
      const used = await start()
      expect(await set.under.store.attempts.consume(used.idHash)).toBe(true)
      expect(await set.under.store.attempts.advance(used.idHash, change(0), [])).toEqual({ outcome: 'gone' })
    })

    it('is used up once, by itself or by a session, while it lives', async () => {
      const { idHash } = await start()
      const used = await Promise.all([
        ...Array.from({ length: 6 }, () => set.under.store.attempts.consume(idHash)),
        ...Array.from({ length: 6 }, async () => (await set.under.store.sessions.open(sign({ attempt: idHash }))).outcome === 'opened'),
      ])
      expect(used.filter((one) => one)).toHaveLength(1)
      const linked = await start({ ends: 15 * minute })
      set.time += 14 * minute
      expect((await set.under.store.sessions.open(sign({ attempt: linked.idHash }))).outcome).toBe('opened')
      const over = await start({ ends: 15 * minute })
      set.time += 15 * minute
      expect(await set.under.store.attempts.consume(over.idHash)).toBe(false)
      expect(await set.under.store.sessions.open(sign({ attempt: over.idHash }))).toEqual({ outcome: 'attempt_gone' })
    })

    it('gets a new link with each new code, and loses the old one', async () => {
      const { idHash } = await start({ linkHash: 'first' })
      set.time += 30_000
      const again = { codeHash: randomBytes(32), linkHash: 'second', resendAfter: minute, maxSends: 3 }
      expect(await set.under.store.attempts.resend(idHash, again, [])).toMatchObject({
        outcome: 'resent',
        attempt: { linkHash: 'second', sends: 2 },
      })
      set.time += minute
      const { linkHash: _, ...without } = again
      expect(await set.under.store.attempts.resend(idHash, without, [])).toMatchObject({ attempt: { linkHash: null, sends: 3 } })
    })

    it('opens at the limit for a session given up, in one transaction, and for nothing else', async () => {
      const ask = { maxSessions: 2, onLimit: 'ask' } as const
      const [first, second] = [(await opened()).snapshot.session.sid, (await opened()).snapshot.session.sid]
      const { idHash } = await start()
      const open = (ends: string | null) => set.under.store.sessions.open(sign({ attempt: idHash, ...ask, ends }))
      const stranger = (await opened({ user: { email: 'eve@example.com', create: { id: `usr_${id()}`, roles: [] } } })).snapshot.session.sid
      for (const none of [null, stranger, id()]) expect(await open(none)).toEqual({ outcome: 'limit' })
      expect((await find(stranger)).session.revokedAt).toBeNull()
      // Twice at once: one is let in, and one session is gone for it.
      const both = await Promise.all([open(first), open(second)])
      expect(both.filter(({ outcome }) => outcome === 'opened')).toHaveLength(1)
      const won = both.find((one) => one.outcome === 'opened')
      const [given] = won?.outcome === 'opened' ? won.ended : []
      expect([first, second]).toContain(given)
      expect((await find(given ?? '')).session).toMatchObject({ revokedReason: 'evicted' })
      const other = given === first ? second : first
      expect((await find(other)).session.revokedAt).toBeNull()
      expect((await set.under.store.feed.after(0, 10)).map((entry) => entry.id)).toEqual([given])
      // Where more than one is too many, nothing ends for nothing.
      const more = await start()
      expect(await set.under.store.sessions.open(sign({ attempt: more.idHash, maxSessions: 1, onLimit: 'ask', ends: other }))).toEqual({
        outcome: 'limit',
      })
      expect((await find(other)).session.revokedAt).toBeNull()
      expect((await read(more.idHash))?.consumedAt).toBeNull()
    })

    it('is swept an hour after its code, as ever', async () => {
      await start({ ends: 15 * minute })
      set.time += hour + 10 * minute + 1
      expect(await set.under.store.attempts.sweep(10)).toBe(1)
    })
  })
}
