// Connections that outlive their request, held against revocations, staleness and their token's end. Against a scripted
// service, over real HTTP, with clocks that tests move.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type Auth,
  closeCodes,
  createVerifier,
  type LiveOptions,
  type Verifier,
  type VerifierEvent,
  type VerifierOptions,
} from '../src/index.ts'
import { idOf, type ScriptedFeed, serveFeed, startWire, userOf, type Wire } from './setting/wire.ts'

let wire: Wire
let feed: ScriptedFeed
let verifier: Verifier
let ahead: number
let later: number
let answers: (token: string) => Record<string, unknown> | undefined
const events: VerifierEvent[] = []
const batchPath = '/oauth/introspect/batch'
const payload = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString()) as Record<string, unknown>

const start = async (options: Partial<VerifierOptions> = {}) => {
  verifier = createVerifier({
    issuer: wire.issuer,
    clientId: 'api',
    clientSecret: 's',
    monotonic: () => performance.now() + ahead,
    now: () => Date.now() + later,
    observe: (event) => events.push(event),
    ...options,
  })
  await expect.poll(() => verifier.status().stalenessMs, { timeout: 5000 }).toBeLessThan(1000)
}
beforeEach(async () => {
  wire = await startWire()
  feed = serveFeed(wire)
  ahead = 0
  later = 0
  events.length = 0
  answers = (token) => (token.startsWith('ey') ? { ...payload(token), active: true } : undefined)
  wire.on(batchPath, (request, response) => {
    const { tokens } = JSON.parse(request.text) as { tokens: string[] }
    const results = tokens.map(answers)
    return results.includes(undefined) ? response.writeHead(503).end() : response.end(JSON.stringify({ results }))
  })
})
afterEach(async () => {
  await verifier.close()
  feed.end()
  await wire.close()
})
const authOf = async (token: string, subject: 'user' | 'any' = 'any'): Promise<Auth> => {
  const result = await verifier.check(token, 'token', { subject })
  if (!result.ok || result.auth === undefined) throw new Error('refused')
  return result.auth
}
/** Registers a connection, and remembers how it was closed. */
const open = async (claims: Record<string, unknown> = {}, options?: LiveOptions) => {
  const auth = await authOf(await wire.mint(claims))
  const closed: [number, string][] = []
  const held = verifier.live.register(auth, (code, reason) => closed.push([code, reason]), options)
  return { auth, closed, held }
}
const until = (check: () => unknown) => expect.poll(check, { interval: 5 })
const cut = (milliseconds: number) => {
  feed.beating = false
  feed.stream = () => {}
  feed.snapshot = () => {}
  ahead += milliseconds
}

describe('a live connection', () => {
  it.each([
    ['its session', { kind: 'session', id: idOf(1) }, [4401, 'session_revoked'], { kind: 'session', id: idOf(2) }],
    ['its token', { kind: 'token', id: `1.${idOf(1)}` }, [4401, 'token_revoked'], { kind: 'token', id: `1.${idOf(3)}` }],
    [
      'its key',
      { kind: 'key', id: 'k1', state: 'revoked', expires: null },
      [4401, 'token_revoked'],
      { kind: 'key', id: 'k2', state: 'revoked', expires: null },
    ],
    ["its user's epoch", { kind: 'user', id: userOf(1), epoch: 2 }, [4403, 'claims_stale'], { kind: 'user', id: userOf(1), epoch: 1 }],
    ["its client's epoch", { kind: 'client', id: 'app', epoch: 2 }, [4403, 'claims_stale'], { kind: 'client', id: 'other', epoch: 2 }],
  ] as const)('is closed when %s is revoked, and by nothing else', async (_, entry, how, other) => {
    await start()
    const { closed } = await open()
    feed.revoke(other)
    await until(() => verifier.status().applied).toBe(11)
    expect([closed, verifier.live.size()]).toEqual([[], 1])
    feed.revoke(entry)
    await until(() => closed).toEqual([how])
    expect([verifier.live.size(), verifier.status().connections, verifier.status().counters.closed]).toEqual([0, 0, 1])
  })

  it("of a client is closed by its client's epoch", async () => {
    await start()
    const closed: number[] = []
    verifier.live.register(await authOf(await wire.mintClient()), (code) => closed.push(code))
    feed.revoke({ kind: 'client', id: 'app', epoch: 2 })
    await until(() => closed).toEqual([4403])
  })

  it('is closed when it was revoked between the guard and the register', async () => {
    await start()
    const auth = await authOf(await wire.mint())
    feed.revoke({ kind: 'session', id: idOf(1) })
    await until(() => verifier.status().applied).toBe(11)
    const closed: number[] = []
    verifier.live.register(auth, (code) => closed.push(code))
    expect(closed).toEqual([])
    await until(() => closed).toEqual([closeCodes.revoked])
  })

  it('is told before its token expires, and closed when it does', async () => {
    await start()
    const told: number[] = []
    const { closed } = await open({}, { expiringBefore: '1m', onExpiring: (left) => told.push(left) })
    later = 200_000
    await new Promise((resolve) => setTimeout(resolve, 1200))
    expect([told, closed]).toEqual([[], []])
    later = 250_000
    await until(() => told.length).toBe(1)
    expect(told[0]).toBeGreaterThan(40)
    later = 299_999
    await until(() => closed).toEqual([[4408, 'token_expired']])
    expect(told.length).toBe(1)
  })

  it('is asked about however many others are, within its bound and a moment', async () => {
    await start()
    const auth = await authOf(await wire.mint())
    for (let i = 0; i < 3000; i++) verifier.live.register(auth, () => {}, { maxStaleness: '1s' })
    const { closed } = await open({ sid: idOf(2), jti: `1.${idOf(2)}` }, { maxStaleness: '1s' })
    cut(5000)
    await until(() => wire.count(batchPath)).toBeGreaterThan(0)
    answers = (token) => (payload(token).sid === idOf(2) ? { active: false, code: 'session_revoked' } : { ...payload(token), active: true })
    await until(() => closed).toEqual([[4401, 'session_revoked']])
    expect(verifier.live.size()).toBe(3000)
  })

  it('is asked about again though the wall clock was set back', async () => {
    await start()
    const { closed } = await open({}, { maxStaleness: '1s' })
    cut(5000)
    await until(() => wire.count(batchPath)).toBeGreaterThan(0)
    answers = () => ({ active: false, code: 'session_revoked' })
    later = -3_600_000
    await until(() => closed).toEqual([[4401, 'session_revoked']])
  })

  it('counts from when the guard asked, not from when it was registered', async () => {
    await start()
    const result = await verifier.check(await wire.mint(), 'session')
    if (!result.ok || result.auth === undefined) throw new Error('refused')
    cut(60_000)
    answers = () => ({ active: false, code: 'session_revoked' })
    const closed: [number, string][] = []
    verifier.live.register(result.auth, (code, reason) => closed.push([code, reason]))
    await until(() => closed).toEqual([[4401, 'session_revoked']])
  })

  it('goes on with a fresh token of its session, and only of that', async () => {
    await start()
    const told: number[] = []
    const { closed, held } = await open({}, { onExpiring: (left) => told.push(left) })
    const iat = Math.floor(Date.now() / 1000) + 3
    const fresh = await authOf(await wire.mint({ jti: `2.${idOf(5)}`, iat, exp: iat + 900, epoch: 3 }))
    const other = await authOf(await wire.mint({ sid: idOf(7) }))
    expect(() => held.renew(other)).toThrow(expect.objectContaining({ code: 'credential_conflict' }))
    held.renew(fresh)
    later = 400_000
    feed.revoke({ kind: 'token', id: `1.${idOf(1)}` })
    feed.revoke({ kind: 'user', id: userOf(1), epoch: 3 })
    await until(() => verifier.status().applied).toBe(12)
    await new Promise((resolve) => setTimeout(resolve, 700))
    expect([told, closed]).toEqual([[], []])
    feed.revoke({ kind: 'token', id: `2.${idOf(5)}` })
    await until(() => closed).toEqual([[4401, 'token_revoked']])
    held.renew(fresh)
    held.end()
  })

  it('is asked about when staleness passes its bound, goes on while the answer is yes, and says why it is closed', async () => {
    await start()
    const patient = await open({ sid: idOf(1) }, { maxStaleness: '1m' })
    const strict = await open({ sid: idOf(2), jti: `1.${idOf(2)}` })
    const other = await open({ sid: idOf(3), jti: `1.${idOf(3)}` })
    cut(20_000)
    await until(() => wire.count(batchPath)).toBe(1)
    const { tokens } = JSON.parse(wire.seen.find(({ path }) => path === batchPath)?.text ?? '{}') as { tokens: string[] }
    expect(tokens.map((token) => payload(token).sid)).toEqual([idOf(2), idOf(3)])
    // What was asked a moment ago is not asked at each look.
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect([wire.count(batchPath), strict.closed, other.closed]).toEqual([1, [], []])
    const before = answers
    answers = (token) => (payload(token).sid === idOf(2) ? { active: false, code: 'claims_stale' } : before(token))
    later = 15_000
    await until(() => strict.closed).toEqual([[4403, 'claims_stale']])
    expect([other.closed, patient.closed]).toEqual([[], []])
  })

  it('is closed when it cannot be known', async () => {
    await start()
    const { closed } = await open()
    answers = () => undefined
    cut(20_000)
    await until(() => closed).toEqual([[4503, 'revocation_unknown']])
    expect(verifier.status().counters.refusedUnknown).toBe(1)
  })

  it('of an opaque token is asked about every minute, since its end is known to the issuer only', async () => {
    await start()
    let active = true
    answers = () =>
      active
        ? { active, aud: wire.issuer, sub: userOf(1), sid: idOf(1), client_id: 'app', epoch: 1, client_epoch: 1 }
        : { active, code: 'token_expired' }
    const closed: number[] = []
    verifier.live.register(await authOf('syo_abc'), (code) => closed.push(code))
    active = false
    later = 40_000
    await new Promise((resolve) => setTimeout(resolve, 1100))
    expect(closed).toEqual([])
    later = 70_000
    await until(() => closed).toEqual([closeCodes.expired])
  })
})

describe('the register', () => {
  it('is bounded, forgets who left, and takes only what a guard handed out', async () => {
    await start({ connections: 2 })
    const first = await open()
    const second = await open()
    await expect(open()).rejects.toMatchObject({ code: 'try_later', status: 503 })
    expect(events.filter(({ event }) => event === 'connections_full').length).toBe(1)
    first.held.end()
    first.held.end()
    await open()
    const forged = { ...second.auth, claims: { ...second.auth.claims } }
    second.held.end()
    expect(() => verifier.live.register(forged, () => {})).toThrow(expect.objectContaining({ code: 'invalid_option' }))
    feed.revoke({ kind: 'session', id: idOf(1) })
    await until(() => verifier.live.size()).toBe(0)
    expect([first.closed, second.closed]).toEqual([[], []])
  })

  it('survives a `close` that throws, and closes everything with the verifier', async () => {
    await start()
    verifier.live.register(await authOf(await wire.mint()), () => {
      throw new Error('broken')
    })
    const { closed } = await open({ sid: idOf(2) })
    feed.revoke({ kind: 'session', id: idOf(1) })
    await until(() => events.some(({ event }) => event === 'close_failed')).toBe(true)
    expect(closed).toEqual([])
    await verifier.close()
    expect(closed).toEqual([[4503, 'revocation_unknown']])
  })

  it('closes ten thousand connections of one user quickly', async () => {
    await start()
    const auth = await authOf(await wire.mint())
    let closed = 0
    for (let i = 0; i < 10_000; i++) verifier.live.register(auth, () => closed++)
    feed.revoke({ kind: 'user', id: userOf(1), epoch: 9 })
    await until(() => closed).toBe(10_000)
  })
})
