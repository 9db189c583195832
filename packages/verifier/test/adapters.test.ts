// The adapters on their real frameworks, in front of a service in another process's place: keys by JWKS, live checks by
// introspection, all over HTTP. One table of levels and credentials for each.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { createVerifier, type Verifier } from '@symbolon/verifier'
import * as expressDoor from '@symbolon/verifier/express'
import * as fastifyDoor from '@symbolon/verifier/fastify'
import * as honoDoor from '@symbolon/verifier/hono'
import * as nodeDoor from '@symbolon/verifier/node'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBrowser, signInOver } from '../../symbolon/test/setting/browser.ts'
import { startService, type TestService } from '../../symbolon/test/setting/server.ts'

let service: TestService
let verifier: Verifier
let secret: string
const closers: (() => unknown)[] = []
const origins: Record<string, string> = {}

beforeAll(async () => {
  service = await startService()
  const made = await service.auth.clients.create(
    { id: 'api', name: 'API', transport: 'service', audiences: [service.origin], scopes: ['revocations:read'] },
    'test',
  )
  if (!made.ok) throw new Error(made.code)
  secret = made.secret ?? ''
  verifier = createVerifier({ issuer: service.origin, clientId: 'api', clientSecret: secret })
  await verifier.ready()
  const listening = (server: Server) =>
    new Promise<string>((resolve) =>
      server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)),
    )

  const forNode = nodeDoor.createGuard(verifier)
  const token = forNode('token')((request, response) =>
    response.end(JSON.stringify({ sub: request.auth.sub, checked: request.auth.checked })),
  )
  const session = forNode('session')((request, response) =>
    response.end(JSON.stringify({ sub: request.auth.sub, checked: request.auth.checked })),
  )
  const plain = createServer((request, response) => void (request.url === '/token' ? token : session)(request, response))
  origins.node = await listening(plain)
  closers.push(() => plain.close())

  const forExpress = expressDoor.createGuard(verifier)
  const app = express()
  for (const level of ['token', 'session'] as const)
    app.get(`/${level}`, forExpress(level), (req, res) => void res.json({ sub: req.auth.sub, checked: req.auth.checked }))
  const expressServer = createServer(app)
  origins.express = await listening(expressServer)
  closers.push(() => expressServer.close())

  const forFastify = fastifyDoor.createGuard(verifier)
  const fast = fastify()
  for (const level of ['token', 'session'] as const)
    fast.get(`/${level}`, { onRequest: forFastify(level) }, async (request) => {
      const { auth } = request as unknown as { auth: { sub: string; checked: string } }
      return { sub: auth.sub, checked: auth.checked }
    })
  origins.fastify = await fast.listen({ port: 0, host: '127.0.0.1' })
  closers.push(() => fast.close())

  const forHono = honoDoor.createGuard(verifier)
  const hono = new Hono<honoDoor.GuardEnv>()
  for (const level of ['token', 'session'] as const)
    hono.get(`/${level}`, forHono(level), (c) => c.json({ sub: c.var.auth.sub, checked: c.var.auth.checked }))
  await new Promise<void>((resolve) => {
    const server = serve({ fetch: hono.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => {
      origins.hono = `http://127.0.0.1:${port}`
      resolve()
    })
    closers.push(() => server.close())
  })
})
afterAll(async () => {
  for (const close of closers) await close()
  await verifier.close()
  await service.close()
})

async function tokenOf(email: string) {
  const browser = createBrowser(service.origin)
  await signInOver(browser, '', email)
  const { access_token } = (await (await browser.fetch('/v1/session/token', { method: 'POST', json: {} })).json()) as {
    access_token: string
  }
  return { browser, access_token }
}
const get = (framework: string, path: string, token?: string) =>
  fetch(`${origins[framework]}${path}`, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })

describe.each(['node', 'express', 'fastify', 'hono'])('%s', (framework) => {
  it('lets in locally and live, refuses strangers and forgers, and learns of a sign-out at session level at once', async () => {
    const { browser, access_token } = await tokenOf(`${framework}@example.com`)
    for (const path of ['/token', '/session']) {
      const refused = await get(framework, path)
      expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([401, 'missing_credential'])
      expect(refused.headers.get('content-type')).toContain('application/problem+json')
      expect(refused.headers.get('www-authenticate')).toContain('Bearer')
      expect((await get(framework, path, 'a.b.c')).status).toBe(401)
      const passed = await get(framework, path, access_token)
      expect([passed.status, await passed.json()]).toEqual([
        200,
        { sub: expect.stringMatching(/^usr_/), checked: path === '/token' ? 'local' : 'live' },
      ])
    }
    await browser.fetch('/v1/session', { method: 'DELETE' })
    expect((await get(framework, '/session', access_token)).status).toBe(401)
    await expect.poll(async () => (await get(framework, '/token', access_token)).status, { interval: 5 }).toBe(401)
  })
})

describe('a verifier that cannot ask', () => {
  const request = (token: string) => ({
    method: 'GET',
    url: '/',
    header: (name: string) => (name === 'authorization' ? `Bearer ${token}` : undefined),
  })

  it('answers 503, never yes: no secret, a wrong one, an issuer that is gone or silent', async () => {
    const { access_token } = await tokenOf('gone@example.com')
    const silent = createServer(() => {})
    const silentPort = await new Promise<number>((resolve) =>
      silent.listen(0, '127.0.0.1', () => resolve((silent.address() as AddressInfo).port)),
    )
    const broken = { 'no secret': {}, 'a wrong one': { clientId: 'api', clientSecret: 'wrong' } }
    for (const [name, options] of Object.entries(broken)) {
      const one = createVerifier({ issuer: service.origin, ...options })
      expect(await one.guard('session')(request(access_token)), name).toMatchObject({ ok: false, status: 503 })
      // Without a secret tokens are known to live until they expire; with a wrong one, nothing is known of revocations.
      expect(await one.guard('token')(request(access_token)), name).toMatchObject(
        'clientId' in options ? { ok: false, status: 503, body: expect.stringContaining('revocation_unknown') } : { ok: true },
      )
      expect(one.status().followed).toBe('clientId' in options)
      await one.close()
    }
    // Keys answer, introspection hangs: the deadline decides.
    const half = createVerifier({
      issuer: service.origin,
      clientId: 'api',
      clientSecret: secret,
      fetch: (input, init) => fetch(String(input).includes('introspect') ? `http://127.0.0.1:${silentPort}/` : input, init),
    })
    const began = performance.now()
    expect(await half.guard('session')(request(access_token))).toMatchObject({ ok: false, status: 503, headers: { 'retry-after': '1' } })
    expect(performance.now() - began).toBeLessThan(3000)
    await half.close()
    silent.closeAllConnections()
    silent.close()
    const gone = createVerifier({ issuer: 'http://127.0.0.1:9' })
    expect(await gone.guard('token')(request(access_token))).toMatchObject({ ok: false, status: 503 })
  })
})
