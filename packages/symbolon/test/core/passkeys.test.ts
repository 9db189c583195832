// Passkeys against time: challenges that ran out, sign-ins too long ago to change anything, and bounds that hold.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SessionSnapshot, SignedIn } from '#core'
import { passkeyMail } from '#messages'
import { eventOf } from '../../src/core/events.ts'
import { passkeyName } from '../../src/core/passkeys.ts'
import { createAuthenticator } from '../setting/authenticator.ts'
import { handlerOf } from '../setting/handler.ts'
import { browser, caller, issuer, openSetting, type Setting, signIn } from '../setting/service.ts'

const origin = new URL(issuer).origin
const minute = 60_000

let setting: Setting
let signed: SignedIn
beforeEach(async () => {
  setting = await openSetting()
  signed = await signIn(setting)
})
afterEach(() => setting.close())

const device = () => createAuthenticator(origin)
async function begin(snapshot: SessionSnapshot = signed.snapshot) {
  const begun = await setting.core.passkeys.start(snapshot, caller)
  if (!begun.ok) throw new Error(begun.code)
  return begun
}
async function add(by = device(), from = caller) {
  const { registrationId, options } = await begin()
  return setting.core.passkeys.finish(signed.snapshot, { registrationId, response: by.create(options as never), caller: from })
}
async function ask() {
  const started = await setting.core.login.start({ method: 'passkey', identifier: '', clientId: 'app', browser, device: null, caller })
  if (!started.ok) throw new Error(started.code)
  return { loginId: started.loginId, options: (started.challenge as { public_key: never }).public_key }
}
const answer = (loginId: string, response: unknown) =>
  setting.core.login.verify({ loginId, response, browser, device: null, replaces: null, caller })

it('a challenge can be answered for five minutes', async () => {
  const by = device()
  const early = await begin()
  setting.time += 5 * minute - 1
  const { registrationId, options } = early
  expect((await setting.core.passkeys.finish(signed.snapshot, { registrationId, response: by.create(options as never), caller })).ok).toBe(
    true,
  )
  const late = await begin()
  const asked = [await ask(), await ask()]
  setting.time += 5 * minute - 1
  expect((await answer(asked[0]?.loginId ?? '', by.get(asked[0]?.options as never))).ok).toBe(true)
  setting.time += 1
  const response = device().create(late.options as never)
  expect(await setting.core.passkeys.finish(signed.snapshot, { registrationId: late.registrationId, response, caller })).toMatchObject({
    code: 'passkey_refused',
  })
  expect(await answer(asked[1]?.loginId ?? '', by.get(asked[1]?.options as never))).toMatchObject({ code: 'login_failed' })
})

it('asking for a challenge is bounded for an address, and takes nothing from codes', async () => {
  const address = { ip: '198.51.100.7', userAgent: null }
  const ask = () => setting.core.login.start({ method: 'passkey', identifier: '', clientId: 'app', browser, device: null, caller: address })
  const asked = await Promise.all(Array.from({ length: 620 }, ask))
  const refused = asked.filter((one) => !one.ok)
  expect(refused.length).toBeGreaterThan(10)
  expect(refused.length).toBeLessThanOrEqual(20)
  expect(refused[0]).toMatchObject({ code: 'rate_limited' })
  const coded = { method: 'email_otp', identifier: 'eve@example.com', clientId: 'app', browser, device: null, caller: address }
  expect((await setting.core.login.start(coded)).ok).toBe(true)
})

it('a challenge lies sealed in its attempt, and stands in no column', async () => {
  const { registrationId, options } = await begin()
  const { attempt } = (await setting.store.attempts.find(idHash(registrationId))) ?? {}
  expect(attempt).toMatchObject({
    purpose: 'enrol',
    method: 'passkey',
    userId: signed.snapshot.user.id,
    sid: signed.snapshot.session.sid,
    maxTries: 1,
  })
  const text = JSON.stringify(attempt) + Buffer.from(attempt?.sealedIdentifier ?? []).toString('latin1')
  expect(text).not.toContain(String(options.challenge))
})
const idHash = (id: string) => Buffer.from(setting.ports.crypto.hash(id)).toString('base64url')

it('a person has twenty at most, and begins so many an hour', async () => {
  for (let i = 0; i < 20; i++) expect((await add()).ok).toBe(true)
  expect(await setting.core.passkeys.start(signed.snapshot, caller)).toMatchObject({ code: 'conflict' })
  const first = (await setting.core.passkeys.list(signed.snapshot.user.id)).passkeys[0]?.id ?? ''
  await setting.core.passkeys.remove(signed.snapshot.user.id, first, { actor: 'test' })
  expect(await setting.core.passkeys.start(signed.snapshot, caller)).toMatchObject({ code: 'rate_limited' })
  setting.time += 60 * minute
  expect((await setting.core.passkeys.start(signed.snapshot, caller)).ok).toBe(true)
})

it('the last one stays where nothing else lets its owner in, unless an operator removes it', async () => {
  const made = await add()
  if (!made.ok) throw new Error(made.code)
  const { client, user } = signed.snapshot
  const at = { ...client, policy: { methods: ['passkey'] } }
  expect(await setting.core.passkeys.remove(user.id, made.passkey.id, { actor: user.id }, at)).toMatchObject({ code: 'conflict' })
  const second = await add()
  expect((await setting.core.passkeys.remove(user.id, made.passkey.id, { actor: user.id }, at)).ok).toBe(true)
  if (!second.ok) throw new Error(second.code)
  expect((await setting.core.passkeys.remove(user.id, second.passkey.id, { actor: user.id }, client)).ok).toBe(true)
})

it('its owner hears of each that is added or removed, in a mail without a link; a full queue stops neither', async () => {
  const told = () => setting.sent.filter(({ kind }) => kind === 'passkey')
  const made = await add(device(), { ...caller, device: 'Firefox on Linux', language: 'de' } as typeof caller)
  if (!made.ok) throw new Error(made.code)
  const { id, email } = signed.snapshot.user
  expect(told()).toEqual([{ kind: 'passkey', to: email, change: 'added', at: setting.time, device: 'Firefox on Linux', language: 'de' }])
  await setting.core.passkeys.remove(id, made.passkey.id, { actor: 'cli' })
  expect(told()[1]).toMatchObject({ to: email, change: 'removed', device: '' })
  await setting.core.passkeys.remove(id, made.passkey.id, { actor: 'cli' })
  expect(told()).toHaveLength(2)
  for (const change of ['added', 'removed'] as const)
    for (const language of ['en', 'de']) {
      const mail = passkeyMail({ change, at: setting.time, device: '<b>x\r\nBcc: eve@example.com', language }, {})
      expect(mail.subject).toMatch(/passkey/i)
      expect(mail.text + mail.html).not.toMatch(/https?:|href/)
      expect(mail.html).not.toContain('<b>')
      expect(mail.subject + mail.text).not.toContain('\r')
    }
  const { courier } = setting.ports
  const queue = courier.queue
  Object.assign(courier, {
    queue: () => {
      throw new Error('full')
    },
  })
  expect((await add()).ok).toBe(true)
  Object.assign(courier, { queue })
})

it('what happens to them is in the audit log, by whom', async () => {
  const made = await add(device(), { ...caller, device: 'Firefox on Linux' } as typeof caller)
  if (!made.ok) throw new Error(made.code)
  expect(made.passkey.name).toBe('Firefox on Linux')
  const { id } = signed.snapshot.user
  await setting.core.passkeys.rename(id, made.passkey.id, 'x', { actor: id, caller })
  await setting.core.passkeys.remove(id, made.passkey.id, { actor: 'cli' })
  const lines = (await setting.core.audit.list({ userId: id }, 10)).filter(({ event }) => event.startsWith('passkey.'))
  expect(lines.map(({ event, detail }) => [event, detail.by, detail.passkey === made.passkey.id])).toEqual([
    ['passkey.removed', 'cli', true],
    ['passkey.renamed', id, true],
    ['passkey.added', id, true],
  ])
  // Applications are told of what changes who gets in; a name is nobody's business.
  expect(lines.map((line) => eventOf(line))).toMatchObject([
    { type: 'passkey.removed', data: { user_id: id, passkey: made.passkey.id, by: 'cli' } },
    undefined,
    { type: 'passkey.added', data: { user_id: id, passkey: made.passkey.id, by: id } },
  ])
})

describe('one that is removed while a sign-in by it is under way opens nothing', () => {
  const removed = async () => {
    const by = device()
    const made = await add(by)
    if (!made.ok) throw new Error(made.code)
    const remove = () => setting.core.passkeys.remove(signed.snapshot.user.id, made.passkey.id, { actor: 'test' })
    const live = async () => (await setting.core.sessions.list(signed.snapshot.user.id)).sessions.length
    return { by, remove, live }
  }
  it.each(['use', 'open'] as const)('removed right after the store’s step %s', async (step) => {
    const { by, remove, live } = await removed()
    const { loginId, options } = await ask()
    const before = await live()
    const { passkeys, sessions } = setting.store
    const [use, open] = [passkeys.use, sessions.open]
    // What the removal is behind of, as another request would be.
    Object.assign(passkeys, {
      use: async (...input: Parameters<typeof use>) => {
        const used = await use(...input)
        if (step === 'use') await remove()
        return used
      },
    })
    Object.assign(sessions, {
      open: async (...input: Parameters<typeof open>) => {
        const opened = await open(...input)
        if (step === 'open') await remove()
        return opened
      },
    })
    expect(await answer(loginId, by.get(options))).toMatchObject({ code: 'login_failed' })
    expect(await live()).toBe(before)
  })
  it.each([
    ['nothing', 'ok'],
    ['use', 'login_failed'],
    ['raise', 'session_revoked'],
  ] as const)('nor does it raise a session; removed right after the store’s step %s', async (step, expected) => {
    const { by, remove } = await removed()
    const acrValues = ['urn:symbolon:acr:passkey']
    const asked = { credential: signed.credential, kind: 'cookie', method: 'passkey', need: { acrValues }, action: null } as const
    const begun = await setting.core.login.stepUp({ ...asked, browser, device: null, caller })
    if (!begun.ok) throw new Error(begun.code)
    const { public_key: options } = begun.challenge as { public_key: { allowCredentials: unknown[] } }
    expect(options.allowCredentials).toMatchObject([{ id: by.id }])
    const { passkeys, sessions } = setting.store
    const [use, raise] = [passkeys.use, sessions.raise]
    Object.assign(passkeys, {
      use: async (...input: Parameters<typeof use>) => {
        const used = await use(...input)
        if (step === 'use') await remove()
        return used
      },
    })
    Object.assign(sessions, {
      raise: async (...input: Parameters<typeof raise>) => {
        const raised = await raise(...input)
        if (step === 'raise') await remove()
        return raised
      },
    })
    const given = { loginId: begun.loginId, response: by.get(options as never), browser, device: null, replaces: signed.credential, caller }
    const done = await setting.core.login.verify(given)
    expect(done.ok ? 'ok' : done.code).toBe(expected)
    const found = await setting.store.sessions.find(signed.snapshot.session.sid)
    expect([found?.session.acr === acrValues[0], found?.session.revokedAt !== null]).toEqual([step !== 'use', step === 'raise'])
  })
  it('removed while the person is asked which session ends', async () => {
    await setting.core.clients.change('app', { policy: { maxSessions: 1, onLimit: 'ask' } }, 'test')
    const { by, remove, live } = await removed()
    const { loginId, options } = await ask()
    const step = await answer(loginId, by.get(options))
    expect(step).toMatchObject({ ok: true, state: 'limit' })
    await remove()
    const end = { loginId, end: signed.snapshot.session.sid, browser, device: null, replaces: null, caller }
    expect(await setting.core.login.verify(end)).toMatchObject({ code: 'login_failed' })
    expect(await live()).toBe(1)
    // It is still the one that was there.
    expect((await setting.core.sessions.check(signed.credential, 'cookie')).ok).toBe(true)
  })
  it('kept, it opens a session behind that question', async () => {
    await setting.core.clients.change('app', { policy: { maxSessions: 1, onLimit: 'ask' } }, 'test')
    const { by, live } = await removed()
    const { loginId, options } = await ask()
    await answer(loginId, by.get(options))
    const end = { loginId, end: signed.snapshot.session.sid, browser, device: null, replaces: null, caller }
    expect(await setting.core.login.verify(end)).toMatchObject({ ok: true, snapshot: { session: { acr: 'urn:symbolon:acr:passkey' } } })
    expect(await live()).toBe(1)
  })
})

describe('a sign-in of five minutes ago', () => {
  const call = (method: string, path: string, body?: unknown) =>
    handlerOf(setting)(
      new Request(issuer + path, {
        method,
        headers: { origin, cookie: `symbolon=${signed.credential}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
      { ip: '192.0.2.1' },
    )
  it.each([
    ['POST', '/v1/account/passkeys/start', {}, 200],
    ['POST', '/v1/account/passkeys/ID/name', { name: 'x' }, 204],
    ['DELETE', '/v1/account/passkeys/ID', undefined, 204],
  ] as const)('still lets %s %s happen, and one second later no more', async (method, path, body, status) => {
    const made = await add()
    if (!made.ok) throw new Error(made.code)
    const at = path.replace('ID', made.passkey.id)
    setting.time += 5 * minute + 1
    const late = await call(method, at, body)
    expect([late.status, ((await late.json()) as { code: string }).code]).toEqual([401, 'step_up_required'])
    expect(late.headers.get('www-authenticate')).toMatch(/error="insufficient_user_authentication".*max_age="?300/)
    expect((await call('GET', '/v1/account/passkeys')).status).toBe(200)
    signed = await signIn(setting)
    setting.time += 5 * minute
    expect((await call(method, at, body)).status).toBe(status)
  })
})

it.each([
  ['  a\tb\n\nc ', 'a b c'],
  ['\u202eevil\u202c', 'evil'],
  ['x'.repeat(200), 'x'.repeat(60)],
  ['🙂'.repeat(70), '🙂'.repeat(60)],
  ['\u200b\u2028', ''],
  ['e\u0301', 'é'],
])('a name %j is kept as %j', (text, kept) => expect(passkeyName(text)).toBe(kept))
