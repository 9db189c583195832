// What waits for webhook targets: from the transaction that wrote the line until it was delivered, in order, and not lost
// or told twice by the store itself.

import { describe, expect, it } from 'vitest'
import type { AuditDraft, DeliveryFailure } from '#core'
import { hour, type StoreUnderTest, setStore } from './setting.ts'

const line = (event: string, detail: AuditDraft['detail'] = {}): AuditDraft => ({
  event,
  userId: null,
  sid: null,
  clientId: 'app',
  ip: null,
  detail,
})
const failure = (change: Partial<DeliveryFailure> = {}): DeliveryFailure => ({
  fault: 'status 500',
  wait: 60_000,
  targetWait: 5000,
  budget: 3 * 24 * hour,
  ...change,
})

/** Runs the suite; `open` opens an empty store on a clock. */
export function webhookSuite(name: string, open: (clock: () => number) => Promise<StoreUnderTest>): void {
  describe(`${name} keeps what is to be told`, () => {
    const set = setStore(open)
    const webhooks = () => set.under.store.webhooks
    const write = (...events: string[]) => set.under.store.audit.write(events.map((event, n) => line(event, { n })))
    const due = async (target: string, limit = 100) => (await webhooks().due([target], limit)).map((one) => one.line?.event)
    const state = async (target: string) => (await webhooks().list()).find((one) => one.name === target)

    it('makes a line wait for each target that is told of it, from when it was named, and tells who asks of no other', async () => {
      await write('user.created')
      await webhooks().name([
        { name: 'all', lines: ['user.created', 'session.opened', 'key.rotated'] },
        { name: 'users', lines: ['user.created'] },
      ])
      await write('user.created', 'session.opened', 'something.else')
      expect(await due('all')).toEqual(['user.created', 'session.opened'])
      expect(await due('users')).toEqual(['user.created'])
      expect(await due('nobody')).toEqual([])
      expect((await webhooks().due(['all', 'users'], 1)).map(({ target, tries, failures }) => [target, tries, failures])).toEqual([
        ['all', 0, 0],
        ['users', 0, 0],
      ])
      await webhooks().name([{ name: 'users', lines: [] }])
      await write('user.created')
      expect([await due('users'), (await due('all')).length]).toEqual([['user.created'], 3])
    })

    it('writes what waits with the change, and nothing with a change that was refused', async () => {
      await webhooks().name([{ name: 'all', lines: ['session.opened', 'user.disabled'] }])
      const { snapshot } = await set.opened({ audit: [line('session.opened')] })
      expect(snapshot.user.roles).toEqual(['member'])
      const again = await set.under.store.sessions.open(set.sign({ attempt: 'gone', audit: [line('session.opened')] }))
      expect(again.outcome).toBe('attempt_gone')
      await set.under.store.users.change(snapshot.user.id, { status: 'active' }, [line('user.disabled')])
      const [first, ...rest] = await webhooks().due(['all'], 10)
      expect(first?.line).toMatchObject({ event: 'session.opened', userId: snapshot.user.id, at: set.time })
      expect(rest).toEqual([])
    })

    it('tells of a user that a sign-in created before it tells of the sign-in, and of one that was there not at all', async () => {
      await webhooks().name([{ name: 'all', lines: ['session.opened', 'user.created'] }])
      const create = { id: 'usr_new', roles: [], audit: [{ ...line('user.created'), userId: 'usr_new' }] }
      await set.opened({ user: { email: 'new@example.com', create }, audit: [line('session.opened')] })
      const again = { ...create, id: 'usr_other', audit: [{ ...line('user.created'), userId: 'usr_other' }] }
      await set.opened({ user: { email: 'new@example.com', create: again }, audit: [line('session.opened')] })
      expect((await webhooks().due(['all'], 10)).map((one) => [one.line?.event, one.line?.userId])).toEqual([
        ['user.created', 'usr_new'],
        ['session.opened', 'usr_new'],
        ['session.opened', 'usr_new'],
      ])
    })

    it('keeps it over a restart until it was delivered, in order', async () => {
      await webhooks().name([{ name: 'all', lines: ['a', 'b', 'c'] }])
      await write('a', 'b')
      set.time += 1000
      await write('c')
      await set.under.reopen()
      expect(await due('all')).toEqual(['a', 'b', 'c'])
      expect(await due('all', 2)).toEqual(['a', 'b'])
      const [first] = await webhooks().due(['all'], 1)
      await webhooks().done('all', first?.id ?? 0)
      await webhooks().done('all', first?.id ?? 0)
      expect(await due('all')).toEqual(['b', 'c'])
      expect(await state('all')).toMatchObject({ waiting: 2, parked: 0, failures: 0, deliveredAt: set.time, fault: null })
    })

    it('puts off what failed, behind what waits, and its target for a shorter while; another one goes on', async () => {
      await webhooks().name([
        { name: 'dead', lines: ['a', 'b'] },
        { name: 'well', lines: ['a', 'b'] },
      ])
      await write('a', 'b')
      const [first] = await webhooks().due(['dead'], 1)
      expect(await webhooks().failed('dead', first?.id ?? 0, failure())).toBe(0)
      expect([await due('dead'), await due('well')]).toEqual([[], ['a', 'b']])
      expect(await state('dead')).toMatchObject({
        failures: 1,
        failingSince: set.time,
        retryAt: set.time + 5000,
        fault: 'status 500',
        waiting: 2,
      })
      set.time += 5000
      expect(await due('dead')).toEqual(['b'])
      set.time += 55_000
      expect(await due('dead')).toEqual(['b', 'a'])
      const found = await webhooks().due(['dead'], 10)
      expect(found.map(({ tries, failures }) => [tries, failures])).toEqual([
        [0, 1],
        [1, 1],
      ])
      await webhooks().done('dead', found[0]?.id ?? 0)
      expect(await state('dead')).toMatchObject({ failures: 0, failingSince: null, fault: null, waiting: 1 })
    })

    it('parks what its budget is over for, and with a target that failed all the time what waits as long; never what was not tried', async () => {
      await webhooks().name([{ name: 'dead', lines: ['a', 'b', 'c'] }])
      await write('a', 'b')
      set.time += 4 * 24 * hour
      await write('c')
      // Nobody delivered for four days: that is no fault of the target's.
      const [a] = await webhooks().due(['dead'], 1)
      expect(await webhooks().failed('dead', a?.id ?? 0, failure())).toBe(1)
      expect(await state('dead')).toMatchObject({ waiting: 2, parked: 1 })
      set.time += 3 * 24 * hour
      const [b] = await webhooks().due(['dead'], 1)
      expect(b?.line?.event).toBe('b')
      expect(await webhooks().failed('dead', b?.id ?? 0, failure())).toBe(2)
      expect(await state('dead')).toMatchObject({ waiting: 0, parked: 3 })
      // Late news of what is parked already.
      expect(await webhooks().failed('dead', b?.id ?? 0, failure())).toBe(0)
      expect(await due('dead')).toEqual([])
      expect(await webhooks().retry('dead')).toBe(3)
      expect(await due('dead')).toEqual(['a', 'b', 'c'])
      const [again] = await webhooks().due(['dead'], 1)
      expect(again?.tries).toBe(0)
      expect(await webhooks().failed('dead', again?.id ?? 0, failure())).toBe(0)
      expect(await webhooks().retry('nobody')).toBe(0)
    })

    it('sweeps what was parked for a month, and a target that nobody names with all that waits for it', async () => {
      await webhooks().name([
        { name: 'dead', lines: ['a'] },
        { name: 'gone', lines: ['a'] },
      ])
      await write('a')
      const [a] = await webhooks().due(['dead'], 1)
      await webhooks().failed('dead', a?.id ?? 0, failure({ budget: 0 }))
      expect((await state('dead'))?.parked).toBe(1)
      set.time += 8 * 24 * hour
      await webhooks().name([{ name: 'dead', lines: ['a'] }])
      expect(await webhooks().sweep(100)).toBe(2)
      expect((await webhooks().list()).map((one) => one.name)).toEqual(['dead'])
      expect(await webhooks().sweep(100)).toBe(0)
      set.time += 23 * 24 * hour
      await webhooks().name([{ name: 'dead', lines: ['a'] }])
      expect(await webhooks().sweep(100)).toBe(1)
      expect(await state('dead')).toMatchObject({ parked: 0, waiting: 0 })
    })
  })
}
