// Passkeys over real HTTP, by a caller who holds a real key and bends what it sends: added, used, refused, removed.

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuth } from 'symbolon'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Authenticator, type Bent, createAuthenticator } from '../setting/authenticator.ts'
import { type Browser, createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
beforeAll(async () => {
  service = await startService({
    clients: [
      { id: 'app', name: 'App', transport: 'cookie', origins: ['https://www.example.com'] },
      { id: 'native', name: 'Native', transport: 'native' },
      { id: 'mail', name: 'Mail', transport: 'cookie', policy: { methods: ['email_otp'] } },
    ],
    passkeys: { origins: ['https://shop.example'] },
    budgets: { startPerAddress: { limit: 10_000, window: '1h' }, verifyPerAddress: { limit: 10_000, window: '1h' } },
  })
})
afterAll(() => service.close())

/** Runs beside a client that takes nobody without a passkey; as long as there is one, a mail changes nobody's passkeys. */
async function besideStrict<T>(run: () => Promise<T>): Promise<T> {
  const policy = { methods: ['email_otp', 'passkey'], acr: 'urn:symbolon:acr:passkey' }
  await service.auth.clients.create({ id: 'strict', name: 'Strict', transport: 'cookie', policy }, 'test')
  await service.auth.clients.change('strict', { status: 'active' }, 'test')
  try {
    return await run()
  } finally {
    await service.auth.clients.change('strict', { status: 'disabled' }, 'test')
  }
}

const path = '/v1/account/passkeys'
const browser = () => createBrowser(service.origin)
const person = () => `p${randomBytes(6).toString('hex')}@example.com`
const code = async (response: Response) => ((await response.json()) as { code?: string }).code
async function signedIn(email = person()): Promise<Browser> {
  const one = browser()
  expect((await signInOver(one, '', email)).status).toBe(200)
  return one
}
const post = (one: Browser, where: string, json: unknown = {}, headers: Record<string, string> = {}) =>
  one.fetch(where, { method: 'POST', json, headers })
type Begun = { registration_id: string; public_key: { challenge: string; user: { id: string; name: string } } }
const begin = async (one: Browser) => (await (await post(one, `${path}/start`)).json()) as Begun
async function add(one: Browser, device: Authenticator, bent: Bent = {}) {
  const { registration_id, public_key } = await begin(one)
  return post(one, `${path}/finish`, { registration_id, response: device.create(public_key, bent) })
}
const device = (how?: Parameters<typeof createAuthenticator>[1]) => createAuthenticator(service.origin, how)
type Asked = { login_id: string; challenge: { public_key: { challenge: string; rpId: string; allowCredentials: unknown[] } } }
const ask = async (one: Browser, client_id = 'app') =>
  (await (await post(one, '/v1/login/start', { method: 'passkey', client_id })).json()) as Asked
async function signIn(one: Browser, by: Authenticator, bent: Bent = {}, client = 'app') {
  const { login_id, challenge } = await ask(one, client)
  return post(one, '/v1/login/verify', { login_id, response: by.get(challenge.public_key, bent) })
}
/** A person with a passkey. */
async function withPasskey(how?: Parameters<typeof createAuthenticator>[1]) {
  const email = person()
  const one = await signedIn(email)
  const by = device(how)
  expect((await add(one, by)).status).toBe(201)
  return { email, one, by }
}
type Listed = { rp_id: string; user_handle: string; passkeys: { id: string; name: string; synced: boolean; last_used_at: string | null }[] }
const list = async (one: Browser) => (await (await one.fetch(path)).json()) as Listed

describe('adding one', () => {
  it('shows it in the list, named by where it was made', async () => {
    const { one, by } = await withPasskey()
    const listed = await list(one)
    expect(listed).toMatchObject({ rp_id: 'localhost', user_handle: by.handle })
    expect(listed.passkeys).toMatchObject([{ id: by.id, synced: true, last_used_at: null }])
    expect(Buffer.from(by.handle, 'base64url')).toHaveLength(64)
    // The same person is one to every passkey, and another person another.
    const second = device({ alg: 'Ed25519', synced: false })
    expect((await add(one, second)).status).toBe(201)
    expect(second.handle).toBe(by.handle)
    expect((await withPasskey()).by.handle).not.toBe(by.handle)
    expect((await begin(one)).public_key).toMatchObject({ excludeCredentials: [{ id: by.id }, { id: second.id }] })
  })

  it('needs the cookie of a live session, from our own pages', async () => {
    const one = await signedIn()
    expect((await post(browser(), `${path}/start`)).status).toBe(401)
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: service.origin, 'sec-fetch-site': 'cross-site' },
    ])
      expect(await code(await post(one, `${path}/start`, {}, headers))).toBe('cross_site_request')
    const { registration_id, public_key } = await begin(one)
    const response = device().create(public_key)
    expect(await code(await post(one, `${path}/finish`, { registration_id, response }, { origin: 'https://evil.example' }))).toBe(
      'cross_site_request',
    )
    expect((await one.fetch('/v1/sessions?scope=all', { method: 'DELETE' })).status).toBe(200)
    expect((await post(one, `${path}/finish`, { registration_id, response })).status).toBe(401)
  })

  it('judges a challenge once, for the session that asked', async () => {
    const [one, other] = [await signedIn(), await signedIn()]
    const { registration_id, public_key } = await begin(one)
    const response = device().create(public_key)
    expect(await code(await post(other, `${path}/finish`, { registration_id, response }))).toBe('passkey_refused')
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => post(one, `${path}/finish`, { registration_id, response: device().create(public_key) })),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 400, 400, 400, 400, 400])
    expect((await list(one)).passkeys).toHaveLength(1)
    const wrong = await begin(one)
    expect((await post(one, `${path}/finish`, { registration_id: wrong.registration_id, response: {} })).status).toBe(400)
    expect(
      (await post(one, `${path}/finish`, { registration_id: wrong.registration_id, response: device().create(wrong.public_key) })).status,
    ).toBe(400)
  })

  it.each([
    ['another origin', { origin: 'https://evil.example' }],
    ['another relying party', { rpId: 'evil.example' }],
    ['nobody verified', { flags: 0x41 }],
    ['a challenge of its own', { challenge: randomBytes(32).toString('base64url') }],
    ['CBOR that is none', { attestationObject: randomBytes(200) }],
    ['a certificate', { fmt: 'packed', attStmt: new Map<unknown, unknown>([['x5c', [randomBytes(100)]]]) }],
  ] satisfies [string, Bent][])('refuses %s, in one sentence', async (_, bent) => {
    const one = await signedIn()
    const refused = await add(one, device(), bent)
    expect([refused.status, await code(refused)]).toEqual([400, 'passkey_refused'])
    expect((await list(one)).passkeys).toEqual([])
  })

  it('refuses a body that is too large, and an id that somebody else has', async () => {
    const { by } = await withPasskey()
    const one = await signedIn()
    expect(await code(await add(one, by))).toBe('conflict')
    const { registration_id } = await begin(one)
    expect((await post(one, `${path}/finish`, { registration_id, response: { x: 'a'.repeat(20_000) } })).status).toBe(413)
  })

  it('takes a login challenge for nothing, nor the other way round', async () => {
    const { one, by } = await withPasskey()
    const { registration_id, public_key } = await begin(one)
    expect((await post(one, '/v1/login/verify', { login_id: registration_id, response: by.get(public_key) })).status).toBe(401)
    const { login_id, challenge } = await ask(one)
    expect((await post(one, `${path}/finish`, { registration_id: login_id, response: device().create(challenge.public_key) })).status).toBe(
      400,
    )
  })
})

describe('signing in', () => {
  it('opens a session that says how, and asks for no name', async () => {
    const { email, by } = await withPasskey()
    const other = browser()
    const { challenge } = await ask(other)
    expect(challenge.public_key).toMatchObject({ rpId: 'localhost', allowCredentials: [], userVerification: 'required' })
    const answer = await signIn(other, by)
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({
      session: { user: { email }, acr: 'urn:symbolon:acr:passkey', amr: ['swk', 'user', 'mfa'] },
    })
    expect((await list(other)).passkeys[0]?.last_used_at).not.toBeNull()
  })
  it('by a key that cannot be copied claims no hardware', async () => {
    const { by } = await withPasskey({ synced: false })
    expect(await (await signIn(browser(), by)).json()).toMatchObject({ session: { amr: ['pop', 'user', 'mfa'] } })
  })
  it('gives a native client tokens', async () => {
    const { by } = await withPasskey()
    const call = async (where: string, body: unknown) =>
      (
        await fetch(service.origin + where, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
      ).json()
    const { login_id, challenge } = (await call('/v1/login/start', { method: 'passkey', client_id: 'native' })) as Asked
    expect(await call('/v1/login/verify', { login_id, response: by.get(challenge.public_key) })).toMatchObject({ token_type: 'Bearer' })
  })

  it.each([
    ['another origin', { origin: 'https://evil.example' }],
    ['another relying party', { rpId: 'evil.example' }],
    ['nobody verified', { flags: 0x19 }],
    ['backup that ended', { flags: 0x05 }],
    ['somebody else’s handle', { userHandle: randomBytes(64).toString('base64url') }],
    ['no handle', { userHandle: null }],
    ['a challenge of its own', { challenge: randomBytes(32).toString('base64url') }],
    ['a signature of nobody', { signature: Buffer.from('3006020101020101', 'hex') }],
    ['an unknown passkey', { id: randomBytes(32).toString('base64url') }],
    ['an embedding page', { data: { crossOrigin: true } }],
  ] satisfies [string, Bent][])('refuses %s, all in the same words', async (_, bent) => {
    const { by } = await withPasskey()
    const refused = await signIn(browser(), by, bent)
    const body = (await refused.json()) as Record<string, unknown>
    expect([refused.status, body.code, refused.headers.getSetCookie()]).toEqual([401, 'login_failed', []])
    expect((await signIn(browser(), by)).status).toBe(200)
  })

  it('refuses who is disabled in the words of an unknown passkey, and takes them again when enabled', async () => {
    const { email, by } = await withPasskey()
    const user = await service.auth.users.find({ email })
    await service.auth.users.change(user?.id ?? '', { status: 'disabled' }, 'test')
    const [disabled, unknown] = [await signIn(browser(), by), await signIn(browser(), device())]
    expect([disabled.status, await disabled.text()]).toEqual([unknown.status, await unknown.text()])
    await service.auth.users.change(user?.id ?? '', { status: 'active' }, 'test')
    expect((await signIn(browser(), by)).status).toBe(200)
  })

  it('takes an answer once, in the browser that asked, however many show it at once', async () => {
    const { by } = await withPasskey()
    const one = browser()
    const { login_id, challenge } = await ask(one)
    const response = by.get(challenge.public_key)
    expect((await post(browser(), '/v1/login/verify', { login_id, response })).status).toBe(401)
    const answers = await Promise.all(Array.from({ length: 6 }, () => post(one, '/v1/login/verify', { login_id, response })))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401, 401])
    const wrong = await ask(one)
    const forged = by.get(wrong.challenge.public_key, { signature: Buffer.from('3006020101020101', 'hex') })
    expect((await post(one, '/v1/login/verify', { login_id: wrong.login_id, response: forged })).status).toBe(401)
    const right = by.get(wrong.challenge.public_key)
    expect((await post(one, '/v1/login/verify', { login_id: wrong.login_id, response: right })).status).toBe(401)
    const again = await ask(one)
    expect((await post(one, '/v1/login/verify', { login_id: again.login_id, response })).status).toBe(401)
  })

  it('refuses a counter that goes back, and says so in the audit log', async () => {
    const { email, by } = await withPasskey({ synced: false })
    expect((await signIn(browser(), by, { counter: 10 })).status).toBe(200)
    for (const counter of [10, 3, 0]) expect((await signIn(browser(), by, { counter })).status).toBe(401)
    expect((await signIn(browser(), by, { counter: 11 })).status).toBe(200)
    // A wrong signature with an old counter is no sign of a copy.
    expect((await signIn(browser(), by, { counter: 1, signature: Buffer.from('3006020101020101', 'hex') })).status).toBe(401)
    const user = await service.auth.users.find({ email })
    const events = (await service.auth.audit.list({ userId: user?.id ?? '' }, 100)).filter(({ event }) => event === 'passkey.counter_back')
    expect(events.map(({ detail }) => detail.counter)).toEqual([0, 3, 10])
    expect(events.map(({ userId, clientId, detail }) => [userId, clientId, detail.passkey])).toEqual(
      Array(3).fill([user?.id, 'app', by.id]),
    )
  })

  it('is offered only where the client takes it', async () => {
    const { by } = await withPasskey()
    expect(await code(await post(browser(), '/v1/login/start', { method: 'passkey', client_id: 'mail' }))).toBe('unsupported_method')
    await besideStrict(async () => expect((await signIn(browser(), by, {}, 'strict')).status).toBe(200))
  })

  it('comes second where a client wants it: only then is one asked for by name', () =>
    besideStrict(async () => {
      const { email, by } = await withPasskey()
      const second = async (who: string) => {
        const one = browser()
        const { login_id } = (await (
          await post(one, '/v1/login/start', { method: 'email_otp', identifier: who, client_id: 'strict' })
        ).json()) as Asked
        const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; text: string }[]
        const sent = /\b\d{6}\b/.exec(outbox.filter((mail) => mail.to === who).at(-1)?.text ?? '')?.[0]
        return { one, login_id, step: await post(one, '/v1/login/verify', { login_id, code: sent }) }
      }
      const { one, login_id, step } = await second(email)
      const { challenge, state } = (await step.json()) as Asked & { state: string }
      expect([state, challenge.public_key.allowCredentials]).toMatchObject(['challenge', [{ id: by.id }]])
      expect((await one.fetch('/v1/session')).status).toBe(401)
      const done = await post(one, '/v1/login/verify', { login_id, response: by.get(challenge.public_key, { userHandle: null }) })
      expect(await done.json()).toMatchObject({ session: { acr: 'urn:symbolon:acr:passkey', amr: ['otp', 'swk', 'user', 'mfa'] } })
      // Somebody else's passkey is no second factor, however good.
      const { by: strange } = await withPasskey()
      const again = await second(email)
      const asked = (await again.step.json()) as Asked
      expect(
        (await post(again.one, '/v1/login/verify', { login_id: again.login_id, response: strange.get(asked.challenge.public_key) })).status,
      ).toBe(401)
    }))
})

describe('what is there', () => {
  let one: Browser
  let by: Authenticator
  beforeEach(async () => ({ one, by } = await withPasskey()))

  it('is named by its owner, in one line', async () => {
    expect((await post(one, `${path}/${by.id}/name`, { name: '  Work\u202e laptop\n' })).status).toBe(204)
    expect((await list(one)).passkeys[0]?.name).toBe('Work laptop')
    expect(await code(await post(one, `${path}/${by.id}/name`, { name: '\u200b \n' }))).toBe('invalid_request')
    expect(await code(await post(await signedIn(), `${path}/${by.id}/name`, { name: 'mine' }))).toBe('not_found')
    expect((await list(one)).passkeys[0]?.name).toBe('Work laptop')
  })

  it('is removed by its owner, and signs in nowhere from then on', async () => {
    expect(await code(await (await signedIn()).fetch(`${path}/${by.id}`, { method: 'DELETE' }))).toBe('not_found')
    expect((await signIn(browser(), by)).status).toBe(200)
    expect((await one.fetch(`${path}/${by.id}`, { method: 'DELETE' })).status).toBe(204)
    expect((await signIn(browser(), by)).status).toBe(401)
    expect(await list(one)).toMatchObject({ user_handle: by.handle, passkeys: [] })
    expect((await one.fetch(`${path}/${by.id}`, { method: 'DELETE' })).status).toBe(404)
  })
})

it('is shown to operators, and removed by them', async () => {
  const { email, by } = await withPasskey()
  const user = await service.auth.users.find({ email })
  const call = (method: string, where: string, key = service.adminKey) =>
    fetch(`${service.admin}/admin/v1/users/${user?.id}${where}`, { method, headers: { authorization: `Bearer ${key}` } })
  expect(await (await call('GET', '/factors')).json()).toMatchObject({ passkeys: [{ id: by.id, synced: true, counter: 0 }] })
  expect((await call('DELETE', `/factors/${by.id}`, 'wrong')).status).toBe(401)
  expect((await call('DELETE', `/factors/${device().id}`)).status).toBe(404)
  expect((await call('DELETE', `/factors/${by.id}`)).status).toBe(204)
  expect((await signIn(browser(), by)).status).toBe(401)
})

it('tells browsers which other origins use the same passkeys', async () => {
  const answer = await fetch(`${service.origin}/.well-known/webauthn`)
  expect(answer.headers.get('content-type')).toContain('application/json')
  expect(await answer.json()).toEqual({ origins: [service.origin, 'https://shop.example'] })
  const { by } = await withPasskey()
  expect((await signIn(browser(), by, { origin: 'https://shop.example' })).status).toBe(200)
  const document = (await (await fetch(`${service.origin}/openapi.json`)).json()) as { paths: Record<string, object> }
  expect(Object.keys(document.paths).filter((one) => /passkeys|webauthn/.test(one))).toEqual([
    ...[path, `${path}/start`, `${path}/finish`, `${path}/{id}/name`, `${path}/{id}`],
    '/.well-known/webauthn',
  ])
})

it('tells them at the root of the host, where the service has a path, and nothing when there is nobody else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-related-'))
  const ask = async (origins: string[], at: string) => {
    const auth = createAuth({ issuer: 'http://localhost:3000/auth', dev: true, data: folder, passkeys: { origins } })
    try {
      return (await auth.handler(new Request(`http://localhost:3000${at}`))).status
    } finally {
      await auth.close()
    }
  }
  expect(await ask(['https://shop.example'], '/.well-known/webauthn')).toBe(200)
  expect(await ask(['https://shop.example'], '/auth/.well-known/webauthn')).toBe(200)
  expect(await ask([], '/.well-known/webauthn')).toBe(404)
  expect(() => createAuth({ issuer: 'http://localhost:3000', dev: true, data: folder, passkeys: { rpId: 'example.com' } })).toThrow(
    'passkeys.rpId',
  )
  rmSync(folder, { recursive: true, force: true })
})
