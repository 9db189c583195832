// Bodies, queries, paths and headers that nobody means, with a session and without: every route answers them with a refusal, on
// both stores, and never with a fault of ours. What a store cannot hold must not reach it.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'
import { createAuthenticator } from '../setting/authenticator.ts'
import { type Browser, createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

let server: Postgres
beforeAll(async () => {
  server = await startPostgres(['fsync=off'])
})
afterAll(() => server.stop())

const posts = [
  '/v1/login/start',
  '/v1/login/resend',
  '/v1/login/verify',
  '/v1/session/token',
  '/v1/session/refresh',
  '/v1/session/confirmations/consume',
  '/v1/account/passkeys/start',
  '/v1/account/passkeys/finish',
  '/v1/account/passkeys/%00/name',
  '/v1/account/passkeys/%ED%A0%80/name',
  '/oauth/introspect/batch',
]
const forms = [
  '/oauth/token',
  '/oauth/revoke',
  '/oauth/introspect',
  '/login',
  '/login/code',
  '/login/resend',
  '/login/offer',
  '/login/step-up',
  '/login/step-up/code',
  '/login/step-up/resend',
  '/login/link',
  '/account/delete',
  '/account/sign-out',
  '/account/passkeys/rename',
  '/account/passkeys/remove',
]
const gets = [
  '/login',
  '/login/link',
  '/login/offer',
  '/account',
  '/v1/session',
  '/v1/account/export',
  '/v1/account/passkeys',
  '/v1/revocations/snapshot',
  '/dev/mailbox/mail',
]
const fields =
  'login_id code response method end identifier client_id purpose need action refresh_token captcha registration_id name rotate confirmation sid token tokens grant_type client_secret scope audience form_token return_to id acr_values max_age'.split(
    ' ',
  )
const long = 'x'.repeat(5000)
const values: readonly unknown[] = [null, 1e308, 'a\u0000', '\ud800', long, ['x'], { toString: 'x' }]
const texts = ['', 'a\u0000', '\ud800', '{"__proto__":1}', '-1', long]
const queries = [
  '?step_up=1&max_age=99999999&acr_values=%00&action=%5B%5D',
  '?client_id=%00',
  '?return_to=%00',
  `?token=${'A'.repeat(86)}`,
  '?identifier=%F0%9F%00',
  '?client_id=app&client_id=app',
  '?%',
  '?id=1e99',
]
const headers: readonly (readonly [string, string])[] = [
  ['authorization', 'Bearer'],
  ['authorization', 'Bearer syo_x'],
  ['authorization', `Bearer ${'a.'.repeat(4000)}`],
  ['authorization', `Bearer ${btoa('{}')}.${btoa('{"aud":"\\u0000"}')}.x`],
  ['authorization', `Basic ${btoa('%00:%00')}`],
  ['authorization', `Basic ${btoa('\u00ff:%')}`],
  ['accept-language', ',,,;;;q=1;q=2,\u00ff'],
  ['user-agent', '\u00ff'.repeat(600)],
  ['cookie', 'symbolon=syc_x; symbolon-login=x; symbolon-device=~~~; symbolon-link=x'],
  ['cookie', 'symbolon=a; symbolon=b'],
  ['cookie', `symbolon-device=${'a.'.repeat(1000)}`],
  ['content-type', 'application/json; charset=utf-16'],
  ['symbolon-seq', '0123456789abcdef.99999999999999999999'],
  ['last-event-id', '0123456789abcdef.99999999999999999999'],
  ['range', 'bytes=0-'],
]

describe.each(['sqlite', 'postgres'] as const)('on %s', (kind) => {
  let service: TestService
  let one: Browser
  beforeAll(async () => {
    const wide = { limit: 100_000, window: '1h' }
    service = await startService({
      clients: [{ id: 'app', name: 'Example', transport: 'cookie', returnTo: ['/healthz'] }],
      budgets: { startPerAddress: wide, verifyPerAddress: wide, secretPerAddress: wide, startPerAccount: wide },
      ...(kind === 'postgres' && { database: { url: server.url(await server.create()) } }),
    })
    one = createBrowser(service.origin)
    expect((await signInOver(one, '', 'ada@example.com')).status).toBe(200)
  })
  afterAll(() => service.close())

  const faults: string[] = []
  const unavailable = /"code":"store_unavailable"|"error":"temporarily_unavailable"/
  /** A store that is too slow for a moment is asked again, for ten seconds; one that still is after them has a fault. */
  const look = async (what: string, ask: () => Promise<Response>) => {
    const until = performance.now() + (faults.length > 0 ? 0 : 10_000)
    for (;;) {
      const answer = await ask()
      const { status } = answer
      const text = await answer.text()
      if (status === 503 && unavailable.test(text) && performance.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 200))
        continue
      }
      if (status >= 500) faults.push(`${what.slice(0, 100)}: ${status} ${text.slice(0, 200)}`)
      return { status, text }
    }
  }
  const said = (value: unknown) => String(JSON.stringify(value)).slice(0, 30)

  it('a field of JSON or of a form is a refusal', async () => {
    for (const field of fields)
      for (const path of posts)
        await Promise.all(
          values.map((value) =>
            look(`${path} ${field} ${said(value)}`, () =>
              one.fetch(path, { method: 'POST', json: { login_id: 'A'.repeat(43), [field]: value } }),
            ),
          ),
        )
    for (const field of fields)
      for (const path of forms)
        await Promise.all(
          texts.map((value) =>
            look(`${path} ${field} ${said(value)}`, () =>
              one.fetch(path, { method: 'POST', body: new URLSearchParams({ [field]: value }) }),
            ),
          ),
        )
    expect(faults.splice(0)).toEqual([])
  })

  it('a query, a path and a header is one', async () => {
    for (const path of gets) for (const query of queries) await look(path + query, () => one.fetch(path + query))
    for (const id of ['%00', '%ED%A0%80', '%', '..', 'a'.repeat(3000)])
      for (const path of ['/v1/sessions/', '/v1/account/passkeys/', '/assets/'])
        for (const method of ['GET', 'DELETE']) await look(`${method} ${path}${id}`, () => one.fetch(path + id, { method }))
    for (const id of ['%00', '%ED%A0%80', 'x%00y'])
      await look(`name of ${id}`, () => one.fetch(`/v1/account/passkeys/${id}/name`, { method: 'POST', json: { name: 'x' } }))
    for (const [name, value] of headers)
      for (const path of ['/account', '/v1/session', '/login'])
        await look(`${name} ${path}`, () => fetch(service.origin + path, { headers: { [name]: value }, redirect: 'manual' }))
    expect(faults.splice(0)).toEqual([])
  })

  it('a form with its own proof is one, too', async () => {
    const proofOf = async (path: string) => /name="form_token" value="([^"]+)"/.exec(await (await one.fetch(path)).text())?.[1] ?? ''
    const [account, login, stepUp] = [await proofOf('/account'), await proofOf('/login'), await proofOf('/login?step_up=1')]
    const places: readonly (readonly [string, string, string, Record<string, string>])[] = [
      ['/account/sign-out', account, 'sid', {}],
      ['/account/passkeys/remove', account, 'id', {}],
      ['/account/passkeys/rename', account, 'id', { name: 'x' }],
      ['/account/passkeys/rename', account, 'name', { id: 'AAAA' }],
      ['/login', login, 'identifier', {}],
      ['/login', login, 'client_id', { identifier: 'ada@example.com' }],
      ['/login', login, 'captcha', { identifier: 'ada@example.com' }],
      ...['code', 'end', 'response'].map((field) => ['/login/code', login, field, { login_id: 'A'.repeat(43) }] as const),
      ['/login/code', login, 'login_id', { code: '123456' }],
      ['/login/resend', login, 'login_id', {}],
      ...['acr_values', 'action', 'max_age', 'return_to', 'method'].map((field) => ['/login/step-up', stepUp, field, {}] as const),
      ...['code', 'response'].map((field) => ['/login/step-up/code', stepUp, field, { login_id: 'A'.repeat(43) }] as const),
    ]
    for (const [path, form_token, field, more] of places)
      for (const value of [...texts, '\udc00\ud800', 'x\u0000y'.repeat(8)])
        await look(`${path} ${field} ${said(value)}`, () =>
          one.fetch(path, { method: 'POST', body: new URLSearchParams({ form_token, ...more, [field]: value }) }),
        )
    expect(faults.splice(0)).toEqual([])
    expect((await one.fetch('/v1/session')).status).toBe(200)
  })

  it('texts that are kept are taken as they can be, or refused', async () => {
    const begun = await look('start', () => one.fetch('/v1/account/passkeys/start', { method: 'POST', json: {} }))
    for (const name of ['\ud800', 'x\udc00y', '\u0000', '\u202eevil', 'a'.repeat(200)]) {
      const { text } = await look('start', () => one.fetch('/v1/account/passkeys/start', { method: 'POST', json: {} }))
      const { registration_id, public_key } = JSON.parse(text) as { registration_id: string; public_key: { challenge: string } }
      const response = createAuthenticator(service.origin).create(public_key)
      const made = await look(`name ${said(name)}`, () =>
        one.fetch('/v1/account/passkeys/finish', { method: 'POST', json: { registration_id, response, name } }),
      )
      expect([201, 400]).toContain(made.status)
      if (made.status === 201) {
        const { id } = JSON.parse(made.text) as { id: string }
        const renamed = await look(`rename ${said(name)}`, () =>
          one.fetch(`/v1/account/passkeys/${id}/name`, { method: 'POST', json: { name } }),
        )
        expect([204, 400]).toContain(renamed.status)
      }
    }
    for (const text of ['\ud800', 'a\udc00b', 'ok'])
      for (const parameters of [{}, { constructor: text, toString: 'x' }, { hasOwnProperty: 'x' }]) {
        const step = { purpose: 'step_up', method: 'email_otp', need: { acr_values: ['urn:symbolon:acr:email', '\u0000', '\ud800'] } }
        const json = { ...step, action: { type: 'pay', text, parameters } }
        await look(`action ${said(text)}`, () => one.fetch('/v1/login/start', { method: 'POST', json }))
      }
    expect(begun.status).toBe(200)
    expect(faults.splice(0)).toEqual([])
    // And it is all there still, for who means it.
    expect((await one.fetch('/v1/session')).status).toBe(200)
    expect((await signInOver(createBrowser(service.origin), '', 'grace@example.com')).status).toBe(200)
  })
})
