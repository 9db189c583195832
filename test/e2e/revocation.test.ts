// Revocation from end to end: a real service, verifiers that know of it over HTTP only, and what they accept after a
// revocation was acknowledged.

import { createVerifier, type Verifier } from '@symbolon/verifier'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Browser, createBrowser, signInOver } from '../../packages/symbolon/test/setting/browser.ts'
import { startService, type TestService } from '../../packages/symbolon/test/setting/server.ts'
import { type Pulse, startPulse } from '../faults/pulse.ts'

let service: TestService
let verifiers: Verifier[]
let secret: string
let pulse: Pulse
const reconnects: string[] = []

const follow = () =>
  createVerifier({
    issuer: service.origin,
    clientId: 'api',
    clientSecret: secret,
    observe: (event) => event.event === 'reconnect' && reconnects.push(event.reason),
  })
const admin = async (method: string, path: string, body?: unknown) => {
  const answer = await fetch(`${service.admin}/admin/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${service.adminKey}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  expect(answer.status).toBeLessThan(300)
  return answer.headers.get('symbolon-seq') ?? ''
}
const mint = async (browser: Browser): Promise<string> => {
  const answer = await browser.fetch('/v1/session/token', { method: 'POST', json: {} })
  return ((await answer.json()) as { access_token: string }).access_token
}
const ask = async (verifier: Verifier, token: string, position?: string, level: 'token' | 'session' = 'token') => {
  const result = await verifier.guard(level)({
    method: 'GET',
    url: '/',
    header: (name) => (name === 'authorization' ? `Bearer ${token}` : name === 'symbolon-seq' ? position : undefined),
  })
  return result.ok ? (result.auth?.checked ?? '') : (JSON.parse(result.body) as { code: string }).code
}
const claims = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString()) as { sub: string; sid: string }

beforeAll(async () => {
  pulse = startPulse()
  // Many people sign in from one address.
  const many = { limit: 1000, window: '1h' }
  service = await startService({ budgets: { startPerAddress: many, verifyPerAddress: many } })
  const made = await service.auth.clients.create(
    { id: 'api', name: 'API', transport: 'service', audiences: [service.origin], scopes: ['revocations:read'] },
    'test',
  )
  if (!made.ok) throw new Error(made.code)
  secret = made.secret ?? ''
  verifiers = [follow(), follow(), follow()]
  await Promise.all(verifiers.map((one) => one.ready()))
})
afterAll(async () => {
  pulse.stop()
  for (const one of verifiers) await one.close()
  await service.close()
})

describe('a revocation', () => {
  it('kills tokens on every verifier in a moment: sign-out, roles, a disabled user', async () => {
    const browser = createBrowser(service.origin)
    await signInOver(browser, '', 'kill@example.com')
    const refused = async (token: string, code: string) => {
      const began = performance.now()
      for (const one of verifiers) await expect.poll(() => ask(one, token), { interval: 1 }).toBe(code)
      const ended = performance.now()
      // How long this process was kept from running is known at the next beat.
      await new Promise((resolve) => setTimeout(resolve, 25))
      expect(ended - began).toBeLessThan(1500 + 2 * pulse.lost(began, ended))
    }
    let token = await mint(browser)
    for (const one of verifiers) expect(await ask(one, token)).toBe('local')
    await admin('PUT', `/users/${claims(token).sub}/roles`, { roles: ['editor'] })
    await refused(token, 'claims_stale')
    token = await mint(browser)
    for (const one of verifiers) expect(await ask(one, token)).toBe('local')
    await browser.fetch('/v1/session', { method: 'DELETE' })
    await refused(token, 'session_revoked')
    for (const one of verifiers) expect(one.status()).toMatchObject({ followed: true, transport: 'stream' })
  })

  it('is seen by the call that names it, always: no token passes after it', async () => {
    const rounds = Number(process.env.ROUNDS ?? 10_000)
    const { handler, adminHandler } = service.auth
    const before: Record<string, number> = {}
    const after: Record<string, number> = {}
    const count = (counts: Record<string, number>, code: string) => {
      counts[code] = (counts[code] ?? 0) + 1
    }
    let left = rounds
    // Eight people at the same time, each round after round; the service is called without a socket between, which is all that is spared.
    const live = async (email: string) => {
      const browser = createBrowser(service.origin)
      await signInOver(browser, '', email)
      const cookie = [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
      const headers = { cookie, origin: service.origin, 'content-type': 'application/json' }
      while (left-- > 0) {
        const minted = await handler(new Request(`${service.origin}/v1/session/token`, { method: 'POST', headers, body: '{}' }))
        const { access_token: token } = (await minted.json()) as { access_token: string }
        for (const one of verifiers) count(before, await ask(one, token))
        const path = `/admin/v1/users/${claims(token).sub}/bump-epoch`
        const operator = { authorization: `Bearer ${service.adminKey}` }
        const bumped = await adminHandler(new Request(service.admin + path, { method: 'POST', headers: operator }))
        const position = bumped.headers.get('symbolon-seq') ?? ''
        if (!/^[0-9a-f]{16}\.\d+$/.test(position)) throw new Error(`The revocation answered ${bumped.status} without its position.`)
        for (const code of await Promise.all(verifiers.map((one) => ask(one, token, position)))) count(after, code)
      }
    }
    await Promise.all(Array.from({ length: 8 }, (_, i) => live(`read-${i}@example.com`)))
    expect([before, after]).toEqual([{ local: 3 * rounds }, { claims_stale: 3 * rounds }])
    // The entry had not yet come when it was named, and was waited for: else this would say nothing.
    for (const one of verifiers) expect(one.status().counters.positionsWaited).toBeGreaterThan(rounds / 100)
  })

  it('is seen live at once, sixty-four checks in few requests', async () => {
    const browser = createBrowser(service.origin)
    await signInOver(browser, '', 'live@example.com')
    const token = await mint(browser)
    const [one] = verifiers as [Verifier]
    expect(new Set(await Promise.all(Array.from({ length: 64 }, () => ask(one, token, undefined, 'session'))))).toEqual(new Set(['live']))
    await browser.fetch('/v1/session', { method: 'DELETE' })
    expect(new Set(await Promise.all(Array.from({ length: 64 }, () => ask(one, token, undefined, 'session'))))).toEqual(
      new Set(['session_revoked']),
    )
  })
})

describe('a follower', () => {
  it('without the scope is told so, and every token is asked about', async () => {
    const made = await service.auth.clients.create({ id: 'bare', name: 'Bare', transport: 'service', audiences: [service.origin] }, 'test')
    if (!made.ok) throw new Error(made.code)
    const reasons: string[] = []
    const one = createVerifier({
      issuer: service.origin,
      clientId: 'bare',
      clientSecret: made.secret ?? '',
      observe: (event) => event.event === 'reconnect' && reasons.push(event.reason),
    })
    const browser = createBrowser(service.origin)
    await signInOver(browser, '', 'bare@example.com')
    expect(await ask(one, await mint(browser))).toBe('live')
    expect(reasons[0]).toBe('the feed answered 403')
    await one.close()
  })
})
