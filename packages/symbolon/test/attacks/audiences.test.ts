// An API that a person's token was made for holds that token. It must not be able to be that person at the service itself: not
// to read or end their sessions, take their data away, or delete them (RFC 9068 §4, RFC 8725 §3.9).

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
beforeAll(async () => {
  service = await startService({
    clients: [
      { id: 'native', name: 'Native', transport: 'native' },
      { id: 'partner', name: 'Partner', transport: 'native', audiences: ['https://partner.example'] },
      { id: 'sealed', name: 'Sealed', transport: 'native', audiences: ['https://partner.example'], accessTokenFormat: 'opaque' },
    ],
    budgets: { startPerAddress: { limit: 1000, window: '1h' } },
  })
})
afterAll(() => service.close())

const post = (path: string, json: unknown, headers: Record<string, string> = {}) =>
  fetch(service.origin + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(json) })

async function signIn(client_id: string, identifier = `p${randomBytes(6).toString('hex')}@example.com`) {
  const started = await post('/v1/login/start', { method: 'email_otp', identifier, client_id })
  const { login_id } = (await started.json()) as { login_id: string }
  const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; text: string }[]
  const code = /\b\d{6}\b/.exec(outbox.filter((mail) => mail.to === identifier).at(-1)?.text ?? '')?.[0]
  const verified = await post('/v1/login/verify', { login_id, code })
  const { access_token, refresh_token, session } = (await verified.json()) as {
    access_token: string
    refresh_token: string
    session: { sid: string; user: { id: string } }
  }
  return { identifier, bearer: { authorization: `Bearer ${access_token}` }, refresh_token, sid: session.sid, user: session.user.id }
}
const calls = [
  ['GET', '/v1/session'],
  ['GET', '/v1/sessions'],
  ['GET', '/v1/account/events'],
  ['GET', '/v1/account/export'],
  ['GET', '/account'],
  ['DELETE', '/v1/sessions/:sid'],
  ['DELETE', '/v1/sessions?scope=others'],
  ['DELETE', '/v1/sessions?scope=all'],
  ['DELETE', '/v1/session'],
  ['DELETE', '/v1/account'],
] as const

describe.each(['partner', 'sealed'])('a token for another audience, of the client %s', (client) => {
  it.each(calls)('is not a person’s own at %s %s', async (method, path) => {
    const { bearer, user, identifier } = await signIn(client)
    const other = await signIn('native', identifier)
    const answer = await fetch(service.origin + path.replace(':sid', other.sid), { method, headers: bearer, redirect: 'manual' })
    // A page leads to the sign-in.
    if (path === '/account') expect(answer.headers.get('location')).toContain('/login?')
    else {
      expect(answer.status).toBe(401)
      expect(await answer.json()).toMatchObject({ code: 'invalid_token' })
    }
    expect(await service.auth.users.find({ id: user })).toBeDefined()
    expect((await service.auth.sessions.list(user)).sessions).toHaveLength(2)
  })

  it('leaves the person what they need: their session goes on, and ends by its refresh token', async () => {
    const { refresh_token, user } = await signIn(client)
    const refreshed = await post('/v1/session/refresh', { refresh_token })
    expect(refreshed.status).toBe(200)
    const { refresh_token: token } = (await refreshed.json()) as { refresh_token: string }
    const ended = await fetch(`${service.origin}/oauth/revoke`, { method: 'POST', body: new URLSearchParams({ token, client_id: client }) })
    expect(ended.status).toBe(200)
    expect((await service.auth.sessions.list(user)).sessions).toEqual([])
  })
})

// Pages are for browsers, and act by the cookie alone.
it.each(calls.filter(([, path]) => path.startsWith('/v1/')))('a token for the service itself is taken at %s %s', async (method, path) => {
  const { bearer, identifier } = await signIn('native')
  const other = await signIn('native', identifier)
  const answer = await fetch(service.origin + path.replace(':sid', other.sid), { method, headers: bearer, redirect: 'manual' })
  expect(answer.ok).toBe(true)
})
