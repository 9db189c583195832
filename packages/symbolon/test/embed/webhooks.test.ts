// Webhooks of whole services to real receivers: several targets, several nodes on one database, a node that does not let
// go, stops, and what operators see.

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { webhookSecret } from '@symbolon/protocol'
import { afterAll, afterEach, expect, it } from 'vitest'
import { type AuthOptions, createAuth } from '#embed'
import { openPostgresStore } from '#stores/postgres'
import { sharePostgres } from '../../../../test/postgres.ts'
import { eventually, type Receiver, startReceiver } from '../setting/receiver.ts'
import { startService, type TestService } from '../setting/server.ts'

const postgres = sharePostgres(['fsync=off'])
afterAll(async () => (await postgres.started())?.stop())

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})
const secret = webhookSecret(randomBytes(32))
const receive = async (secrets = [secret]) => {
  const receiver = await startReceiver(secrets)
  ends.push(() => receiver.close())
  return receiver
}
const serve = async (options: Partial<AuthOptions>) => {
  const service = await startService(options)
  ends.push(() => service.close())
  return service
}
const target = (receiver: Receiver, change: object = {}) => ({
  name: 'app',
  url: receiver.url,
  secrets: [secret],
  events: ['user.created' as const],
  ...change,
})
const create = async ({ auth }: TestService, email: string) => {
  const made = await auth.users.create({ email }, 'test')
  if (!made.ok) throw new Error(made.code)
  return made.user.id
}
/** Creates as many, six at once: more than there are connections, and fewer than would wait too long for one. */
const createMany = async (count: number, name: string, nodeOf: (n: number) => TestService) => {
  const numbers = Array.from({ length: count }, (_, n) => n).values()
  const ids: string[] = []
  const work = async () => {
    for (const n of numbers) ids.push(await create(nodeOf(n), `${name}${n}@example.com`))
  }
  await Promise.all(Array.from({ length: 6 }, work))
  return ids
}
const usersOf = ({ got }: Receiver) => got.map(({ event }) => (event.type === 'user.created' ? event.data.user_id : event.type))

it('tells each target what it asked for, in order, and one that is down holds no other', async () => {
  const [app, crm, down] = [await receive(), await receive(), await receive()]
  down.status = 500
  const service = await serve({
    webhooks: [
      target(app),
      target(crm, { name: 'crm', include: ['email'] }),
      target(down, { name: 'down' }),
      target(await receive([webhookSecret(randomBytes(32))]), { name: 'stranger' }),
    ],
  })
  const ids: string[] = []
  for (let i = 0; i < 20; i++) ids.push(await create(service, `user${i}@example.com`))
  await eventually(() => app.got.length >= 20 && crm.got.length >= 20)
  expect(usersOf(app)).toEqual(ids)
  expect(usersOf(crm)).toEqual(ids)
  expect(app.got.map(({ event }) => Object.keys(event.data))).toEqual(ids.map(() => ['user_id', 'by']))
  expect(crm.got[3]?.event.data.email).toBe('user3@example.com')
  const { auth, admin, adminKey } = service
  const headers = { authorization: `Bearer ${adminKey}` }
  const list = async () => (await (await fetch(`${admin}/admin/v1/webhooks`, { headers })).json()) as { targets: Record<string, unknown>[] }
  await eventually(async () => (await auth.webhooks.list()).filter(({ failures }) => failures > 0).length === 2)
  await eventually(async () =>
    (await auth.webhooks.list()).every(({ name, waiting }) => waiting === (['app', 'crm'].includes(name) ? 0 : 20)),
  )
  expect((await list()).targets).toMatchObject([
    { name: 'app', waiting: 0, failures: 0, failing_since: null, configured: true },
    { name: 'crm', waiting: 0 },
    { name: 'down', waiting: 20, parked: 0, fault: 'status 500', failing_since: expect.any(String) },
    { name: 'stranger', waiting: 20, fault: 'status 400' },
  ])
  // An operator does not wait for the next try.
  const before = down.got.length
  const post = (path: string) => fetch(`${admin}/admin/v1/webhooks/${path}`, { method: 'POST', headers })
  expect(await (await post('app/test')).json()).toEqual({ delivered: true, status: 204 })
  expect(await (await post('stranger/test')).json()).toEqual({ delivered: false, fault: 'status 400' })
  expect((await post('nobody/test')).status).toBe(404)
  expect((await post('nobody/retry')).status).toBe(404)
  const { due } = (await (await post('down/retry')).json()) as { due: number }
  expect(due).toBeGreaterThanOrEqual(1)
  down.status = 200
  await post('down/retry')
  await eventually(async () => (await auth.webhooks.list()).find(({ name }) => name === 'down')?.waiting === 0)
  expect(new Set(usersOf(down).slice(before))).toEqual(new Set(ids))
  expect((await fetch(`${admin}/admin/v1/webhooks`)).status).toBe(401)
})

it('is taken by a receiver of either secret while one replaces another', async () => {
  const fresh = webhookSecret(randomBytes(32))
  const [old, young] = [await receive(), await receive([fresh])]
  const service = await serve({
    webhooks: [target(old, { secrets: [fresh, secret] }), target(young, { name: 'young', secrets: [fresh, secret] })],
  })
  await create(service, 'ada@example.com')
  await eventually(() => old.got.length === 1 && young.got.length === 1)
  expect([old.refused, young.refused]).toEqual([[], []])
})

it('of two nodes on one database, each event comes once', async () => {
  const server = await postgres()
  const url = server.url(await server.create())
  const receiver = await receive()
  const options = { database: { url, connections: 5 }, secrets: ['x'.repeat(40)], webhooks: [target(receiver)] }
  const nodes = [await serve(options), await serve(options)] as const
  const ids = await createMany(60, 'user', (n) => nodes[(n % 2) as 0 | 1])
  await eventually(() => receiver.got.length >= 60)
  // A node that was late would have come by now.
  for (let i = 60; i < 70; i++) ids.push(await create(nodes[0], `user${i}@example.com`))
  await eventually(() => receiver.got.length >= 70)
  expect(new Set(usersOf(receiver))).toEqual(new Set(ids))
  expect(receiver.got).toHaveLength(70)
  // One is stopped while much waits: the other one goes on, and what was under way is not lost.
  const more = await createMany(40, 'late', () => nodes[1])
  await nodes[0].auth.close()
  await eventually(() => new Set(usersOf(receiver)).size >= 110)
  expect(new Set(usersOf(receiver))).toEqual(new Set([...ids, ...more]))
})

it('waits for a node that does not let go, and goes on when its lease is over', async () => {
  const server = await postgres()
  const url = server.url(await server.create())
  const receiver = await receive()
  const dead = await openPostgresStore({ url })
  ends.push(() => dead.close())
  // Long, until the node is there, however long that takes.
  expect(await dead.leases.take('webhook app', 'dead', 60_000)).toBe(true)
  const service = await serve({ database: { url, connections: 5 }, webhooks: [target(receiver)] })
  const took = performance.now()
  expect(await dead.leases.take('webhook app', 'dead', 2500)).toBe(true)
  await create(service, 'ada@example.com')
  await eventually(() => receiver.got.length === 1)
  expect(performance.now() - took).toBeGreaterThan(2000)
})

it('sends what waited over a restart, under the same id', async () => {
  const receiver = await receive()
  receiver.status = 500
  const data = mkdtempSync(join(tmpdir(), 'symbolon-webhooks-'))
  ends.push(() => rmSync(data, { recursive: true, force: true }))
  const open = async () => {
    const auth = createAuth({ issuer: 'http://localhost:3000', dev: true, data, webhooks: [target(receiver)] })
    ends.push(() => auth.close())
    await auth.ready()
    return auth
  }
  const first = await open()
  const made = await first.users.create({ email: 'ada@example.com' }, 'test')
  await eventually(async () => (await first.webhooks.list())[0]?.failures === 1)
  await first.close()
  receiver.status = 200
  const again = await open()
  expect(await again.webhooks.retry('app')).toBe(1)
  await eventually(() => receiver.got.length === 2)
  expect(usersOf(receiver)).toEqual([made.ok && made.user.id, made.ok && made.user.id])
  expect(receiver.got[0]?.id).toBe(receiver.got[1]?.id)
})

it('stops soon though a target does not answer', async () => {
  const silent = createServer(() => {})
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  ends.push(() => silent.close())
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`
  const held = await startService({ webhooks: [{ name: 'app', url, secrets: [secret] }] })
  let called = 0
  silent.on('connection', () => called++)
  await create(held, 'eve@example.com')
  await eventually(() => called > 0)
  const began = performance.now()
  await held.close()
  expect(performance.now() - began).toBeLessThan(4000)
})

it('refuses targets that cannot stand, in a sentence', async () => {
  const good = { name: 'app', url: 'https://app.example/hooks', secrets: [secret] }
  const refused: readonly [object[], RegExp][] = [
    [[{ ...good, url: 'http://app.example/hooks', allowPrivate: false }], /webhooks\[0\]\.url must begin with https/],
    [[{ ...good, url: 'https://user:password@app.example/' }], /must be an address like/],
    [[{ ...good, url: 'file:///etc/passwd' }], /must be an address like/],
    [[{ ...good, secrets: ['whsec_c2hvcnQ='] }], /must be made by `symbolon webhooks secret`/],
    [[{ ...good, secrets: [] }], /secrets/],
    [[good, good], /two of the name app/],
    [[{ ...good, events: ['user.born'] }], /names of docs\/events\.md/],
    [[{ ...good, name: 'An App' }], /short name/],
  ]
  for (const [webhooks, sentence] of refused) {
    const thrown = (() => {
      try {
        createAuth({ issuer: 'http://localhost:3000', dev: true, data: '/nowhere', webhooks: webhooks as never })
      } catch (error) {
        return String(error)
      }
      return ''
    })()
    expect(thrown).toMatch(sentence)
    expect(thrown).not.toMatch(/whsec_c2|password@/)
  }
})
