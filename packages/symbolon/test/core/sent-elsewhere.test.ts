// A factor that is sent elsewhere than to the mail address, such as a number: as a later proof, for a step-up, and as what a
// sign-in begins with. It is one object behind the port; nothing of the machine knows it.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LoginAnswer, User } from '#core'
import { numberFactor, wordFactor } from '../setting/factors.ts'
import { browser, caller, openSetting, type Setting, signIn, start } from '../setting/service.ts'

const strong = 'urn:symbolon:acr:passkey'
const by = { browser, device: null, caller }

let setting: Setting
let numbers: Map<string, string>
let people: Record<'ada' | 'bob', User>
afterEach(() => setting.close())

async function open(acr: string, first: boolean) {
  numbers = new Map()
  const find = async (number: string) => {
    const [id] = [...numbers].find(([, one]) => one === number) ?? []
    return id === undefined ? undefined : setting.store.users.find({ id })
  }
  // With a link of its own, which no such factor has: opening it must prove nothing.
  const factor = numberFactor(numbers, first ? find : undefined, { method: 'passkey', lifetime: 300_000 })
  setting = await openSetting({
    policy: { methods: ['email_otp', 'email_link', 'passkey', 'word'], acr, newDeviceNotice: false },
    factors: [factor, wordFactor(new Set())],
    // It takes their row in the table of levels.
    passkeys: false,
  })
  const make = async (name: string) => {
    const made = await setting.core.users.create({ email: `${name}@example.com` }, 'test')
    if (!made.ok) throw new Error(made.code)
    return made.user
  }
  people = { ada: await make('ada'), bob: await make('bob') }
  numbers.set(people.ada.id, '+4915100001')
}
const take = (loginId: string, answer: LoginAnswer) => setting.core.login.verify({ loginId, replaces: null, ...by, ...answer })
const lastSent = () => {
  const last = setting.sent.at(-1)
  if (last?.kind !== 'code') throw new Error(`sent: ${last?.kind}`)
  return { to: last.to, code: last.code }
}

describe('as a second proof', () => {
  beforeEach(() => open(strong, false))

  /** Up to the code that went to the number. */
  const half = async () => {
    const { loginId, code } = await start(setting, 'ada@example.com')
    expect(await take(loginId, { code })).toMatchObject({ ok: true, state: 'verify', methods: ['passkey'] })
    return { loginId, mailed: code, ...lastSent() }
  }

  it('is sent to the number, shown as sent there, and opens the session with the mail’s code', async () => {
    const { loginId, mailed, to, code } = await half()
    expect([to, setting.sent.at(-1)]).toMatchObject(['+4915100001', { link: null }])
    expect(await setting.core.login.view(loginId, browser)).toMatchObject({ identifier: '…01', state: 'verify' })
    expect(await take(loginId, { code: mailed })).toMatchObject({ ok: false, code: 'login_failed' })
    expect(await take(loginId, { code })).toMatchObject({
      ok: true,
      snapshot: { user: { email: 'ada@example.com' }, session: { acr: strong, amr: ['otp', 'sms'] } },
    })
  })

  it('is sent again to the number, and the code before it is good no more', async () => {
    const before = await half()
    setting.time += 1000
    expect(await setting.core.login.resend({ loginId: before.loginId, ...by })).toMatchObject({ ok: true })
    const after = lastSent()
    expect([after.to, after.code === before.code]).toEqual(['+4915100001', false])
    expect(await take(before.loginId, { code: before.code })).toMatchObject({ ok: false })
    expect(await take(before.loginId, { code: after.code })).toMatchObject({ ok: true })
  })

  it('opens nothing once the number is another’s', async () => {
    const { loginId, code } = await half()
    numbers.delete(people.ada.id)
    numbers.set(people.bob.id, '+4915100001')
    expect(await take(loginId, { code })).toMatchObject({ ok: false, code: 'login_failed' })
    const second = await start(setting, 'bob@example.com')
    await take(second.loginId, { code: second.code })
    expect(await take(second.loginId, { code: lastSent().code })).toMatchObject({ ok: true, snapshot: { user: { id: people.bob.id } } })
  })

  it('is not proven by the link that the sign-in came here by', async () => {
    await start(setting, 'ada@example.com')
    const mailed = setting.sent.at(-1)
    const token = (mailed?.kind === 'code' ? mailed.link?.address : '')?.split('token=')[1] ?? ''
    const press = (link: string) => setting.core.login.takeLink({ token: link, replaces: null, press: true, ...by })
    const step = await press(token)
    if (!step.ok || !('state' in step)) throw new Error('no step')
    expect([step.state, lastSent().to]).toEqual(['verify', '+4915100001'])
    const carried = step.token ?? ''
    expect(await press(carried)).toMatchObject({ ok: false, code: 'login_failed' })
    expect(await setting.core.login.takeLink({ token: carried, replaces: null, code: lastSent().code, ...by })).toMatchObject({
      ok: true,
      created: false,
    })
  })

  it('goes nowhere, and opens nothing, once the number is somebody’s no more', async () => {
    const { loginId, code } = await half()
    numbers.set(people.ada.id, '+4915100002')
    setting.time += 1000
    expect(await setting.core.login.resend({ loginId, ...by })).toMatchObject({ ok: true })
    expect(setting.sent.at(-1)?.kind).toBe('none')
    const other = await half()
    numbers.set(people.ada.id, '+4915100003')
    expect(await take(other.loginId, { code: other.code })).toMatchObject({ ok: false, code: 'login_failed' })
    expect(await take(loginId, { code })).toMatchObject({ ok: false })
    expect((await setting.store.sessions.list(people.ada.id)).sessions).toEqual([])
  })

  it('is not begun where what a factor says cannot be kept as it is', async () => {
    for (const number of ['+49 Zoë', '+49\n+50', '+49\u007f']) {
      numbers.set(people.ada.id, number)
      const { loginId, code } = await start(setting, 'ada@example.com')
      await expect(take(loginId, { code })).rejects.toMatchObject({ code: 'internal' })
    }
    numbers.set(people.ada.id, '+49 151')
    expect((await half()).to).toBe('+49 151')
  })

  it('is no way for who has no number, and nothing that a sign-in begins with', async () => {
    const { loginId, code } = await start(setting, 'bob@example.com')
    expect(await take(loginId, { code })).toMatchObject({ ok: false, code: 'denied' })
    expect(await setting.core.login.start({ method: 'passkey', identifier: '+4915100001', clientId: 'app', ...by })).toMatchObject({
      code: 'unsupported_method',
    })
  })

  it('takes guesses at it for guesses at its person', async () => {
    let outcome = 'sent'
    // Ten guesses: in the third turn they are used up. By the mails’ codes alone that would be the eleventh.
    for (let turn = 0; turn < 4 && outcome === 'sent'; turn++) {
      setting.time += 60_000
      const { loginId, code } = await start(setting, 'ada@example.com')
      const answer = await take(loginId, { code })
      outcome = answer.ok ? 'sent' : answer.code
      for (let i = 0; i < 3; i++) await take(loginId, { code: '00000000' })
    }
    expect(outcome).toBe('rate_limited')
  })
})

describe('for a step-up', () => {
  beforeEach(() => open('urn:symbolon:acr:email', false))

  it.each(['cookie', 'token'] as const)('raises a session by %s', async (kind) => {
    const before = await signIn(setting, 'ada@example.com', kind === 'cookie' ? 'app' : 'native')
    const started = await setting.core.login.stepUp({
      credential: before.credential,
      kind,
      method: null,
      need: { acrValues: [strong] },
      action: null,
      ...by,
      browser: kind === 'cookie' ? browser : null,
    })
    if (!started.ok) throw new Error(started.code)
    expect([started.method, started.methods]).toEqual(['passkey', ['passkey']])
    const { to, code } = lastSent()
    expect(to).toBe('+4915100001')
    const { loginId } = started
    const verify = (answer: string) =>
      setting.core.login.verify({
        loginId,
        ...by,
        browser: kind === 'cookie' ? browser : null,
        replaces: kind === 'cookie' ? before.credential : null,
        code: answer,
      })
    expect(await verify('00000000')).toMatchObject({ ok: false, code: 'login_failed' })
    expect(await verify(code)).toMatchObject({
      ok: true,
      snapshot: { session: { acr: strong, amr: ['sms'], sid: before.snapshot.session.sid } },
    })
  })
})

describe('as what a sign-in begins with', () => {
  beforeEach(() => open('urn:symbolon:acr:email', true))

  const begin = (identifier: string, method = 'passkey') => setting.core.login.start({ method, identifier, clientId: 'app', ...by })

  it('signs in whose number it is', async () => {
    const started = await begin('+4915100001')
    if (!started.ok) throw new Error(started.code)
    const { to, code } = lastSent()
    expect(to).toBe('+4915100001')
    expect(await take(started.loginId, { code })).toMatchObject({ ok: true, created: false, snapshot: { user: { id: people.ada.id } } })
  })

  it('sends nothing to a number that is nobody’s, looks the same, and makes no user', async () => {
    const [known, unknown] = [await begin('+4915100001'), await begin('+4915100009')]
    expect(Object.keys(unknown)).toEqual(Object.keys(known))
    expect(setting.sent.map(({ kind }) => kind)).toEqual(['code', 'none'])
    expect(await begin('ada@example.com')).toMatchObject({ code: 'invalid_identifier' })
  })

  it('signs nobody in once the number is another’s, or nobody’s', async () => {
    for (const heir of ['bob', null] as const) {
      numbers.delete(people.bob.id)
      numbers.set(people.ada.id, '+4915100001')
      const started = await begin('+4915100001')
      if (!started.ok) throw new Error(started.code)
      const { code } = lastSent()
      numbers.delete(people.ada.id)
      if (heir !== null) numbers.set(people[heir].id, '+4915100001')
      const taken = await take(started.loginId, { code })
      // Who reads what is sent to the number has it: the new owner, by the owner's own rule.
      if (heir === null) expect(taken).toMatchObject({ ok: false, code: 'login_failed' })
      else expect(taken).toMatchObject({ ok: true, snapshot: { user: { id: people.bob.id } } })
    }
    expect((await setting.store.sessions.list(people.ada.id)).sessions).toEqual([])
  })
})
