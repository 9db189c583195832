// A verifier behind something that answers a request with what it answered before: a cache that heeds nothing, a proxy
// that got its answers out of step. An old yes must pass for no answer at all. A real service behind it.

import { createVerifier, type Verifier } from '@symbolon/verifier'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createBrowser, signInOver } from '../../symbolon/test/setting/browser.ts'
import { startService, type TestService } from '../../symbolon/test/setting/server.ts'

let service: TestService
let verifier: Verifier
let token: string
let sid: string
let replaying: boolean
let ahead: number
const kept = new Map<string, Response>()

/** What stands between: it keeps the last answer of each path, and gives it again when told to. */
const between: typeof fetch = async (input, init) => {
  const { pathname } = new URL(String(input))
  const before = kept.get(pathname)
  if (replaying && before !== undefined) return before.clone()
  const answer = await fetch(input, init)
  if (answer.headers.get('content-type')?.startsWith('text/event-stream') !== true)
    kept.set(pathname, new Response(answer.clone().body, answer))
  return answer
}

beforeEach(async () => {
  replaying = false
  kept.clear()
  service = await startService()
  const made = await service.auth.clients.create(
    { id: 'api', name: 'API', transport: 'service', audiences: [service.origin], scopes: ['revocations:read'] },
    'test',
  )
  if (!made.ok) throw new Error(made.code)
  const browser = createBrowser(service.origin)
  await signInOver(browser, '', 'ada@example.com')
  const minted = await browser.fetch('/v1/session/token', { method: 'POST', json: {} })
  token = ((await minted.json()) as { access_token: string }).access_token
  sid = (JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString()) as { sid: string }).sid
  ahead = 0
  verifier = createVerifier({
    issuer: service.origin,
    clientId: 'api',
    clientSecret: made.secret ?? '',
    follow: 'snapshot',
    fetch: between,
    monotonic: () => performance.now() + ahead,
    cookies: true,
  })
  await verifier.ready()
})
afterEach(async () => {
  await verifier.close()
  await service.close()
})
const codeOf = async (level: 'token' | 'session') => {
  const result = await verifier.check(token, level)
  return result.ok ? 'ok' : (JSON.parse(result.body) as { code: string }).code
}
const revoke = () => service.auth.sessions.revoke({ sid }, 'sign_out', { actor: 'test', caller: { ip: null, userAgent: null } })

describe('an answer to an earlier request', () => {
  it('is no answer about the session', async () => {
    expect(await codeOf('session')).toBe('ok')
    await revoke()
    replaying = true
    expect(await codeOf('session')).toBe('try_later')
    replaying = false
    expect(await codeOf('session')).toBe('session_revoked')
  })

  it('makes what is known no younger', async () => {
    ahead += 60_000
    expect(await codeOf('token')).toBe('ok')
    expect(verifier.status().stalenessMs).toBeLessThan(5000)
    for (const path of kept.keys()) if (path !== '/v1/revocations') kept.delete(path)
    await revoke()
    replaying = true
    ahead += 60_000
    expect(await codeOf('token')).toBe('session_revoked')
  })

  it('makes nobody somebody else, though what stands between drops the nonce', async () => {
    const askAs = async (email: string) => {
      const browser = createBrowser(service.origin)
      await signInOver(browser, '', email)
      const cookie = `symbolon=${browser.jar.get('symbolon')}`
      const header = (name: string) => (name === 'cookie' ? cookie : undefined)
      return verifier.guard('session')({ method: 'GET', url: '/', header })
    }
    expect(await askAs('bob@example.com')).toMatchObject({ ok: true })
    kept.get('/v1/session/token')?.headers.delete('symbolon-nonce')
    replaying = true
    expect(await askAs('eve@example.com')).toMatchObject({ ok: false, status: 503 })
  })
})
