// Live checks over HTTP: what is asked together goes out together, nothing joins what was sent before it, and a service
// that does not answer is left alone. Against a scripted service, over real HTTP.

import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createBreaker } from '../../src/source/breaker.ts'
import { createIntrospection, type Introspection } from '../../src/source/introspection.ts'
import { createTransport, type Transport } from '../../src/source/transport.ts'
import { startWire, type Wire } from '../setting/wire.ts'

let wire: Wire
let asking: Introspection
let transport: Transport
let states: string[]
/** The breaker's clock, moved by hand. */
let time = 0
/** Batches that wait for their answer, as they came. */
let batches: { readonly tokens: string[]; answer(status?: number): void }[]
let hold: boolean
const batchPath = '/oauth/introspect/batch'

const answer = (response: ServerResponse, tokens: string[], status = 200) =>
  response.writeHead(status).end(JSON.stringify({ results: tokens.map((token) => ({ active: true, token })) }))

const start = (deadline = 1000) => {
  states = []
  transport = createTransport({ issuer: wire.issuer, clientId: 'api', clientSecret: 's', deadline, fetch })
  const breaker = createBreaker(
    () => time,
    () => 0.5,
    (state) => states.push(state),
  )
  asking = createIntrospection({ transport, breaker, deadline, now: () => performance.now(), keep: (work) => work })
}

beforeEach(async () => {
  wire = await startWire()
  batches = []
  hold = false
  wire.on(batchPath, (request, response) => {
    const { tokens } = JSON.parse(request.text) as { tokens: string[] }
    const one = { tokens, answer: (status?: number) => answer(response, tokens, status) }
    batches.push(one)
    if (!hold) one.answer()
  })
  start()
})
afterEach(async () => {
  asking.end()
  transport.end()
  await wire.close()
})
const until = (check: () => unknown) => expect.poll(check, { timeout: 5000, interval: 5 })
/** Tokens that begin and end alike, as those of one key do. */
const many = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => `${'eyJhbGciOiJFUzI1NiJ9'.repeat(8)}.${from + i}.${'x'.repeat(86)}`)

describe('coalescing', () => {
  it('sends what is asked in one turn as one batch, each token once, and gives each its own answer', async () => {
    const tokens = [...many(0, 64), ...many(0, 64)]
    const answers = await Promise.all(tokens.map((token) => asking.ask(token)))
    expect(answers.map(({ token }) => token)).toEqual(tokens)
    expect(batches.map((one) => one.tokens.length)).toEqual([64])
    expect(wire.seen.at(-1)?.headers.authorization).toBe(`Basic ${btoa('api:s')}`)
  })

  it('never joins a batch that was sent: the same token asked again goes out again', async () => {
    hold = true
    const first = asking.ask('t')
    await until(() => batches.length).toBe(1)
    const second = asking.ask('t')
    await until(() => batches.length).toBe(2)
    // The first answer is the first check's only.
    let secondAnswered = false
    void second.then(() => {
      secondAnswered = true
    })
    batches[0]?.answer()
    await first
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(secondAnswered).toBe(false)
    batches[1]?.answer()
    expect(await second).toMatchObject({ token: 't' })
  })

  it('has at most two batches under way, of at most 256 tokens; what waits goes with the next', async () => {
    hold = true
    const all = [asking.ask('a')]
    await until(() => batches.length).toBe(1)
    all.push(asking.ask('b'))
    await until(() => batches.length).toBe(2)
    all.push(...many(0, 300).map((token) => asking.ask(token)))
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect([batches.length, asking.waiting()]).toEqual([2, 302])
    hold = false
    for (const one of [...batches]) one.answer()
    await Promise.all(all)
    expect(batches.slice(2).map((one) => one.tokens.length)).toEqual([256, 44])
    expect(asking.waiting()).toBe(0)
  })

  it('asks one by one where there is no batch form, and tries that again later only', async () => {
    wire.on(batchPath, (_, response) => response.writeHead(404).end())
    wire.on('/oauth/introspect', (request, response) =>
      response.end(JSON.stringify({ active: true, token: new URLSearchParams(request.text).get('token') })),
    )
    const tokens = many(0, 40)
    expect((await Promise.all(tokens.map((token) => asking.ask(token)))).map(({ token }) => token)).toEqual(tokens)
    expect((await Promise.all(tokens.map((token) => asking.ask(token)))).map(({ token }) => token)).toEqual(tokens)
    expect([wire.count(batchPath), wire.count('/oauth/introspect')]).toEqual([1, 80])
  })
})

describe('a service that does not answer', () => {
  it('is given up at the deadline, for those who waited for a place too', async () => {
    start(300)
    hold = true
    const all = [asking.ask('a')]
    await until(() => batches.length).toBe(1)
    all.push(asking.ask('b'))
    await until(() => batches.length).toBe(2)
    const began = performance.now()
    all.push(asking.ask('c'))
    const outcomes = await Promise.allSettled(all)
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(performance.now() - began).toBeLessThan(1000)
  })

  it.each([
    ['an error', (response: ServerResponse) => response.writeHead(500).end('{}')],
    ['a wrong secret', (response: ServerResponse) => response.writeHead(401).end('{"error":"invalid_client"}')],
    ['no JSON', (response: ServerResponse) => response.end('<p>')],
    ['fewer answers', (response: ServerResponse) => response.end('{"results":[]}')],
    ['no answers', (response: ServerResponse) => response.end('{"results":[null]}')],
    ['a torn connection', (response: ServerResponse) => response.destroy()],
  ])('never passes for a yes: %s', async (_, respond) => {
    wire.on(batchPath, (_request, response) => respond(response))
    await expect(asking.ask('t')).rejects.toMatchObject({ code: 'try_later', status: 503 })
  })

  it('is left alone after five failures: callers are refused at once, one try decides, and it recovers', async () => {
    let status = 503
    wire.on(batchPath, (request, response) => answer(response, (JSON.parse(request.text) as { tokens: string[] }).tokens, status))
    for (let i = 0; i < 5; i++) await expect(asking.ask(`t${i}`)).rejects.toMatchObject({ status: 503 })
    expect(states).toEqual(['open'])
    time += 1499
    for (let i = 0; i < 1000; i++) await expect(asking.ask('t')).rejects.toMatchObject({ status: 503 })
    expect(wire.count(batchPath)).toBe(5)
    // Half open: one try, whose failure opens it again for longer.
    const tryAgain = () =>
      asking.ask('t').then(
        () => 'answered',
        () => 'refused',
      )
    time += 1
    expect([await tryAgain(), wire.count(batchPath)]).toEqual(['refused', 6])
    expect(states).toEqual(['open', 'half_open', 'open'])
    status = 200
    time += 2999
    expect([await tryAgain(), wire.count(batchPath)]).toEqual(['refused', 6])
    time += 1
    expect([await tryAgain(), wire.count(batchPath)]).toEqual(['answered', 7])
    expect(states.at(-1)).toBe('closed')
    expect(await tryAgain()).toBe('answered')
  })

  it('sheds everybody who waits, those who ask about the same token too', async () => {
    start(5000)
    hold = true
    const all = []
    for (let failures = 0; failures < 4; failures++) {
      all.push(asking.ask(`t${failures}`))
      await until(() => batches.length).toBe(failures + 1)
      batches[failures]?.answer(503)
      await Promise.allSettled(all)
    }
    all.push(asking.ask('a'))
    await until(() => batches.length).toBe(5)
    all.push(asking.ask('b'))
    await until(() => batches.length).toBe(6)
    const shed = Promise.allSettled([asking.ask('c'), asking.ask('c'), asking.ask('c')])
    const began = performance.now()
    batches[4]?.answer(503)
    expect((await shed).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(performance.now() - began).toBeLessThan(2000)
    batches[5]?.answer()
    await Promise.allSettled(all)
  })

  it('has a bounded queue', async () => {
    start(10_000)
    hold = true
    const outcomes = Promise.allSettled(many(0, 5000).map((token) => asking.ask(token)))
    await until(() => asking.waiting()).toBe(4096)
    hold = false
    for (const one of batches) one.answer()
    expect((await outcomes).filter(({ status }) => status === 'rejected').length).toBe(904)
  })

  it('ends what waits when the verifier is closed', async () => {
    hold = true
    const all = [asking.ask('a'), asking.ask('b')]
    await until(() => batches.length).toBe(1)
    all.push(asking.ask('c'))
    const outcomes = Promise.allSettled(all)
    asking.end()
    transport.end()
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    await expect(asking.ask('d')).rejects.toMatchObject({ status: 503 })
  })
})
