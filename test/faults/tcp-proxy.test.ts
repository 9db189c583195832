// The proxy misbehaves as it says, and otherwise not at all.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

let server: Server
let proxy: TcpProxy
beforeEach(async () => {
  server = createServer((_, response) => response.end('hello'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  proxy = await startTcpProxy((server.address() as AddressInfo).port)
})
afterEach(async () => {
  await proxy.close()
  server.closeAllConnections()
  server.close()
})
const ask = (ms = 2000) =>
  fetch(`http://127.0.0.1:${proxy.port}`, { signal: AbortSignal.timeout(ms), headers: { connection: 'close' } }).then((r) => r.text())

it('passes, cuts, and passes again', async () => {
  expect(await ask()).toBe('hello')
  proxy.become({ as: 'cut' })
  await expect(ask()).rejects.toThrow()
  proxy.become({ as: 'pass' })
  expect(await ask()).toBe('hello')
})
it('swallows', async () => {
  proxy.become({ as: 'black_hole' })
  await expect(ask(300)).rejects.toThrow(/timeout/i)
})
it('delays', async () => {
  proxy.become({ as: 'delay', ms: 200 })
  const began = performance.now()
  expect(await ask()).toBe('hello')
  expect(performance.now() - began).toBeGreaterThan(390)
})
it('trickles', async () => {
  proxy.become({ as: 'trickle', ms: 50 })
  await expect(ask(500)).rejects.toThrow(/timeout/i)
})
it('resets in the middle', async () => {
  proxy.become({ as: 'reset', after: 20 })
  await expect(ask()).rejects.toThrow()
  proxy.become({ as: 'reset', after: 100_000 })
  expect(await ask()).toBe('hello')
})
