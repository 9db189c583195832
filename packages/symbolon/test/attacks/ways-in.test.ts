// What becomes a way in for good, a passkey or another address, is for who holds the session itself: its cookie, or its refresh
// token. An access token is held by every API that is called with it, and must not be enough, however fresh, and whatever stands
// beside it.

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthenticator } from '../setting/authenticator.ts'
import { createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
beforeAll(async () => {
  service = await startService({
    clients: [
      { id: 'app', name: 'App', transport: 'cookie' },
      { id: 'native', name: 'Native', transport: 'native' },
    ],
    budgets: { startPerAddress: { limit: 1000, window: '1h' }, verifyPerAddress: { limit: 1000, window: '1h' } },
  })
})
afterAll(() => service.close())

const person = () => `p${randomBytes(6).toString('hex')}@example.com`
const call = (path: string, json: unknown, headers: Record<string, string> = {}) =>
  fetch(service.origin + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(json) })
const codeTo = async (email: string) => {
  const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; text: string }[]
  return /^ {4}(\d{6})$/m.exec(outbox.filter(({ to }) => to === email).at(-1)?.text ?? '')?.[1]
}
/** Somebody who has just signed in in a browser, and the token that an API got from them. */
async function called() {
  const [email, browser] = [person(), createBrowser(service.origin)]
  expect((await signInOver(browser, '', email)).status).toBe(200)
  const minted = await browser.fetch('/v1/session/token', { method: 'POST', json: {} })
  const { access_token } = (await minted.json()) as { access_token: string }
  const { sid } = JSON.parse(Buffer.from(access_token.split('.')[1] as string, 'base64url').toString()) as { sid: string }
  const own = browser.jar.get('symbolon') ?? ''
  const bearer = { authorization: `Bearer ${access_token}`, origin: service.origin, 'sec-fetch-site': 'same-origin' }
  return { email, browser, bearer, own, sid }
}
/** What an API can make up beside it: the session's id stands in the token. */
const madeUp = (sid: string) => [undefined, `syc_${sid}.1.${'A'.repeat(32)}`, `syc_${sid}.2.${'B'.repeat(32)}`, `syc_${sid}`, `xxxx${sid}`]
const withCookie = (headers: Record<string, string>, cookie: string | undefined) =>
  cookie === undefined ? headers : { ...headers, cookie: `symbolon=${cookie}` }

describe('an access token, by itself or with a cookie that was made up', () => {
  it('adds, names and removes no passkey', async () => {
    const { bearer, sid, browser, own } = await called()
    const by = createAuthenticator(service.origin)
    const begun = await browser.fetch('/v1/account/passkeys/start', { method: 'POST', json: {} })
    const { registration_id, public_key } = (await begun.json()) as { registration_id: string; public_key: { challenge: string } }
    const response = by.create(public_key)
    for (const cookie of madeUp(sid)) {
      const headers = withCookie(bearer, cookie)
      expect([cookie, (await call('/v1/account/passkeys/start', {}, headers)).status]).toEqual([cookie, 401])
      expect((await call('/v1/account/passkeys/finish', { registration_id, response }, headers)).status).toBe(401)
      expect((await fetch(`${service.origin}/v1/account/passkeys`, { headers })).status).toBe(401)
    }
    // Its owner does, and a token beside the cookie of the same session is no harm.
    const headers = withCookie(bearer, own)
    expect((await call('/v1/account/passkeys/finish', { registration_id, response }, headers)).status).toBe(201)
    for (const cookie of madeUp(sid)) {
      expect((await call(`/v1/account/passkeys/${by.id}/name`, { name: 'x' }, withCookie(bearer, cookie))).status).toBe(401)
      const gone = await fetch(`${service.origin}/v1/account/passkeys/${by.id}`, { method: 'DELETE', headers: withCookie(bearer, cookie) })
      expect(gone.status).toBe(401)
    }
    expect((await fetch(`${service.origin}/v1/account/passkeys/${by.id}`, { method: 'DELETE', headers })).status).toBe(204)
  })

  it('changes no address', async () => {
    const { email, bearer, sid, browser, own } = await called()
    const next = person()
    for (const cookie of madeUp(sid)) {
      const headers = withCookie(bearer, cookie)
      expect([cookie, (await call('/v1/account/email', { email: next }, headers)).status]).toEqual([cookie, 401])
      const page = { ...headers, 'content-type': 'application/x-www-form-urlencoded' }
      const form_token = /name="form_token" value="([^"]+)"/.exec(await (await browser.fetch('/account')).text())?.[1] ?? ''
      const form = await fetch(`${service.origin}/account/email`, {
        ...{ method: 'POST', headers: page, redirect: 'manual', body: new URLSearchParams({ form_token, email: next }).toString() },
      })
      expect([cookie, form.status]).toEqual([cookie, 303])
      expect(form.headers.get('location')).toContain('/login?')
    }
    expect(await codeTo(next)).toBeUndefined()
    const begun = await call('/v1/account/email', { email: next }, withCookie(bearer, own))
    const { change_id } = (await begun.json()) as { change_id: string }
    const code = await codeTo(next)
    for (const cookie of madeUp(sid))
      expect((await call('/v1/account/email/verify', { change_id, code }, withCookie(bearer, cookie))).status).toBe(401)
    expect(await service.auth.users.find({ email })).toBeDefined()
    expect((await browser.fetch('/v1/account/email/verify', { method: 'POST', json: { change_id, code } })).status).toBe(200)
  })
})

it('a client without cookies shows its refresh token to change an address, and a browser shows none', async () => {
  const email = person()
  const started = await call('/v1/login/start', { method: 'email_otp', identifier: email, client_id: 'native' })
  const { login_id } = (await started.json()) as { login_id: string }
  const verified = await call('/v1/login/verify', { login_id, code: await codeTo(email) })
  const { access_token, refresh_token } = (await verified.json()) as { access_token: string; refresh_token: string }
  const next = person()
  expect((await call('/v1/account/email', { email: next }, { authorization: `Bearer ${access_token}` })).status).toBe(401)
  expect((await call('/v1/account/email', { email: next, refresh_token: access_token })).status).toBe(400)
  const forged = refresh_token.replace(/\.[^.]+$/, `.${'A'.repeat(32)}`)
  expect((await call('/v1/account/email', { email: next, refresh_token: forged })).status).toBe(401)
  expect((await call('/v1/account/email', { email: next, refresh_token }, { origin: service.origin })).status).toBe(403)
  const begun = await call('/v1/account/email', { email: next, refresh_token })
  expect(begun.status).toBe(200)
  const { change_id } = (await begun.json()) as { change_id: string }
  const code = await codeTo(next)
  expect((await call('/v1/account/email/verify', { change_id, code }, { authorization: `Bearer ${access_token}` })).status).toBe(401)
  const done = await call('/v1/account/email/verify', { change_id, code, refresh_token })
  expect([done.status, await done.json()]).toEqual([200, { email: next }])
  // It was not used up by that.
  expect((await call('/v1/session/refresh', { refresh_token })).status).toBe(200)
})
