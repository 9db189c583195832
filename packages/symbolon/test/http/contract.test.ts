// The HTTP contract over real HTTP: sign-in, both transports, sessions, introspection, the operator's listener.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Browser, createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
beforeAll(async () => {
  service = await startService({
    clients: [
      {
        id: 'app',
        name: 'App',
        transport: 'cookie',
        origins: ['https://www.example.com'],
        returnTo: ['/done', 'https://www.example.com/'],
      },
      { id: 'native', name: 'Native', transport: 'native' },
    ],
    budgets: { startPerAddress: { limit: 1000, window: '1h' }, verifyPerAddress: { limit: 1000, window: '1h' } },
  })
})
afterAll(() => service.close())

const browser = () => createBrowser(service.origin)
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(service.origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
const problem = async (response: Response) => (await response.json()) as { code: string; field?: string; status: number }
const codeFor = async (email: string) => {
  const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; text: string; at: string; subject: string }[]
  return /\b\d{6}\b/.exec(outbox.filter((mail) => mail.to === email).at(-1)?.text ?? '')?.[0] ?? ''
}
async function signedIn(email = 'ada@example.com'): Promise<Browser> {
  const one = browser()
  expect((await signInOver(one, '', email)).status).toBe(200)
  return one
}
async function nativeSignIn(email = 'nat@example.com') {
  const { login_id } = (await (await post('/v1/login/start', { method: 'email_otp', identifier: email, client_id: 'native' })).json()) as {
    login_id: string
  }
  return (await post('/v1/login/verify', { login_id, code: await codeFor(email) })).json() as Promise<{
    access_token: string
    refresh_token: string
    session: { sid: string }
  }>
}

describe('a native client', () => {
  it('gets tokens, rotates them, and signs out by its access token', async () => {
    const first = await nativeSignIn()
    expect(first).toMatchObject({ token_type: 'Bearer', refresh_token: expect.stringMatching(/^syt_/), session: { client_id: 'native' } })
    const refreshed = (await (await post('/v1/session/refresh', { refresh_token: first.refresh_token })).json()) as {
      refresh_token: string
      access_token: string
    }
    expect(refreshed.refresh_token).not.toBe(first.refresh_token)
    const bearer = { authorization: `Bearer ${refreshed.access_token}` }
    expect((await fetch(`${service.origin}/v1/session`, { headers: bearer })).status).toBe(200)
    expect((await fetch(`${service.origin}/v1/session`, { method: 'DELETE', headers: bearer })).status).toBe(204)
    expect((await problem(await post('/v1/session/refresh', { refresh_token: refreshed.refresh_token }))).code).toBe('session_revoked')
  })

  it.each([{ origin: 'http://localhost' }, { 'sec-fetch-site': 'same-origin' }])('is refused to browsers: %j', async (headers) => {
    const own = 'origin' in headers ? { origin: service.origin } : headers
    expect(
      (await problem(await post('/v1/login/start', { method: 'email_otp', identifier: 'a@example.com', client_id: 'native' }, own))).code,
    ).toBe('browser_not_allowed')
    expect((await problem(await post('/v1/session/refresh', { refresh_token: 'x' }, own))).code).toBe('browser_not_allowed')
  })

  it.each([{ origin: 'https://elsewhere.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }])(
    'is refused to pages of other sites in the same words, and they are refused everything else: %j',
    async (headers) => {
      const { refresh_token } = await nativeSignIn('far@example.com')
      const { login_id } = (await (
        await post('/v1/login/start', { method: 'email_otp', identifier: 'far@example.com', client_id: 'native' })
      ).json()) as { login_id: string }
      for (const [path, body] of [
        ['/v1/login/start', { method: 'email_otp', identifier: 'far@example.com', client_id: 'native' }],
        ['/v1/login/verify', { login_id, code: '000000' }],
        ['/v1/login/resend', { login_id }],
        ['/v1/session/refresh', { refresh_token }],
      ] as const)
        expect([path, (await problem(await post(path, body, headers))).code]).toEqual([path, 'browser_not_allowed'])
      const app = await post('/v1/login/start', { method: 'email_otp', identifier: 'far@example.com' }, headers)
      expect((await problem(app)).code).toBe('cross_site_request')
      expect((await post('/v1/session/refresh', { refresh_token })).status).toBe(200)
    },
  )

  it('is refused at the cookie’s door, and the cookie at its own', async () => {
    const { refresh_token } = await nativeSignIn()
    const one = browser()
    one.jar.set('symbolon', refresh_token)
    expect((await problem(await one.fetch('/v1/session/token', { method: 'POST', json: {} }))).code).toBe('session_unknown')
    const cookie = (await signedIn()).jar.get('symbolon') ?? ''
    expect((await problem(await post('/v1/session/refresh', { refresh_token: cookie }))).code).toBe('session_unknown')
  })
})

describe('sessions', () => {
  it('are listed, ended one by one, the others, and all', async () => {
    const [first, second, third] = [
      await signedIn('list@example.com'),
      await signedIn('list@example.com'),
      await signedIn('list@example.com'),
    ]
    const { sessions } = (await (await first.fetch('/v1/sessions')).json()) as { sessions: { sid: string; current: boolean }[] }
    expect(sessions).toHaveLength(3)
    expect(sessions.filter(({ current }) => current)).toHaveLength(1)
    const own = sessions.find(({ current }) => current)?.sid
    const other = sessions.find(({ current }) => !current)?.sid
    expect((await first.fetch('/v1/sessions', { method: 'DELETE' })).status).toBe(400)
    const ended = await first.fetch(`/v1/sessions/${other}`, { method: 'DELETE' })
    expect(ended.status).toBe(204)
    expect(ended.headers.getSetCookie()).toEqual([])
    expect((await first.fetch(`/v1/sessions/${other}`, { method: 'DELETE' })).status).toBe(404)
    expect(((await (await first.fetch('/v1/sessions?scope=others', { method: 'DELETE' })).json()) as { ended: number }).ended).toBe(1)
    expect((await first.fetch('/v1/session')).status).toBe(200)
    expect([(await second.fetch('/v1/session')).status, (await third.fetch('/v1/session')).status]).toEqual([401, 401])
    const stranger = await signedIn('eve@example.com')
    expect((await stranger.fetch(`/v1/sessions/${own}`, { method: 'DELETE' })).status).toBe(404)
    expect((await first.fetch('/v1/sessions?scope=all', { method: 'DELETE' })).status).toBe(200)
    expect(first.jar.has('symbolon')).toBe(false)
    expect(second.jar.has('symbolon')).toBe(true)
  })

  it('end when the same browser signs in anew', async () => {
    const one = await signedIn('again@example.com')
    const before = one.jar.get('symbolon') ?? ''
    await signInOver(one, '', 'again@example.com')
    const old = browser()
    old.jar.set('symbolon', before)
    expect((await problem(await old.fetch('/v1/session'))).code).toBe('session_revoked')
  })
})

describe('signing in', () => {
  it('counts five tries, forgives none, and lets the right code in before that', async () => {
    const one = browser()
    const start = async () =>
      (
        (await (
          await one.fetch('/v1/login/start', { method: 'POST', json: { method: 'email_otp', identifier: 'tries@example.com' } })
        ).json()) as { login_id: string }
      ).login_id
    const login_id = await start()
    const code = await codeFor('tries@example.com')
    const wrong = code === '000000' ? '000001' : '000000'
    const tries = await Promise.all(
      Array.from({ length: 8 }, () => one.fetch('/v1/login/verify', { method: 'POST', json: { login_id, code: wrong } })),
    )
    expect(tries.map(({ status }) => status)).toEqual(Array(8).fill(401))
    expect((await one.fetch('/v1/login/verify', { method: 'POST', json: { login_id, code } })).status).toBe(401)
    const again = await start()
    await one.fetch('/v1/login/verify', { method: 'POST', json: { login_id: again, code: wrong } })
    expect(
      (await one.fetch('/v1/login/verify', { method: 'POST', json: { login_id: again, code: await codeFor('tries@example.com') } })).status,
    ).toBe(200)
  })

  it('binds the code to its browser and its attempt', async () => {
    const [one, other] = [browser(), browser()]
    const { login_id } = (await (
      await one.fetch('/v1/login/start', { method: 'POST', json: { method: 'email_otp', identifier: 'bind@example.com' } })
    ).json()) as { login_id: string }
    const code = await codeFor('bind@example.com')
    await other.fetch('/v1/login/start', { method: 'POST', json: { method: 'email_otp', identifier: 'bind@example.com' } })
    expect((await other.fetch('/v1/login/verify', { method: 'POST', json: { login_id, code } })).status).toBe(401)
    expect((await one.fetch('/v1/login/verify', { method: 'POST', json: { login_id, code } })).status).toBe(200)
    expect((await one.fetch('/v1/login/verify', { method: 'POST', json: { login_id, code } })).status).toBe(401)
  })

  it('sends again only when it is time', async () => {
    const one = browser()
    const { login_id } = (await (
      await one.fetch('/v1/login/start', { method: 'POST', json: { method: 'email_otp', identifier: 'resend@example.com' } })
    ).json()) as { login_id: string }
    const early = await one.fetch('/v1/login/resend', { method: 'POST', json: { login_id } })
    expect(early.status).toBe(429)
    expect(Number(early.headers.get('retry-after'))).toBeGreaterThan(20)
  })
})

describe('hostile input', () => {
  const json = (path: string, body: unknown, headers?: Record<string, string>) => () => post(path, body, headers)
  it.each<[string, () => Promise<Response>, number, string]>([
    ['no JSON', json('/v1/login/start', '{'), 400, 'invalid_request'],
    ['an array', json('/v1/login/start', '[]'), 400, 'invalid_request'],
    ['a member twice', json('/v1/login/start', '{"method":"email_otp","method":"x","identifier":"a@example.com"}'), 400, 'invalid_request'],
    ['a prototype', json('/v1/login/start', '{"__proto__":{},"method":"email_otp","identifier":"a@example.com"}'), 400, 'invalid_request'],
    [
      'an unknown member',
      json('/v1/login/start', { method: 'email_otp', identifier: 'a@example.com', admin: true }),
      400,
      'invalid_request',
    ],
    ['a mistyped member', json('/v1/login/start', { method: 'email_otp', identifier: ['a@example.com'] }), 400, 'invalid_request'],
    [
      'two recipients',
      json('/v1/login/start', { method: 'email_otp', identifier: 'a@example.com,b@example.com' }),
      400,
      'invalid_identifier',
    ],
    [
      'a header in an address',
      json('/v1/login/start', { method: 'email_otp', identifier: 'a@example.com\r\nBcc: b@example.com' }),
      400,
      'invalid_identifier',
    ],
    ['a look-alike', json('/v1/login/start', { method: 'email_otp', identifier: 'аda@example.com' }), 400, 'invalid_identifier'],
    ['another method', json('/v1/login/start', { method: 'password', identifier: 'a@example.com' }), 400, 'unsupported_method'],
    [
      'no such client',
      json('/v1/login/start', { method: 'email_otp', identifier: 'a@example.com', client_id: 'nobody' }),
      400,
      'unknown_client',
    ],
    ['another media type', json('/v1/login/start', 'a=b', { 'content-type': 'text/plain' }), 415, 'unsupported_media_type'],
    ['a large body', json('/v1/login/start', { method: 'email_otp', identifier: 'a'.repeat(20_000) }), 413, 'body_too_large'],
    [
      'another site',
      json('/v1/login/start', { method: 'email_otp', identifier: 'a@example.com' }, { origin: 'https://evil.example' }),
      403,
      'cross_site_request',
    ],
    [
      'a null origin',
      json('/v1/login/start', { method: 'email_otp', identifier: 'a@example.com' }, { origin: 'null' }),
      403,
      'cross_site_request',
    ],
    [
      'a listed origin',
      json('/v1/session/token', {}, { origin: 'https://www.example.com', 'sec-fetch-site': 'cross-site' }),
      401,
      'missing_credential',
    ],
    ['a cookie without origin', json('/v1/session/token', {}, { cookie: 'symbolon=x' }), 403, 'cross_site_request'],
    ['two cookies', json('/v1/session/token', {}, { cookie: 'symbolon=x; symbolon=y' }), 400, 'cookie_conflict'],
    ['a forged login', json('/v1/login/verify', { login_id: 'x', code: '123456' }), 401, 'login_failed'],
    ['a forged refresh', json('/v1/session/refresh', { refresh_token: 'syt_x' }), 401, 'session_unknown'],
    ['another verb', () => fetch(`${service.origin}/v1/login/start`), 405, 'method_not_allowed'],
    ['another path', () => fetch(`${service.origin}/v1/nothing`), 404, 'not_found'],
    ['a forged token', () => fetch(`${service.origin}/v1/session`, { headers: { authorization: 'Bearer a.b.c' } }), 401, 'invalid_token'],
  ])('%s is refused', async (_, send, status, code) => {
    const response = await send()
    expect([response.status, (await problem(response)).code]).toEqual([status, code])
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(response.headers.get('cache-control')).toMatch(/no-store/)
  })

  it('answers preflights of listed origins only', async () => {
    const preflight = (origin: string) =>
      fetch(`${service.origin}/v1/session/token`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } })
    const listed = await preflight('https://www.example.com')
    expect([listed.status, listed.headers.get('access-control-allow-origin')]).toEqual([204, 'https://www.example.com'])
    expect((await preflight('https://www.example.com.evil.example')).headers.get('access-control-allow-origin')).toBeNull()
    expect((await preflight('null')).headers.get('access-control-allow-origin')).toBeNull()
    // The key set is for anybody, and for a listed origin's credentialed request by name (Fetch §3.2.5 refuses `*` there).
    for (const path of ['jwks.json', 'oauth-authorization-server']) {
      const read = async (origin: string) => (await fetch(`${service.origin}/.well-known/${path}`, { headers: { origin } })).headers
      expect((await read('https://www.example.com')).get('access-control-allow-origin')).toBe('https://www.example.com')
      expect((await read('https://elsewhere.example')).get('access-control-allow-origin')).toBe('*')
    }
  })
})

describe('introspection', () => {
  const ask = (token: string, auth: string, headers: Record<string, string> = {}) =>
    fetch(`${service.origin}/oauth/introspect`, {
      method: 'POST',
      headers: { authorization: auth, 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: new URLSearchParams({ token }),
    })
  const basic = (id: string, secret: string) => `Basic ${btoa(`${id}:${secret}`)}`

  it('answers the owner of an audience live, and nobody else', async () => {
    const owner = await service.auth.clients.create({ id: 'api', name: 'API', transport: 'service', audiences: [service.origin] }, 'test')
    const other = await service.auth.clients.create({ id: 'other', name: 'Other', transport: 'service', audiences: ['other'] }, 'test')
    if (!owner.ok || !other.ok) throw new Error('clients')
    const one = await signedIn('intro@example.com')
    const { access_token } = (await (await one.fetch('/v1/session/token', { method: 'POST', json: {} })).json()) as { access_token: string }
    const cookie = one.jar.get('symbolon') ?? ''
    const own = basic('api', owner.secret ?? '')
    expect(await (await ask(access_token, own)).json()).toMatchObject({ active: true, client_id: 'app', token_type: 'Bearer' })
    expect(await (await ask(access_token, own, { cookie: 'symbolon=x; symbolon=y' })).json()).toMatchObject({ active: true })
    expect(await (await ask(access_token, basic('other', other.secret ?? ''))).json()).toEqual({ active: false })
    expect(await (await ask(cookie, own)).json()).toEqual({ active: false })
    expect(await (await ask('nonsense', own)).json()).toEqual({ active: false })
    const wrong = await ask(access_token, basic('api', 'wrong'))
    expect([wrong.status, await wrong.json()]).toEqual([401, { error: 'invalid_client' }])
    await one.fetch('/v1/session', { method: 'DELETE' })
    expect(await (await ask(access_token, own)).json()).toEqual({ active: false })
  })
})

describe('the rest', () => {
  it('publishes keys, health, readiness and its own description', async () => {
    const jwks = (await (await fetch(`${service.origin}/.well-known/jwks.json`)).json()) as { keys: Record<string, unknown>[] }
    expect(jwks.keys).toHaveLength(2)
    expect(jwks.keys.every((key) => key.kid !== undefined && key.d === undefined)).toBe(true)
    expect((await fetch(`${service.origin}/healthz`)).status).toBe(200)
    expect((await fetch(`${service.origin}/readyz`)).status).toBe(200)
    const openapi = (await (await fetch(`${service.origin}/openapi.json`)).json()) as { openapi: string; paths: Record<string, unknown> }
    expect(openapi.openapi).toMatch(/^3\.1/)
    expect(Object.keys(openapi.paths)).toEqual(expect.arrayContaining(['/v1/login/start', '/oauth/introspect']))
    // OpenAPI 3.1 §4.8.9.1: every parameter of a path is described.
    for (const [path, methods] of Object.entries(openapi.paths as Record<string, Record<string, { parameters?: { name: string }[] }>>))
      for (const { parameters = [] } of Object.values(methods))
        for (const [, name] of path.matchAll(/\{(\w+)\}/g)) expect(parameters.map((one) => one.name)).toContain(name)
  })

  it('lets operators in by key, and nobody without', async () => {
    const call = (path: string, init: RequestInit = {}, key = service.adminKey) =>
      fetch(`${service.admin}/admin/v1${path}`, {
        ...init,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      })
    expect((await call('/users', {}, 'wrong')).status).toBe(401)
    const made = await call('/users', { method: 'POST', body: '{"email":"Op@Example.com","roles":["a"]}' })
    expect(made.status).toBe(201)
    const { id, email } = (await made.json()) as { id: string; email: string }
    expect(email).toBe('op@example.com')
    expect((await call('/users', { method: 'POST', body: '{"email":"op@example.com"}' })).status).toBe(409)
    expect(await (await call(`/users/${id}/roles`, { method: 'PUT', body: '{"roles":["b"]}' })).json()).toMatchObject({
      roles: ['b'],
      epoch: 2,
    })
    expect((await call('/keys/rotate', { method: 'POST' })).status).toBe(201)
    expect((await call('/nothing')).status).toBe(404)
    // A path that is there, with a verb that it does not take; the right one, and what it names, by the wire's words.
    for (const [path, method, allow] of [
      ['/users', 'DELETE', 'GET, HEAD, POST'],
      [`/users/${id}/roles`, 'GET', 'PUT'],
      ['/keys/rotate', 'GET', 'POST'],
    ] as const) {
      const answer = await call(path, { method })
      expect([answer.status, answer.headers.get('allow'), await answer.json()]).toMatchObject([405, allow, { code: 'method_not_allowed' }])
    }
    expect((await call('/users', { method: 'DELETE' }, 'wrong')).status).toBe(401)
    const client = { name: 'X', transport: 'cookie', return_to: ['nowhere'] }
    const refused = await call('/clients', { method: 'POST', body: JSON.stringify(client) })
    expect([refused.status, await refused.json()]).toMatchObject([400, { code: 'invalid_request', field: 'return_to' }])
    expect((await call('/clients', { method: 'POST', body: JSON.stringify({ ...client, return_to: ['/there'] }) })).status).toBe(201)
    const changed = await call('/clients/app', { method: 'PATCH', body: '{"return_to":["nowhere"]}' })
    expect(await changed.json()).toMatchObject({ field: 'return_to' })
    expect((await fetch(`${service.origin}/admin/v1/users`, { headers: { authorization: `Bearer ${service.adminKey}` } })).status).toBe(404)
  })
})
