// The node handler under node:http, Express and Fastify: what it takes, what it leaves, and whom it believes.

import { once } from 'node:events'
import { createServer, type Server, request as send } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { routes } from '@symbolon/protocol'
import express from 'express'
import { afterEach, describe, expect, it } from 'vitest'
import { canonicalAddress, clientAddress } from '../../src/node/address.ts'
import { type Mountable, toNodeHandler } from '../../src/node/handler.ts'

const open: Server[] = []
afterEach(async () => {
  for (const server of open.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

/** Answers with what it was given, and two cookies. */
const echo: Mountable = {
  issuer: 'http://auth.example:3000/auth',
  trustedProxies: 0,
  handler: async (request, info) => {
    const answer = Response.json({
      url: request.url,
      method: request.method,
      body: await request.text(),
      ip: info?.ip,
      cookie: request.headers.get('cookie'),
    })
    answer.headers.append('set-cookie', 'a=1')
    answer.headers.append('set-cookie', 'b=2')
    return answer
  },
}

async function listen(server: Server): Promise<string> {
  open.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('under node:http', () => {
  it('builds the address from the issuer, and sends each cookie in its own line', async () => {
    const base = await listen(createServer(toNodeHandler(echo)))
    const answer = await fetch(`${base}/auth/v1/session?x=1`, { method: 'POST', body: 'hello', headers: { 'x-forwarded-for': '1.2.3.4' } })
    expect(await answer.json()).toMatchObject({
      url: 'http://auth.example:3000/auth/v1/session?x=1',
      method: 'POST',
      body: 'hello',
      ip: '127.0.0.1',
    })
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  })

  it('answers over HTTP/2, whose request line Node lists among the headers', async () => {
    const server = createHttp2Server((request, response) => toNodeHandler(echo)(request as never, response as never))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    try {
      const stream = session.request({ ':method': 'POST', ':path': '/auth/x?y=1', cookie: 'a=1' })
      stream.end('hello')
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
      let body = ''
      for await (const part of stream) body += part
      expect([headers[':status'], headers['set-cookie']]).toEqual([200, ['a=1', 'b=2']])
      expect(JSON.parse(body)).toMatchObject({ url: 'http://auth.example:3000/auth/x?y=1', body: 'hello', cookie: 'a=1' })
    } finally {
      session.close()
      server.close()
    }
  })

  it('joins Cookie fields so that a doubled name stays visible', async () => {
    const base = await listen(createServer(toNodeHandler(echo)))
    const text = await new Promise<string>((resolve, reject) => {
      const request = send(`${base}/auth/x`, { headers: { cookie: ['a=1', 'a=2'] } }, async (answer) => {
        let body = ''
        for await (const part of answer) body += part
        resolve(body)
      })
      request.on('error', reject).end()
    })
    expect(JSON.parse(text)).toMatchObject({ cookie: 'a=1; a=2' })
  })

  it('answers 404 outside its path, 413 to a large body, and keeps "//" inside', async () => {
    const base = await listen(createServer(toNodeHandler(echo)))
    expect((await fetch(`${base}/other`)).status).toBe(404)
    expect((await fetch(`${base}/auth/x`, { method: 'POST', body: 'x'.repeat(65_537) })).status).toBe(413)
    expect((await fetch(`${base}/auth/x`, { method: 'POST', body: 'x'.repeat(65_536) })).status).toBe(200)
    expect((await fetch(`${base}//evil.example/auth`)).status).toBe(404)
  })

  it('answers 500 without a word about a fault', async () => {
    const base = await listen(createServer(toNodeHandler({ ...echo, handler: async () => Promise.reject(new Error('secret detail')) })))
    const answer = await fetch(`${base}/auth/x`)
    expect(answer.status).toBe(500)
    expect(await answer.text()).not.toContain('secret detail')
  })

  it('ends the connection with a stream that fails, and reads a stream no faster than it is read', async () => {
    let pulled = 0
    let failing = false
    const body = () =>
      new ReadableStream({
        pull(controller) {
          if (failing) return controller.error(new Error('cut'))
          pulled++
          controller.enqueue(new Uint8Array(1 << 20))
        },
      })
    const base = await listen(createServer(toNodeHandler({ ...echo, handler: async () => new Response(body()) })))
    const answer = await fetch(`${base}/auth/x`)
    // What the kernel keeps is bounded, so an end comes: nothing is read any more.
    for (let before = -1; before < pulled; await new Promise((resolve) => setTimeout(resolve, 300))) before = pulled
    expect(pulled).toBeLessThan(200)
    failing = true
    await expect(answer.arrayBuffer()).rejects.toThrow('terminated')
  })
})

describe('under Express', () => {
  it('passes on what is not ours, and reads a body that express.json() read before', async () => {
    const app = express()
    app.use(express.json(), express.urlencoded({ extended: false }))
    app.use(toNodeHandler(echo))
    app.get('/feed', (_request, response) => void response.send('mine'))
    const base = await listen(createServer(app))
    expect(await (await fetch(`${base}/feed`)).text()).toBe('mine')
    const json = await fetch(`${base}/auth/v1/x`, { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } })
    expect(await json.json()).toMatchObject({ url: 'http://auth.example:3000/auth/v1/x', body: '{"a":1}' })
    const form = await fetch(`${base}/auth/login`, { method: 'POST', body: new URLSearchParams({ a: '1 2' }) })
    expect(await form.json()).toMatchObject({ body: 'a=1+2' })
  })

  it('leaves well-known places that are not ours to the application, also at the root', async () => {
    const app = express()
    app.use(toNodeHandler({ ...echo, issuer: 'http://auth.example:3000' }))
    app.get('/.well-known/security.txt', (_request, response) => void response.send('mine'))
    const base = await listen(createServer(app))
    expect(await (await fetch(`${base}/.well-known/security.txt`)).text()).toBe('mine')
    expect(await (await fetch(`${base}/.well-known/jwks.json`)).json()).toMatchObject({ method: 'GET' })
  })

  it('takes the service’s own paths at the root, and leaves every other to the application', async () => {
    const app = express()
    app.use(toNodeHandler({ ...echo, issuer: 'http://auth.example:3000' }))
    app.use((_request, response) => void response.send('mine'))
    const base = await listen(createServer(app))
    const of = async (path: string) => ((await (await fetch(base + path)).text()) === 'mine' ? 'mine' : 'theirs')
    const parameters = (path: string) => path.replace(/\{\w+\}/g, 'x-1')
    for (const path of Object.values(routes))
      expect([path, await of(parameters(path))]).toEqual([path, path === routes.webauthn ? 'mine' : 'theirs'])
    for (const path of ['/login/code?x', '/account/email/code', '/assets/page-abc.js', '/assets/passkeys-abc.js', '/v1/session?x=1'])
      expect([path, await of(path)]).toEqual([path, 'theirs'])
    const others = ['/', '/v1/orders', '/v1/sessions/a/b', '/oauth/authorize', '/assets/index-abc.js', '/.well-known/openid-configuration']
    for (const path of [...others, '/loginx', '/accounts', '/openapiXjson']) expect([path, await of(path)]).toEqual([path, 'mine'])
  })

  it('takes a well-known place at the host’s root where it is said to answer there, wherever the issuer is', async () => {
    for (const issuer of ['http://auth.example:3000', 'http://auth.example:3000/auth'])
      for (const wellKnown of [[], [routes.webauthn]]) {
        const app = express()
        app.use(toNodeHandler({ ...echo, issuer, wellKnown }))
        app.use((_request, response) => void response.send('mine'))
        const base = await listen(createServer(app))
        const text = await (await fetch(base + routes.webauthn)).text()
        expect(text === 'mine').toBe(wellKnown.length === 0)
        const alone = await listen(createServer(toNodeHandler({ ...echo, issuer, wellKnown })))
        const { status } = await fetch(alone + routes.webauthn)
        expect(status).toBe(wellKnown.length === 0 && issuer.endsWith('/auth') ? 404 : 200)
      }
  })

  it('reads originalUrl when mounted below a path', async () => {
    const app = express()
    app.use('/auth', toNodeHandler(echo))
    const base = await listen(createServer(app))
    expect(await (await fetch(`${base}/auth/v1/x`)).json()).toMatchObject({ url: 'http://auth.example:3000/auth/v1/x' })
  })
})

describe('addresses', () => {
  it.each([
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['2001:DB8:0::1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['1.2.3', null],
    ['', null],
    [undefined, null],
  ])('%s → %s', (text, address) => expect(canonicalAddress(text)).toBe(address))

  it.each([
    ['9.9.9.9', '1.1.1.1, 2.2.2.2', 0, '9.9.9.9'],
    ['9.9.9.9', '1.1.1.1, 2.2.2.2', 1, '2.2.2.2'],
    ['9.9.9.9', '1.1.1.1, 2.2.2.2', 2, '1.1.1.1'],
    ['9.9.9.9', 'nonsense', 1, null],
    ['9.9.9.9', undefined, 1, '9.9.9.9'],
  ])('%s behind %s, %i hops → %s', (socket, forwarded, hops, address) => expect(clientAddress(socket, forwarded, hops)).toBe(address))
})
