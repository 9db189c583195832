// A signing key is revoked while people are signed in: tokens change, sessions stay, and a second process on the same
// store stops at once. Over real HTTP, as an operator does it.

import { createVerifier, type Verifier } from '@symbolon/verifier'
import { createAuth } from 'symbolon'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Browser, createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
let other: ReturnType<typeof createAuth>
let browser: Browser
const events: string[] = []
beforeAll(async () => {
  service = await startService()
  const { issuer, settings } = service.auth
  other = createAuth({ issuer, dev: true, data: settings.data, observe: ({ event }) => void events.push(event) })
  await other.ready()
  browser = createBrowser(service.origin)
  expect((await signInOver(browser, '', 'ada@example.com')).status).toBe(200)
})
afterAll(async () => {
  await other.close()
  await service.close()
})

const operate = (path: string, init: RequestInit = {}) =>
  fetch(`${service.admin}/admin/v1${path}`, {
    ...init,
    headers: { authorization: `Bearer ${service.adminKey}`, 'content-type': 'application/json' },
  })
const kidOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid as string
const mint = async () => {
  const response = await browser.fetch('/v1/session/token', { method: 'POST', json: {} })
  return ((await response.json()) as { access_token: string }).access_token
}
/** What a guard says to a token: `ok`, or the code. */
const ask = async (auth: { readonly verifier: Verifier }, token: string) => {
  const guard = auth.verifier.guard('token', { credential: 'bearer' })
  const header = (name: string) => (name === 'authorization' ? `Bearer ${token}` : undefined)
  const result = await guard({ method: 'GET', url: '/', header })
  return result.ok ? 'ok' : (JSON.parse(result.body) as { code: string }).code
}
const until = async (condition: () => Promise<boolean>) => {
  for (const end = Date.now() + 10_000; !(await condition()); await new Promise((resolve) => setTimeout(resolve, 10)))
    if (Date.now() > end) throw new Error('it did not come')
}

it('refuses its tokens, lets users mint with the next one, and signs nobody out', async () => {
  const [seen, unseen] = [await mint(), await mint()]
  expect([await ask(service.auth, seen), await ask(other, seen)]).toEqual(['ok', 'ok'])
  const kid = kidOf(seen)
  const answer = await operate(`/keys/${kid}/revoke`, { method: 'POST' })
  expect([answer.status, await answer.json()]).toMatchObject([200, { kid, state: 'revoked' }])
  expect(answer.headers.get('symbolon-seq')).toMatch(/^[0-9a-f]{16}\.\d+$/)
  expect([await ask(service.auth, seen), await ask(service.auth, unseen)]).toEqual(['token_revoked', 'token_revoked'])
  const fresh = await mint()
  expect(kidOf(fresh)).not.toBe(kid)
  expect(await ask(service.auth, fresh)).toBe('ok')
  const jwks = (await (await fetch(`${service.origin}/.well-known/jwks.json`)).json()) as { keys: { kid: string }[] }
  expect(jwks.keys.map((key) => key.kid)).toContain(kidOf(fresh))
  expect(jwks.keys.map((key) => key.kid)).not.toContain(kid)
  // The other process follows the log: it refuses, publishes and signs as this one does.
  await until(async () => (await ask(other, seen)) === 'token_revoked')
  await until(async () => (await other.tokens.verify(seen)).ok === false)
  expect([await ask(other, unseen), await ask(other, fresh)]).toEqual(['token_revoked', 'ok'])
  const cookie = [...browser.jar].map(([name, value]) => `${name}=${value}`).join('; ')
  const there = await other.handler(
    new Request(`${service.origin}/v1/session/token`, {
      method: 'POST',
      headers: { cookie, origin: service.origin, 'content-type': 'application/json' },
      body: '{}',
    }),
  )
  expect(kidOf(((await there.json()) as { access_token: string }).access_token)).toBe(kidOf(fresh))
  expect(events).not.toContain('job.failed')
})

it('reaches a verifier over HTTP, which takes the successor’s tokens at once, though it was published a moment ago', async () => {
  const api = await service.auth.clients.create(
    { id: 'api', name: 'API', transport: 'service', scopes: ['revocations:read'], audiences: [service.origin] },
    'test',
  )
  if (!api.ok) throw new Error(api.code)
  const verifier = createVerifier({ issuer: service.origin, clientId: 'api', clientSecret: api.secret ?? '' })
  try {
    await verifier.ready()
    for (let round = 0; round < 3; round++) {
      const [seen, unseen] = [await mint(), await mint()]
      expect(await ask({ verifier }, seen)).toBe('ok')
      await operate(`/keys/${kidOf(seen)}/revoke`, { method: 'POST' })
      await until(async () => (await ask({ verifier }, seen)) === 'token_revoked')
      expect(await ask({ verifier }, unseen)).toBe('token_revoked')
      expect(await ask({ verifier }, await mint())).toBe('ok')
    }
  } finally {
    await verifier.close()
  }
})

it('is asked for by a kid that is there', async () => {
  expect((await operate('/keys/nothing/revoke', { method: 'POST' })).status).toBe(404)
  const listed = (await (await operate('/keys')).json()) as { keys: { kid: string; state: string }[] }
  expect(listed.keys.map(({ state }) => state).sort()).toEqual(['active', 'next', ...Array(4).fill('revoked')])
  const revoked = listed.keys.find(({ state }) => state === 'revoked')
  expect((await operate(`/keys/${revoked?.kid}/revoke`, { method: 'POST' })).status).toBe(200)
})

it('tells where the feed stood with every change of a user, a client or an epoch', async () => {
  const token = await mint()
  const user = await service.auth.users.find({ email: 'ada@example.com' })
  const seqOf = (response: Response) => Number((response.headers.get('symbolon-seq') ?? '').split('.')[1])
  const bumped = await operate(`/users/${user?.id}/bump-epoch`, { method: 'POST' })
  expect(await bumped.clone().json()).toMatchObject({ epoch: (user?.epoch ?? 0) + 1, roles: [] })
  expect(await ask(service.auth, token)).toBe('claims_stale')
  const ofClient = await operate('/clients/app/bump-epoch', { method: 'POST' })
  const roles = await operate(`/users/${user?.id}/roles`, { method: 'PUT', body: '{"roles":["editor"]}' })
  expect([seqOf(ofClient), seqOf(roles)]).toEqual([seqOf(bumped) + 1, seqOf(bumped) + 2])
  const fresh = await mint()
  expect(await ask(service.auth, fresh)).toBe('ok')
  const status = await operate(`/users/${user?.id}/status`, { method: 'PUT', body: '{"status":"disabled"}' })
  expect(seqOf(status)).toBe(seqOf(roles) + 2)
  expect(await ask(service.auth, fresh)).toBe('session_revoked')
  expect((await operate('/users/usr_nobody/bump-epoch', { method: 'POST' })).status).toBe(404)
  expect((await operate('/clients/nobody/bump-epoch', { method: 'POST' })).status).toBe(404)
})
