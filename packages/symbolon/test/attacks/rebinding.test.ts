// Another site's name that leads to this machine (DNS rebinding): its pages may read what a service in development answers
// them, so what is kept there for the developer alone, codes and links, is answered to no name but this machine's own.

import { request } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
let port = ''
beforeAll(async () => {
  service = await startService()
  port = new URL(service.origin).port
  await fetch(`${service.origin}/v1/login/start`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ method: 'email_otp', identifier: 'ada@example.com' }),
  })
})
afterAll(() => service.close())

const ask = (path: string, host: string) =>
  new Promise<{ status: number; text: string }>((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, headers: { host } }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
      .on('error', reject)
      .end()
  })
const paths = ['/dev/outbox', '/dev/mailbox', '/dev/mailbox/mail?id=1', '/dev/mailbox/html?id=1']

it.each([
  'evil.example',
  'evil.example:80',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  'evil.example#localhost',
  '192.168.1.5',
  '0.0.0.0',
  'localhost@evil.example',
])('tells nothing of what was sent to who calls it %j', async (name) => {
  for (const path of [...paths, `http://localhost:${port}/dev/outbox`, '/dev//outbox', '/v1/../dev/outbox', '/%64ev/outbox']) {
    const { status, text } = await ask(path, name.includes(':') ? name : `${name}:${port}`)
    expect([path, status]).toEqual([path, status === 400 ? 400 : 404])
    expect(text).not.toMatch(/ada@example|\b\d{6}\b/)
  }
})

it.each(['localhost', '127.0.0.1', '[::1]', 'LOCALHOST'])('tells it to who calls it %s', async (name) => {
  for (const path of paths) expect((await ask(path, `${name}:${port}`)).status).toBe(200)
  expect((await ask('/dev/outbox', `${name}:${port}`)).text).toMatch(/ada@example.*\b\d{6}\b/)
})

it('and to who mounts it without node, by the address of the request', async () => {
  const at = (origin: string) => service.auth.handler(new Request(`${origin}/dev/outbox`))
  expect((await at(service.origin)).status).toBe(200)
  expect((await at('http://evil.example')).status).toBe(404)
})
