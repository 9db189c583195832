// What moving between two stores is: every record arrives as it was, nobody writes behind it, and nothing that is there
// already is overwritten. Run for each store to itself and to each other.

import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Store } from '#core'
import { type CopiedTable, type CopySide, copiedTables, isClosed, keyOfRow, servingPrefix } from '#stores/rows'
import { copyStore, reopenStore } from '../../../src/embed/copy.ts'
import { handle, passkey } from './passkeys.ts'
import { client, hour, id, plain, sign } from './setting.ts'

/** An empty place for a store, new for each test. */
export interface Place {
  /** As a command names it. */
  readonly address: string
  /** Opens it as a service does. */
  store(): Promise<Store>
  /** Opens it as one side of a move. */
  side(): Promise<CopySide>
  /** Its tables, by name. */
  tables(): Promise<readonly string[]>
  /** Runs a statement on it past everything. */
  sql(text: string): Promise<void>
  remove(): Promise<void>
}

/** Everything that a store can hold, by its verbs. */
async function fill(store: Store) {
  await store.clients.put(client('app', { name: 'App', transport: 'cookie' }), null, [])
  const native = await store.clients.put(client('native', { scopes: ['a', 'b'], policy: { scope: ['a'] } }), null, [])
  if (native === 'conflict') throw new Error('conflict')
  await store.clients.bump('native', [])
  const line = (event: string) => ({ event, userId: 'usr_x', sid: null, clientId: 'app', ip: '192.0.2.1', detail: { 'ü"': [1, null] } })
  const open = async (change: Parameters<typeof sign>[0] = {}, session: Parameters<typeof sign>[1] = {}) => {
    const outcome = await store.sessions.open(sign(change, session))
    if (outcome.outcome !== 'opened') throw new Error(outcome.outcome)
    return outcome.snapshot.session.sid
  }
  const rotate = async (sid: string, from: number, as: 'rotated' | 'recovered') =>
    expect(
      await store.sessions.rotate({
        sid,
        from,
        userEpoch: 1,
        clientEpoch: 1,
        credentialHash: randomBytes(32),
        as,
        active: true,
        audit: [],
      }),
    ).toMatchObject({ outcome: 'rotated' })
  const plainOne = await open({ audit: [line('login')] }, { ip: '2001:db8::1', userAgent: 'Ünïcode "🙂" \\x00', binding: 'thumb' })
  const rotated = await open()
  await rotate(rotated, 1, 'rotated')
  await rotate(rotated, 2, 'recovered')
  const seen = await open()
  await store.sessions.touch([{ sid: seen, lastSeenAt: null, seenGeneration: 1 }])
  const child = await open({}, { parent: seen, kind: 'grant' })
  const revoked = await open()
  await store.sessions.revoke({ sid: revoked }, 'admin', [line('revoked')])
  await store.users.create({ id: 'usr_x', email: 'x@example.com', roles: [] }, [])
  await store.users.change('usr_x', { roles: ['a', 'b'], status: 'disabled' }, [line('changed')])
  const key = { kid: 'kid', alg: 'ES256' as const, state: 'active' as const, sealedPrivate: randomBytes(80) }
  const publicJwk = { kty: 'EC' as const, crv: 'P-256' as const, x: 'x', y: 'y', kid: 'kid', alg: 'ES256' as const, use: 'sig' as const }
  await store.keys.change({ insert: [{ ...key, publicJwk }], move: [], audit: [] })
  const attempt = {
    ...{ idHash: id(), clientId: 'app', purpose: 'sign_in' as const, method: 'email_otp' as const, bindingHash: 'b' },
    ...{ sealedIdentifier: randomBytes(40), codeHash: randomBytes(32), maxTries: 3, lifetime: hour, resendAfter: 1000 },
  }
  await store.attempts.start(attempt, [], [])
  await store.attempts.charge(attempt.idHash, [])
  const { user } = (await store.sessions.find(plainOne)) ?? {}
  await store.passkeys.handle(user?.id ?? '', handle())
  const held = passkey(user?.id ?? '', { counter: 3 })
  await store.passkeys.add(held, 20, [], null)
  await store.passkeys.use(held.id, { counter: 4, backedUp: true }, [])
  const y = await open({ user: { email: 'y@example.com', create: { id: 'usr_y', roles: [] } } })
  const changing = { ...attempt, idHash: id(), purpose: 'change_email' as const, state: 'address' as const, userId: 'usr_y', sid: y }
  await store.attempts.start(changing, [], [])
  const undoHash = id()
  const change = {
    proof: { attempt: changing.idHash, sid: y },
    userId: 'usr_y',
    email: 'z@example.com',
    undoHash,
    undoLife: hour,
    audit: [],
  }
  expect(await store.addresses.change(change)).toMatchObject({ outcome: 'changed' })
  const asked = { linkHash: 'link', userAgent: 'Ünï', returnTo: '/there', need: { acr: 'a', maxAge: 60 }, action: 'pay', ends: 2 * hour }
  const linked = { ...attempt, ...asked, idHash: id(), purpose: 'step_up' as const, sid: plainOne }
  await store.attempts.start(linked, [], [])
  const proven = [{ method: 'email_otp', amr: ['otp'], at: await store.now() }]
  const moved = {
    ...{ from: 0, state: 'choose' as const, method: 'email_otp', linkHash: 'next', userId: 'usr_x', proven, tries: 1, sends: 1 },
    bindingHash: 'c',
  }
  const lengths = { maxTries: 4, lifetime: hour, resendAfter: 1000, ends: hour }
  await store.attempts.advance(linked.idHash, { ...moved, ...lengths, sealedIdentifier: randomBytes(50), codeHash: randomBytes(32) }, [])
  const budget = { key: 'small', limit: 2, window: hour }
  await store.limits.spend([budget])
  await store.limits.spend([budget])
  const now = await store.now()
  await store.limits.once('shown', now + hour)
  await store.feed.revokeToken('jti', now + hour, [])
  await store.webhooks.name([{ name: 'all', lines: ['told'] }])
  await store.audit.write([line('told'), line('told')])
  const [first] = await store.webhooks.due(['all'], 1)
  await store.webhooks.failed('all', first?.id ?? 0, { fault: 'status 500', wait: hour, targetWait: 0, budget: hour })
  return {
    sids: [plainOne, rotated, seen, child, revoked],
    idHashes: [attempt.idHash, linked.idHash],
    passkey: held.id,
    undoHash,
    budget,
    now,
  }
}
type Filled = Awaited<ReturnType<typeof fill>>

/** Everything that can be read of it. */
async function everything(store: Store, { sids, idHashes, passkey, undoHash }: Filled) {
  const sessions = await Promise.all(sids.map((sid) => store.sessions.find(sid)))
  return plain({
    sessions: sessions.map((found) => ({ ...found, now: 0 })),
    users: await store.users.list(null, 100),
    clients: await store.clients.list(),
    keys: (await store.keys.list()).keys,
    attempts: await Promise.all(idHashes.map(async (one) => (await store.attempts.find(one))?.attempt)),
    passkey: { ...(await store.passkeys.find(passkey)), now: 0 },
    undo: await store.addresses.findUndo(undoHash),
    audit: await store.audit.list({}, 100),
    head: await store.feed.head(),
    feed: await store.feed.after(0, 1000),
    token: await store.feed.hasToken('jti'),
    targets: await store.webhooks.list(),
    due: await store.webhooks.due(['all'], 10),
  })
}

/** Runs the suite: moves from a place of `a` to one of `b`. */
export function copySuite(name: string, a: () => Promise<Place>, b: () => Promise<Place>): void {
  describe(`${name}: a move`, () => {
    let from: Place
    let to: Place
    const ends: (() => Promise<void>)[] = []
    beforeEach(async () => {
      from = await a()
      to = await b()
    })
    afterEach(async () => {
      for (const end of ends.splice(0).reverse()) await end()
      await from.remove()
      await to.remove()
    })
    const storeOf = async (place: Place) => {
      const store = await place.store()
      ends.push(() => store.close())
      return store
    }
    const sideOf = async (place: Place) => {
      const side = await place.side()
      ends.push(() => side.end())
      return side
    }
    const filled = async (place = from) => {
      const store = await place.store()
      const what = await fill(store)
      const held = await everything(store, what)
      await store.close()
      return { what, held }
    }
    const closing = { side: 'to', feedId: 'feed', move: 'move', other: 'elsewhere', complete: false } as const
    const table = (wanted: string) => copiedTables.find((one) => one.name === wanted) as CopiedTable

    it('brings every record as it was, and the service goes on where it was', async () => {
      const { what, held } = await filled()
      const copied = await copyStore(from.address, to.address)
      expect(copied.tables.map(({ rows }) => rows)).toEqual([3, 2, 1, 6, 3, 1, 1, 1, 1, 1, expect.any(Number), 1, 2, expect.any(Number), 1])
      const store = await storeOf(to)
      expect(await everything(store, what)).toEqual(held)
      expect(copied.feed).toEqual(held.head)
      expect((await store.limits.spend([what.budget])).outcome).toBe('limited')
      expect(await store.limits.once('shown', what.now + hour)).toBe(false)
      expect(await store.limits.once('new', what.now + hour)).toBe(true)
      expect(await store.attempts.charge(what.idHashes[0] ?? '', [])).toMatchObject({ outcome: 'charged', attempt: { tries: 2 } })
      expect(await store.now()).toBeGreaterThanOrEqual(what.now)
      // New lines come after the old ones, and new entries after the head.
      await store.audit.write([{ event: 'later', userId: null, sid: null, clientId: null, ip: null, detail: {} }])
      expect((await store.audit.list({}, 1))[0]?.event).toBe('later')
      const { sids } = await store.sessions.revoke({ sid: what.sids[2] as string }, 'admin', [])
      expect([...sids].sort()).toEqual([what.sids[2], what.sids[3]].sort())
      expect((await store.feed.head()).seq).toBe(held.head.seq + 2)
      await expect(from.store()).rejects.toThrow(/was moved to .*store reopen/)
      // Once more: there is nothing left to do.
      expect(await copyStore(from.address, to.address)).toMatchObject({ before: true })
    })

    it('brings along which logs there were before, and that a restore has not come to its end', async () => {
      const source = await from.store()
      const { feedId } = await source.feed.head()
      await source.feed.renew(feedId)
      await source.restores.begin({ former: null, kids: [], audit: [] })
      const begun = await source.restores.pending()
      await source.close()
      await copyStore(from.address, to.address)
      const store = await storeOf(to)
      expect([begun !== undefined, await store.restores.had(feedId), await store.restores.had('0123456789abcdef')]).toEqual([
        true,
        true,
        false,
      ])
      expect(await store.restores.pending()).toEqual(begun)
    })

    it('knows every table that there is', async () => {
      const store = await from.store()
      await store.close()
      const others = ['meta', 'leases', 'clock']
      expect((await from.tables()).filter((one) => !others.includes(one)).sort()).toEqual(copiedTables.map((one) => one.name).sort())
    })

    it('keeps a clock that was ahead', async () => {
      const { what } = await filled()
      const source = await sideOf(from)
      const closed = await source.close({ ...closing, side: 'from' })
      const target = await sideOf(to)
      expect((await target.close(closing)).outcome).toBe('closed')
      const later = what.now + 10 * hour
      await target.put(table('feed_head'), await source.page(table('feed_head'), null, 1))
      await target.open({ move: 'move', now: later, lasting: [] })
      expect(closed).toMatchObject({ outcome: 'closed' })
      expect(await (await storeOf(to)).now()).toBeGreaterThanOrEqual(later)
    })

    it('reads in pages that join, and puts a page twice as once', async () => {
      await filled()
      const source = await sideOf(from)
      const target = await sideOf(to)
      await target.close(closing)
      for (const one of copiedTables as readonly CopiedTable[]) {
        const whole = await source.page(one, null, 1000)
        expect(await source.count(one)).toBe(whole.length)
        const joined = []
        for (let page = await source.page(one, null, 2); page.length > 0; ) {
          joined.push(...page)
          await target.put(one, page)
          await target.put(one, page)
          const last = keyOfRow(one, page.at(-1) ?? [])
          expect(await target.last(one)).toEqual(last)
          page = await source.page(one, last, 2)
        }
        expect(joined).toEqual(whole)
        expect(await target.page(one, null, 1000)).toEqual(whole)
      }
    })

    it('lets nobody write behind it, not even who was there before, until it is opened again', async () => {
      await filled()
      const early = await storeOf(from)
      const create = (name: string) => early.users.create({ id: `usr_${name}`, email: `${name}@example.com`, roles: [] }, [])
      expect(await create('before')).toMatchObject({ id: 'usr_before' })
      const source = await sideOf(from)
      expect(await source.close({ ...closing, side: 'from' })).toMatchObject({ outcome: 'closed', move: 'move' })
      for (const verb of [
        () => create('behind'),
        () => early.sessions.open(sign()),
        () => early.feed.revokeToken('other', Date.now() + hour, []),
        () => early.leases.take('keys', 'me', 1000),
        () => early.limits.spend([{ key: 'k', limit: 1, window: 1000 }]),
        () => early.audit.write([{ event: 'behind', userId: null, sid: null, clientId: null, ip: null, detail: {} }]),
      ])
        expect(isClosed(await verb().catch((error) => error))).toBe(true)
      await expect(from.store()).rejects.toThrow(/is being moved to elsewhere/)
      // A second one that closes it keeps what the first one noted.
      expect(await source.close({ ...closing, side: 'from', move: 'another' })).toMatchObject({ move: 'move' })
      await source.open(null)
      expect(await create('after')).toMatchObject({ id: 'usr_after' })
      await (await from.store()).close()
    })

    it('is refused while a service uses either side, and only so long', async () => {
      await filled()
      for (const place of [from, to]) {
        const service = await storeOf(place)
        await service.leases.take(`${servingPrefix}one`, 'one', 60_000)
        await expect(copyStore(from.address, to.address)).rejects.toThrow(/is in use by a service.*killed holds it for \d+ s/)
        // Nothing was closed by the attempt.
        await service.leases.take('keys', 'me', 1)
        await (await from.store()).close()
        await service.leases.release(`${servingPrefix}one`, 'one', false)
        expect((await service.leases.list()).leases.map((one) => one.name)).not.toContain(`${servingPrefix}one`)
      }
      await copyStore(from.address, to.address)
    })

    it('never writes over people, another copy, or itself', async () => {
      await filled()
      await expect(copyStore(from.address, from.address)).rejects.toThrow(/this very data/)
      await (await from.store()).close()
      const other = await b()
      ends.push(() => other.remove())
      await filled(other)
      await expect(copyStore(from.address, other.address)).rejects.toThrow(/users or sessions of its own/)
      const target = await sideOf(other)
      expect(await target.close(closing)).toEqual({ outcome: 'not_empty' })
      // A half copy of other data.
      const half = await sideOf(to)
      await half.close(closing)
      await expect(copyStore(from.address, to.address)).rejects.toThrow(/unfinished copy of other data, of elsewhere/)
      await expect(copyStore(to.address, other.address)).rejects.toThrow(/unfinished copy/)
      await expect(reopenStore(to.address)).rejects.toThrow(/unfinished copy/)
      await expect(to.store()).rejects.toThrow(/unfinished copy of elsewhere/)
      // None of them closed what they were refused for.
      await (await from.store()).close()
      await (await other.store()).close()
    })

    it('goes on where it was stopped, and begins anew when the source was open in between', async () => {
      const { what, held } = await filled()
      let pages = 0
      const stopped = () => ++pages > 7
      await expect(copyStore(from.address, to.address, { stopped })).rejects.toThrow(/Stopped before the end/)
      await expect(from.store()).rejects.toThrow(/has not all arrived/)
      await expect(to.store()).rejects.toThrow(/unfinished copy/)
      expect(await reopenStore(from.address)).toMatchObject({ complete: false })
      const store = await from.store()
      await store.sessions.revoke({ sid: what.sids[0] as string }, 'admin', [])
      await store.users.change('usr_x', { roles: ['c'] }, [])
      await store.close()
      pages = 0
      await expect(copyStore(from.address, to.address, { stopped })).rejects.toThrow(/Stopped before the end/)
      // What is there is not copied again.
      const beyond: string[] = []
      await copyStore(from.address, to.address, { progress: ({ table, done, total }) => done > total && beyond.push(table) })
      expect(beyond).toEqual([])
      const moved = await everything(await storeOf(to), what)
      expect(moved.sessions[0].session.revokedReason).toBe('admin')
      expect(moved.head).toEqual({ feedId: held.head.feedId, seq: held.head.seq + 2 })
      expect(await reopenStore(from.address)).toMatchObject({ complete: true })
      await (await from.store()).close()
    })

    it('refuses to finish what is not the same on both sides, or what is moved elsewhere meanwhile', async () => {
      await filled()
      let pages = 0
      await expect(copyStore(from.address, to.address, { stopped: () => ++pages > 12 })).rejects.toThrow(/Stopped/)
      await to.sql("UPDATE T.users SET epoch = epoch + 1 WHERE email = 'x@example.com'")
      await expect(copyStore(from.address, to.address)).rejects.toThrow(/differs from its source in users \(3 rows there, 3 here\)/)
      await expect(to.store()).rejects.toThrow(/unfinished copy/)
      await to.sql("UPDATE T.users SET epoch = epoch - 1 WHERE email = 'x@example.com'")
      const third = await b()
      ends.push(() => third.remove())
      pages = 0
      await expect(copyStore(from.address, third.address, { stopped: () => ++pages > 12 })).rejects.toThrow(/Stopped/)
      // This one's comparison has just ended when that one takes the source over.
      const source = await sideOf(from)
      expect(await source.complete('move', 'anywhere')).toBe(false)
      await copyStore(from.address, third.address)
      await expect(copyStore(from.address, to.address)).rejects.toThrow(/was moved to/)
      await expect(to.store()).rejects.toThrow(/unfinished copy/)
      await (await third.store()).close()
    })
  })
}
