// Targets of webhooks that answer as nobody should: in pieces, too much, twice, not HTTP, for ever. The service goes on.

import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createWebhookSender } from '#delivery'

const faults: unknown[] = []
const note = (error: unknown) => void faults.push(error)
beforeAll(() => {
  process.on('uncaughtException', note)
  process.on('unhandledRejection', note)
})
afterAll(() => {
  process.off('uncaughtException', note)
  process.off('unhandledRejection', note)
})

const big = 'x'.repeat(100_000)
/** Pours for as long as it is let. */
const pour = (socket: Socket, text: string) => {
  const on = () => {
    while (!socket.destroyed && socket.write(text));
  }
  socket.on('drain', on)
  on()
}
const refused = (fault: string) => ({ ok: false, fault })
const taken = { ok: true, status: 200 }

const answers: readonly (readonly [string, (socket: Socket) => void, object])[] = [
  ['nothing', (s) => s.end(), refused('ECONNRESET')],
  ['a reset', (s) => s.resetAndDestroy(), refused('ECONNRESET')],
  ['no HTTP', (s) => s.end('hello\r\n\r\n'), refused('HPE_INVALID_CONSTANT')],
  ['binary', (s) => s.end(Buffer.alloc(5000, 0xff)), refused('HPE_INVALID_CONSTANT')],
  ['half a status line', (s) => s.end('HTTP/1.1 2'), refused('ECONNRESET')],
  ['a status that is none', (s) => s.end('HTTP/1.1 999999 x\r\n\r\n'), refused('HPE_INVALID_STATUS')],
  ['headers without end', (s) => s.write(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(100_000)}`), refused('HPE_HEADER_OVERFLOW')],
  [
    'two lengths',
    (s) => s.end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef'),
    refused('HPE_UNEXPECTED_CONTENT_LENGTH'),
  ],
  [
    'twice',
    (s) => s.write('HTTP/1.1 500 no\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
    refused('status 500'),
  ],
  ['that it goes on, for ever', (s) => pour(s, 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)), refused('timeout')],
  [
    'in another protocol',
    (s) => s.write('HTTP/1.1 101 x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nx'),
    refused('connection lost'),
  ],
  ['from elsewhere', (s) => s.end('HTTP/1.1 307 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n'), refused('status 307')],
  ['after ever', (s) => s.end('HTTP/1.1 503 x\r\nretry-after: 99999999999999999999\r\ncontent-length: 0\r\n\r\n'), refused('status 503')],
  // Taken is what its status says; what comes behind that is read by nobody.
  ['broken chunks', (s) => s.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZZZ\r\n'), taken],
  ['more than it said', (s) => s.write(`HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n${big}`), taken],
  [
    'a body without end',
    (s) => {
      s.write('HTTP/1.1 200 OK\r\n\r\n')
      pour(s, big)
    },
    taken,
  ],
]

it.each(answers)('a target answers %s', async (_, answer, outcome) => {
  const held: Socket[] = []
  const server = createServer((socket) => {
    held.push(socket)
    socket.on('error', () => {})
    socket.once('data', () => answer(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const sender = createWebhookSender([{ name: 'one', url, secrets: [new Uint8Array(32)], allowPrivate: true }], { timeout: 1500 })
  for (const id of ['evt_1', 'evt_2']) expect(await sender.send('one', { id, body: '{}' })).toEqual(outcome)
  sender.close()
  for (const socket of held) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
  expect(faults).toEqual([])
})
