// Guards for the Fetch API and for Next, as an application on the service's own host and over HTTP: handlers, middleware,
// pages and actions. Each refusal stands beside what passes, and reading never rotates.

import { createVerifier, type Verifier } from '@symbolon/verifier'
import { createGuard, type NextGuard } from '@symbolon/verifier/next'
import * as web from '@symbolon/verifier/web'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Browser, createBrowser, signInOver } from '../../symbolon/test/setting/browser.ts'
import { startService, type TestService } from '../../symbolon/test/setting/server.ts'

let service: TestService
let verifier: Verifier
let guard: NextGuard
let ada: Browser
/** Signed in at once, so that its rotation is due by the last test. */
let early: Browser
/** Cookies that the service gave to the verifier, which has nobody to hand them to. */
const given: string[] = []

beforeAll(async () => {
  // A credential of this client is due for rotation after ten seconds, the least there is.
  service = await startService({ refresh: { rotate: '10s', window: '1s' } })
  early = createBrowser(service.origin)
  await signInOver(early, '', 'early@example.com')
  const made = await service.auth.clients.create(
    { id: 'api', name: 'API', transport: 'service', audiences: [service.origin], scopes: ['revocations:read'] },
    'test',
  )
  if (!made.ok) throw new Error(made.code)
  verifier = createVerifier({
    issuer: service.origin,
    clientId: 'api',
    clientSecret: made.secret ?? '',
    cookies: true,
    loginUrl: `${service.origin}/login`,
    fetch: async (input, init) => {
      const response = await fetch(input, init)
      given.push(...response.headers.getSetCookie())
      return response
    },
  })
  await verifier.ready()
  guard = createGuard(verifier)
  ada = createBrowser(service.origin)
  await signInOver(ada, '', 'ada@example.com')
})
afterAll(async () => {
  await verifier.close()
  await service.close()
})

const cookieOf = (browser: Browser) => [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
const sessionOf = (browser: Browser) => browser.jar.get('symbolon') as string
const request = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  new Request(`http://localhost:3000${path}`, { method, headers })
const bearer = async (browser: Browser) => {
  const response = await browser.fetch('/v1/session/token', { method: 'POST', json: {} })
  return `Bearer ${((await response.json()) as { access_token: string }).access_token}`
}
const codeOf = async (response: Response) => ((await response.json()) as { code: string }).code

describe('a handler', () => {
  it('is given who is calling, and what else it was called with', async () => {
    const handler = guard('session')((request, context: { params: Promise<{ id: string }> }) =>
      context.params.then(({ id }) => Response.json({ id, sub: request.auth.sub, checked: request.auth.checked })),
    )
    const context = { params: Promise.resolve({ id: '7' }) }
    const refused = await handler(request('/notes/7'), context)
    expect([refused.status, await codeOf(refused)]).toEqual([401, 'missing_credential'])
    expect(refused.headers.get('www-authenticate')).toContain('Bearer')
    const passed = await handler(request('/notes/7', { authorization: await bearer(ada) }), context)
    expect(await passed.json()).toEqual({ id: '7', sub: expect.stringMatching(/^usr_/), checked: 'live' })
  })

  it('answers a navigation by 303 to the way in, and back', async () => {
    const handler = web.createGuard(verifier)('token')(() => new Response('secret'))
    const sent = await handler(request('/feed?a=1', { 'sec-fetch-mode': 'navigate' }))
    expect([sent.status, sent.headers.get('location')]).toEqual([303, `${service.origin}/login?return_to=%2Ffeed%3Fa%3D1`])
    expect((await handler(request('/feed?a=1', { 'sec-fetch-mode': 'cors' }))).status).toBe(401)
  })

  it('sets the cookie of a token minted on the way, on an answer of its own', async () => {
    const shared = new Response(null, { status: 204, headers: { 'set-cookie': 'theirs=1' } })
    const handler = guard('token')(() => shared)
    const first = await handler(request('/', { cookie: `symbolon=${sessionOf(ada)}` }))
    expect(first.headers.getSetCookie()).toEqual(['theirs=1', expect.stringMatching(/^symbolon-token=ey.*HttpOnly/)])
    expect(first.headers.get('cache-control')).toBe('private, no-store')
    expect(shared.headers.getSetCookie()).toEqual(['theirs=1'])
    const token = first.headers.getSetCookie()[1]?.split(';', 1)[0]
    const second = await handler(request('/', { cookie: `symbolon=${sessionOf(ada)}; ${token}` }))
    expect(second.headers.getSetCookie()).toEqual(['theirs=1'])
  })

  it('is guarded by the table too, and refuses other sites', async () => {
    const handler = guard.policy({ 'POST /notes': 'session' }, { strict: true })(() => new Response('done'))
    const cookie = cookieOf(ada)
    expect(await codeOf(await handler(request('/other', { cookie }, 'POST')))).toBe('denied')
    expect(await codeOf(await handler(request('/notes', { cookie, origin: 'https://evil.example' }, 'POST')))).toBe('cross_site_request')
    expect((await handler(request('/notes', { cookie, origin: service.origin }, 'POST'))).status).toBe(200)
    expect((await handler(request('/open'))).status).toBe(200)
  })

  it('checks without answering, for loaders and actions', async () => {
    const check = guard.check('token')
    expect(await check(request('/', { authorization: await bearer(ada) }))).toMatchObject({ ok: true, auth: { kind: 'user' } })
    const refused = await check(request('/'))
    expect(refused.ok ? undefined : refused.response.status).toBe(401)
  })
})

describe('middleware', () => {
  const policy = { 'GET /feed': 'token', 'POST /feed': 'token' } as const

  it('goes on for those who pass and for what is public, and answers the others', async () => {
    const run = guard.middleware(policy)
    expect(await run(request('/open'))).toBeUndefined()
    expect(await run(request('/feed', { authorization: await bearer(ada) }))).toBeUndefined()
    expect((await run(request('/feed')))?.status).toBe(401)
    const sent = await guard.middleware({ 'GET /feed': { level: 'token', loginUrl: '/login' } })(
      request('/FEED/', { 'sec-fetch-mode': 'navigate' }),
    )
    expect([sent?.status, sent?.headers.get('location')]).toEqual([303, 'http://localhost:3000/login?return_to=%2FFEED%2F'])
    expect((await run(request('/feed', { cookie: cookieOf(ada), origin: 'https://evil.example' }, 'POST')))?.status).toBe(403)
  })

  it('writes a token minted on the way back, and tells the page, where it is given `next`', async () => {
    let seen = ''
    const run = guard.middleware(policy, {
      next: ({ request }) => {
        seen = request.headers.get('cookie') ?? ''
        return new Response(null, { headers: { 'x-next': '1' } })
      },
    })
    const cookie = `a=1; symbolon-token=old; symbolon=${sessionOf(ada)}`
    const response = await run(request('/feed', { cookie }))
    const [set = ''] = response?.headers.getSetCookie() ?? []
    expect(set).toMatch(/^symbolon-token=ey/)
    expect(response?.headers.get('cache-control')).toBe('private, no-store')
    expect(seen).toBe(`a=1; symbolon=${sessionOf(ada)}; ${set.split(';', 1)[0]}`)
    expect(await run(request('/feed', { cookie: seen }))).toBeUndefined()
    expect(await guard.middleware(policy)(request('/feed', { cookie }))).toBeUndefined()
  })
})

describe('a page', () => {
  it('learns who looks, from headers or from cookies, and where to send the others', async () => {
    const page = guard.page('token')
    const held = { ok: true, auth: { kind: 'user', checked: 'live' } }
    expect(await page({ headers: new Headers({ cookie: `symbolon=${sessionOf(ada)}` }) })).toMatchObject(held)
    const cookies = { getAll: () => [{ name: 'symbolon', value: sessionOf(ada) }] }
    expect(await page({ headers: new Headers(), cookies })).toMatchObject(held)
    // Next decodes what it read: another cookie's value, which a sibling host may set, must not become one of ours.
    const planted = { getAll: () => [{ name: 'x', value: `a; symbolon=${sessionOf(ada)}` }] }
    expect(await page({ headers: new Headers(), cookies: planted })).toMatchObject({ ok: false })
    expect(await page({ headers: new Headers(), url: '/feed?a=1' })).toEqual({
      ok: false,
      status: 303,
      location: `${service.origin}/login?return_to=%2Ffeed%3Fa%3D1`,
    })
    const roles = await guard.page('token', { roles: ['admin'] })({ headers: new Headers({ cookie: cookieOf(ada) }) })
    expect(roles).toEqual({ ok: false, status: 403, code: 'insufficient_role' })
  })

  it('takes what a session ended says at once at session level', async () => {
    const eve = createBrowser(service.origin)
    await signInOver(eve, '', 'eve@example.com')
    const headers = new Headers({ cookie: cookieOf(eve) })
    expect(await guard.page('session')({ headers })).toMatchObject({ ok: true })
    await eve.fetch('/v1/session', { method: 'DELETE' })
    expect(await guard.page('session')({ headers })).toMatchObject({ ok: false, status: 303 })
  })

  it('is not an action: that one is held to the cross-site rule', async () => {
    const action = guard.action('session')
    const from = (origin: string) => ({ headers: new Headers({ cookie: cookieOf(ada), origin }) })
    expect(await action(from(service.origin))).toMatchObject({ ok: true })
    expect(await action(from('https://evil.example'))).toEqual({ ok: false, status: 403, code: 'cross_site_request' })
    expect(await guard.page('session')(from('https://evil.example'))).toMatchObject({ ok: true })
  })

  it('never rotates, though a rotation is due', async () => {
    const before = sessionOf(early)
    const headers = new Headers({ cookie: `symbolon=${before}` })
    // `ada` signed in later and gets a rotation only when due: then `early` is due as well.
    await expect
      .poll(
        async () => {
          const was = sessionOf(ada)
          await ada.fetch('/v1/session/token', { method: 'POST', json: {} })
          return sessionOf(ada) !== was
        },
        { timeout: 20_000, interval: 250 },
      )
      .toBe(true)
    for (const level of ['token', 'session'] as const)
      expect(await guard.page(level)({ headers }), level).toMatchObject({ ok: true, auth: { checked: 'live' } })
    expect((await guard('token')(() => new Response())(request('/', { cookie: `symbolon=${before}` }))).status).toBe(200)
    expect(given).toEqual([])
    expect((await early.fetch('/v1/session/token', { method: 'POST', json: {} })).headers.getSetCookie()).toHaveLength(1)
    expect(sessionOf(early)).not.toBe(before)
  })
})
