// Setting up a passkey while signing in, where a client wants one: for who has none, and for nobody else. The key is stored
// with the session that it opens, or not at all.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LoginStep, SignedIn } from '#core'
import { createAuthenticator } from '../setting/authenticator.ts'
import { browser, caller, issuer, openSetting, type Setting, signIn, start } from '../setting/service.ts'

const origin = new URL(issuer).origin
const level = 'urn:symbolon:acr:passkey'
const elsewhere = 'BBBBBBBBBBBBBBBBBBBBBB'

let setting: Setting
const open = async (policy = {}) => {
  setting = await openSetting({ policy: { acr: level, enrol: 'required', newDeviceNotice: false, ...policy } })
}
beforeEach(() => open())
afterEach(() => setting.close())

const take = (loginId: string, answer: { code: string } | { response: unknown } | { end: string }, by: string | null = browser) =>
  setting.core.login.verify({ loginId, browser: by, device: null, replaces: null, caller, ...answer })
/** Proves the mailbox; the step after it. */
async function prove(email: string): Promise<{ loginId: string; step: LoginStep; options: never }> {
  const { loginId, code } = await start(setting, email)
  const step = await take(loginId, { code })
  if (!step.ok || !('state' in step)) throw new Error(step.ok ? 'signed in' : step.code)
  return { loginId, step, options: (step.challenge as { public_key: never }).public_key }
}
const keysOf = async (userId: string) => (await setting.store.passkeys.list(userId)).passkeys
/** A person without a passkey. */
async function known(email: string) {
  const made = await setting.core.users.create({ email }, 'test')
  if (!made.ok) throw new Error(made.code)
  return made.user
}

describe('who has none', () => {
  it.each(['new', 'known'])('makes one and is in: %s', async (which) => {
    const user = which === 'known' ? await known('ada@example.com') : null
    const { loginId, step, options } = await prove('ada@example.com')
    expect(step).toMatchObject({ state: 'enrol', methods: ['passkey'], sessions: [], token: null })
    // Nobody is made before it is done.
    if (user === null) expect(await setting.store.users.find({ email: 'ada@example.com' })).toBeUndefined()
    const device = createAuthenticator(origin)
    const done = (await take(loginId, { response: device.create(options) })) as SignedIn
    expect(done).toMatchObject({ ok: true, created: user === null, snapshot: { session: { acr: level } } })
    const { id } = done.snapshot.user
    expect(user?.id ?? id).toBe(id)
    expect(done.snapshot.session.amr).toEqual(expect.arrayContaining(['otp', 'mfa']))
    expect(await keysOf(id)).toHaveLength(1)
    expect(setting.sent.at(-1)).toMatchObject({ kind: 'passkey', change: 'added', to: 'ada@example.com' })
    const lines = await setting.store.audit.list({ userId: id }, 10)
    expect(lines.find(({ event }) => event === 'passkey.added')).toMatchObject({ userId: id, detail: { by: id } })
    // And signs in by it from then on, by itself or behind a code.
    const again = await prove('ada@example.com')
    expect(again.step).toMatchObject({ state: 'challenge', methods: ['passkey'] })
    expect((await take(again.loginId, { response: device.get(again.options) })).ok).toBe(true)
  })

  it('is asked in the browser that they began in, and answers three times at most', async () => {
    const { loginId, options } = await prove('ada@example.com')
    const response = createAuthenticator(origin).create(options)
    expect(await take(loginId, { response }, elsewhere)).toMatchObject({ code: 'login_failed' })
    expect(await take(loginId, { code: '123456' })).toMatchObject({ code: 'login_failed' })
    expect(await take(loginId, { end: 'x' })).toMatchObject({ code: 'login_failed' })
    for (const bad of [{}, createAuthenticator('https://evil.example').create(options)])
      expect(await take(loginId, { response: bad })).toMatchObject({ code: 'login_failed' })
    expect((await take(loginId, { response })).ok).toBe(true)
    const other = await prove('eve@example.com')
    for (let i = 0; i < 3; i++) expect(await take(other.loginId, { response: {} })).toMatchObject({ code: 'login_failed' })
    expect(await take(other.loginId, { response: createAuthenticator(origin).create(other.options) })).toMatchObject({
      code: 'login_failed',
    })
    expect(await setting.store.users.find({ email: 'eve@example.com' })).toBeUndefined()
  })

  it('answers in five minutes', async () => {
    const { loginId, options } = await prove('ada@example.com')
    setting.time += 300_000
    expect(await take(loginId, { response: createAuthenticator(origin).create(options) })).toMatchObject({ code: 'login_failed' })
  })

  it('opens one session, however many answer at once', async () => {
    const { loginId, options } = await prove('ada@example.com')
    const response = createAuthenticator(origin).create(options)
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => take(loginId, { response })))
    expect(outcomes.filter((one) => one.ok)).toHaveLength(1)
  })

  it('is refused where it is not asked for, or nobody signs up', async () => {
    await setting.close()
    await open({ enrol: 'off' })
    const off = await start(setting, 'ada@example.com')
    expect(await take(off.loginId, off)).toMatchObject({ code: 'denied' })
    await setting.close()
    await open({ signUp: 'closed' })
    // Who is unknown is sent nothing.
    const closed = await start(setting, 'ada@example.com')
    expect(await take(closed.loginId, { code: '123456' })).toMatchObject({ code: 'login_failed' })
    const user = await known('bob@example.com')
    const [first, second] = [await prove('bob@example.com'), await start(setting, 'bob@example.com')]
    expect(first.step.state).toBe('enrol')
    await setting.core.users.change(user.id, { status: 'disabled' }, { actor: 'test' })
    expect(await take(second.loginId, second)).toMatchObject({ code: 'denied' })
    const response = createAuthenticator(origin).create(first.options)
    expect(await take(first.loginId, { response })).toMatchObject({ code: 'login_failed' })
    expect(await keysOf(user.id)).toEqual([])
  })
})

describe('who has one', () => {
  it('is asked for that, never for a new one', async () => {
    const first = await prove('ada@example.com')
    await take(first.loginId, { response: createAuthenticator(origin).create(first.options) })
    expect((await prove('ada@example.com')).step.state).toBe('challenge')
  })

  it('keeps it alone, though a sign-in was asked for a new one before: what a code alone began never comes beside it', async () => {
    const [slow, quick] = [await prove('ada@example.com'), await prove('ada@example.com')]
    const owner = createAuthenticator(origin)
    const done = (await take(quick.loginId, { response: owner.create(quick.options) })) as SignedIn
    const thief = createAuthenticator(origin)
    expect(await take(slow.loginId, { response: thief.create(slow.options) })).toMatchObject({ code: 'login_failed' })
    expect(await keysOf(done.snapshot.user.id)).toHaveLength(1)
    expect((await setting.store.sessions.list(done.snapshot.user.id)).sessions).toHaveLength(1)
  })

  it('is one of many who make one at once', async () => {
    const user = await known('ada@example.com')
    const begun: Awaited<ReturnType<typeof prove>>[] = []
    for (let i = 0; i < 8; i++) begun.push(await prove('ada@example.com'))
    const outcomes = await Promise.all(
      begun.map(({ loginId, options }) => take(loginId, { response: createAuthenticator(origin).create(options) })),
    )
    expect(outcomes.filter((one) => one.ok)).toHaveLength(1)
    expect(await keysOf(user.id)).toHaveLength(1)
  })
})

it('whoever must end a session first keeps the key that they made until they did', async () => {
  await setting.close()
  await open({ maxSessions: 1, onLimit: 'ask' })
  const user = await known('ada@example.com')
  await setting.core.clients.change('app', { policy: { acr: 'urn:symbolon:acr:email' } }, { actor: 'test' })
  const before = await signIn(setting, 'ada@example.com')
  await setting.core.clients.change('app', { policy: {} }, { actor: 'test' })
  const { loginId, options } = await prove('ada@example.com')
  const asked = await take(loginId, { response: createAuthenticator(origin).create(options) })
  expect(asked).toMatchObject({ ok: true, state: 'limit' })
  expect(await keysOf(user.id)).toHaveLength(0)
  const done = await take(loginId, { end: before.snapshot.session.sid })
  expect(done).toMatchObject({ ok: true, snapshot: { session: { acr: level } } })
  expect(await keysOf(user.id)).toHaveLength(1)
})
