// The policy table against real frameworks: no spelling of a path reaches a guarded route without its guard.

import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createVerifier, uncovered } from '@symbolon/verifier'
import { createGuard as forExpress } from '@symbolon/verifier/express'
import { createGuard as forFastify } from '@symbolon/verifier/fastify'
import { createGuard as forHono } from '@symbolon/verifier/hono'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Policy } from '../src/policy.ts'

const verifier = createVerifier({ issuer: 'https://auth.example' })
afterAll(() => verifier.close())

const policy: Policy = {
  'GET /kiosk': 'token',
  'GET /files/:name': 'token',
  'GET /files/:name/raw': 'token',
  'GET /docs/*': 'token',
  'GET /pages/:name?': 'token',
  'GET /image.:ext': 'token',
  'GET /open': 'public',
}
/** Asked as they stand, over a socket of their own: no client tidies them up. */
const spellings = [
  ...[
    '/kiosk',
    '/KIOSK',
    '/kiosk/',
    '/kio%73k',
    '/%6Biosk',
    '//kiosk',
    '/kiosk?x',
    '/kiosk#x',
    '/\u212Aiosk',
    '/%E2%84%AAiosk',
    '/k\u0131osk',
  ],
  ...[
    '/files/a',
    '/files/a%2Fb',
    '/files/a%2fb/raw',
    '/files/%2e%2e',
    '/files/a%00',
    '/files/%zz',
    '/files/a;b',
    '/files/..%2Fopen',
    '/open/../kiosk',
  ],
  // A whole address instead of a path (RFC 9112 §3.2.2), as plain as can be and as frameworks read it apart.
  ...[
    'http://x/kiosk',
    'HTTPS://x:1/kiosk?a',
    'http://[::1]:80/KIOSK/',
    'http:///kiosk',
    'http:////kiosk',
    'http://x?/kiosk',
    'http://x#/kiosk',
    'http://x@y/kiosk',
    'http://x/files\\a',
    'http://x\\kiosk',
    'http://;/pages/a',
    'x://y/kiosk',
    'http:/kiosk',
  ],
  ...['/docs', '/docs/', '/docs/a', '/docs/a/b', '/DOCS/%61', '/pages', '/pages/', '/pages/a', '/image.png', '/IMAGE.PNG'],
]

const handlers: Record<string, (port: (listening: number) => void) => Promise<() => void>> = {
  express: async (port) => {
    const app = express()
    app.use(forExpress(verifier).policy(policy))
    for (const path of ['/kiosk', '/files/:name', '/files/:name/raw', '/docs/*rest', '/pages{/:name}', '/image.:ext'])
      app.get(path, (_request, response) => void response.send('reached'))
    app.get('/open', (_request, response) => void response.send('open'))
    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port((server.address() as AddressInfo).port)
    return () => void server.close()
  },
  fastify: async (port) => {
    const app = Fastify({
      routerOptions: { caseSensitive: false, ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, useSemicolonDelimiter: true },
    })
    app.addHook('onRequest', forFastify(verifier).policy(policy))
    for (const path of ['/kiosk', '/files/:name', '/files/:name/raw', '/docs/*', '/pages/:name?', '/image.:ext'])
      app.get(path, async () => 'reached')
    app.get('/open', async () => 'open')
    await app.listen({ port: 0, host: '127.0.0.1' })
    port((app.server.address() as AddressInfo).port)
    return () => void app.close()
  },
  hono: async (port) => {
    const app = new Hono({ strict: false })
    app.use(forHono(verifier).policy(policy))
    for (const path of ['/kiosk', '/files/:name', '/files/:name/raw', '/docs/*', '/pages/:name?', '/image.:ext{[a-z]+}'])
      app.get(path, (c) => c.text('reached'))
    app.get('/open', (c) => c.text('open'))
    const server = createServer(async (request, response) => {
      const address = request.url?.startsWith('/') === true ? `http://host${request.url}` : (request.url ?? '')
      const method = request.method ?? 'GET'
      // What is no address cannot be made a Request of (Fetch §5.4).
      const answer = URL.canParse(address) && !address.includes('@') ? await app.fetch(new Request(address, { method })) : undefined
      response.writeHead(answer?.status ?? 400)
      response.end(await answer?.text())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port((server.address() as AddressInfo).port)
    return () => void server.close()
  },
}

/** `target` may have its method before it. */
const ask = (port: number, target: string) =>
  new Promise<string>((resolve, reject) => {
    let heard = ''
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`${/^[A-Z]+ /.test(target) ? '' : 'GET '}${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, 'utf8'),
    )
    socket.on('data', (chunk) => {
      heard += chunk
    })
    socket.on('close', () => resolve(heard))
    socket.on('error', reject)
  })

describe.each(Object.entries(handlers))('under %s', (_, start) => {
  let port = 0
  let stop = () => {}
  beforeAll(async () => {
    stop = await start((listening) => {
      port = listening
    })
  })
  afterAll(() => stop())

  it.each(['/open', 'http://x/open', 'http://x:1/open?a'])('lets what is public through: %s', async (target) =>
    expect(await ask(port, target)).toContain('open'),
  )
  it.each(spellings)('reaches no guarded route by %j', async (target) => expect(await ask(port, target)).not.toContain('reached'))
})

describe('an address that something rewrote', () => {
  const table: Policy = { 'GET /feed': 'token', 'POST /transfers': 'token', 'GET /v2/old': 'token', 'POST /open': 'public' }
  const rewrite = (url: string) => url.replace(/^\/v2(?=\/)/, '')
  const apps: Record<string, () => Promise<readonly [number, () => void]>> = {
    express: async () => {
      const app = express()
      app.use((request, _response, next) => {
        request.url = rewrite(request.url)
        next()
      })
      app.use(forExpress(verifier).policy(table, { strict: true }))
      for (const path of ['/feed', '/transfers', '/old', '/open'])
        app.all(path, (_request, response) => void response.send(path === '/open' ? 'open' : 'reached'))
      const server = createServer(app)
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return [(server.address() as AddressInfo).port, () => void server.close()]
    },
    'a router of express': async () => {
      const app = express()
      const router = express.Router()
      router.use(
        forExpress(verifier).policy(
          { 'GET /v2/feed': 'token', 'POST /v2/transfers': 'token', 'POST /v2/open': 'public' },
          { strict: true },
        ),
      )
      for (const path of ['/feed', '/transfers', '/open'])
        router.all(path, (_request, response) => void response.send(path === '/open' ? 'open' : 'reached'))
      app.use('/v2', router)
      const server = createServer(app)
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return [(server.address() as AddressInfo).port, () => void server.close()]
    },
    fastify: async () => {
      const app = Fastify({ rewriteUrl: (request) => rewrite(request.url ?? '/') })
      app.addHook('onRequest', forFastify(verifier).policy(table, { strict: true }))
      for (const path of ['/feed', '/transfers', '/old', '/open']) app.all(path, async () => (path === '/open' ? 'open' : 'reached'))
      await app.listen({ port: 0, host: '127.0.0.1' })
      return [(app.server.address() as AddressInfo).port, () => void app.close()]
    },
  }
  it.each(Object.entries(apps))('is guarded by what it is routed to, and by what came in: %s', async (_, start) => {
    const [port, stop] = await start()
    try {
      for (const target of ['GET /v2/feed', 'HEAD /v2/feed', 'POST /v2/transfers', 'GET /v2/old', 'POST /v2/new'])
        expect(await ask(port, target), target).not.toContain('reached')
      for (const target of ['GET /v2/feed', 'POST /v2/transfers']) expect(await ask(port, target), target).toContain(' 401 ')
      expect(await ask(port, 'POST /v2/open')).toContain('open')
    } finally {
      stop()
    }
  })
})

describe('a table', () => {
  const of = (...routes: string[]) =>
    routes.map((route) => ({ method: route.split(' ')[0] as string, path: route.split(' ')[1] as string }))

  it('covers a route by its own pattern or by one above it', () => {
    expect(uncovered({ 'POST /a/:b?': 'token', 'DELETE /c/*': 'token' }, of('POST /a/:b', 'POST /a', 'DELETE /c/d', 'DELETE /c'))).toEqual(
      [],
    )
    expect(uncovered({ 'POST /a/:b': 'token' }, of('POST /a', 'POST /a/b/c', 'PUT /a/b'))).toHaveLength(3)
  })

  it.each(['POST a', 'post /a', 'POST /a{/:b}', 'POST /a/*/b', 'POST /a b'])('refuses %j, which it could not hold to', (name) =>
    expect(() => uncovered({ [name]: 'token' } as Policy, [])).toThrow(TypeError),
  )
})
