// A person's own account over real HTTP: what they are told of it, and what nobody else is.

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import Database from 'libsql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthenticator } from '../setting/authenticator.ts'
import { type Browser, createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
beforeAll(async () => {
  service = await startService({
    clients: [
      { id: 'app', name: 'App', transport: 'cookie' },
      { id: 'native', name: 'Native', transport: 'native' },
    ],
    budgets: { startPerAddress: { limit: 10_000, window: '1h' }, verifyPerAddress: { limit: 10_000, window: '1h' } },
  })
})
afterAll(() => service.close())

const person = () => `a${randomBytes(6).toString('hex')}@example.com`
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
async function signedIn(email = person()): Promise<Browser> {
  const one = createBrowser(service.origin)
  const asked: Browser = {
    jar: one.jar,
    fetch: (path, init = {}) => one.fetch(path, { ...init, headers: { 'user-agent': firefox, ...init.headers } }),
  }
  expect((await signInOver(asked, '', email)).status).toBe(200)
  return asked
}
const post = (path: string, json: unknown) =>
  fetch(service.origin + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(json) })
/** Signs in at a client without cookies. */
async function native(email: string) {
  const asked = { method: 'email_otp', identifier: email, client_id: 'native' }
  const { login_id } = (await (await post('/v1/login/start', asked)).json()) as { login_id: string }
  const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; text: string }[]
  const code = /\b\d{6}\b/.exec(outbox.filter((mail) => mail.to === email).at(-1)?.text ?? '')?.[0]
  return (await (await post('/v1/login/verify', { login_id, code })).json()) as { access_token: string; refresh_token: string }
}
const code = async (response: Response) => ((await response.json()) as { code?: string }).code
const userOf = async (email: string) => {
  const user = await service.auth.users.find({ email })
  if (user === undefined) throw new Error('no user')
  return user
}
/** Makes what a person proved in every session of theirs older. */
function age(id: string, seconds: number) {
  const db = new Database(join(String(service.auth.settings.data), 'symbolon.db'))
  db.prepare('UPDATE sessions SET auth_time = auth_time - ?, revision = revision + 1 WHERE user_id = ?').run(seconds * 1000, id)
  db.close()
}
type Told = { type: string; timestamp: string; data: Record<string, unknown>; device: string | null }
const told = async (one: Browser) => ((await (await one.fetch('/v1/account/events')).json()) as { events: Told[] }).events

describe('recent events', () => {
  it('tells the owner what happened, newest first, with the place it came from', async () => {
    const email = person()
    const one = await signedIn(email)
    const { id } = await userOf(email)
    await service.auth.users.change(id, { roles: ['editor'] }, 'eve@operators.example')
    const events = await told(one)
    expect(events.map(({ type }) => type)).toEqual(['user.updated', 'session.opened', 'user.created'])
    // Which operator it was is not the owner's business.
    expect(events[0]).toMatchObject({ data: { user_id: id, change: 'roles', by: 'admin', ip: null }, device: null })
    expect(events[1]).toMatchObject({
      timestamp: expect.stringMatching(/Z$/),
      data: { user_id: id, client_id: 'app', method: 'email_otp', ip: expect.stringMatching(/^(127\.0\.0\.1|::1)$/) },
      device: 'Firefox on Linux',
    })
    expect(JSON.stringify(events)).not.toContain('example')
  })

  it('tells nobody of anybody else, and nobody without a session', async () => {
    const [mine, theirs] = [person(), person()]
    const one = await signedIn(mine)
    await signedIn(theirs)
    const other = (await userOf(theirs)).id
    expect(JSON.stringify(await told(one))).not.toContain(other)
    expect(await code(await createBrowser(service.origin).fetch('/v1/account/events'))).toBe('missing_credential')
  })

  it('tells at most fifty, and a client without cookies too', async () => {
    const email = person()
    const { access_token } = await native(email)
    const { id } = await userOf(email)
    for (let n = 0; n < 60; n++) await service.auth.users.change(id, { roles: [`r${n}`] }, 'cli')
    // Each change made that token stale.
    const stale = await fetch(`${service.origin}/v1/account/events`, { headers: { authorization: `Bearer ${access_token}` } })
    expect(await code(stale)).toBe('claims_stale')
    const fresh = (await native(email)).access_token
    const answer = await fetch(`${service.origin}/v1/account/events`, { headers: { authorization: `Bearer ${fresh}` } })
    const { events } = (await answer.json()) as { events: Told[] }
    expect(events).toHaveLength(50)
    expect(events[0]).toMatchObject({ type: 'session.opened' })
    expect(events[1]).toMatchObject({ type: 'user.updated', data: { by: 'cli', ip: null } })
  })
})

describe('the export', () => {
  type Export = { user: object; sessions: { current: boolean }[]; passkeys: Record<string, unknown>[]; events: Told[] }

  it('is a file of everything about who asks, and no secret', async () => {
    const email = person()
    const one = await signedIn(email)
    const user = await userOf(email)
    const device = createAuthenticator(service.origin)
    const begun = await one.fetch('/v1/account/passkeys/start', { method: 'POST', json: {} })
    const { registration_id, public_key } = (await begun.json()) as { registration_id: string; public_key: { challenge: string } }
    const json = { registration_id, response: device.create(public_key as never), name: 'Kitchen' }
    expect((await one.fetch('/v1/account/passkeys/finish', { method: 'POST', json })).status).toBe(201)
    // More than one page.
    for (let n = 0; n < 450; n++) await service.auth.users.change(user.id, { roles: [`r${n}`] }, 'cli')
    for (const path of ['/v1/account/export', '/account/export']) {
      const answer = await one.fetch(path)
      expect(answer.headers.get('content-disposition')).toBe('attachment; filename="account.json"')
      expect(answer.headers.get('cache-control')).toContain('no-store')
      const text = await answer.text()
      const given = JSON.parse(text) as Export
      expect(given.user).toMatchObject({ id: user.id, email, roles: ['r449'], status: 'active' })
      expect(given.sessions).toMatchObject([{ current: true, device: 'Firefox on Linux' }])
      expect(given.passkeys).toMatchObject([{ name: 'Kitchen' }])
      expect(Object.keys(given.passkeys[0] ?? {}).sort()).toEqual(['created_at', 'id', 'last_used_at', 'name', 'synced'])
      expect(given.events.map(({ type }) => type)).toEqual([
        ...Array.from({ length: 450 }, () => 'user.updated'),
        'passkey.added',
        'session.opened',
        'user.created',
      ])
      for (const credential of one.jar.values()) expect(text).not.toContain(credential)
    }
  })

  it('is a whole file however many events there are', async () => {
    for (const count of [198, 199]) {
      const email = person()
      const one = await signedIn(email)
      const { id } = await userOf(email)
      for (let n = 0; n < count; n++) await service.auth.users.change(id, { roles: [`r${n}`] }, 'cli')
      const { events } = (await (await one.fetch('/v1/account/export')).json()) as Export
      expect(events).toHaveLength(count + 2)
    }
  })

  it('is for who has just signed in, whatever the transport', async () => {
    const email = person()
    const one = await signedIn(email)
    const { access_token } = await native(email)
    const byToken = () => fetch(`${service.origin}/v1/account/export`, { headers: { authorization: `Bearer ${access_token}` } })
    expect((await byToken()).status).toBe(200)
    age((await userOf(email)).id, 301)
    const refused = await one.fetch('/v1/account/export')
    expect(refused.headers.get('www-authenticate')).toContain('max_age="300"')
    expect(await code(refused)).toBe('step_up_required')
    expect(await code(await byToken())).toBe('step_up_required')
    // The page leads to a step-up, and back.
    const led = await one.fetch('/account/export')
    expect([led.status, led.headers.get('location')]).toEqual([303, '/login?return_to=%2Faccount&step_up=1&max_age=300'])
    expect(await code(await createBrowser(service.origin).fetch('/v1/account/export'))).toBe('missing_credential')
  })
})

describe('deletion', () => {
  const mailsTo = async (email: string) =>
    ((await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; subject: string }[]).filter(({ to }) => to === email)
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

  it('ends everything everywhere, clears the cookies, and frees the address', async () => {
    const email = person()
    const one = await signedIn(email)
    const two = await signedIn(email)
    const { access_token, refresh_token } = await native(email)
    const { id } = await userOf(email)
    const minted = (await (await one.fetch('/v1/session/token', { method: 'POST', json: {} })).json()) as { access_token: string }
    const verified = async () => service.auth.verifier.verify(minted.access_token)
    expect(await verified()).toMatchObject({ ok: true })
    // An API that was called with a browser's token cannot end, nor take away, what the browser can.
    const byApi = (path: string, method: string) => fetch(service.origin + path, { method, headers: bearer(minted.access_token) })
    expect((await byApi('/v1/account/events', 'GET')).status).toBe(200)
    expect(await code(await byApi('/v1/account', 'DELETE'))).toBe('missing_credential')
    expect(await code(await byApi('/v1/account/export', 'GET'))).toBe('missing_credential')
    expect((await fetch(`${service.origin}/account`, { headers: bearer(minted.access_token), redirect: 'manual' })).status).toBe(303)
    const page = /name="form_token" value="([^"]+)"/.exec(await (await one.fetch('/account')).text())?.[1] ?? ''
    const byPage = (cookie: string) =>
      fetch(`${service.origin}/account/delete`, {
        method: 'POST',
        redirect: 'manual',
        headers: { ...bearer(minted.access_token), origin: service.origin, ...(cookie !== '' && { cookie }) },
        body: new URLSearchParams({ form_token: page }),
      })
    expect((await byPage('')).status).toBe(303)
    const invented = String(one.jar.get('symbolon')).replace(/[^.]+$/, 'A'.repeat(32))
    expect((await byPage(`symbolon=${invented}`)).status).toBe(303)
    expect(await service.auth.users.find({ id })).toBeDefined()
    const gone = await one.fetch('/v1/account', { method: 'DELETE' })
    expect(gone.status).toBe(204)
    const head = await service.auth.feed.head()
    expect(gone.headers.get('symbolon-seq')).toBe(`${head.feedId}.${head.seq}`)
    const cleared = gone.headers.getSetCookie().filter((cookie) => /max-age=0/i.test(cookie))
    expect(cleared.map((cookie) => cookie.split('=', 1)[0])).toEqual(['symbolon', 'symbolon-token'])
    expect(await verified()).toMatchObject({ ok: false, code: expect.stringMatching(/revoked|stale/) })
    expect((await two.fetch('/v1/session')).status).toBe(401)
    expect((await fetch(`${service.origin}/v1/session`, { headers: bearer(access_token) })).status).toBe(401)
    expect(await code(await post('/v1/session/refresh', { refresh_token }))).toBe('session_unknown')
    expect(await service.auth.users.find({ email })).toBeUndefined()
    expect((await mailsTo(email)).at(-1)?.subject).toBe('Your account was deleted')
    expect(await service.auth.audit.list({ userId: id }, 1)).toMatchObject([{ event: 'user.deleted', ip: null, detail: { by: id } }])
    // The same address again is somebody new.
    const again = await signedIn(email)
    expect((await userOf(email)).id).not.toBe(id)
    expect((await told(again)).map(({ type }) => type)).toEqual(['session.opened', 'user.created'])
  })

  it('is open to a client without cookies, and to nobody who signed in long ago', async () => {
    const email = person()
    const { access_token } = await native(email)
    const { id } = await userOf(email)
    const one = await signedIn(email)
    age(id, 301)
    expect(await code(await one.fetch('/v1/account', { method: 'DELETE' }))).toBe('step_up_required')
    const byToken = (token: string) => fetch(`${service.origin}/v1/account`, { method: 'DELETE', headers: bearer(token) })
    expect(await code(await byToken(access_token))).toBe('step_up_required')
    const fresh = await native(email)
    const gone = await byToken(fresh.access_token)
    expect([gone.status, gone.headers.getSetCookie()]).toEqual([204, []])
    expect(await service.auth.users.find({ id })).toBeUndefined()
    expect((await one.fetch('/v1/session')).status).toBe(401)
  })

  it('is refused to other sites, and to nobody', async () => {
    const email = person()
    const one = await signedIn(email)
    const strange = await one.fetch('/v1/account', { method: 'DELETE', headers: { origin: 'https://evil.example' } })
    expect(await code(strange)).toBe('cross_site_request')
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const forged = await one.fetch('/account/delete', { method: 'POST', headers: form, body: 'form_token=x' })
    expect(await code(forged)).toBe('cross_site_request')
    expect(await code(await fetch(`${service.origin}/v1/account`, { method: 'DELETE' }))).toBe('missing_credential')
    expect(await service.auth.users.find({ email })).toBeDefined()
  })

  it('is done by operators too', async () => {
    const email = person()
    const one = await signedIn(email)
    const { id } = await userOf(email)
    const admin = (path: string) => fetch(service.admin + path, { method: 'DELETE', headers: bearer(service.adminKey) })
    expect((await fetch(`${service.admin}/admin/v1/users/${id}`, { method: 'DELETE' })).status).toBe(401)
    const gone = await admin(`/admin/v1/users/${id}`)
    expect([gone.status, gone.headers.get('symbolon-seq')]).toEqual([204, expect.stringContaining('.')])
    expect(await code(await admin(`/admin/v1/users/${id}`))).toBe('not_found')
    expect((await one.fetch('/v1/session')).status).toBe(401)
    expect((await mailsTo(email)).at(-1)?.subject).toBe('Your account was deleted')
    expect(await service.auth.audit.list({ userId: id }, 1)).toMatchObject([{ event: 'user.deleted', detail: { by: 'admin' } }])
  })
})
