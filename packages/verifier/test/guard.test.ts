// Guards at the bound: what they decide by themselves, when they ask, and what they answer when they cannot. Against a
// scripted service, over real HTTP, with clocks that tests move.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  createVerifier,
  type GuardResult,
  type Level,
  type Requirement,
  type Verifier,
  type VerifierEvent,
  type VerifierOptions,
} from '../src/index.ts'
import { holdTimers } from './setting/held.ts'
import { idOf, otherFeed, type ScriptedFeed, serveFeed, startWire, userOf, type Wire } from './setting/wire.ts'

let wire: Wire
let feed: ScriptedFeed
let ahead = 0
let answers: Record<string, unknown> = {}
let broken = false
const events: VerifierEvent[] = []
const verifiers: Verifier[] = []
const batchPath = '/oauth/introspect/batch'
const payload = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString()) as Record<string, unknown>

beforeEach(async () => {
  wire = await startWire()
  feed = serveFeed(wire)
  ahead = 0
  answers = {}
  broken = false
  events.length = 0
  wire.on(batchPath, (request, response) => {
    if (broken) return response.writeHead(503).end()
    const { tokens } = JSON.parse(request.text) as { tokens: string[] }
    const results = tokens.map(
      (token) => answers[token] ?? (token.startsWith('ey') ? { ...payload(token), active: true } : { active: false }),
    )
    return response.end(JSON.stringify({ results }))
  })
})
afterEach(async () => {
  for (const one of verifiers.splice(0)) await one.close()
  feed.end()
  await wire.close()
})

/** A verifier that is caught up, unless said. */
const start = async (options: Partial<VerifierOptions> = {}, ready = true) => {
  const verifier = createVerifier({
    issuer: wire.issuer,
    clientId: 'api',
    clientSecret: 's',
    monotonic: () => performance.now() + ahead,
    observe: (event) => events.push(event),
    ...options,
  })
  verifiers.push(verifier)
  if (ready) await expect.poll(() => verifier.status().stalenessMs, { timeout: 5000 }).toBeLessThan(1000)
  return verifier
}
/** The feed falls silent, and time passes. */
const cut = (milliseconds: number) => {
  feed.beating = false
  feed.stream = () => {}
  feed.snapshot = () => {}
  ahead += milliseconds
}
/** The feed is back; time stays where it is. */
const mend = () => {
  feed.beating = true
  feed.stream = feed.snapshot = undefined
  for (const stream of feed.streams) stream.destroy()
}
const ask = async (
  verifier: Verifier,
  token: string,
  level: Level = 'token',
  requirement: Requirement = {},
  position?: string,
): Promise<GuardResult> => {
  const header = (name: string) => (name === 'authorization' ? `Bearer ${token}` : name === 'symbolon-seq' ? position : undefined)
  return verifier.guard(level, requirement)({ method: 'GET', url: '/', header })
}
const said = (result: GuardResult) =>
  result.ok ? result.auth?.checked : `${result.status} ${(JSON.parse(result.body) as { code: string }).code}`
const asked = () => wire.count(batchPath)

describe('the bound', () => {
  it('is ten seconds unless said: within it the token decides, past it the service is asked about the token', async () => {
    const verifier = await start()
    const token = await wire.mint()
    expect([said(await ask(verifier, token)), asked()]).toEqual(['local', 0])
    cut(8000)
    expect([said(await ask(verifier, token)), asked()]).toEqual(['local', 0])
    const [strict, loose] = await Promise.all([
      ask(verifier, token, 'token', { maxStaleness: '2s' }),
      ask(verifier, token, 'token', { maxStaleness: '1m' }),
    ])
    expect([said(strict), said(loose), asked()]).toEqual(['live', 'local', 1])
    ahead += 3000
    expect([said(await ask(verifier, token)), asked()]).toEqual(['live', 2])
    expect(await verifier.verify(token)).toMatchObject({ ok: false, code: 'revocation_unknown' })
    expect(verifier.status().counters).toMatchObject({ fallbacks: 2, refusedUnknown: 0 })
    expect(events.filter(({ event }) => event === 'stale').length).toBe(1)
  })

  it('tells the staleness that was, never less', async () => {
    const verifier = await start()
    cut(5000)
    const result = await ask(verifier, await wire.mint())
    expect(result.ok && result.auth?.stalenessMs).toBeGreaterThanOrEqual(5000)
    expect(result.ok && result.auth?.stalenessMs).toBeLessThan(9000)
  })

  it('holds before the knowledge was ever complete: every token is asked about', async () => {
    feed.snapshot = () => {}
    const verifier = await start({}, false)
    expect([said(await ask(verifier, await wire.mint())), asked()]).toEqual(['live', 1])
  })

  it('past it, passes on why a token is refused, and a code that nobody knows as token_revoked', async () => {
    const verifier = await start()
    cut(20_000)
    const token = await wire.mint()
    for (const code of ['claims_stale', 'session_revoked', 'token_expired', 'session_superseded']) {
      answers[token] = { active: false, code }
      const result = await ask(verifier, token)
      expect(said(result)).toBe(`401 ${code}`)
      expect(!result.ok && result.headers['www-authenticate']).toContain(code)
    }
    for (const code of [undefined, 'made_up', '__proto__', 'conflict']) {
      answers[token] = { active: false, code }
      expect(said(await ask(verifier, token))).toBe('401 token_revoked')
    }
    answers[token] = { active: false, code: 'store_unavailable' }
    expect(said(await ask(verifier, token))).toBe('503 revocation_unknown')
    // Alive, but minted before the roles changed.
    answers[token] = { ...payload(token), active: true, epoch: 2 }
    expect([said(await ask(verifier, token)), said(await ask(verifier, token, 'session'))]).toEqual(['401 claims_stale', 'live'])
    answers[token] = { ...payload(token), active: true, client_epoch: 2 }
    expect(said(await ask(verifier, token))).toBe('401 claims_stale')
    delete answers[token]
    expect(said(await ask(verifier, token))).toBe('live')
  })

  it.each([
    ['another session', { sid: idOf(9) }],
    ['another user', { sub: userOf(9) }],
    ['another client', { client_id: 'other' }],
    ['another token', { jti: '1.x' }],
    ['neither yes nor no', { active: 'true' }],
    ['no session', { sid: undefined }],
  ])('past it, takes no answer about %s', async (_, change) => {
    const verifier = await start()
    cut(20_000)
    const token = await wire.mint()
    answers[token] = { ...payload(token), active: true, ...change }
    expect(said(await ask(verifier, token))).toBe('503 revocation_unknown')
    expect(said(await ask(verifier, token, 'session'))).toBe('503 try_later')
  })

  it('past it, with nobody to ask, is 503 revocation_unknown with Retry-After, at once; and recovers by itself', async () => {
    const verifier = await start()
    const token = await wire.mint()
    await ask(verifier, token)
    cut(20_000)
    broken = true
    for (let i = 0; i < 5; i++) expect(said(await ask(verifier, token))).toBe('503 revocation_unknown')
    const result = await ask(verifier, token)
    expect(!result.ok && Number(result.headers['retry-after'])).toBeGreaterThanOrEqual(1)
    expect([asked(), verifier.status().breaker]).toEqual([5, 'open'])
    expect(verifier.status().counters.refusedUnknown).toBe(6)
    expect(events.filter(({ event }) => event === 'refused_unknown').length).toBe(1)
    mend()
    await expect.poll(async () => said(await ask(verifier, token)), { timeout: 15_000, interval: 100 }).toBe('local')
    expect(events.some(({ event }) => event === 'fresh')).toBe(true)
  })

  it('asks again as soon as the feed is back, without waiting for the breaker’s time', async () => {
    const verifier = await start()
    const token = await wire.mint()
    cut(20_000)
    broken = true
    for (let i = 0; i < 5; i++) expect(said(await ask(verifier, token, 'session'))).toBe('503 try_later')
    expect(verifier.status().breaker).toBe('open')
    broken = false
    events.length = 0
    mend()
    await expect.poll(() => events.some(({ event }) => event === 'connected'), { timeout: 15_000, interval: 5 }).toBe(true)
    expect(said(await ask(verifier, token, 'session'))).toBe('live')
  })
})

describe('without credentials', () => {
  it('tokens live until they expire, which it says once; an own bound is held all the same', async () => {
    const verifier = createVerifier({ issuer: wire.issuer, observe: (event) => events.push(event) })
    verifiers.push(verifier)
    expect(verifier.status()).toMatchObject({ followed: false, transport: 'none', stalenessMs: Number.POSITIVE_INFINITY })
    expect(events).toEqual([{ event: 'not_followed', reason: 'no_credentials' }])
    await verifier.ready()
    const iat = Math.floor(Date.now() / 1000) - 100
    const old = await wire.mint({ iat, exp: iat + 300 })
    const result = await ask(verifier, old)
    expect(said(result)).toBe('local')
    expect(result.ok && result.auth?.stalenessMs).toBeGreaterThanOrEqual(100_000)
    expect(said(await ask(verifier, old, 'token', { maxStaleness: '30s' }))).toBe('503 revocation_unknown')
    expect(said(await ask(verifier, await wire.mint(), 'token', { maxStaleness: '30s' }))).toBe('local')
    expect(said(await ask(verifier, old, 'token', {}, `${feed.id}.10`))).toBe('local')
  })

  it("'follow' is refused with a sentence, and 'expiry' follows nothing", async () => {
    expect(() => createVerifier({ issuer: wire.issuer, revocations: 'follow' })).toThrow(
      expect.objectContaining({ code: 'invalid_option', detail: expect.stringContaining('revocations:read') }),
    )
    const verifier = await start({ revocations: 'expiry' }, false)
    expect(events).toEqual([{ event: 'not_followed', reason: 'by_option' }])
    expect(said(await ask(verifier, await wire.mint()))).toBe('local')
    expect(wire.count('/v1/revocations')).toBe(0)
  })
})

describe('opaque tokens', () => {
  const token = `syo_${'x'.repeat(40)}`
  it('are asked about at both levels', async () => {
    const verifier = await start()
    const session = {
      active: true,
      aud: wire.issuer,
      sub: userOf(1),
      sid: idOf(1),
      client_id: 'app',
      epoch: 3,
      client_epoch: 1,
      roles: ['admin'],
      scope: 'a b',
      auth_time: 7,
      acr: 'x',
      amr: ['otp'],
    }
    answers[token] = session
    for (const level of ['token', 'session'] as const) {
      const result = await ask(verifier, token, level, { roles: ['admin'], scope: 'b' })
      expect(result).toMatchObject({
        ok: true,
        auth: { kind: 'user', sub: userOf(1), sid: idOf(1), epoch: 3, checked: 'live', stalenessMs: 0 },
      })
      expect(said(await ask(verifier, token, level, { roles: ['root'] }))).toBe('403 insufficient_role')
    }
    answers[token] = { ...session, aud: 'https://other.example' }
    expect(said(await ask(verifier, token))).toBe('401 invalid_token')
    answers[token] = { ...session, aud: undefined }
    expect(said(await ask(verifier, token))).toBe('401 invalid_token')
    answers[token] = { active: false, code: 'session_revoked' }
    expect(said(await ask(verifier, token))).toBe('401 session_revoked')
    const count = asked()
    expect([said(await ask(verifier, `syo_${'x'.repeat(5000)}`)), asked()]).toEqual(['401 invalid_token', count])
    broken = true
    expect([said(await ask(verifier, token)), said(await ask(verifier, token, 'session'))]).toEqual([
      '503 revocation_unknown',
      '503 try_later',
    ])
  })

  it('of a client are held to who is taken', async () => {
    const verifier = await start()
    answers[token] = { active: true, aud: wire.issuer, sub: 'app', client_id: 'app', client_epoch: 1, scope: 'jobs' }
    expect(await ask(verifier, token, 'token', { subject: 'client', scope: 'jobs' })).toMatchObject({
      ok: true,
      auth: { kind: 'client', clientId: 'app', checked: 'live' },
    })
    expect(said(await ask(verifier, token))).toBe('401 session_required')
    expect(said(await ask(verifier, token, 'session'))).toBe('401 session_required')
  })
})

describe("clients' own tokens", () => {
  it('are taken where said, asked about past the bound, and revoked by their epoch', async () => {
    const verifier = await start()
    const token = await wire.mintClient()
    expect(said(await ask(verifier, token))).toBe('401 session_required')
    expect(said(await ask(verifier, token, 'session', { subject: 'any' }))).toBe('401 session_required')
    for (const subject of ['client', 'any'] as const) expect(said(await ask(verifier, token, 'token', { subject }))).toBe('local')
    expect(said(await ask(verifier, await wire.mint(), 'token', { subject: 'client' }))).toBe('401 invalid_token')
    cut(20_000)
    expect(asked()).toBe(0)
    expect(await ask(verifier, token, 'token', { subject: 'client' })).toMatchObject({
      ok: true,
      auth: { kind: 'client', checked: 'live' },
    })
    // Who is not taken is not worth a question.
    expect([said(await ask(verifier, token)), asked()]).toEqual(['401 session_required', 1])
    answers[token] = { ...payload(token), active: true, client_epoch: 2 }
    expect(said(await ask(verifier, token, 'token', { subject: 'client' }))).toBe('401 claims_stale')
  })
})

describe('reading your revocations', () => {
  const at = (seq: number, id = feed.id) => `${id}.${seq}`
  const quarters = holdTimers(250)

  it('waits for the position, then holds the token against it; what is applied costs no wait', async () => {
    const verifier = await start()
    const token = await wire.mint()
    expect([said(await ask(verifier, token, 'token', {}, at(10))), asked()]).toEqual(['local', 0])
    const result = ask(verifier, token, 'token', {}, at(11))
    await expect.poll(() => verifier.status().waiting).toBe(1)
    feed.revoke({ kind: 'session', id: idOf(1) })
    expect([said(await result), asked()]).toEqual(['401 session_revoked', 0])
    expect(verifier.status().waiting).toBe(0)
  })

  it('lets a token in that the position does not mean', async () => {
    const verifier = await start()
    const result = ask(verifier, await wire.mint(), 'token', {}, at(11))
    await expect.poll(() => verifier.status().waiting).toBe(1)
    feed.revoke({ kind: 'session', id: idOf(5) })
    expect([said(await result), asked()]).toEqual(['local', 0])
  })

  it('asks live when it does not come within a quarter of a second, and refuses when that fails', async () => {
    const verifier = await start()
    const token = await wire.mint()
    quarters.pass()
    const began = performance.now()
    expect([said(await ask(verifier, token, 'token', {}, at(11))), asked()]).toEqual(['live', 1])
    expect(performance.now() - began).toBeGreaterThan(245)
    broken = true
    expect(said(await ask(verifier, token, 'token', {}, at(11)))).toBe('503 revocation_unknown')
  })

  it('takes several positions, as two headers or two callers make them, for all of them', async () => {
    const verifier = await start()
    const result = ask(verifier, await wire.mint(), 'token', {}, `${at(11)}, ${at(10)}`)
    await expect.poll(() => verifier.status().waiting).toBe(1)
    feed.revoke({ kind: 'session', id: idOf(1) })
    expect([said(await result), asked()]).toEqual(['401 session_revoked', 0])
    const other = await wire.mint({ sid: idOf(2), jti: `1.${idOf(2)}` })
    expect([said(await ask(verifier, other, 'token', {}, `${at(10)},${at(1, otherFeed)}`)), asked()]).toEqual(['live', 1])
  })

  it('passes none over, however many there are: more than are looked at are asked about', async () => {
    const verifier = await start()
    const old = Array.from({ length: 16 }, () => at(1))
    expect([said(await ask(verifier, await wire.mint(), 'token', {}, old.join(','))), asked()]).toEqual(['local', 0])
    expect([said(await ask(verifier, await wire.mint(), 'token', {}, [...old, at(11)].join(','))), asked()]).toEqual(['live', 1])
  })

  it('asks live about a position of another feed', async () => {
    const verifier = await start()
    expect([said(await ask(verifier, await wire.mint(), 'token', {}, at(1, otherFeed))), asked()]).toEqual(['live', 1])
    expect(verifier.status().counters.positionsWaited).toBe(0)
  })

  it('makes nothing of what is no position, and little of what is forged: at most twenty asks a second', async () => {
    const verifier = await start()
    const token = await wire.mint()
    await ask(verifier, token)
    for (const text of [
      '',
      'x',
      '11',
      `${feed.id}.`,
      `${feed.id}.-1`,
      `${feed.id}.01`,
      `${feed.id}.${'9'.repeat(40)}`,
      at(11).toUpperCase(),
    ])
      expect([said(await ask(verifier, token, 'token', {}, text)), asked()]).toEqual(['local', 0])
    const began = performance.now()
    let live = 0
    for (let i = 0; i < 2000; i++) {
      const one = said(await ask(verifier, token, 'token', {}, at(900_000_000_000 + i)))
      if (one === 'live') live++
      else expect(one).toBe('503 revocation_unknown')
    }
    expect(live).toBeLessThanOrEqual(21 + ((performance.now() - began) / 1000) * 21)
    expect(verifier.status().waiting).toBe(0)
    // Who cannot show a token cannot ask for anything.
    const count = asked()
    expect([said(await ask(verifier, `${token}x`, 'token', {}, at(11))), asked()]).toEqual(['401 invalid_token', count])
  })

  it('lets a hundred wait, and asks live for the others at once, in few batches', async () => {
    const verifier = await start()
    const tokens = await Promise.all(Array.from({ length: 150 }, (_, n) => wire.mint({ sid: idOf(n), jti: `1.${idOf(n)}` })))
    for (const token of tokens) await ask(verifier, token)
    const results = tokens.map((token) => ask(verifier, token, 'token', {}, at(11)))
    await expect.poll(() => verifier.status().waiting).toBe(100)
    feed.revoke({ kind: 'session', id: idOf(0) })
    const all = (await Promise.all(results)).map(said)
    expect(all[0]).toBe('401 session_revoked')
    expect([all.filter((one) => one === 'local').length, all.filter((one) => one === 'live').length]).toEqual([99, 50])
    expect(asked()).toBeLessThanOrEqual(2)
  })
})
