// How long a request may wait for the store, whatever number of statements it takes: refused in under two seconds, and what
// takes its time for another reason is waited for.

import { request } from 'node:http'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { startPulse } from '../../../../test/faults/pulse.ts'
import { startTcpProxy, type TcpProxy } from '../../../../test/faults/tcp-proxy.ts'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'
import { answerInTime } from '../../src/http/deadline.ts'
import { startService, type TestService } from '../setting/server.ts'

let postgres: Postgres
let proxy: TcpProxy
const pulse = startPulse()
beforeAll(async () => {
  postgres = await startPostgres(['fsync=off'])
  proxy = await startTcpProxy(postgres.port)
})
let service: TestService
afterEach(async () => {
  proxy.become({ as: 'pass' })
  await service.close()
})
afterAll(async () => {
  pulse.stop()
  await proxy.close()
  postgres.stop()
})

const post = (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  fetch(service.origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: service.origin, ...headers },
    body: JSON.stringify(body),
  })
const newest = async () => ((await (await fetch(`${service.origin}/dev/outbox`)).json()) as { text: string }[]).at(-1)?.text ?? ''

/** Begins a sign-in; the function takes it to its end. */
async function begin(email: string) {
  const started = await post('/v1/login/start', { method: 'email_otp', identifier: email })
  const { login_id } = (await started.json()) as { login_id: string }
  let code: string | undefined
  await expect.poll(async () => (code = /\b\d{6}\b/.exec(await newest())?.[0])).toBeDefined()
  const cookie = cookiesOf(started)
  return () => post('/v1/login/verify', { login_id, code }, { cookie })
}
const cookiesOf = (answer: Response) =>
  answer.headers
    .getSetCookie()
    .map((one) => one.split(';', 1)[0])
    .join('; ')
/** Seconds: one where no connection became free in time, two where nothing was answered. Which of them is over first is not ours to say. */
const soon = /^[12]$/
/** An answer, how long it took, and how long it may: two seconds, and what this process was kept from running costs both sides. */
async function timed(call: () => Promise<Response>) {
  const began = performance.now()
  const answer = await call()
  const ended = performance.now()
  // A beat that is late by now is counted.
  await new Promise((resolve) => setTimeout(resolve, 0))
  return { answer, ms: ended - began, most: 2000 + 2 * pulse.lost(began, ended) }
}

it('refuses in under two seconds what takes many slow statements, none of them too slow by itself', async () => {
  service = await startService({ database: postgres.url(await postgres.create(), proxy.port) })
  const finish = await begin('ada@example.com')
  proxy.become({ as: 'delay', ms: 20 })
  const finished = await finish()
  expect(finished.status).toBe(200)
  const signedIn = cookiesOf(finished)

  proxy.become({ as: 'pass' })
  const again = await begin('bob@example.com')
  proxy.become({ as: 'delay', ms: 700 })
  const { answer, ms, most } = await timed(again)
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([503, 'store_unavailable'])
  expect(answer.headers.get('retry-after')).toMatch(soon)
  expect(answer.headers.getSetCookie()).toEqual([])
  expect(ms).toBeLessThan(most)
  // Pages are pages.
  const page = await timed(() => fetch(`${service.origin}/account`, { headers: { accept: 'text/html', cookie: signedIn } }))
  expect([page.answer.status, page.answer.headers.get('content-type')]).toEqual([503, 'text/html; charset=UTF-8'])
  expect(page.ms).toBeLessThan(page.most)
})

it('refuses an operator who looks at something in the same time', async () => {
  service = await startService({ database: postgres.url(await postgres.create(), proxy.port) })
  await (await begin('ada@example.com'))()
  const admin = (method: string, path: string, body?: unknown) =>
    fetch(`${service.admin}/admin/v1/users${path}`, {
      method,
      headers: { authorization: `Bearer ${service.adminKey}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  const { users } = (await (await admin('GET', '?email=ada@example.com')).json()) as { users: { id: string }[] }
  const path = `/${users[0]?.id}`
  expect((await admin('GET', `${path}/sessions`)).status).toBe(200)

  // Who it is, and what they have: two statements.
  proxy.become({ as: 'delay', ms: 500 })
  const { answer, ms, most } = await timed(() => admin('GET', `${path}/sessions`))
  expect(answer.status).toBe(503)
  expect(answer.headers.get('retry-after')).toMatch(soon)
  expect(ms).toBeLessThan(most)
  proxy.become({ as: 'pass' })
  // A statement that took too long has made the database one that cannot be reached, until a probe has: all is well within ten seconds.
  await expect.poll(async () => (await admin('GET', `${path}/sessions`)).status, { timeout: 10_000 }).toBe(200)
  expect((await admin('PUT', `${path}/roles`, { roles: ['member'] })).status).toBe(200)
})

it('waits for a body that is slow on its way, and for an application’s own code', async () => {
  service = await startService({
    hooks: {
      beforeUserCreated: { budget: '3s', run: () => new Promise((resolve) => setTimeout(resolve, 2100)) },
    },
  })
  const finish = await begin('ada@example.com')
  expect((await finish()).status).toBe(200)

  const body = JSON.stringify({ method: 'email_otp', identifier: 'bob@example.com' })
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const sent = request(`${service.origin}/v1/login/start`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: service.origin, 'content-length': body.length },
    })
    sent.once('response', (response) => resolve(response.resume().statusCode))
    sent.once('error', reject)
    sent.write(body.slice(0, 10))
    setTimeout(() => sent.end(body.slice(10)), 2500)
  })
  expect(status).toBe(200)
})

it('refuses nobody for what this process was held up itself, and everybody in time though its ticks come late', async () => {
  const from = { ip: null }
  const asked = new Request('http://localhost/')
  let now = 0
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  /** The next tick comes when so much time has gone by. */
  const tickAfter = async (ms: number) => {
    now += ms
    await vi.advanceTimersByTimeAsync(100)
  }
  const answered = (ms: number) =>
    answerInTime(0, (_, { late }) =>
      late ? new Response('late') : new Promise((resolve) => setTimeout(resolve, ms, new Response('in time'))),
    )
  try {
    const waiting = answered(100)(asked, from)
    await tickAfter(2500)
    expect(await (await waiting).text()).toBe('in time')

    now = 0
    const late = answered(10_000)(asked, from)
    let answer: Response | undefined
    void late.then((one) => {
      answer = one
    })
    while (answer === undefined && now < 5000) await tickAfter(155)
    expect(await answer?.text()).toBe('late')
    // The first tick behind 1,800 ms, whatever number of them there were.
    expect(now).toBe(12 * 155)
  } finally {
    clock.mockRestore()
    vi.useRealTimers()
  }
})
