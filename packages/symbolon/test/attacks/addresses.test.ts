// Who has spent a budget by address, and pretends to be somewhere else: in what a proxy hands on, in how an address is written,
// within one network. Behind a trusted proxy counts what it appended, and nothing that stood there before.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { toNodeHandler } from 'symbolon/node'
import { afterEach, describe, expect, it } from 'vitest'
import { clientAddress } from '../../src/node/address.ts'
import { startService, type TestService } from '../setting/server.ts'

const limit = 3
let service: TestService
let front: Server
afterEach(async () => {
  front.closeAllConnections()
  front.close()
  await service.close()
})

/** A service behind so many trusted proxies; the answers' statuses to starts with these X-Forwarded-For lines. */
async function behind(trustedProxies: number) {
  service = await startService({ budgets: { startPerAddress: { limit, window: '1h' } } })
  front = createServer(toNodeHandler({ issuer: service.origin, trustedProxies, handler: service.auth.handler }))
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  const address = `http://127.0.0.1:${(front.address() as AddressInfo).port}/v1/login/start`
  let n = 0
  return async (...forwarded: string[]) => {
    const headers = new Headers({ 'content-type': 'application/json' })
    for (const line of forwarded) headers.append('x-forwarded-for', line)
    for (const name of ['x-real-ip', 'x-client-ip', 'true-client-ip', 'cf-connecting-ip', 'forwarded']) headers.set(name, `10.0.0.${++n}`)
    const body = JSON.stringify({ method: 'email_otp', identifier: `p${++n}@example.com` })
    return (await fetch(address, { method: 'POST', headers, body })).status
  }
}
const spent = async (ask: (...forwarded: string[]) => Promise<number>, own: readonly string[]) => {
  for (let turn = 0; turn < limit; turn++) expect(await ask(...own)).toBe(200)
  expect(await ask(...own)).toBe(429)
}

it('no header moves anybody where no proxy is trusted', async () => {
  const ask = await behind(0)
  await spent(ask, [])
  for (const line of ['1.2.3.4', '2001:db8::1', '127.0.0.1', '1.2.3.4, 5.6.7.8', '']) expect(await ask(line)).toBe(429)
})

it.each([
  [1, '198.51.100.7'],
  [2, '198.51.100.7, 10.0.0.1'],
])('what stands before %i trusted hops moves nobody', async (hops, appended) => {
  const ask = await behind(hops)
  await spent(ask, [appended])
  for (const line of ['1.2.3.4', '1.2.3.4, 5.6.7.8', 'unknown', '"', ',', ',,,', ' ', '2001:db8::1', '1.2.3.4, '.repeat(200)])
    expect(await ask(`${line}, ${appended}`)).toBe(429)
  // Two lines are one list (RFC 9110 §5.3).
  expect(await ask('1.2.3.4', appended)).toBe(429)
  // And somebody else is somebody else.
  expect(await ask(appended.replace('100.7', '100.8'))).toBe(200)
})

describe('however one address is written', () => {
  it.each([
    [
      '198.51.100.7',
      [
        '::ffff:198.51.100.7',
        '::FFFF:198.51.100.7',
        '::ffff:c633:6407',
        '0:0:0:0:0:ffff:c633:6407',
        '198.51.100.7:4711',
        '[::ffff:c633:6407]:80',
      ],
    ],
    [
      '2001:db8:1:2::1',
      [
        '2001:DB8:1:2::1',
        '2001:0db8:0001:0002:0:0:0:1',
        '2001:db8:1:2:ffff::9',
        '2001:db8:1:2::1%eth0',
        '[2001:db8:1:2::1]:4711',
        '[2001:db8:1:2::2]',
      ],
    ],
  ])('%s', async (address, spellings) => {
    const ask = await behind(1)
    await spent(ask, [address])
    for (const spelling of spellings) expect([spelling, await ask(spelling)]).toEqual([spelling, 429])
    expect(await ask(address.includes('.') ? '198.51.100.8:4711' : '2001:db8:1:3::1')).toBe(200)
  })

  it('what is none is nobody’s, all of it together', async () => {
    const ask = await behind(1)
    await spent(ask, ['unknown'])
    for (const line of [
      '',
      '_hidden',
      'localhost',
      '1.2.3',
      '1.2.3.4.5',
      '0x7f.1',
      '2130706433',
      '1.2.3.4:',
      '1.2.3.4:x',
      '[1.2.3.4]:80',
      '::1::',
      '[',
    ])
      expect([line, await ask(line)]).toEqual([line, 429])
  })
})

it('costs nothing to read, whatever stands there', () => {
  const began = performance.now()
  for (const text of [`[${':'.repeat(16_000)}`, '1.'.repeat(8000), '%'.repeat(16_000), ' '.repeat(16_000)])
    for (let turn = 0; turn < 20; turn++) expect(clientAddress('192.0.2.1', text, 1)).toBeNull()
  expect(performance.now() - began).toBeLessThan(500)
})
