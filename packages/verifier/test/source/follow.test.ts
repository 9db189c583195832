// The follower against a service that a script drives, over real HTTP: what it makes of every way in which a feed can be
// late, torn, repeated, foreign, silent or hostile. Each case ends with the follower whole again.

import { describe, expect, it } from 'vitest'
import { entryOf, setFollower, until } from '../setting/follower.ts'
import { feed as feedId, idOf, otherFeed, type ScriptedFeed, snapshotText, userOf } from '../setting/wire.ts'

const set = setFollower()

describe('following', () => {
  it('is not ready until a snapshot closes what was before the stream; then revocations count at once', async () => {
    set.feed.revoke({ kind: 'session', id: idOf(3) })
    let answer = () => {}
    set.feed.snapshot = (_, response) => {
      answer = () => {
        set.feed.snapshot = undefined
        response.end(snapshotText(set.feed.id, set.feed.head, [['session', idOf(3), null, Date.now() + 900_000]]))
      }
    }
    set.start()
    await until(() => set.wire.count('/v1/revocations/snapshot')).toBe(1)
    expect(set.wire.seen.map(({ path }) => path).filter((path) => path.startsWith('/v1'))).toEqual([
      '/v1/revocations',
      '/v1/revocations/snapshot',
    ])
    expect(set.verifier.status()).toMatchObject({ followed: true, stalenessMs: Number.POSITIVE_INFINITY, applied: 0 })
    // What comes by the stream meanwhile is applied, though nothing is complete.
    set.feed.revoke({ kind: 'session', id: idOf(4) })
    await until(() => set.verifier.status().entries).toBe(1)
    expect(await set.codeOf(5)).toBe('revocation_unknown')
    answer()
    await set.verifier.ready()
    await set.caughtUp()
    expect([await set.codeOf(3), await set.codeOf(4), await set.codeOf(5)]).toEqual(['session_revoked', 'session_revoked', 'ok'])
    expect(set.verifier.status()).toMatchObject({ transport: 'stream', feedId: feedId, head: 12, applied: 12, entries: 2, snapshots: 1 })
    expect(set.verifier.metrics()).toMatch(/^revocation_staleness_seconds 0\.\d+$/m)
    expect(set.verifier.status().delays.counts.reduce((a, b) => a + b)).toBe(1)
  })

  it('applies epochs of users and clients, single tokens and keys', async () => {
    set.start()
    await set.caughtUp()
    const token = await set.wire.mint({ sid: idOf(6), sub: userOf(6), jti: `4.${idOf(6)}` })
    const code = async () => {
      const result = await set.verifier.verify(token)
      return result.ok ? 'ok' : result.code
    }
    set.feed.revoke({ kind: 'user', id: userOf(6), epoch: 1 })
    set.feed.revoke({ kind: 'client', id: 'app', epoch: 1 })
    set.feed.revoke({ kind: 'token', id: `3.${idOf(7)}` })
    await set.caughtUp()
    expect(await code()).toBe('ok')
    set.feed.revoke({ kind: 'client', id: 'app', epoch: 2 })
    await until(code).toBe('claims_stale')
    set.feed.revoke({ kind: 'token', id: `4.${idOf(6)}` })
    await until(code).toBe('token_revoked')
    set.feed.revoke({ kind: 'key', id: 'k1', state: 'revoked', expires: null })
    await until(async () => ((await set.verifier.verify(await set.wire.mint({ sid: idOf(9) }))) as { code: string }).code).toBe(
      'token_revoked',
    )
  })

  it('fetches keys anew when the feed tells of one, in the middle of the cool-down', async () => {
    set.start()
    await set.caughtUp()
    expect(await set.codeOf(1)).toBe('ok')
    await set.verifier.verify(
      (await set.wire.mint()).replace(/^[^.]+/, Buffer.from('{"alg":"ES256","kid":"k2","typ":"at+jwt"}').toString('base64url')),
    )
    expect(set.wire.count('/.well-known/jwks.json')).toBe(1)
    set.feed.revoke({ kind: 'key', id: 'k2', state: 'published', expires: null })
    await set.caughtUp()
    for (let i = 0; i < 3; i++)
      await set.verifier.verify(
        (await set.wire.mint()).replace(/^[^.]+/, Buffer.from('{"alg":"ES256","kid":"k2","typ":"at+jwt"}').toString('base64url')),
      )
    expect(set.wire.count('/.well-known/jwks.json')).toBe(2)
  })
})

describe('a stream that is torn', () => {
  it('resumes after a cut from where it was, without a snapshot', async () => {
    set.start()
    await set.caughtUp()
    set.feed.beating = false
    for (const stream of set.feed.streams) stream.destroy()
    set.feed.revoke({ kind: 'session', id: idOf(8) })
    set.feed.beating = true
    await set.caughtUp()
    expect(await set.codeOf(8)).toBe('session_revoked')
    expect(set.verifier.status()).toMatchObject({ snapshots: 1, reconnects: 1 })
    expect(set.wire.seen.filter(({ path }) => path === '/v1/revocations')[1]?.headers['last-event-id']).toBe(`${feedId}.10`)
  })

  it('notices a gap, and does not count what comes after it as complete', async () => {
    set.start()
    await set.caughtUp()
    // (10, 11] never comes; it stands in the log.
    set.feed.entries.push([10, entryOf(11, 11)])
    set.feed.head = 12
    set.feed.entries.push([11, entryOf(12, 12)])
    set.feed.send('revocations', { feed: feedId, from: 11, to: 12, entries: [entryOf(12, 12)] })
    await until(set.reasons).toContain('a gap')
    await set.caughtUp()
    expect([await set.codeOf(11), await set.codeOf(12)]).toEqual(['session_revoked', 'session_revoked'])
  })

  it('notices a gap that only a beat tells of', async () => {
    set.start()
    await set.caughtUp()
    set.feed.entries.push([10, entryOf(11, 11)])
    set.feed.head = 11
    await until(set.reasons).toContain('a gap')
    await set.caughtUp()
    expect(await set.codeOf(11)).toBe('session_revoked')
  })

  it('does not ask a second time from where there was a gap: it starts from now, and a snapshot closes what lies between', async () => {
    set.start()
    await set.caughtUp()
    const from = () => set.wire.seen.filter(({ path }) => path === '/v1/revocations').map(({ headers }) => headers['last-event-id'])
    // What lies between is kept nowhere but in the snapshot.
    set.feed.stream = (_, response) => {
      set.feed.stream = undefined
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const told = (event: string, data: object) =>
        response.write(`event: ${event}\ndata: ${JSON.stringify({ feed: feedId, ...data })}\n\n`)
      told('open', { head: 12, t0: performance.now() })
      told('revocations', { from: 11, to: 12, entries: [entryOf(12, 12)] })
    }
    set.feed.entries.push([10, entryOf(11, 11)], [11, entryOf(12, 12)])
    set.feed.head = 12
    for (const stream of set.feed.streams) stream.destroy()
    await set.caughtUp()
    expect(from()).toEqual([undefined, `${feedId}.10`, undefined])
    expect([await set.codeOf(11), await set.codeOf(12), set.verifier.status().snapshots]).toEqual(['session_revoked', 'session_revoked', 2])
  })

  it('takes ranges twice, overlapping and old ones as they come', async () => {
    set.start()
    await set.caughtUp()
    set.feed.beating = false
    const range = (from: number, to: number) => {
      const entries = Array.from({ length: to - from }, (_, i) => entryOf(from + i + 1, from + i + 1))
      set.feed.send('revocations', { feed: feedId, from, to, entries })
    }
    range(10, 13)
    range(10, 13)
    range(11, 12)
    range(12, 15)
    range(2, 4)
    set.feed.head = 15
    set.feed.beating = true
    await set.caughtUp()
    expect(set.reasons()).toEqual([])
    for (const n of [3, 4, 11, 13, 15]) expect(await set.codeOf(n)).toBe('session_revoked')
    expect(await set.codeOf(16)).toBe('ok')
  })

  it('notices a connection that is half open by its missing beats, whatever else comes', async () => {
    set.start()
    await set.caughtUp()
    set.feed.beating = false
    const timer = setInterval(() => set.feed.sendRaw(':\n'), 100)
    await until(set.reasons, 8000).toContain('no beat came')
    clearInterval(timer)
    set.feed.beating = true
    await set.caughtUp()
  })

  it('honours a farewell', async () => {
    set.start()
    await set.caughtUp()
    const began = performance.now()
    set.feed.send('bye', { retry_ms: 700 })
    await until(set.reasons).toContain('bye')
    await until(() => set.wire.count('/v1/revocations')).toBe(2)
    expect(performance.now() - began).toBeGreaterThan(690)
    await set.caughtUp()
  })

  it('honours Retry-After', async () => {
    set.feed.stream = (_, response) => response.writeHead(503, { 'retry-after': '1' }).end()
    set.start()
    await until(() => set.wire.count('/v1/revocations')).toBe(1)
    const began = performance.now()
    set.feed.stream = undefined
    await set.caughtUp()
    expect(performance.now() - began).toBeGreaterThan(900)
  })

  it('honours it from every door, for as long as it says', async () => {
    const busy: ScriptedFeed['stream'] = (_, response) => response.writeHead(503, { 'retry-after': '40' }).end()
    const waits = (name: string) =>
      set.events.flatMap((one) => (one.event === name && 'delayMs' in one && typeof one.delayMs === 'number' ? [one.delayMs] : []))
    const told = async (name: string) => {
      await until(() => waits(name).length).toBe(1)
      expect(waits(name)[0]).toBeGreaterThanOrEqual(40_000)
      expect(waits(name)[0]).toBeLessThanOrEqual(50_000)
      await set.verifier.close()
      set.events.length = 0
    }
    set.feed.stream = busy
    set.start()
    await told('reconnect')
    set.feed.stream = undefined
    set.feed.snapshot = busy
    set.start()
    await told('snapshot_failed')
    set.start({ follow: 'snapshot' })
    void set.verifier.ready().catch(() => {})
    await told('snapshot_failed')
    set.feed.snapshot = undefined
    set.start({ follow: 'long_poll' })
    await set.caughtUp()
    set.wire.on('/v1/revocations', busy)
    await told('reconnect')
  })
})

describe('another feed', () => {
  it('adds its snapshot to what is known, and forgets nothing', async () => {
    set.start()
    await set.caughtUp()
    set.feed.revoke({ kind: 'session', id: idOf(20) })
    await set.caughtUp()
    // A restored database: another id, fewer entries, one of them new.
    set.feed.id = otherFeed
    set.feed.head = 5
    set.feed.entries.length = 0
    set.feed.entries.push([4, entryOf(5, 21)])
    for (const stream of set.feed.streams) stream.destroy()
    await set.caughtUp()
    expect(set.verifier.status()).toMatchObject({ feedId: otherFeed, applied: 5, snapshots: 2 })
    expect([await set.codeOf(20), await set.codeOf(21), await set.codeOf(22)]).toEqual(['session_revoked', 'session_revoked', 'ok'])
  })

  it('does not make knowledge young before its snapshot is applied', async () => {
    set.start()
    await set.caughtUp()
    set.feed.snapshot = () => {}
    set.feed.id = otherFeed
    for (const stream of set.feed.streams) stream.destroy()
    await until(() => set.wire.count('/v1/revocations/snapshot')).toBe(2)
    const before = set.verifier.status().stalenessMs
    // Beats of the new feed come meanwhile.
    await until(() => set.verifier.status().stalenessMs, 4000).toBeGreaterThan(before + 900)
    set.feed.snapshot = undefined
    await set.caughtUp()
  })

  it('is refused when it is behind what was read from it', async () => {
    set.start()
    await set.caughtUp()
    set.feed.head = 7
    for (const stream of set.feed.streams) stream.destroy()
    await until(set.reasons).toContain('the feed is behind what was read from it')
    expect(set.verifier.status().applied).toBe(10)
    set.feed.head = 10
    await set.caughtUp()
  })
})

describe('nonsense', () => {
  const range = { feed: feedId, from: 10, to: 11 }
  it.each([
    ['no JSON', 'event: revocations\ndata: {{{\n\n'],
    ['an unknown kind', `event: revocations\ndata: ${JSON.stringify({ ...range, entries: [{ ...entryOf(11, 30), kind: 'tenant' }] })}\n\n`],
    [
      'an entry without id',
      `event: revocations\ndata: ${JSON.stringify({ ...range, entries: [entryOf(11, 30), { ...entryOf(11, 31), id: 7 }] })}\n\n`,
    ],
    ['a range backwards', `event: revocations\ndata: ${JSON.stringify({ ...range, to: 9, entries: [entryOf(11, 30)] })}\n\n`],
    ['a feed id of another form', `event: beat\ndata: ${JSON.stringify({ feed: 'https://b.example', head: 10, t: 1 })}\n\n`],
    ['a beat of the future', `event: beat\ndata: ${JSON.stringify({ feed: feedId, head: 10, t: 1e12 })}\n\n`],
    ['a position that is none', `event: beat\ndata: ${JSON.stringify({ feed: feedId, head: -1, t: 1 })}\n\n`],
    ['bytes that are no text', Buffer.from([0x64, 0x61, 0x74, 0x61, 0x3a, 0xff, 0xfe, 10, 10])],
    ['a huge line', `data: ${'x'.repeat(1_100_000)}`],
    ['a huge event', `${`data: ${'x'.repeat(100_000)}\n`.repeat(11)}\n`],
  ])('%s: refused whole, and connected anew', async (_, bytes) => {
    set.start()
    await set.caughtUp()
    for (const stream of set.feed.streams) stream.write(bytes)
    await until(() => set.wire.count('/v1/revocations')).toBe(2)
    await set.caughtUp()
    expect(await set.codeOf(30)).toBe('ok')
    expect(set.verifier.status().entries).toBe(0)
  })

  it('at the start: neither a redirect, nor a page, nor a stream that does not open', async () => {
    const answers: ScriptedFeed['stream'][] = [
      (_, response) => response.writeHead(302, { location: '/elsewhere' }).end(),
      (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
      (_, response) => response.writeHead(403).end('{}'),
    ]
    set.feed.stream = (request, response) => {
      const next = answers.shift()
      if (answers.length === 0) set.feed.stream = undefined
      next?.(request, response)
    }
    set.start()
    await set.caughtUp()
    expect(set.wire.count('/elsewhere')).toBe(0)
    expect(set.reasons()).toEqual(['the feed answered 302', 'no stream came', 'the feed answered 403'])
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
    set.feed.revoke({ kind: 'session', id: idOf(40) })
    set.feed.revoke({ kind: 'session', id: idOf(41) })
    set.feed.spoil = spoil
    set.start()
    await until(() => set.events.some(({ event }) => event === 'snapshot_failed')).toBe(true)
    expect(set.verifier.status()).toMatchObject({ entries: 0, snapshots: 0, stalenessMs: Number.POSITIVE_INFINITY })
    set.feed.spoil = (text) => text
    await set.caughtUp()
    expect(set.verifier.status()).toMatchObject({ entries: 2, snapshots: 1 })
  })

  it('that stalls is given up, and taken again', async () => {
    set.feed.snapshot = (_, response) => response.write('{"feed":')
    set.start()
    await until(() => set.events.some(({ event }) => event === 'snapshot_failed'), 12_000).toBe(true)
    set.feed.snapshot = undefined
    await set.caughtUp()
    expect(set.wire.count('/v1/revocations')).toBe(1)
  })

  it('that does not reach the stream is taken again, one at a time', async () => {
    let under = 0
    let most = 0
    set.feed.snapshot = (_, response) => {
      under++
      most = Math.max(most, under)
      setTimeout(() => {
        under--
        response.end(snapshotText(feedId, 1, []))
      }, 200)
    }
    set.start()
    await until(() => set.wire.count('/v1/revocations/snapshot'), 8000).toBeGreaterThan(2)
    expect(most).toBe(1)
    expect(set.verifier.status().applied).toBe(1)
    set.feed.snapshot = undefined
    await set.caughtUp()
  })
})

it('ends everything at close: streams, polls, waits and promises', async () => {
  set.feed.snapshot = () => {}
  set.start()
  await until(() => set.feed.streams.size).toBe(1)
  const ready = set.verifier.ready()
  await set.verifier.close()
  await expect(ready).rejects.toMatchObject({ code: 'revocation_unknown' })
  await until(() => set.feed.streams.size).toBe(0)
  const requests = set.wire.seen.length
  await new Promise((resolve) => setTimeout(resolve, 600))
  expect(set.wire.seen.length).toBe(requests)
})
