// Step-up over real HTTP: a browser by its cookie, a native client by its refresh token, a resource server that takes a
// confirmation; each refusal beside what is taken.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
let basic: Record<string, string>
let stranger: Record<string, string>
beforeAll(async () => {
  service = await startService({
    clients: [
      { id: 'app', name: 'App', transport: 'cookie', origins: ['https://www.example.com'] },
      { id: 'native', name: 'Native', transport: 'native' },
    ],
    budgets: {
      startPerAddress: { limit: 1000, window: '1h' },
      startPerAccount: { limit: 1000, window: '1h' },
      verifyPerAddress: { limit: 1000, window: '1h' },
    },
  })
  const create = async (id: string, audiences: string[]) => {
    const made = await service.auth.clients.create({ id, name: id, transport: 'service', audiences }, 'test')
    if (!made.ok) throw new Error(made.code)
    return { authorization: `Basic ${Buffer.from(`${id}:${made.secret}`).toString('base64')}` }
  }
  basic = await create('api', [service.origin])
  stranger = await create('other', ['https://other.example'])
})
afterAll(() => service.close())

const act = { type: 'transfer', text: 'Pay 20 € to Bob', parameters: { to: 'Bob', amount: '20.00' } }
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(service.origin + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
const read = async <T = { code: string; field?: string }>(response: Response) => (await response.json()) as T
const codeFor = async (email: string) => {
  const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; text: string }[]
  return /\b\d{6}\b/.exec(outbox.findLast((mail) => mail.to === email && /\b\d{6}\b/.test(mail.text))?.text ?? '')?.[0] ?? ''
}
interface Started {
  login_id: string
  method: string
  methods: string[]
}
interface Verified {
  session: { sid: string; auth_time: string; acr: string }
  access_token?: string
  refresh_token?: string
  confirmation?: { value: string; expires_at: string }
}
const start = '/v1/login/start'
const verify = '/v1/login/verify'
const consume = '/v1/session/confirmations/consume'
async function native(email: string): Promise<Required<Verified>> {
  const started = await read<Started>(await post(start, { method: 'email_otp', identifier: email, client_id: 'native' }))
  return read(await post(verify, { login_id: started.login_id, code: await codeFor(email) }))
}

describe('a browser', () => {
  it('steps its session up by its cookie, and gets a new one; the old one is refused, and healed with the login cookie', async () => {
    const email = 'ada@example.com'
    const browser = createBrowser(service.origin)
    const before = await read<Verified>(await signInOver(browser, '', email))
    const old = browser.jar.get('symbolon') as string
    const started = await browser.fetch(start, { method: 'POST', json: { purpose: 'step_up', need: { max_age: 60 } } })
    const { login_id, method, methods } = await read<Started>(started)
    expect([started.status, method, methods]).toEqual([200, 'email_otp', ['email_otp']])
    const answer = await browser.fetch(verify, { method: 'POST', json: { login_id, code: await codeFor(email) } })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('private, no-store')
    const cookie = answer.headers.getSetCookie().find((one) => one.startsWith('symbolon=')) ?? ''
    expect(cookie).toMatch(/^symbolon=syc_[\w-]{22}\.2\..*HttpOnly/)
    const { session, ...rest } = await read<Verified>(answer)
    expect(rest).toEqual({})
    expect(session.sid).toBe(before.session.sid)
    expect(Date.parse(session.auth_time)).toBeGreaterThan(Date.parse(before.session.auth_time))
    expect((await browser.fetch('/v1/session')).status).toBe(200)

    // As after an answer that was lost: the browser holds the old cookie still.
    const lost = createBrowser(service.origin)
    for (const name of ['symbolon-login', 'symbolon']) lost.jar.set(name, name === 'symbolon' ? old : (browser.jar.get(name) as string))
    expect((await read(await lost.fetch('/v1/session'))).code).toBe('session_superseded')
    const healed = await lost.fetch('/v1/session/token', { method: 'POST', json: {} })
    expect(healed.status).toBe(200)
    expect(lost.jar.get('symbolon')).toBe(browser.jar.get('symbolon'))
    const thief = createBrowser(service.origin)
    thief.jar.set('symbolon', old)
    thief.jar.set('symbolon-login', 'BBBBBBBBBBBBBBBBBBBBBB')
    expect((await read(await thief.fetch('/v1/session/token', { method: 'POST', json: {} }))).code).toBe('session_superseded')
    expect((await browser.fetch('/v1/session')).status).toBe(200)
  })

  it('is refused without a session, from other sites, for other people, and for what cannot be reached', async () => {
    const browser = createBrowser(service.origin)
    const step = (json: object, headers: Record<string, string> = {}) =>
      browser.fetch(start, { method: 'POST', json: { purpose: 'step_up', ...json }, headers })
    expect((await read(await step({}))).code).toBe('missing_credential')
    await signInOver(browser, '', 'refused@example.com')
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: service.origin, 'sec-fetch-site': 'cross-site' },
    ])
      expect((await read(await step({}, headers))).code).toBe('cross_site_request')
    expect((await step({}, { origin: 'https://www.example.com' })).status).toBe(200)
    expect(await read(await step({ identifier: 'eve@example.com' }))).toMatchObject({ code: 'invalid_request', field: 'identifier' })
    expect(await read(await step({ client_id: 'native' }))).toMatchObject({ code: 'invalid_request', field: 'client_id' })
    expect((await read(await step({ need: { acr_values: ['urn:symbolon:acr:passkey'] } }))).code).toBe('unsupported_method')
    expect((await read(await step({ need: { max_age: -1 } }))).code).toBe('invalid_request')
    expect(await read(await step({ action: { ...act, text: 'a\u202eb' } }))).toMatchObject({ code: 'invalid_request', field: 'action' })
    expect((await step({ need: { acr_values: ['urn:symbolon:acr:email'], max_age: 0 }, action: act })).status).toBe(200)
    // What belongs to a step-up alone makes no sign-in.
    for (const json of [{ need: {} }, { action: act }])
      expect(
        await read(await browser.fetch(start, { method: 'POST', json: { method: 'email_otp', identifier: 'a@example.com', ...json } })),
      ).toMatchObject({ code: 'invalid_request', field: 'purpose' })
    expect(await read(await browser.fetch(start, { method: 'POST', json: { identifier: 'a@example.com' } }))).toMatchObject({
      field: 'method',
    })
  })

  it('that signed out or in again meanwhile cannot end it', async () => {
    const email = 'out@example.com'
    const browser = createBrowser(service.origin)
    await signInOver(browser, '', email)
    const begin = async () => (await read<Started>(await browser.fetch(start, { method: 'POST', json: { purpose: 'step_up' } }))).login_id
    const first = await begin()
    const code = await codeFor(email)
    const held = browser.jar.get('symbolon') as string
    await browser.fetch('/v1/session', { method: 'DELETE' })
    expect((await read(await browser.fetch(verify, { method: 'POST', json: { login_id: first, code } }))).code).toBe('missing_credential')
    browser.jar.set('symbolon', held)
    expect((await read(await browser.fetch(verify, { method: 'POST', json: { login_id: first, code } }))).code).toBe('session_revoked')
    browser.jar.delete('symbolon')
    await signInOver(browser, '', email)
    const again = await browser.fetch(verify, { method: 'POST', json: { login_id: first, code } })
    expect([again.status, again.headers.getSetCookie()]).toEqual([401, []])
  })
})

describe('a native client', () => {
  it('steps up by its refresh token, which is not used up, and gets new tokens; a lost answer is given again', async () => {
    const email = 'nat@example.com'
    const before = await native(email)
    const started = await post(start, { purpose: 'step_up', refresh_token: before.refresh_token, need: { max_age: 0 } })
    const { login_id } = await read<Started>(started)
    expect(started.status).toBe(200)
    const after = await read<Required<Verified>>(await post(verify, { login_id, code: await codeFor(email) }))
    expect(after.session.sid).toBe(before.session.sid)
    expect(after.refresh_token).toMatch(/^syt_.{22}\.2\./)
    const bearer = (token: string) => fetch(`${service.origin}/v1/session`, { headers: { authorization: `Bearer ${token}` } })
    expect([(await bearer(after.access_token)).status, (await bearer(before.access_token)).status]).toEqual([200, 200])
    const refresh = (json: object) => post('/v1/session/refresh', json)
    expect((await read(await refresh({ refresh_token: before.refresh_token }))).code).toBe('session_superseded')
    expect((await read(await refresh({ refresh_token: before.refresh_token, login_id: `${login_id.slice(0, -1)}_` }))).code).toBe(
      'session_superseded',
    )
    const again = await read<Required<Verified>>(await refresh({ refresh_token: before.refresh_token, login_id }))
    expect(again.refresh_token).toBe(after.refresh_token)
    expect((await refresh({ refresh_token: after.refresh_token })).status).toBe(200)
  })

  it('is no browser, shows its own door’s credential, and one that is alive', async () => {
    const { refresh_token, access_token } = await native('door@example.com')
    const step = (json: object, headers: Record<string, string> = {}) => post(start, { purpose: 'step_up', ...json }, headers)
    expect((await read(await step({ refresh_token }, { origin: service.origin }))).code).toBe('browser_not_allowed')
    const browser = createBrowser(service.origin)
    await signInOver(browser, '', 'door@example.com')
    expect((await read(await step({ refresh_token: browser.jar.get('symbolon') }))).code).toBe('session_unknown')
    expect((await read(await step({ refresh_token: 'x' }))).code).toBe('session_unknown')
    const { login_id } = await read<Started>(await step({ refresh_token }))
    const code = await codeFor('door@example.com')
    expect((await read(await post(verify, { login_id, code }, { origin: service.origin }))).code).toBe('browser_not_allowed')
    await fetch(`${service.origin}/v1/session`, { method: 'DELETE', headers: { authorization: `Bearer ${access_token}` } })
    expect((await read(await post(verify, { login_id, code }))).code).toBe('session_revoked')
    expect((await read(await step({ refresh_token }))).code).toBe('session_revoked')
  })
})

describe('a confirmation', () => {
  const confirmed = async (email: string) => {
    const { refresh_token, session } = await native(email)
    const { login_id } = await read<Started>(await post(start, { purpose: 'step_up', refresh_token, action: act }))
    const { confirmation } = await read<Required<Verified>>(await post(verify, { login_id, code: await codeFor(email) }))
    return { sid: session.sid, confirmation: confirmation.value }
  }

  it('is taken once, by a client that owns the audience, for exactly this act of this session', async () => {
    const one = await confirmed('act@example.com')
    const other = await confirmed('act2@example.com')
    const body = { ...one, action: act }
    const refused = async (given: object, headers = basic) => read(await post(consume, given, headers))
    expect((await refused(body, {})).code).toBe('invalid_client')
    expect((await refused(body, { authorization: 'Basic YXBpOm5v' })).code).toBe('invalid_client')
    expect((await refused(body, stranger)).code).toBe('confirmation_refused')
    expect((await refused({ ...body, sid: other.sid })).code).toBe('confirmation_refused')
    expect((await refused({ ...body, action: { ...act, parameters: { ...act.parameters, amount: '2000.00' } } })).code).toBe(
      'confirmation_refused',
    )
    expect((await refused({ ...body, confirmation: 'x' })).code).toBe('confirmation_refused')
    const all = await Promise.all(Array.from({ length: 6 }, () => post(consume, body, basic)))
    expect(all.map(({ status }) => status).sort()).toEqual([200, 403, 403, 403, 403, 403])
    expect(await read(all.find(({ status }) => status === 200) as Response)).toEqual({
      sid: one.sid,
      sub: expect.stringMatching(/^usr_/),
      client_id: 'native',
      acr: 'urn:symbolon:acr:email',
      action: act,
    })
    // In the service's own process it is the same.
    expect(await service.auth.confirmations.consume({ ...other, action: act })).toMatchObject({ ok: true, sid: other.sid })
    expect(await service.auth.confirmations.consume({ ...other, action: act })).toMatchObject({ ok: false, code: 'confirmation_refused' })
  })
})

it('says in introspection what the session proves now, and of an older token no more than it did', async () => {
  const email = 'intro@example.com'
  const before = await native(email)
  const { login_id } = await read<Started>(await post(start, { purpose: 'step_up', refresh_token: before.refresh_token }))
  // A second later at least, as tokens count.
  const signedIn = Date.parse(before.session.auth_time)
  await expect.poll(() => Math.floor(Date.now() / 1000) > Math.floor(signedIn / 1000)).toBe(true)
  const after = await read<Required<Verified>>(await post(verify, { login_id, code: await codeFor(email) }))
  const introspect = async (token: string) =>
    read<{ active: boolean; auth_time: number; acr: string }>(
      await fetch(`${service.origin}/oauth/introspect`, { method: 'POST', headers: basic, body: new URLSearchParams({ token }) }),
    )
  const seconds = (text: string) => Math.floor(Date.parse(text) / 1000)
  expect(await introspect(after.access_token)).toMatchObject({ active: true, auth_time: seconds(after.session.auth_time) })
  expect(await introspect(before.access_token)).toMatchObject({ active: true, auth_time: seconds(before.session.auth_time) })
})

it('is documented: what a start takes and a confirmation answers', async () => {
  const document = await read<{ paths: Record<string, { post?: { requestBody?: unknown } }> }>(
    await fetch(`${service.origin}/openapi.json`),
  )
  expect(JSON.stringify(document.paths[start])).toContain('step_up')
  expect(document.paths[consume]?.post?.requestBody).toBeDefined()
})
