// The way down of a process: what it still answers, whom it sends elsewhere, what it finishes, and that it always ends.

import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, get as httpGet, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type ServiceProcess, startServiceProcess, until } from '../faults/service-process.ts'

let data: string
let service: ServiceProcess | undefined
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'symbolon-drain-'))
})
afterEach(async () => {
  await service?.stop('SIGKILL')
  service = undefined
  rmSync(data, { recursive: true, force: true })
})

const serve = async (...words: string[]) => {
  service = await startServiceProcess(data, { words })
  return service
}
const get = (url: string, options: { agent?: Agent; headers?: Record<string, string> } = {}) =>
  new Promise<IncomingMessage>((resolve, reject) => httpGet(url, options, resolve).on('error', reject))
const textOf = async (answer: IncomingMessage) => {
  let text = ''
  for await (const chunk of answer.setEncoding('utf8')) text += chunk
  return text
}
const basic = (secret: string) => ({ authorization: `Basic ${Buffer.from(`api:${secret}`).toString('base64')}` })

it('says that it is not ready and answers everything else, for the last time on each connection', async () => {
  const { origin, register, signIn, stop } = await serve('--drain', '3s')
  const secret = await register()
  const { accessToken } = await signIn('ada@example.com')
  const session = { headers: { authorization: `Bearer ${accessToken}` } }
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const before = await get(`${origin}/v1/session`, { ...session, agent })
  expect([before.statusCode, before.headers.connection]).toEqual([200, 'keep-alive'])
  await textOf(before)
  const stream = await get(`${origin}/v1/revocations`, { headers: basic(secret) })
  const heard = textOf(stream)

  const gone = stop('SIGTERM')
  const readiness = await (async () => {
    for (;;) {
      const answer = await get(`${origin}/readyz`)
      if (answer.statusCode !== 200) return answer
      answer.resume()
    }
  })()
  expect([readiness.statusCode, JSON.parse(await textOf(readiness))]).toEqual([503, { status: 'draining' }])
  // On the connection from before, too.
  const during = await get(`${origin}/v1/session`, { ...session, agent })
  expect([during.statusCode, during.headers.connection]).toEqual([200, 'close'])
  expect(JSON.parse(await textOf(during))).toMatchObject({ user: { email: 'ada@example.com' } })
  expect((await get(`${origin}/healthz`)).statusCode).toBe(200)
  // Who followed was sent away, and nobody is let in again.
  expect(await heard).toMatch(/event: bye\ndata: \{"retry_ms":\d+\}\n\n$/)
  const refused = await get(`${origin}/v1/revocations`, { headers: basic(secret) })
  expect([refused.statusCode, JSON.parse(await textOf(refused))]).toEqual([503, expect.objectContaining({ code: 'try_later' })])
  expect(await gone).toBe(0)
  await expect(get(`${origin}/healthz`)).rejects.toThrow('ECONNREFUSED')
})

/** A request whose body is half sent. */
const half = async ({ origin }: ServiceProcess) => {
  const body = JSON.stringify({ method: 'email_otp', identifier: 'ada@example.com', client_id: 'native' })
  const sent = request(`${origin}/v1/login/start`, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json', 'content-length': body.length, expect: '100-continue' },
  })
  const answered = new Promise<IncomingMessage>((resolve, reject) => sent.on('response', resolve).on('error', reject))
  answered.catch(() => {})
  sent.flushHeaders()
  sent.write(body.slice(0, 20))
  // The service has it once others, who came later, were answered.
  await get(`${origin}/healthz`).then(textOf)
  return { answered, finish: () => sent.end(body.slice(20)) }
}

it('finishes a request that is under way', async () => {
  const running = await serve()
  await running.register()
  const { answered, finish } = await half(running)
  const gone = running.stop('SIGTERM')
  await until('it takes no more connections', () =>
    get(`${running.origin}/healthz`).then(
      () => false,
      () => true,
    ),
  )
  finish()
  const answer = await answered
  expect([answer.statusCode, answer.headers.connection]).toEqual([200, 'close'])
  expect(JSON.parse(await textOf(answer))).toMatchObject({ login_id: expect.any(String) })
  expect(await gone).toBe(0)
})

it('ends all the same when a request does not', async () => {
  const running = await serve()
  const { answered } = await half(running)
  expect(await running.stop('SIGTERM')).toBe(0)
  await expect(answered).rejects.toThrow()
})

it('does not wait for connections that say nothing, such as browsers open, as it does for requests', async () => {
  const running = await serve()
  await running.register()
  const silent = connect(running.ports.port, '127.0.0.1').on('error', () => {})
  const cut = new Promise((resolve) => silent.once('close', resolve))
  await new Promise((resolve) => silent.once('connect', resolve))
  const { answered, finish } = await half(running)
  const gone = running.stop('SIGTERM')
  await cut
  // The request is still waited for: it was not the end of patience that cut the other one.
  finish()
  expect((await answered).statusCode).toBe(200)
  expect(await gone).toBe(0)
})

it.each(['SIGTERM', 'SIGINT'] as const)('ends at once at a second signal, %s', async (second) => {
  const running = await serve('--drain', '5m')
  const gone = running.stop('SIGTERM')
  await until('it drains', async () => (await get(`${running.origin}/readyz`)).statusCode === 503)
  running.signal(second)
  expect(await gone).toBe(130)
})

it('refuses a drain that is none', async () => {
  await expect(serve('--drain', 'soon')).rejects.toThrow('ended at its start')
  await expect(serve('--drain', '6m')).rejects.toThrow('ended at its start')
})
