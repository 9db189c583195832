// What the listener answers when there is no request to hand on: in the same words and headers as every other refusal.

import { connect } from 'node:net'
import { securityHeaders } from '@symbolon/protocol'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Listener, listen } from '../../src/server/listen.ts'

let listener: Listener
beforeAll(async () => {
  const echo = { issuer: 'https://auth.example', trustedProxies: 0, handler: async (request: Request) => new Response(request.url) }
  listener = await listen(echo, { host: '127.0.0.1', port: 0, variable: 'PORT' }, () => {})
})
afterAll(() => listener.close(0))

/** Sends bytes as they are, and reads until the other side ends. */
const speak = (text: string) =>
  new Promise<{ status: number; headers: string; body: string }>((resolve, reject) => {
    let heard = ''
    const socket = connect(listener.port, '127.0.0.1')
    socket.on('data', (chunk) => {
      heard += chunk
    })
    socket.on('error', reject)
    socket.on('close', () => {
      const [headers = '', body = ''] = heard.split('\r\n\r\n')
      resolve({ status: Number(heard.slice(9, 12)), headers: headers.toLowerCase(), body })
    })
    socket.write(text)
  })
const get = (target: string, ...more: string[]) =>
  `GET ${target} HTTP/1.1\r\nConnection: close\r\n${more.map((line) => `${line}\r\n`).join('')}\r\n`
const host = 'Host: x'
const some = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: 1`)

it.each([
  ['what is not HTTP', 'HELLO\r\n\r\n', 400, 'invalid_request'],
  ['no Host', get('/healthz'), 400, 'invalid_request'],
  ['two lengths', `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`, 400, 'invalid_request'],
  ['headers that are too large', get('/', host, `X: ${'a'.repeat(20_000)}`), 431, 'headers_too_large'],
  ['too many headers', get('/', host, ...some(110)), 431, 'headers_too_large'],
  ['TRACE', get('/', host).replace('GET', 'TRACE'), 405, 'method_not_allowed'],
  ['a target that is none', get('*', host), 400, 'invalid_request'],
  ['a large body', `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 9999999\r\n\r\n`, 413, 'body_too_large'],
])('refuses %s as a problem with every security header', async (_, text, status, code) => {
  const answer = await speak(text)
  expect([answer.status, JSON.parse(answer.body).code]).toEqual([status, code])
  expect(answer.headers).toContain('content-type: application/problem+json')
  expect(answer.headers).toContain('cache-control: no-store')
  for (const [name, value] of Object.entries(securityHeaders(true))) expect(answer.headers).toContain(`${name}: ${value}`.toLowerCase())
})

it('takes what is within its limits, an absolute target too, whose host is not believed', async () => {
  expect((await speak(get('/a', host, ...some(90)))).body).toContain('https://auth.example/a')
  expect((await speak(get('http://evil.example/a?b', host))).body).toContain('https://auth.example/a?b')
})
