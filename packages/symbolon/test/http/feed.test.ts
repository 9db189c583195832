// The feed over HTTP, as the wire contract says: who may follow, what comes in which order, and what happens to those who
// are behind, from another time, or do not read.

import { createHash } from 'node:crypto'
import type { FeedPage, SnapshotEnd, SnapshotStart } from '@symbolon/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
let secret: string
const events: string[] = []
const basic = (id: string, password: string) => `Basic ${btoa(`${id}:${password}`)}`
const admin = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
  const answer = await fetch(`${service.admin}/admin/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${service.adminKey}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return (await answer.json()) as T
}
const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(service.origin + path, { headers: { authorization: basic('api', secret), ...headers } })

interface Heard {
  readonly event: string
  readonly id?: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: what was heard is looked at by its event.
  readonly data: any
}

/** Follows, and gives one event after the other. */
async function follow(path = '/v1/revocations', headers: Record<string, string> = {}) {
  const abort = new AbortController()
  const answer = await fetch(service.origin + path, { headers: { authorization: basic('api', secret), ...headers }, signal: abort.signal })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('text/event-stream')
  const reader = (answer.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  const next = async (): Promise<Heard | undefined> => {
    for (;;) {
      const end = rest.indexOf('\n\n')
      if (end >= 0) {
        const lines = rest.slice(0, end).split('\n')
        rest = rest.slice(end + 2)
        const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
        return { event: field('event') ?? '', id: field('id'), data: JSON.parse(field('data') ?? 'null') }
      }
      const { done, value } = await reader.read()
      if (done) return undefined
      rest += value
    }
  }
  const skipTo = async (event: string): Promise<Heard> => {
    for (;;) {
      const heard = await next()
      if (heard === undefined) throw new Error(`ended before ${event}`)
      if (heard.event === event) return heard
    }
  }
  return { next, skipTo, end: () => abort.abort() }
}

const until = async (met: () => boolean, what: string) => {
  for (const end = performance.now() + 15_000; !met(); await new Promise((resolve) => setTimeout(resolve, 5)))
    if (performance.now() > end) throw new Error(`never: ${what}`)
}

/** Somebody signs in and out; the position that the answer names. */
async function signOut(email: string) {
  const browser = createBrowser(service.origin)
  const session = ((await (await signInOver(browser, '', email)).json()) as { session: { sid: string } }).session
  const answer = await browser.fetch('/v1/session', { method: 'DELETE' })
  const position = answer.headers.get('symbolon-seq') as string
  return { sid: session.sid, position, seq: Number(position.split('.')[1]), feed: position.split('.')[0] as string }
}

beforeAll(async () => {
  service = await startService({
    observe: ({ event }) => void events.push(event),
    budgets: { startPerAddress: { limit: 500, window: '1h' } },
  })
  const api = { name: 'API', transport: 'service', audiences: [service.origin] }
  secret = (await admin<{ client_secret: string }>('POST', '/clients', { ...api, id: 'api', scopes: ['revocations:read'] })).client_secret
})
afterAll(() => service.close())

describe('who may follow', () => {
  it.each(['/v1/revocations', '/v1/revocations/snapshot', '/v1/revocations?after=0123456789abcdef.0&wait=0'])('%s', async (path) => {
    const plain = (await admin<{ client_secret: string }>('POST', '/clients', { name: 'Plain', transport: 'service' })) as unknown as {
      id: string
      client_secret: string
    }
    expect((await fetch(service.origin + path)).status).toBe(401)
    expect((await get(path, { authorization: basic('api', 'sys_wrong') })).status).toBe(401)
    const scopeless = await get(path, { authorization: basic(plain.id, plain.client_secret) })
    expect([scopeless.status, ((await scopeless.json()) as { code: string }).code]).toEqual([403, 'insufficient_scope'])
  })

  it('a client by an access token of its own, for itself and with the scope', async () => {
    const tokenFor = async (scope: string, audience: string) => {
      const answer = await fetch(`${service.origin}/oauth/token`, {
        method: 'POST',
        headers: { authorization: basic('api', secret) },
        body: new URLSearchParams({ grant_type: 'client_credentials', audience, ...(scope !== '' && { scope }) }),
      })
      return ((await answer.json()) as { access_token: string }).access_token
    }
    await admin('POST', '/clients', { name: 'Other', id: 'other', transport: 'service', audiences: ['https://other.example'] })
    await admin('PATCH', '/clients/api', { scopes: ['revocations:read', 'else'] })
    const status = async (token: string) => {
      const answer = await get('/v1/revocations/snapshot', { authorization: `Bearer ${token}` })
      return [answer.status, answer.status === 200 ? '' : ((await answer.json()) as { code: string }).code]
    }
    expect(await status(await tokenFor('revocations:read', service.origin))).toEqual([200, ''])
    expect(await status(await tokenFor('else', service.origin))).toEqual([403, 'insufficient_scope'])
    expect(await status('x.y.z')).toEqual([401, 'invalid_token'])
    const old = await tokenFor('revocations:read', service.origin)
    await admin('POST', '/clients/api/bump-epoch')
    expect(await status(old)).toEqual([401, 'claims_stale'])
  })

  it.each(['after=x', 'after=0123456789abcdef.01', 'wait=1', 'after=0123456789abcdef.0&wait=31', 'other=1'])(
    'refuses ?%s',
    async (query) => {
      expect((await get(`/v1/revocations?${query}`)).status).toBe(400)
    },
  )
})

describe('the stream', () => {
  it('opens, beats, and tells of a sign-out with its position, entries before their beat', async () => {
    const heard = await follow()
    const open = await heard.next()
    expect(open?.event).toBe('open')
    const beat = await heard.next()
    expect(beat).toMatchObject({ event: 'beat', data: { feed: open?.data.feed, head: open?.data.head } })
    expect(beat?.data.t).toBeGreaterThanOrEqual(open?.data.t0)
    const { sid, position, seq, feed } = await signOut('ada@example.com')
    const told = await heard.skipTo('revocations')
    expect(told.id).toBe(position)
    expect(told.data).toMatchObject({ feed, from: seq - 1, to: seq, entries: [{ seq, kind: 'session', id: sid }] })
    expect(JSON.stringify(told.data)).not.toMatch(/example|tenant/)
    expect((await heard.skipTo('beat')).data.head).toBe(seq)
    heard.end()
  })

  it('goes on where a follower stopped', async () => {
    const first = await signOut('grace@example.com')
    const second = await signOut('grace@example.com')
    const before = `${first.feed}.${first.seq - 1}`
    for (const [path, headers] of [
      [`/v1/revocations?after=${before}`, {}],
      ['/v1/revocations', { 'last-event-id': before }],
      // Opened again at the address it had at first.
      [`/v1/revocations?after=${first.feed}.0`, { 'last-event-id': before }],
    ] as const) {
      const heard = await follow(path, headers)
      const { data } = await heard.skipTo('revocations')
      expect(data.from).toBe(first.seq - 1)
      expect(data.entries.map((one: { id: string }) => one.id)).toEqual([first.sid, second.sid])
      heard.end()
    }
  })

  it('asks one of another feed to take a snapshot, and ends', async () => {
    const heard = await follow('/v1/revocations?after=0123456789abcdef.0')
    expect((await heard.next())?.event).toBe('open')
    expect(await heard.next()).toMatchObject({ event: 'snapshot', data: { reason: 'renewed' } })
    expect(await heard.next()).toBeUndefined()
  })

  it('renews its id when somebody knows more than it does, and says so to all', async () => {
    const { feed, seq } = await signOut('joan@example.com')
    const other = await follow()
    await other.skipTo('beat')
    const heard = await follow(`/v1/revocations?after=${feed}.${seq + 1}`)
    const open = await heard.next()
    expect(open?.data.feed).not.toBe(feed)
    expect(await heard.next()).toMatchObject({ event: 'snapshot', data: { reason: 'renewed' } })
    expect((await other.skipTo('snapshot')).data.feed).toBe(open?.data.feed)
    expect((await signOut('joan@example.com')).feed).toBe(open?.data.feed)
  })

  it('ends for a client that may no longer follow', async () => {
    const one = (await admin('POST', '/clients', { name: 'Gone', transport: 'service', scopes: ['revocations:read'] })) as {
      id: string
      client_secret: string
    }
    const heard = await follow('/v1/revocations', { authorization: basic(one.id, one.client_secret) })
    await heard.skipTo('beat')
    await admin('PATCH', `/clients/${one.id}`, { status: 'disabled' })
    await expect(heard.skipTo('never')).rejects.toThrow('ended before never')
  })

  it('cuts a follower that does not read, and serves the others; nothing of it stays', async () => {
    const { auth } = service
    const followers = () => auth.feed.followers().length
    // Those of the tests before have gone, so that the two that count here can be told.
    await until(() => followers() === 0, 'nobody follows')
    // Asked in process: how much a kernel keeps for a connection that nobody reads is its own affair, and may be 30 MB.
    const silent = await auth.handler(new Request(`${service.origin}/v1/revocations`, { headers: { authorization: basic('api', secret) } }))
    expect(silent.status).toBe(200)
    const heard = await follow()
    await heard.skipTo('beat')
    await until(() => followers() === 2, 'two follow')
    const made = await auth.users.create({ email: 'many@example.com' }, 'test')
    const id = made.ok ? made.user.id : ''
    // Each change of roles is an entry; they fill what may wait for the silent one, which is then given time to read.
    const many = 5000
    let told = 0
    const reading = (async () => {
      while (told < many) told += (await heard.skipTo('revocations')).data.entries.length
    })()
    for (let changes = 0; changes < many; changes += 200)
      await Promise.all(Array.from({ length: 200 }, (_, j) => auth.users.change(id, { roles: [`r${changes + j}`] }, 'test')))
    await reading
    await until(() => events.includes('feed.cut'), 'the silent one is cut')
    await until(() => followers() === 1, 'the silent one is gone')
    // Reading on ends, and what waited is dropped.
    await expect(silent.text()).rejects.toThrow('does not read')
    heard.end()
  })

  it('forgets who goes away, at any moment', async () => {
    const count = () => service.auth.feed.followers().length
    await until(() => count() === 0, 'nobody')
    const heard = await follow()
    await heard.skipTo('beat')
    expect(count()).toBe(1)
    heard.end()
    for (let i = 0; i < 20; i++) {
      const abort = new AbortController()
      const answer = fetch(`${service.origin}/v1/revocations`, { headers: { authorization: basic('api', secret) }, signal: abort.signal })
      answer.catch(() => {})
      await new Promise((resolve) => setTimeout(resolve, i / 4))
      abort.abort()
    }
    // The last one, so that those before it are let in or gone.
    const last = await follow()
    await last.skipTo('beat')
    await until(() => count() === 1, 'nobody else')
    last.end()
    await until(() => count() === 0, 'nobody again')
  })

  it('says who follows, from when and to where', async () => {
    const heard = await follow()
    await heard.skipTo('beat')
    const { position, feed, seq } = await signOut('ida@example.com')
    await heard.skipTo('revocations')
    const told = await admin<{ feed: string; head: number; followers: { client_id: string; position: string; transport: string }[] }>(
      'GET',
      '/feed',
    )
    expect(told).toMatchObject({ feed, head: seq })
    expect(told.followers.at(-1)).toEqual({ client_id: 'api', position, transport: 'stream', since: expect.stringMatching(/Z$/) })
    heard.end()
  })

  it('serves a thousand followers from one message each, and holds nothing for them', async () => {
    const headers = { authorization: basic('api', secret) }
    const streams = await Promise.all(
      Array.from({ length: 1000 }, async () => {
        const answer = await service.auth.handler(new Request(`${service.origin}/v1/revocations`, { headers }))
        return (answer.body as ReadableStream<Uint8Array>).getReader()
      }),
    )
    const before = process.memoryUsage()
    const { seq } = await signOut('flat@example.com')
    let shared: ArrayBufferLike | undefined
    for (const stream of streams) {
      for (;;) {
        const { value } = await stream.read()
        if (!new TextDecoder().decode(value).includes(`"to":${seq},`)) continue
        shared ??= value?.buffer
        expect(value?.buffer).toBe(shared)
        break
      }
    }
    const after = process.memoryUsage()
    expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(50_000_000)
    for (const stream of streams) await stream.cancel()
    await until(() => service.auth.feed.followers().length < 1000, 'they are gone')
  })
})

describe('the long poll', () => {
  it('waits for something to tell, and says how far it went', async () => {
    const { feed, seq } = await signOut('edith@example.com')
    const empty = (await (await get(`/v1/revocations?after=${feed}.${seq}&wait=0`)).json()) as FeedPage
    expect(empty).toMatchObject({ feed, from: seq, to: seq, head: seq, entries: [] })
    expect(empty.t).toBeGreaterThanOrEqual(empty.t0)
    const waiting = get(`/v1/revocations?after=${feed}.${seq}&wait=20`)
    const { sid } = await signOut('edith@example.com')
    const page = (await (await waiting).json()) as FeedPage
    expect(page).toMatchObject({ feed, from: seq, to: seq + 1, entries: [{ id: sid }] })
    const other = await get('/v1/revocations?after=0123456789abcdef.0&wait=0')
    expect([other.status, ((await other.json()) as { code: string }).code]).toEqual([410, 'snapshot_required'])
  })
})

describe('the snapshot', () => {
  it('holds everything up to its head, counted and hashed', async () => {
    const { sid, seq, feed } = await signOut('mary@example.com')
    const lines = (await (await get('/v1/revocations/snapshot')).text()).trimEnd().split('\n')
    const start = JSON.parse(lines[0] as string) as SnapshotStart
    const end = JSON.parse(lines.at(-1) as string) as SnapshotEnd
    expect(start).toMatchObject({ feed, head: seq })
    const entries = lines.slice(1, -1).flatMap((line) => JSON.parse(line) as unknown[][])
    expect(entries.length).toBe(end.count)
    expect(entries.some((one) => one[1] === sid)).toBe(true)
    const joined = Buffer.concat(lines.slice(0, -1).map((line) => createHash('sha256').update(line).digest()))
    expect(end.sha256).toBe(createHash('sha256').update(joined).digest('base64url'))
  })
})

it('opens nothing for who asks for headers only', async () => {
  const before = service.auth.feed.followers().length
  for (const path of ['/v1/revocations', '/v1/revocations/snapshot'])
    for (let i = 0; i < 60; i++) {
      const answer = await fetch(service.origin + path, { method: 'HEAD', headers: { authorization: basic('api', secret) } })
      expect(answer.status).toBe(200)
    }
  expect(service.auth.feed.followers().length).toBe(before)
  expect((await get('/v1/revocations/snapshot')).status).toBe(200)
})

describe('an operator', () => {
  it('ends every session of a client, and is told where the feed stands', async () => {
    const [one, other] = [createBrowser(service.origin), createBrowser(service.origin)]
    await signInOver(one, '', 'hedy@example.com')
    await signInOver(other, '', 'hedy@example.com')
    const answer = await fetch(`${service.admin}/admin/v1/clients/app/sessions`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${service.adminKey}` },
    })
    expect(((await answer.json()) as { ended: number }).ended).toBeGreaterThanOrEqual(2)
    const { feed, head } = await admin<{ feed: string; head: number }>('GET', '/feed')
    expect(answer.headers.get('symbolon-seq')).toBe(`${feed}.${head}`)
    for (const browser of [one, other]) expect((await browser.fetch('/v1/session')).status).toBe(401)
    expect((await admin<{ code: string }>('DELETE', '/clients/nobody/sessions')).code).toBe('not_found')
  })
})

it('says goodbye to all when it ends', async () => {
  const other = await startService()
  const made = await other.auth.clients.create({ id: 'api', name: 'API', transport: 'service', scopes: ['revocations:read'] }, 'test')
  const answer = await fetch(`${other.origin}/v1/revocations`, {
    headers: { authorization: basic('api', made.ok ? (made.secret ?? '') : '') },
  })
  const text = answer.text()
  await until(() => other.auth.feed.followers().length === 1, 'one follows')
  await other.auth.close()
  expect(await text).toMatch(/event: bye\ndata: \{"retry_ms":\d+\}\n\n$/)
  await other.close()
})
