// Opaque access tokens pass the same guards as readable ones, in the service's process and in another, for people and for
// services, and neither stands in for the other. Signed with RSA: the longest there are.

import { createVerifier, type Verifier } from '@symbolon/verifier'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Browser, createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
let remote: Verifier
const secrets: Record<string, string> = {}
beforeAll(async () => {
  service = await startService({
    keys: { algorithm: 'PS256' },
    clients: [{ id: 'app', name: 'App', transport: 'cookie', accessTokenFormat: 'opaque', policy: { scope: ['feed:read'] } }],
  })
  for (const [id, more] of [
    ['api', { audiences: [service.origin], scopes: ['revocations:read'] }],
    ['other', { audiences: ['https://other.example'] }],
    ['quiet', { accessTokenFormat: 'opaque' as const, scopes: ['feed:read'], policy: { targets: ['https://other.example'] } }],
  ] as const) {
    const made = await service.auth.clients.create({ id, name: id, transport: 'service', ...more }, 'test')
    secrets[id] = made.ok ? (made.secret ?? '') : ''
  }
  remote = createVerifier({ issuer: service.origin, clientId: 'api', clientSecret: secrets.api ?? '' })
})
afterAll(async () => {
  await remote.close()
  await service.close()
})

const ask = async (guard: ReturnType<Verifier['guard']>, headers: Record<string, string>) => {
  const result = await guard({ method: 'GET', url: '/', header: (name) => headers[name] })
  return result.ok ? result.auth : (JSON.parse(result.body) as { code: string }).code
}
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const form = (path: string, body: Record<string, string>) =>
  fetch(service.origin + path, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`quiet:${secrets.quiet}`)}` },
    body: new URLSearchParams(body),
  })
const granted = async (more: Record<string, string> = {}) =>
  ((await (await form('/oauth/token', { grant_type: 'client_credentials', ...more })).json()) as { access_token: string }).access_token
async function signedIn(email: string): Promise<{ browser: Browser; token: string; sid: string }> {
  const browser = createBrowser(service.origin)
  await signInOver(browser, '', email)
  const answer = await browser.fetch('/v1/session/token', { method: 'POST', json: {} })
  const { access_token: token, sid } = (await answer.json()) as { access_token: string; sid: string }
  return { browser, token, sid }
}

describe.each([
  ['in the service’s process', () => service.auth.verifier],
  ['in another', () => remote],
])('guards %s', (name, verifier) => {
  const own = name.length
  it('take the opaque token of a person at both levels, live, until the session ends', async () => {
    const { browser, token, sid } = await signedIn(`person${own}@example.com`)
    expect(token).toMatch(/^syo_[A-Za-z0-9_-]{700,}$/)
    for (const level of ['token', 'session'] as const)
      expect(await ask(verifier().guard(level, { scope: 'feed:read' }), bearer(token))).toMatchObject({
        kind: 'user',
        sid,
        checked: 'live',
        claims: { sid, aud: service.origin, jti: expect.any(String) },
      })
    expect(await ask(verifier().guard('token', { subject: 'client' }), bearer(token))).toBe('invalid_token')
    expect(await ask(verifier().guard('token'), bearer(`${token.slice(0, -4)}AAAA`))).toMatch(/^(?:invalid_token|token_revoked)$/)
    expect(await ask(verifier().guard('token'), bearer(`syo_${'A'.repeat(9000)}`))).toBe('invalid_token')
    await browser.fetch('/v1/session', { method: 'DELETE' })
    expect(await ask(verifier().guard('token'), bearer(token))).toBe('session_revoked')
  })

  it('take the opaque token of a service where services are asked for, until it is revoked', async () => {
    const token = await granted()
    const guard = verifier().guard('token', { subject: 'client', scope: 'feed:read' })
    expect(await ask(guard, bearer(token))).toMatchObject({ kind: 'client', clientId: 'quiet', scope: ['feed:read'], checked: 'live' })
    expect(await ask(verifier().guard('token'), bearer(token))).toBe('session_required')
    expect(await ask(verifier().guard('session'), bearer(token))).toBe('session_required')
    expect(await ask(guard, bearer(await granted({ audience: 'https://other.example' })))).toMatch(/^(?:invalid_token|token_revoked)$/)
    const revoked = await form('/oauth/revoke', { token })
    expect(revoked.status).toBe(200)
    expect(await ask(guard, bearer(token))).toBe('token_revoked')
    expect(await ask(guard, bearer(await granted()))).toMatchObject({ kind: 'client' })
  })

  it('serve a page rendered on the server from the session, and leave no token cookie that would save nothing', async () => {
    const { browser, sid } = await signedIn(`page${own}@example.com`)
    const cookies = createVerifier({ issuer: service.origin, clientId: 'api', clientSecret: secrets.api ?? '', cookies: true })
    const guard = (name.includes('another') ? cookies : verifier()).guard('token')
    const result = await guard({
      method: 'GET',
      url: '/',
      header: (one) => (one === 'cookie' ? `symbolon=${browser.jar.get('symbolon')}` : undefined),
    })
    await cookies.close()
    expect(result).toMatchObject({ ok: true, auth: { kind: 'user', sid }, setCookies: [] })
  })
})

it('a token for an audience that nobody owns is revoked too', async () => {
  const token = await granted({ audience: 'https://other.example' })
  const ask = async () =>
    (await (
      await fetch(`${service.origin}/oauth/introspect`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`other:${secrets.other}`)}` },
        body: new URLSearchParams({ token }),
      })
    ).json()) as { active: boolean }
  expect((await ask()).active).toBe(true)
  await service.auth.clients.change('other', { audiences: [] }, 'test')
  await form('/oauth/revoke', { token })
  await service.auth.clients.change('other', { audiences: ['https://other.example'] }, 'test')
  expect((await ask()).active).toBe(false)
})
