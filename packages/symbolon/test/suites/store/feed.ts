// What a store's revocation log is: every implementation must pass this, with two writers on the same data.

import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RevokeTarget, Store } from '#core'
import { client, id, sign } from './setting.ts'

/** An open store under test, and a second one on the same data. */
export interface LogUnderTest {
  readonly store: Store
  /** Opens the same data beside the first one; closed with it. */
  beside(): Promise<Store>
  close(): Promise<void>
}

/** Runs the suite; `open` opens an empty store on a clock. */
export function feedSuite(name: string, open: (clock: () => number) => Promise<LogUnderTest>): void {
  describe(`${name} keeps a log of revocations`, () => {
    let under: LogUnderTest
    let time = 0
    beforeEach(async () => {
      time = 1_800_000_000_000
      under = await open(() => time)
      for (const name of ['app', 'other']) await under.store.clients.put(client(name), null, [])
    })
    afterEach(() => under.close())

    const opened = async (clientId = 'app', change: { readonly email?: string; readonly parent?: string } = {}, store = under.store) => {
      const user = { email: change.email ?? 'ada@example.com', create: { id: `usr_${id()}`, roles: [] } }
      const outcome = await store.sessions.open(sign({ user }, { clientId, parent: change.parent ?? null }))
      if (outcome.outcome !== 'opened') throw new Error(outcome.outcome)
      return outcome.snapshot
    }
    /** A few hundred at a time: no store lets anybody wait for thousands. */
    const many = async (count: number, clientId = 'app') => {
      const all: Awaited<ReturnType<typeof opened>>[] = []
      while (all.length < count)
        all.push(...(await Promise.all(Array.from({ length: Math.min(250, count - all.length) }, () => opened(clientId)))))
      return all
    }
    /** Every batch of a target. */
    const endAll = async (target: RevokeTarget) => {
      const batches: (readonly string[])[] = []
      for (let left: RevokeTarget | null = target; left !== null; ) {
        const batch = await under.store.sessions.revoke(left, 'admin', [])
        batches.push(batch.sids)
        left = batch.rest
      }
      return batches
    }

    it('renews its id once for many who ask, keeps its numbers, and not for who names another one', async () => {
      const sid = (await opened()).session.sid
      await under.store.sessions.revoke({ sid }, 'admin', [])
      const before = await under.store.feed.head()
      expect(await under.store.feed.renew('0123456789abcdef')).toEqual(before)
      const beside = await under.beside()
      const heads = await Promise.all(Array.from({ length: 6 }, (_, i) => (i % 2 ? under.store : beside).feed.renew(before.feedId)))
      const after = await under.store.feed.head()
      expect(after.feedId).toMatch(/^[0-9a-f]{16}$/)
      expect(after.feedId).not.toBe(before.feedId)
      expect(after.seq).toBe(before.seq)
      for (const head of heads) expect(head).toEqual(after)
      expect((await under.store.feed.after(0, 10)).map((one) => one.id)).toEqual([sid])
    })

    it('compacts what is over, and a revoked key never', async () => {
      const key = (kid: string) => ({
        kid,
        alg: 'ES256' as const,
        state: 'active' as const,
        publicJwk: { kty: 'EC' as const, kid, alg: 'ES256' as const, use: 'sig' as const },
        sealedPrivate: randomBytes(90),
      })
      await under.store.keys.change({ insert: [key('k')], move: [], audit: [] })
      await under.store.keys.change({ insert: [], move: [{ kid: 'k', from: 'active', to: 'revoked' }], audit: [] })
      await under.store.sessions.revoke({ sid: (await opened()).session.sid }, 'admin', [])
      const { client } = await opened()
      await under.store.clients.put({ ...client, status: 'disabled' }, client, [])
      const head = await under.store.feed.head()
      const kinds = async () => (await under.store.feed.after(0, 10)).map(({ kind, state }) => [kind, state])
      expect(await kinds()).toEqual([
        ['key', 'published'],
        ['key', 'revoked'],
        ['session', undefined],
        ['client', undefined],
      ])
      time += 1_020_000
      expect(await under.store.feed.compact(10)).toBe(0)
      time += 1
      expect(await under.store.feed.compact(10)).toBe(1)
      time += 400 * 86_400_000
      expect(await under.store.feed.compact(1)).toBe(1)
      expect(await under.store.feed.compact(10)).toBe(1)
      expect(await under.store.feed.compact(10)).toBe(0)
      expect(await kinds()).toEqual([['key', 'revoked']])
      expect(await under.store.feed.head()).toEqual(head)
    })

    it('gives numbers in commit order: who reads after the last one misses none, with two who write', async () => {
      const writers = [under.store, await under.beside()]
      const sids = (await many(120)).map(({ session }) => session.sid)
      const heard: { seq: number; id: string }[] = []
      let writing = true
      const follow = async () => {
        for (let last = 0; ; ) {
          const over = !writing
          const entries = await under.store.feed.after(last, 7)
          heard.push(...entries)
          last = entries.at(-1)?.seq ?? last
          if (entries.length === 0 && over) return
          await new Promise((resolve) => setImmediate(resolve))
        }
      }
      const following = follow()
      await Promise.all(sids.map((sid, i) => (writers[i % 2] as Store).sessions.revoke({ sid }, 'admin', [])))
      writing = false
      await following
      expect(heard.map(({ seq }) => seq)).toEqual(heard.map((_, i) => i + 1))
      expect(heard.map((one) => one.id).sort()).toEqual([...sids].sort())
    })

    it('ends a client’s very many sessions a thousand at a time, no other client’s, and lets others in between', async () => {
      const [own, others] = [await many(2500), await many(3, 'other')]
      const family = await opened('other', { parent: own[0]?.session.sid as string })
      const urgent = others[0]?.session.sid as string
      const first = await under.store.sessions.revoke({ client: 'app' }, 'admin', [])
      expect(first.sids.length).toBeGreaterThanOrEqual(1000)
      expect(first.sids.length).toBeLessThanOrEqual(1001)
      await under.store.sessions.revoke({ sid: urgent }, 'admin', [])
      const rest = await endAll(first.rest as RevokeTarget)
      for (const batch of rest) expect(batch.length).toBeLessThanOrEqual(1001)
      const ended = [...first.sids, ...rest.flat()].sort()
      expect(ended).toEqual([...own, family].map(({ session }) => session.sid).sort())
      const log = await under.store.feed.after(0, 5000)
      expect(log.map(({ seq }) => seq)).toEqual(log.map((_, i) => i + 1))
      expect(log.findIndex((one) => one.id === urgent)).toBe(first.sids.length)
      expect((await under.store.sessions.find(others[1]?.session.sid as string))?.session.revokedAt).toBeNull()
      expect(await endAll({ client: 'app' })).toEqual([[]])
    }, 60_000)

    it('ends a user’s very many sessions likewise, and leaves the one that is excepted', async () => {
      const all = await many(1100)
      const except = all[500]?.session.sid as string
      const user = all[0]?.user.id as string
      const batches = await endAll({ user, except })
      expect(batches.map((batch) => batch.length)).toEqual([1000, 99])
      expect((await under.store.sessions.list(user)).sessions.map(({ sid }) => sid)).toEqual([except])
      // Disabling is one transaction, however many there are.
      await many(1100)
      expect((await under.store.users.change(user, { status: 'disabled' }, []))?.ended).toHaveLength(1101)
    }, 60_000)
  })
}
