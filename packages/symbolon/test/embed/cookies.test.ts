// Guards in the service's own process reading its cookies, on every framework: one table of requests for all of them.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, get, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { type AuthObject, createAuth, type Requirement } from 'symbolon'
import * as forExpress from 'symbolon/express'
import * as forFastify from 'symbolon/fastify'
import * as forHono from 'symbolon/hono'
import { createGuard, toNodeHandler } from 'symbolon/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Browser, createBrowser, signInOver } from '../setting/browser.ts'

const rules: readonly (readonly [string, 'token' | 'session', Requirement])[] = [
  ['/page', 'token', { loginUrl: '/auth/login' }],
  ['/old', 'session', { maxAuthAge: '1ms', loginUrl: '/auth/login' }],
  ['/live', 'session', {}],
  ['/cookie', 'token', { credential: 'cookie' }],
  ['/bearer', 'token', { credential: 'bearer' }],
]
const publicly = 'public, max-age=60'

const frameworks: Record<string, (auth: AuthObject) => RequestListener | Promise<RequestListener>> = {
  node: (auth) => {
    const guard = createGuard(auth)
    const handle = toNodeHandler(auth)
    const guarded = new Map(
      rules.map(([path, level, requirement]) => [
        path,
        guard(
          level,
          requirement,
        )((request, response) => {
          response.setHeader('cache-control', publicly)
          response.end(JSON.stringify(request.auth))
        }),
      ]),
    )
    return (request, response) => void (guarded.get((request.url ?? '').split('?', 1)[0] as string) ?? handle)(request, response)
  },
  express: (auth) => {
    const app = express()
    const guard = forExpress.createGuard(auth)
    app.use(express.json(), express.urlencoded({ extended: true }))
    app.use(toNodeHandler(auth))
    for (const [path, level, requirement] of rules)
      app.all(path, guard(level, requirement), (request, response) => void response.set('Cache-Control', publicly).json(request.auth))
    return app
  },
  fastify: async (auth) => {
    const app = Fastify()
    const guard = forFastify.createGuard(auth)
    const handle = toNodeHandler(auth)
    app.addHook('onRequest', (request, reply, done) => handle(request.raw, reply.raw, () => done()))
    for (const [path, level, requirement] of rules)
      app.all(path, { onRequest: guard(level, requirement) }, async (request, reply) => {
        reply.header('cache-control', publicly)
        return (request as unknown as { auth: object }).auth
      })
    await app.ready()
    return (request, response) => app.routing(request, response)
  },
  hono: (auth) => {
    const app = new Hono<forHono.GuardEnv>()
    const guard = forHono.createGuard(auth)
    for (const [path, level, requirement] of rules)
      app.all(path, guard(level, requirement), (c) => c.json(c.var.auth, 200, { 'cache-control': publicly }))
    app.all('/auth/*', (c) => auth.handler(c.req.raw))
    return getRequestListener(app.fetch)
  },
}

describe.each(Object.entries(frameworks))('under %s', (_, create) => {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-cookies-'))
  let auth: AuthObject
  let server: Server
  let origin = ''
  let ada: Browser
  let bearer = ''
  beforeAll(async () => {
    let listener: RequestListener = () => {}
    server = createServer((request, response) => listener(request, response)).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    origin = `http://localhost:${(server.address() as AddressInfo).port}`
    auth = createAuth({ issuer: `${origin}/auth`, dev: true, data: folder })
    await auth.ready()
    listener = await create(auth)
    ada = await signedIn('ada@example.com')
    const minted = await ada.fetch('/auth/v1/session/token', { method: 'POST', json: {} })
    bearer = `Bearer ${((await minted.json()) as { access_token: string }).access_token}`
  })
  afterAll(async () => {
    server.closeAllConnections()
    server.close()
    await auth.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const signedIn = async (email: string) => {
    const browser = createBrowser(origin)
    expect((await signInOver(browser, '/auth', email)).status).toBe(200)
    return browser
  }
  const codeOf = async (response: Response) => ((await response.json()) as { code?: string }).code
  /** fetch cannot say that it navigates. */
  const navigate = (path: string, browser?: Browser) =>
    new Promise<{ status: number | undefined; location: string | undefined }>((resolve, reject) => {
      const cookie = [...(browser?.jar ?? [])].map(([name, value]) => `${name}=${value}`).join('; ')
      const headers = { 'sec-fetch-mode': 'navigate', accept: 'text/html', ...(cookie !== '' && { cookie }) }
      get(origin + path, { headers }, (response) => {
        response.resume()
        resolve({ status: response.statusCode, location: response.headers.location })
      }).on('error', reject)
    })

  it('sends a navigation to the way in and back, and answers a fetch', async () => {
    expect(await navigate('/page?a=1')).toEqual({ status: 303, location: '/auth/login?return_to=%2Fpage%3Fa%3D1' })
    expect((await navigate('/live')).status).toBe(401)
    const fetched = await fetch(`${origin}/page`, { headers: { accept: 'text/html' } })
    expect([fetched.status, await codeOf(fetched)]).toEqual([401, 'missing_credential'])
  })

  it('sends a navigation there too when the sign-in is too long ago', async () => {
    expect(await navigate('/old', ada)).toEqual({ status: 303, location: '/auth/login?return_to=%2Fold&step_up=1&max_age=0' })
    const fetched = await ada.fetch('/old')
    expect([fetched.status, await codeOf(fetched)]).toEqual([401, 'step_up_required'])
  })

  it('mints on the way, once, in a cookie that no shared cache may keep, whatever the page says of itself', async () => {
    const one = await signedIn('once@example.com')
    const first = await one.fetch('/page')
    expect([first.status, first.headers.getSetCookie().length, first.headers.get('cache-control')]).toEqual([200, 1, 'private, no-store'])
    expect(first.headers.getSetCookie()[0]).toMatch(/^symbolon-token=.*; Path=\/; HttpOnly; SameSite=Lax; Max-Age=\d+$/)
    const second = await one.fetch('/page')
    expect([second.status, second.headers.getSetCookie().length, second.headers.get('cache-control')]).toEqual([200, 0, publicly])
  })

  it('ignores and replaces the token cookie of another session', async () => {
    const bob = await signedIn('bob@example.com')
    await bob.fetch('/page')
    const eve = await signedIn('eve@example.com')
    eve.jar.set('symbolon-token', bob.jar.get('symbolon-token') as string)
    const answer = await eve.fetch('/page')
    const { sid } = (await answer.json()) as { sid: string }
    expect(eve.jar.get('symbolon')).toContain(sid)
    expect(answer.headers.getSetCookie()).toHaveLength(1)
    expect(
      (await createBrowser(origin).fetch('/page', { headers: { cookie: `symbolon-token=${bob.jar.get('symbolon-token')}` } })).status,
    ).toBe(401)
  })

  it('takes one credential at a time, and only the one asked for', async () => {
    const bob = await signedIn('bob2@example.com')
    const both = await bob.fetch('/live', { headers: { authorization: bearer } })
    expect([both.status, await codeOf(both)]).toEqual([401, 'credential_conflict'])
    expect((await ada.fetch('/live', { headers: { authorization: bearer } })).status).toBe(200)
    expect(await codeOf(await fetch(`${origin}/cookie`, { headers: { authorization: bearer } }))).toBe('missing_credential')
    expect((await ada.fetch('/cookie')).status).toBe(200)
    expect(await codeOf(await ada.fetch('/bearer'))).toBe('missing_credential')
    expect((await fetch(`${origin}/bearer`, { headers: { authorization: bearer } })).status).toBe(200)
  })

  it('refuses other sites and doubled cookies', async () => {
    const post = (headers: Record<string, string>) =>
      fetch(`${origin}/live`, { method: 'POST', headers: { cookie: `symbolon=${ada.jar.get('symbolon')}`, ...headers } })
    for (const headers of [
      {},
      { origin: 'null' },
      { origin: 'https://evil.example' },
      { origin, 'sec-fetch-site': 'cross-site' },
    ] as Record<string, string>[])
      expect([headers, await codeOf(await post(headers))]).toEqual([headers, 'cross_site_request'])
    expect((await post({ origin })).status).toBe(200)
    expect((await post({ 'sec-fetch-site': 'same-origin' })).status).toBe(200)
    const doubled = await fetch(`${origin}/live`, { headers: { cookie: `symbolon=${ada.jar.get('symbolon')}; symbolon=x` } })
    expect([doubled.status, await codeOf(doubled)]).toEqual([400, 'cookie_conflict'])
  })

  it('lets in the pages of an origin while an active client lists it in the store', async () => {
    const partner = 'https://partner.example.com'
    const post = async () => {
      const headers = { cookie: `symbolon=${ada.jar.get('symbolon')}`, origin: partner, 'sec-fetch-site': 'same-site' }
      return (await fetch(`${origin}/live`, { method: 'POST', headers })).status
    }
    expect(await post()).toBe(403)
    const made = await auth.clients.create({ id: 'partner', name: 'Partner', transport: 'cookie', origins: [partner] }, 'test')
    expect(made.ok).toBe(true)
    // What was read is taken again for a moment.
    const asked = { interval: 20 }
    await expect.poll(post, asked).toBe(200)
    await auth.clients.change('partner', { status: 'disabled' }, 'test')
    await expect.poll(post, asked).toBe(403)
    await auth.clients.change('partner', { status: 'active' }, 'test')
    await expect.poll(post, asked).toBe(200)
    await auth.clients.change('partner', { origins: [] }, 'test')
    await expect.poll(post, asked).toBe(403)
  })

  it('refuses two credentials in two headers of one name', async () => {
    const ask = (authorization: string[]) =>
      new Promise<number | undefined>((resolve, reject) => {
        get(
          `${origin}/live`,
          { headers: ['Host', new URL(origin).host, ...authorization.flatMap((one) => ['Authorization', one])] },
          (response) => {
            response.resume()
            resolve(response.statusCode)
          },
        ).on('error', reject)
      })
    expect(await ask([bearer])).toBe(200)
    expect(await ask([bearer, 'Bearer x'])).toBe(401)
    expect(await ask([bearer, bearer])).toBe(401)
  })
})
