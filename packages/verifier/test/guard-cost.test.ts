// What a guard costs for a token that it knows, by a verifier that follows the feed.

import { expect, it } from 'vitest'
import { createVerifier } from '../src/index.ts'
import { serveFeed, startWire } from './setting/wire.ts'

it('costs a known token little', async () => {
  const wire = await startWire()
  const feed = serveFeed(wire)
  const verifier = createVerifier({ issuer: wire.issuer, clientId: 'api', clientSecret: 's' })
  await expect.poll(() => verifier.status().stalenessMs, { timeout: 5000 }).toBeLessThan(1000)
  const token = await wire.mint()
  const guard = verifier.guard('token')
  const header = `Bearer ${token}`
  const request = { method: 'GET', url: '/', header: (name: string) => (name === 'authorization' ? header : undefined) }
  await guard(request)
  const cpu = () => {
    const { user, system } = process.cpuUsage()
    return user + system
  }
  const round = () => {
    const began = cpu()
    for (let i = 0; i < 100_000; i++) void guard(request)
    return (cpu() - began) / 100_000
  }
  round()
  expect(Math.min(round(), round(), round())).toBeLessThan(5)
  await verifier.close()
  feed.end()
  await wire.close()
})
