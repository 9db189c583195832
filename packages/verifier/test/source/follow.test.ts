// The follower against a service that a script drives, over real HTTP: what it makes of every way in which a feed can be
// late, torn, repeated, foreign, silent or hostile. Each case ends with the follower whole again.

import type { WireRevocation } from '@symbolon/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createVerifier, type Verifier, type VerifierEvent, type VerifierOptions } from '../../src/index.ts'
import {
  feed as feedId,
  idOf,
  otherFeed,
  type ScriptedFeed,
  serveFeed,
  snapshotText,
  startWire,
  userOf,
  type Wire,
} from '../setting/wire.ts'

let wire: Wire
let feed: ScriptedFeed
let verifier: Verifier
let events: VerifierEvent[]
const verifiers: Verifier[] = []

beforeEach(async () => {
  wire = await startWire()
  feed = serveFeed(wire)
  events = []
})
afterEach(async () => {
  for (const one of verifiers.splice(0)) await one.close()
  feed.end()
  await wire.close()
})

const start = (options: Partial<VerifierOptions> = {}) => {
  verifier = createVerifier({
    issuer: wire.issuer,
    clientId: 'api',
    clientSecret: 's',
    observe: (event) => events.push(event),
    ...options,
  })
  verifiers.push(verifier)
  return verifier
}
const until = (check: () => unknown, timeout = 10_000) => expect.poll(check, { timeout, interval: 10 })
const caughtUp = () => until(() => verifier.status().stalenessMs < 1000 && verifier.status().applied === feed.head).toBe(true)
const entry = (seq: number, n: number): WireRevocation => ({
  seq,
  kind: 'session',
  id: idOf(n),
  at: Date.now(),
  expires: Date.now() + 900_000,
})
const codeOf = async (n: number) => {
  const result = await verifier.verify(await wire.mint({ sid: idOf(n) }))
  return result.ok ? 'ok' : result.code
}
const reasons = () => events.flatMap((event) => (event.event === 'reconnect' ? [event.reason] : []))

describe('following', () => {
  it('is not ready until a snapshot closes what was before the stream; then revocations count at once', async () => {
    feed.revoke({ kind: 'session', id: idOf(3) })
    let answer = () => {}
    feed.snapshot = (_, response) => {
      answer = () => {
        feed.snapshot = undefined
        response.end(snapshotText(feed.id, feed.head, [['session', idOf(3), null, Date.now() + 900_000]]))
      }
    }
    start()
    await until(() => wire.count('/v1/revocations/snapshot')).toBe(1)
    expect(wire.seen.map(({ path }) => path).filter((path) => path.startsWith('/v1'))).toEqual([
      '/v1/revocations',
      '/v1/revocations/snapshot',
    ])
    expect(verifier.status()).toMatchObject({ followed: true, stalenessMs: Number.POSITIVE_INFINITY, applied: 0 })
    // What comes by the stream meanwhile is applied, though nothing is complete.
    feed.revoke({ kind: 'session', id: idOf(4) })
    await until(() => verifier.status().entries).toBe(1)
    expect(await codeOf(5)).toBe('revocation_unknown')
    answer()
    await verifier.ready()
    await caughtUp()
    expect([await codeOf(3), await codeOf(4), await codeOf(5)]).toEqual(['session_revoked', 'session_revoked', 'ok'])
    expect(verifier.status()).toMatchObject({ transport: 'stream', feedId: feedId, head: 12, applied: 12, entries: 2, snapshots: 1 })
    expect(verifier.metrics()).toMatch(/^revocation_staleness_seconds 0\.\d+$/m)
    expect(verifier.status().delays.counts.reduce((a, b) => a + b)).toBe(1)
  })

  it('applies epochs of users and clients, single tokens and keys', async () => {
    start()
    await caughtUp()
    const token = await wire.mint({ sid: idOf(6), sub: userOf(6), jti: `4.${idOf(6)}` })
    const code = async () => {
      const result = await verifier.verify(token)
      return result.ok ? 'ok' : result.code
    }
    feed.revoke({ kind: 'user', id: userOf(6), epoch: 1 })
    feed.revoke({ kind: 'client', id: 'app', epoch: 1 })
    feed.revoke({ kind: 'token', id: `3.${idOf(7)}` })
    await caughtUp()
    expect(await code()).toBe('ok')
    feed.revoke({ kind: 'client', id: 'app', epoch: 2 })
    await until(code).toBe('claims_stale')
    feed.revoke({ kind: 'token', id: `4.${idOf(6)}` })
    await until(code).toBe('token_revoked')
    feed.revoke({ kind: 'key', id: 'k1', state: 'revoked', expires: null })
    await until(async () => ((await verifier.verify(await wire.mint({ sid: idOf(9) }))) as { code: string }).code).toBe('token_revoked')
  })

  it('fetches keys anew when the feed tells of one, in the middle of the cool-down', async () => {
    start()
    await caughtUp()
    expect(await codeOf(1)).toBe('ok')
    await verifier.verify(
      (await wire.mint()).replace(/^[^.]+/, Buffer.from('{"alg":"ES256","kid":"k2","typ":"at+jwt"}').toString('base64url')),
    )
    expect(wire.count('/.well-known/jwks.json')).toBe(1)
    feed.revoke({ kind: 'key', id: 'k2', state: 'published', expires: null })
    await caughtUp()
    for (let i = 0; i < 3; i++)
      await verifier.verify(
        (await wire.mint()).replace(/^[^.]+/, Buffer.from('{"alg":"ES256","kid":"k2","typ":"at+jwt"}').toString('base64url')),
      )
    expect(wire.count('/.well-known/jwks.json')).toBe(2)
  })
})

describe('a stream that is torn', () => {
  it('resumes after a cut from where it was, without a snapshot', async () => {
    start()
    await caughtUp()
    feed.beating = false
    for (const stream of feed.streams) stream.destroy()
    feed.revoke({ kind: 'session', id: idOf(8) })
    feed.beating = true
    await caughtUp()
    expect(await codeOf(8)).toBe('session_revoked')
    expect(verifier.status()).toMatchObject({ snapshots: 1, reconnects: 1 })
    expect(wire.seen.filter(({ path }) => path === '/v1/revocations')[1]?.headers['last-event-id']).toBe(`${feedId}.10`)
  })

  it('notices a gap, and does not count what comes after it as complete', async () => {
    start()
    await caughtUp()
    // (10, 11] never comes; it stands in the log.
    feed.entries.push([10, entry(11, 11)])
    feed.head = 12
    feed.entries.push([11, entry(12, 12)])
    feed.send('revocations', { feed: feedId, from: 11, to: 12, entries: [entry(12, 12)] })
    await until(reasons).toContain('a gap')
    await caughtUp()
    expect([await codeOf(11), await codeOf(12)]).toEqual(['session_revoked', 'session_revoked'])
  })

  it('notices a gap that only a beat tells of', async () => {
    start()
    await caughtUp()
    feed.entries.push([10, entry(11, 11)])
    feed.head = 11
    await until(reasons).toContain('a gap')
    await caughtUp()
    expect(await codeOf(11)).toBe('session_revoked')
  })

  it('takes ranges twice, overlapping and old ones as they come', async () => {
    start()
    await caughtUp()
    feed.beating = false
    const range = (from: number, to: number) => {
      const entries = Array.from({ length: to - from }, (_, i) => entry(from + i + 1, from + i + 1))
      feed.send('revocations', { feed: feedId, from, to, entries })
    }
    range(10, 13)
    range(10, 13)
    range(11, 12)
    range(12, 15)
    range(2, 4)
    feed.head = 15
    feed.beating = true
    await caughtUp()
    expect(reasons()).toEqual([])
    for (const n of [3, 4, 11, 13, 15]) expect(await codeOf(n)).toBe('session_revoked')
    expect(await codeOf(16)).toBe('ok')
  })

  it('notices a connection that is half open by its missing beats, whatever else comes', async () => {
    start()
    await caughtUp()
    feed.beating = false
    const timer = setInterval(() => feed.sendRaw(':\n'), 100)
    await until(reasons, 8000).toContain('no beat came')
    clearInterval(timer)
    feed.beating = true
    await caughtUp()
  })

  it('honours a farewell', async () => {
    start()
    await caughtUp()
    const began = performance.now()
    feed.send('bye', { retry_ms: 700 })
    await until(reasons).toContain('bye')
    await until(() => wire.count('/v1/revocations')).toBe(2)
    expect(performance.now() - began).toBeGreaterThan(690)
    await caughtUp()
  })

  it('honours Retry-After', async () => {
    feed.stream = (_, response) => response.writeHead(503, { 'retry-after': '1' }).end()
    start()
    await until(() => wire.count('/v1/revocations')).toBe(1)
    const began = performance.now()
    feed.stream = undefined
    await caughtUp()
    expect(performance.now() - began).toBeGreaterThan(900)
  })
})

describe('another feed', () => {
  it('adds its snapshot to what is known, and forgets nothing', async () => {
    start()
    await caughtUp()
    feed.revoke({ kind: 'session', id: idOf(20) })
    await caughtUp()
    // A restored database: another id, fewer entries, one of them new.
    feed.id = otherFeed
    feed.head = 5
    feed.entries.length = 0
    feed.entries.push([4, entry(5, 21)])
    for (const stream of feed.streams) stream.destroy()
    await caughtUp()
    expect(verifier.status()).toMatchObject({ feedId: otherFeed, applied: 5, snapshots: 2 })
    expect([await codeOf(20), await codeOf(21), await codeOf(22)]).toEqual(['session_revoked', 'session_revoked', 'ok'])
  })

  it('does not make knowledge young before its snapshot is applied', async () => {
    start()
    await caughtUp()
    feed.snapshot = () => {}
    feed.id = otherFeed
    for (const stream of feed.streams) stream.destroy()
    await until(() => wire.count('/v1/revocations/snapshot')).toBe(2)
    const before = verifier.status().stalenessMs
    // Beats of the new feed come meanwhile.
    await until(() => verifier.status().stalenessMs, 4000).toBeGreaterThan(before + 900)
    feed.snapshot = undefined
    await caughtUp()
  }, 20_000)

  it('is refused when it is behind what was read from it', async () => {
    start()
    await caughtUp()
    feed.head = 7
    for (const stream of feed.streams) stream.destroy()
    await until(reasons).toContain('the feed is behind what was read from it')
    expect(verifier.status().applied).toBe(10)
    feed.head = 10
    await caughtUp()
  })
})

describe('nonsense', () => {
  const range = { feed: feedId, from: 10, to: 11 }
  it.each([
    ['no JSON', 'event: revocations\ndata: {{{\n\n'],
    ['an unknown kind', `event: revocations\ndata: ${JSON.stringify({ ...range, entries: [{ ...entry(11, 30), kind: 'tenant' }] })}\n\n`],
    [
      'an entry without id',
      `event: revocations\ndata: ${JSON.stringify({ ...range, entries: [entry(11, 30), { ...entry(11, 31), id: 7 }] })}\n\n`,
    ],
    ['a range backwards', `event: revocations\ndata: ${JSON.stringify({ ...range, to: 9, entries: [entry(11, 30)] })}\n\n`],
    ['a feed id of another form', `event: beat\ndata: ${JSON.stringify({ feed: 'https://b.example', head: 10, t: 1 })}\n\n`],
    ['a beat of the future', `event: beat\ndata: ${JSON.stringify({ feed: feedId, head: 10, t: 1e12 })}\n\n`],
    ['a position that is none', `event: beat\ndata: ${JSON.stringify({ feed: feedId, head: -1, t: 1 })}\n\n`],
    ['bytes that are no text', Buffer.from([0x64, 0x61, 0x74, 0x61, 0x3a, 0xff, 0xfe, 10, 10])],
    ['a huge line', `data: ${'x'.repeat(1_100_000)}`],
    ['a huge event', `${`data: ${'x'.repeat(100_000)}\n`.repeat(11)}\n`],
  ])('%s: refused whole, and connected anew', async (_, bytes) => {
    start()
    await caughtUp()
    for (const stream of feed.streams) stream.write(bytes)
    await until(() => wire.count('/v1/revocations')).toBe(2)
    await caughtUp()
    expect(await codeOf(30)).toBe('ok')
    expect(verifier.status().entries).toBe(0)
  })

  it('at the start: neither a redirect, nor a page, nor a stream that does not open', async () => {
    const answers: ScriptedFeed['stream'][] = [
      (_, response) => response.writeHead(302, { location: '/elsewhere' }).end(),
      (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
      (_, response) => response.writeHead(403).end('{}'),
    ]
    feed.stream = (request, response) => {
      const next = answers.shift()
      if (answers.length === 0) feed.stream = undefined
      next?.(request, response)
    }
    start()
    await caughtUp()
    expect(wire.count('/elsewhere')).toBe(0)
    expect(reasons()).toEqual(['the feed answered 302', 'no stream came', 'the feed answered 403'])
  })
})

describe('a snapshot', () => {
  const spoilt: readonly (readonly [string, (text: string) => string])[] = [
    ['truncated in a line', (text) => text.slice(0, text.length - 30)],
    ['without its last line', (text) => text.slice(0, text.lastIndexOf('{'))],
    ['with another count', (text) => text.replace('"count":2', '"count":3')],
    ['with another digest', (text) => text.replace(/"sha256":"./, (found) => `${found.slice(0, -1)}${found.endsWith('A') ? 'B' : 'A'}`)],
    ['with an entry changed', (text) => text.replace(idOf(41), idOf(42))],
    ['with a line left out', (text) => text.replace(/\n\[.*\]\n/, '\n')],
    ['with an entry of another shape', (text) => text.replace('"session"', '"sessions"')],
  ]
  it.each(spoilt)('%s is not applied at all', async (_, spoil) => {
    feed.revoke({ kind: 'session', id: idOf(40) })
    feed.revoke({ kind: 'session', id: idOf(41) })
    feed.spoil = spoil
    start()
    await until(() => events.some(({ event }) => event === 'snapshot_failed')).toBe(true)
    expect(verifier.status()).toMatchObject({ entries: 0, snapshots: 0, stalenessMs: Number.POSITIVE_INFINITY })
    feed.spoil = (text) => text
    await caughtUp()
    expect(verifier.status()).toMatchObject({ entries: 2, snapshots: 1 })
  })

  it('that stalls is given up, and taken again', async () => {
    feed.snapshot = (_, response) => response.write('{"feed":')
    start()
    await until(() => events.some(({ event }) => event === 'snapshot_failed'), 12_000).toBe(true)
    feed.snapshot = undefined
    await caughtUp()
    expect(wire.count('/v1/revocations')).toBe(1)
  }, 30_000)

  it('that does not reach the stream is taken again, one at a time', async () => {
    let under = 0
    let most = 0
    feed.snapshot = (_, response) => {
      under++
      most = Math.max(most, under)
      setTimeout(() => {
        under--
        response.end(snapshotText(feedId, 1, []))
      }, 200)
    }
    start()
    await until(() => wire.count('/v1/revocations/snapshot'), 8000).toBeGreaterThan(2)
    expect(most).toBe(1)
    expect(verifier.status().applied).toBe(1)
    feed.snapshot = undefined
    await caughtUp()
  })
})

describe('where no stream can be had', () => {
  it('polls after two streams that never speak or die', async () => {
    feed.stream = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.end(': nothing\n\n')
    }
    start()
    await until(() => verifier.status().transport).toBe('long_poll')
    expect(events).toContainEqual({ event: 'fallback', transport: 'long_poll' })
    feed.revoke({ kind: 'session', id: idOf(43) })
    await caughtUp()
    expect(await codeOf(43)).toBe('session_revoked')
    const polls = wire.count('/v1/revocations')
    await new Promise((resolve) => setTimeout(resolve, 1500))
    // This server does not wait: it is not asked faster for it.
    expect(wire.count('/v1/revocations') - polls).toBeLessThan(5)
  })

  it('goes on with a snapshot when what it asks for is no longer kept', async () => {
    start({ follow: 'long_poll' })
    await caughtUp()
    feed.id = otherFeed
    feed.revoke({ kind: 'session', id: idOf(44) })
    await until(() => verifier.status().feedId).toBe(otherFeed)
    await caughtUp()
    expect([await codeOf(44), verifier.status().snapshots]).toEqual(['session_revoked', 2])
  })

  it('keeps a cached snapshot up to date on demand, and is still between demands', async () => {
    let monotonic = 0
    start({ follow: 'snapshot', monotonic: () => monotonic + performance.now() })
    const guard = verifier.guard('token', { maxStaleness: '2s' })
    const pass = async (n: number) => {
      const token = await wire.mint({ sid: idOf(n) })
      const result = await guard({ method: 'GET', url: '/', header: (name) => (name === 'authorization' ? `Bearer ${token}` : undefined) })
      return result.ok ? result.auth?.checked : result.status
    }
    expect(wire.count('/v1/revocations/snapshot')).toBe(0)
    expect(await pass(50)).toBe('local')
    feed.revoke({ kind: 'session', id: idOf(50) })
    expect([await pass(51), wire.count('/v1/revocations')]).toEqual(['local', 0])
    monotonic += 3000
    expect([await pass(50), await pass(51)]).toEqual([401, 'local'])
    expect([wire.count('/v1/revocations'), wire.count('/v1/revocations/snapshot')]).toEqual([1, 1])
    // Nothing to be had: asked live, and refused when that fails too.
    monotonic += 3000
    await wire.close()
    expect(await pass(51)).toBe(503)
  })
})

it('ends everything at close: streams, polls, waits and promises', async () => {
  feed.snapshot = () => {}
  start()
  await until(() => feed.streams.size).toBe(1)
  const ready = verifier.ready()
  await verifier.close()
  await expect(ready).rejects.toMatchObject({ code: 'revocation_unknown' })
  await until(() => feed.streams.size).toBe(0)
  const requests = wire.seen.length
  await new Promise((resolve) => setTimeout(resolve, 600))
  expect(wire.seen.length).toBe(requests)
})
