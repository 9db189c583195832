// One webhook to a real receiver: by TLS of an authority of its own, signed, bounded in time and size, redirects and
// forbidden addresses refused, whatever a resolver says.

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { webhookSecret } from '@symbolon/protocol'
import { verifyWebhook } from '@symbolon/verifier/webhook'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createWebhookSender, type Resolve, type WebhookEndpoint } from '#delivery'
import { isPublicAddress } from '../../src/delivery/public-address.ts'
import { gatherLookups, signWebhook } from '../../src/delivery/webhook.ts'

describe('an address', () => {
  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '169.253.255.255',
    '192.167.255.255',
    '223.255.255.255',
    '198.20.0.0',
    '2606:4700:4700::1111',
    '2a00:1450:4001:830::200e',
    '2001:4860:4860::8888',
  ])('%s is public', (address) => expect(isPublicAddress(address)).toBe(true))
  it.each([
    ['unspecified', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['shared by a carrier', '100.64.0.1'],
    ['a cloud’s metadata, shared', '100.100.100.200'],
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.255.254'],
    ['link-local: metadata', '169.254.169.254'],
    ['link-local: metadata', '169.254.170.2'],
    ['a cloud’s host service', '168.63.129.16'],
    ['protocol assignments: metadata', '192.0.0.192'],
    ['documentation', '192.0.2.1'],
    ['6to4 relays', '192.88.99.1'],
    ['benchmarks', '198.19.0.1'],
    ['documentation', '203.0.113.5'],
    ['multicast', '224.0.0.1'],
    ['multicast', '239.255.255.250'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['unspecified', '::'],
    ['loopback', '::1'],
    ['IPv4-mapped', '::ffff:8.8.8.8'],
    ['IPv4-mapped', '::ffff:10.0.0.1'],
    ['IPv4-mapped', '::ffff:7f00:1'],
    ['IPv4-compatible', '::8.8.8.8'],
    ['IPv4-translated', '::ffff:0:127.0.0.1'],
    ['NAT64', '64:ff9b::a00:1'],
    ['NAT64', '64:ff9b::8.8.8.8'],
    ['local NAT64', '64:ff9b:1::1'],
    ['discard', '100::1'],
    ['Teredo', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
    ['ORCHID', '2001:20::1'],
    ['documentation', '2001:db8::1'],
    ['6to4', '2002:7f00:1::'],
    ['documentation', '3fff::1'],
    ['unique local', 'fc00::1'],
    ['unique local: metadata', 'fd00:ec2::254'],
    ['link-local', 'fe80::1'],
    ['with a zone', '2606:4700::1%eth0'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
    ['no address', 'localhost'],
    ['no address', ''],
    ['in octal', '0177.0.0.1'],
    ['as one number', '2130706433'],
  ])('%s is not: %s', (_, address) => expect(isPublicAddress(address)).toBe(false))
})

it('signs as the scheme does', () => {
  const secret = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')
  const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
  const [id, time, body] = ['msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', '{"test": 2432232314}'] as const
  expect(signWebhook([secret], id, time, body)).toBe(signature)
  expect(signWebhook([randomBytes(24), secret], id, time, body).split(' ')[1]).toBe(signature)
})

it('looks up two names at once, each once, and goes on when one of them never answers', async () => {
  const asked: string[] = []
  const answers = new Map<string, (found: Awaited<ReturnType<Resolve>>) => void>()
  const look = gatherLookups((host) => {
    asked.push(host)
    return new Promise((resolve) => answers.set(host, resolve))
  })
  const found = [{ address: '8.8.8.8', family: 4 }]
  const dead = Promise.all([look('dead.example'), look('dead.example'), look('dead.example')])
  const [one, two] = [look('one.example'), look('two.example')]
  await Promise.resolve()
  expect(asked).toEqual(['dead.example', 'one.example'])
  answers.get('one.example')?.(found)
  expect(await one).toEqual(found)
  await new Promise((resolve) => setImmediate(resolve))
  expect(asked).toEqual(['dead.example', 'one.example', 'two.example'])
  answers.get('two.example')?.(found)
  expect(await two).toEqual(found)
  answers.get('dead.example')?.([])
  expect(await dead).toEqual([[], [], []])
  const again = look('dead.example')
  expect(asked).toHaveLength(4)
  answers.get('dead.example')?.(found)
  expect(await again).toEqual(found)
})

const bytes = randomBytes(32)
const message = { id: 'evt_1', body: '{"type":"webhook.test","timestamp":"t","data":{"target":"app"}}' }
const endpoint = (url: string, change: Partial<WebhookEndpoint> = {}): WebhookEndpoint => ({
  name: 'app',
  url,
  secrets: [bytes],
  allowPrivate: true,
  ...change,
})

describe('a delivery', () => {
  const ends: (() => void)[] = []
  afterEach(() => {
    for (const end of ends.splice(0)) end()
  })
  const serve = async (answer: RequestListener, server: Server = createServer()) => {
    const seen: { readonly request: IncomingMessage; readonly body: string }[] = []
    let connections = 0
    server.on('connection', () => connections++)
    server.on('request', (request, response) => {
      let body = ''
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => {
        seen.push({ request, body })
        answer(request, response)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ends.push(() => {
      server.closeAllConnections()
      server.close()
    })
    return { port: (server.address() as AddressInfo).port, seen, connections: () => connections }
  }
  const sending = (one: WebhookEndpoint, options: Parameters<typeof createWebhookSender>[1] = {}) => {
    const sender = createWebhookSender([one], options)
    ends.push(() => sender.close())
    return sender
  }
  const ok: RequestListener = (_, response) => response.end('taken')

  it('arrives signed by both secrets, over one connection, and is verified', async () => {
    const { port, seen, connections } = await serve(ok)
    const second = randomBytes(24)
    const { send } = sending(endpoint(`http://127.0.0.1:${port}/hooks?a=b`, { secrets: [bytes, second] }))
    for (let i = 0; i < 5; i++) {
      expect(await send('app', message)).toEqual({ ok: true, status: 200 })
      // The next one finds the connection at rest.
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(connections()).toBeLessThanOrEqual(2)
    const { request, body } = seen[0] as (typeof seen)[number]
    expect([request.method, request.url, request.headers['content-type'], request.headers['webhook-id']]).toEqual([
      'POST',
      '/hooks?a=b',
      'application/json',
      'evt_1',
    ])
    for (const secret of [bytes, second]) {
      const verified = await verifyWebhook({ headers: request.headers, body }, { secrets: [webhookSecret(secret)] })
      expect(verified).toMatchObject({ ok: true, id: 'evt_1', event: { type: 'webhook.test' } })
    }
    expect(await send('other', message)).toEqual({ ok: false, fault: 'not configured' })
  })

  it.each([
    [204, { ok: true, status: 204 }],
    [299, { ok: true, status: 299 }],
    [301, { ok: false, fault: 'status 301' }],
    [400, { ok: false, fault: 'status 400' }],
    [410, { ok: false, fault: 'status 410' }],
    [503, { ok: false, fault: 'status 503', retryAfter: 7000 }],
  ])('is judged by its status: %i', async (status, outcome) => {
    const { port, seen } = await serve((_, response) => {
      response.writeHead(status, { location: '/elsewhere', ...(status === 503 && { 'retry-after': '7' }) }).end()
    })
    expect(await sending(endpoint(`http://127.0.0.1:${port}/`)).send('app', message)).toEqual(outcome)
    // No redirect is followed.
    expect(seen).toHaveLength(1)
  })

  it('does not wait for ever, nor read an answer without end', async () => {
    const silent = await serve(() => {})
    const begun = performance.now()
    const { send } = sending(endpoint(`http://127.0.0.1:${silent.port}/`), { timeout: 100 })
    expect(await send('app', message)).toEqual({ ok: false, fault: 'timeout' })
    expect(performance.now() - begun).toBeLessThan(2000)
    let cut = () => {}
    const wasCut = new Promise<void>((resolve) => {
      cut = resolve
    })
    const endless = await serve((_, response) => {
      const more = () => {
        while (response.write(Buffer.alloc(8192)));
      }
      response.on('drain', more).on('close', cut)
      more()
    })
    expect(await sending(endpoint(`http://127.0.0.1:${endless.port}/`)).send('app', message)).toEqual({ ok: true, status: 200 })
    await wasCut
  })

  it('says in a word what was wrong, and gives up when it is told to', async () => {
    const { port } = await serve(ok)
    const gone = await serve(ok)
    ends.splice(-1)[0]?.()
    expect(await sending(endpoint(`http://127.0.0.1:${gone.port}/`)).send('app', message)).toEqual({ ok: false, fault: 'ECONNREFUSED' })
    const cut = await serve((request) => request.socket.destroy())
    expect(await sending(endpoint(`http://127.0.0.1:${cut.port}/`)).send('app', message)).toMatchObject({ ok: false })
    expect(await sending(endpoint(`https://127.0.0.1:${port}/`)).send('app', message)).toMatchObject({ ok: false })
    const silent = await serve(() => stopped.close())
    const stopped = sending(endpoint(`http://127.0.0.1:${silent.port}/`))
    expect(await stopped.send('app', message)).toBe('stopped')
    expect(await stopped.send('app', message)).toBe('stopped')
  })

  it('goes on over a new connection when the old one was closed meanwhile', async () => {
    let turn = 0
    const { port } = await serve((request, response) => {
      response.end()
      // Closed behind the answer, as a server does that keeps connections for a while.
      if (turn++ === 0) response.on('finish', () => setImmediate(() => request.socket.resetAndDestroy()))
    })
    const { send } = sending(endpoint(`http://127.0.0.1:${port}/`))
    expect(await send('app', message)).toMatchObject({ ok: true })
    expect(await send('app', message)).toMatchObject({ ok: true })
  })

  describe('to where it must not go', () => {
    const resolveTo =
      (...addresses: string[]): Resolve =>
      async () =>
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))

    it.each([
      'https://127.0.0.1/',
      'https://2130706433/',
      'https://0x7f.1/',
      'https://[::1]/',
      'https://[::ffff:127.0.0.1]/',
      'https://169.254.169.254/latest/meta-data',
      'https://localhost/',
    ])('is refused: %s', async (address) => {
      const { port, connections } = await serve(ok)
      const url = address.replace(/\/(?=$|latest)/, `:${port}/`)
      expect(await sending(endpoint(url, { allowPrivate: false })).send('app', message)).toEqual({ ok: false, fault: 'address refused' })
      expect(connections()).toBe(0)
    })

    it('is refused when any address of a name is not public, and connects to none', async () => {
      const { port, connections } = await serve(ok)
      const refused = { ok: false, fault: 'address refused' }
      for (const addresses of [['127.0.0.1'], ['93.184.215.14', '127.0.0.1'], ['::1', '2606:4700::1'], ['64:ff9b::7f00:1']]) {
        const one = endpoint(`http://app.example:${port}/`, { allowPrivate: false })
        expect(await sending(one, { resolve: resolveTo(...addresses) }).send('app', message)).toEqual(refused)
      }
      expect(
        await sending(endpoint('http://app.example/', { allowPrivate: false }), { resolve: resolveTo() }).send('app', message),
      ).toEqual({
        ok: false,
        fault: 'name not found',
      })
      expect(connections()).toBe(0)
    })

    it('is refused by what the very look-up says that is connected to: a name that changes its mind is asked once', async () => {
      const { port, connections } = await serve(ok)
      let asked = 0
      const rebinding: Resolve = async () => [{ address: asked++ === 0 ? '192.31.196.1' : '127.0.0.1', family: 4 }]
      const one = endpoint(`http://app.example:${port}/`, { allowPrivate: false })
      const { send } = sending(one, { resolve: rebinding, timeout: 200 })
      // Public the first time, and checked; each attempt asks once, and connects to nothing but what it was told then.
      expect(await send('app', message)).not.toMatchObject({ ok: true })
      expect(asked).toBe(1)
      expect(await send('app', message)).toEqual({ ok: false, fault: 'address refused' })
      expect(asked).toBe(2)
      expect(connections()).toBe(0)
    })

    it('but where it may go it goes: the address that was checked is the one that is connected to', async () => {
      const { port, connections } = await serve(ok)
      const open = endpoint(`http://localhost:${port}/`, { allowPrivate: true })
      expect(await sending(open).send('app', message)).toEqual({ ok: true, status: 200 })
      expect(connections()).toBe(1)
      // Public, by the table; nobody answers there in this test.
      const { send } = sending(endpoint('http://app.example:9/', { allowPrivate: false }), {
        resolve: resolveTo('192.31.196.1'),
        timeout: 150,
      })
      const outcome = await send('app', message)
      expect(outcome).toMatchObject({ ok: false })
      expect(outcome).not.toMatchObject({ fault: 'address refused' })
    })
  })

  describe('by TLS', () => {
    let folder: string
    const file = (name: string) => join(folder, name)
    const pem = (name: string) => readFileSync(file(name), 'utf8')
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'symbolon-tls-'))
      const openssl = (line: string) => execFileSync('openssl', line.split(' '), { cwd: folder, stdio: 'ignore' })
      for (const ca of ['ca', 'other'])
        openssl(`req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${ca}.key -out ${ca}.pem -days 2 -subj /CN=${ca}`)
      openssl('req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=localhost')
      writeFileSync(file('names'), 'subjectAltName=DNS:localhost')
      openssl('x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names')
    })
    afterAll(() => rmSync(folder, { recursive: true, force: true }))

    it('trusts the authority that is named, for the name that is called, and no other', async () => {
      const tls = () => createTlsServer({ key: pem('server.key'), cert: pem('server.pem') }) as unknown as Server
      const { port, seen } = await serve(ok, tls())
      const to = (host: string, ca: string | undefined) => sending(endpoint(`https://${host}:${port}/`, { ca })).send('app', message)
      expect(await to('localhost', pem('ca.pem'))).toEqual({ ok: true, status: 200 })
      expect(await to('127.0.0.1', pem('ca.pem'))).toEqual({ ok: false, fault: 'ERR_TLS_CERT_ALTNAME_INVALID' })
      expect(await to('localhost', pem('other.pem'))).toMatchObject({ ok: false })
      expect(await to('localhost', undefined)).toMatchObject({ ok: false })
      expect(seen).toHaveLength(1)
    })
  })
})
