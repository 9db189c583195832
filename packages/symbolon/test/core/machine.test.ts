// The login machine: every state and action, several factors one after another, links, and the limit at which people are
// asked. What half a sign-in gives access to is its next step, and nothing else.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LoginAnswer, LoginStep, SignedIn } from '#core'
import { keyFactor, wordFactor } from '../setting/factors.ts'
import { browser, caller, openSetting, type Setting, signIn, start } from '../setting/service.ts'

const elsewhere = 'BBBBBBBBBBBBBBBBBBBBBB'
const minute = 60_000

/** A service whose sign-ins need a key beside the mailbox; people may have a word too. */
async function openStrict(proves?: 'passkey_presence') {
  const keys = new Set<string>()
  const words = new Set<string>()
  const key = keyFactor(keys, proves)
  const setting = await openSetting({
    policy: { methods: ['email_otp', 'email_link', 'passkey', 'word'], acr: 'urn:symbolon:acr:passkey', newDeviceNotice: false },
    factors: [key.factor, wordFactor(words)],
  })
  const people: Record<string, string> = {}
  for (const name of ['both', 'key', 'none']) {
    const made = await setting.core.users.create({ email: `${name}@example.com` }, 'test')
    if (!made.ok) throw new Error(made.code)
    people[name] = made.user.id
    if (name !== 'none') keys.add(made.user.id)
    if (name === 'both') words.add(made.user.id)
  }
  return { setting, key, people }
}

const take = (setting: Setting, loginId: string, answer: LoginAnswer, by: string | null = browser) =>
  setting.core.login.verify({ loginId, browser: by, device: null, replaces: null, caller, ...answer })
const stepOf = (taken: SignedIn | LoginStep | { readonly ok: false }): LoginStep => {
  if (!taken.ok || !('state' in taken)) throw new Error('no step')
  return taken
}
const linkOf = (setting: Setting) => {
  const last = setting.sent.at(-1)
  return last?.kind === 'code' ? (last.link?.address.split('token=')[1] ?? '') : ''
}
const byLink = (setting: Setting, token: string, answer: LoginAnswer | { press: true }, by: string) =>
  setting.core.login.takeLink({ token, browser: by, device: null, replaces: null, caller, ...answer })

it('sends a code as a second factor within the budgets of its mailbox, however often it is chosen', async () => {
  const { setting, key, people } = await openStrict('passkey_presence')
  try {
    const by = { browser, device: null, caller }
    const started = await setting.core.login.start({ method: 'passkey', identifier: '', clientId: 'app', ...by })
    if (!started.ok) throw new Error(started.code)
    const { loginId, challenge } = started
    const step = stepOf(await take(setting, loginId, { response: key.sign(challenge, people.both ?? '') }))
    expect([step.state, step.methods]).toEqual(['choose', ['email_otp', 'passkey', 'word']])
    const choose = async () => {
      const taken = await take(setting, loginId, { method: 'email_otp' })
      return taken.ok ? 'sent' : taken.code
    }
    const chosen: string[] = []
    while (chosen.length < 60 && chosen.at(-1) !== 'rate_limited') chosen.push(await choose())
    expect([chosen[0], chosen.at(-1), setting.sent.length]).toEqual(['sent', 'rate_limited', chosen.length - 1])
    // The same ones that a start spends.
    expect(await setting.core.login.start({ method: 'email_otp', identifier: 'both@example.com', clientId: 'app', ...by })).toMatchObject({
      code: 'rate_limited',
    })
    // Nothing was sent, and the attempt stands where it stood.
    expect(await choose()).toBe('rate_limited')
    setting.time += 20 * minute
    expect([await choose(), setting.sent.length]).toEqual(['sent', chosen.length])
  } finally {
    await setting.close()
  }
})

describe('two factors', () => {
  let strict: Awaited<ReturnType<typeof openStrict>>
  let setting: Setting
  beforeEach(async () => {
    strict = await openStrict()
    setting = strict.setting
  })
  afterEach(() => setting.close())

  it('lead one after the other to one session, which says both', async () => {
    const { loginId, code } = await start(setting, 'key@example.com')
    const step = stepOf(await take(setting, loginId, { code }))
    expect(step).toMatchObject({ state: 'challenge', methods: ['passkey'], challenge: { rp: 'Bücher' } })
    const view = await setting.core.login.view(loginId, browser)
    expect(view).toMatchObject({ ok: true, state: 'challenge', step: { challenge: step.challenge } })
    expect(await take(setting, loginId, { code })).toMatchObject({ ok: false, code: 'login_failed' })
    const answer = { response: strict.key.sign(step.challenge, strict.people.key ?? '') }
    const done = await take(setting, loginId, answer)
    expect(done).toMatchObject({ ok: true, snapshot: { session: { acr: 'urn:symbolon:acr:passkey', amr: ['otp', 'hwk'] } } })
    expect(await take(setting, loginId, answer)).toMatchObject({ ok: false })
    expect((await setting.store.sessions.list(strict.people.key ?? '')).sessions).toHaveLength(1)
  })

  it('count each other’s guesses for nobody: three answers, and no fourth', async () => {
    const { loginId, code } = await start(setting, 'key@example.com')
    const { challenge } = stepOf(await take(setting, loginId, { code }))
    const right = { response: strict.key.sign(challenge, strict.people.key ?? '') }
    for (let i = 0; i < 3; i++) expect((await take(setting, loginId, { response: { answer: 'x' } })).ok).toBe(false)
    expect((await take(setting, loginId, right)).ok).toBe(false)
  })

  it('are of one person: somebody else’s key proves nothing', async () => {
    const { loginId, code } = await start(setting, 'key@example.com')
    const { challenge } = stepOf(await take(setting, loginId, { code }))
    const other = { response: strict.key.sign(challenge, strict.people.both ?? '') }
    expect((await take(setting, loginId, other)).ok).toBe(false)
    const own = { response: strict.key.sign(challenge, strict.people.key ?? '') }
    expect((await take(setting, loginId, own)).ok).toBe(true)
  })

  it('are chosen among several: who errs with one takes the other', async () => {
    const { loginId, code } = await start(setting, 'both@example.com')
    await take(setting, loginId, { code })
    await take(setting, loginId, { method: 'word' })
    for (let i = 0; i < 4; i++) expect((await take(setting, loginId, { code: 'wrong' })).ok).toBe(false)
    const { challenge } = stepOf(await take(setting, loginId, { method: 'passkey' }))
    expect((await take(setting, loginId, { response: strict.key.sign(challenge, strict.people.both ?? '') })).ok).toBe(true)
  })

  it('are chosen among several, and choosing gives no try back', async () => {
    const { loginId, code } = await start(setting, 'both@example.com')
    expect(await take(setting, loginId, { method: 'word' })).toMatchObject({ ok: false, code: 'unsupported_method' })
    expect(stepOf(await take(setting, loginId, { code }))).toMatchObject({ state: 'choose', methods: ['passkey', 'word'] })
    expect(await take(setting, loginId, { code: '123456' })).toMatchObject({ ok: false })
    expect(stepOf(await take(setting, loginId, { method: 'word' }))).toMatchObject({ state: 'challenge', methods: ['word'] })
    expect((await take(setting, loginId, { code: 'wrong' })).ok).toBe(false)
    expect((await take(setting, loginId, { code: 'wrong' })).ok).toBe(false)
    const { challenge } = stepOf(await take(setting, loginId, { method: 'passkey' }))
    // Five in all, whichever way they are given.
    for (let i = 0; i < 2; i++) expect((await take(setting, loginId, { response: {} })).ok).toBe(false)
    expect((await take(setting, loginId, { method: 'passkey' })).ok).toBe(true)
    expect((await take(setting, loginId, { response: {} })).ok).toBe(false)
    const view = await setting.core.login.view(loginId, browser)
    const asked = view.ok ? view.step.challenge : challenge
    const right = { response: strict.key.sign(asked, strict.people.both ?? '') }
    expect((await take(setting, loginId, right)).ok).toBe(false)
    expect(await take(setting, loginId, { method: 'word' })).toMatchObject({ ok: false })
  })

  it('that prove something else go on to what is missing', async () => {
    const { loginId, code } = await start(setting, 'both@example.com')
    await take(setting, loginId, { code })
    await take(setting, loginId, { method: 'word' })
    const { challenge, methods } = stepOf(await take(setting, loginId, { code: 'open sesame' }))
    expect(methods).toEqual(['passkey'])
    const right = { response: strict.key.sign(challenge, strict.people.both ?? '') }
    expect(await take(setting, loginId, right)).toMatchObject({ snapshot: { session: { amr: ['otp', 'kba', 'hwk'] } } })
  })

  it('tell nobody who has which before one is proven, and then only its owner', async () => {
    const shapes = []
    for (const name of ['both', 'key', 'none', 'unknown']) {
      const begun = await start(setting, `${name}@example.com`)
      const view = await setting.core.login.view(begun.loginId, browser)
      const wrong = await take(setting, begun.loginId, { code: begun.code === '000000' ? '000001' : '000000' })
      const chosen = await take(setting, begun.loginId, { method: 'passkey' })
      const sent = setting.sent.at(-1)
      shapes.push([Object.keys(view), view.ok && view.step.methods, wrong, chosen, sent?.kind])
      if (name === 'none' || name === 'unknown')
        expect(await take(setting, begun.loginId, { code: begun.code })).toMatchObject({ ok: false, code: 'denied' })
    }
    for (const shape of shapes) expect(shape).toEqual(shapes[0])
    expect(await setting.core.users.find({ email: 'unknown@example.com' })).toBeUndefined()
  })

  it('cannot be begun by one that needs to know who it is, nor with a name where none is asked', async () => {
    const begin = (method: string, identifier: string) =>
      setting.core.login.start({ method, identifier, clientId: 'app', browser, device: null, caller })
    expect(await begin('word', 'both@example.com')).toMatchObject({ code: 'unsupported_method' })
    expect(await begin('passkey', 'both@example.com')).toMatchObject({ code: 'invalid_identifier' })
    const begun = await begin('passkey', '')
    if (!begun.ok) throw new Error(begun.code)
    const done = await take(setting, begun.loginId, { response: strict.key.sign(begun.challenge, strict.people.key ?? '') })
    expect(done).toMatchObject({ ok: true, snapshot: { user: { email: 'key@example.com' } } })
  })

  it('move with the first proof to the browser that gave it: where it was started they are of no use', async () => {
    const { loginId, code } = await start(setting, 'key@example.com')
    const token = linkOf(setting)
    const step = stepOf(await byLink(setting, token, { code }, elsewhere))
    const right = { response: strict.key.sign(step.challenge, strict.people.key ?? '') }
    // Whoever started it, hoping that the owner of the mailbox proves the first one for them.
    expect((await take(setting, loginId, right)).ok).toBe(false)
    expect((await setting.core.login.view(loginId, browser)).ok).toBe(false)
    expect((await byLink(setting, token, right, elsewhere)).ok).toBe(false)
    expect((await byLink(setting, step.token ?? '', right, browser)).ok).toBe(false)
    expect((await setting.core.login.viewLink(step.token ?? '', browser)).ok).toBe(false)
    expect(await byLink(setting, step.token ?? '', right, elsewhere)).toMatchObject({
      ok: true,
      snapshot: { user: { email: 'key@example.com' } },
    })
  })

  it('end with the attempt: not half an hour after it was started, whatever was proven', async () => {
    const { loginId, code } = await start(setting, 'both@example.com')
    await take(setting, loginId, { code })
    for (let i = 0; i < 7; i++) {
      setting.time += 4 * minute
      stepOf(await take(setting, loginId, { method: i % 2 === 0 ? 'word' : 'passkey' }))
    }
    setting.time += 4 * minute
    expect((await take(setting, loginId, { method: 'word' })).ok).toBe(false)
  })
})

describe('links', () => {
  let setting: Setting
  beforeEach(async () => {
    setting = await openSetting()
  })
  afterEach(() => setting.close())

  it('live for fifteen minutes, the code for ten', async () => {
    const { loginId, code } = await start(setting, 'ada@example.com')
    const token = linkOf(setting)
    setting.time += 12 * minute
    expect((await take(setting, loginId, { code })).ok).toBe(false)
    expect((await byLink(setting, token, { code }, elsewhere)).ok).toBe(false)
    setting.time += 3 * minute - 1
    expect((await setting.core.login.viewLink(token, browser)).ok).toBe(true)
    expect((await byLink(setting, token, { press: true }, browser)).ok).toBe(true)
    await start(setting, 'ada@example.com')
    const late = linkOf(setting)
    setting.time += 15 * minute
    expect((await setting.core.login.viewLink(late, browser)).ok).toBe(false)
    expect((await byLink(setting, late, { press: true }, browser)).ok).toBe(false)
  })

  it('are replaced by the next mail, and open nothing without their browser or their code', async () => {
    const { loginId, code } = await start(setting, 'ada@example.com')
    const first = linkOf(setting)
    setting.time += 31_000
    expect((await setting.core.login.resend({ loginId, browser, device: null, caller })).ok).toBe(true)
    const second = linkOf(setting)
    const [sent] = setting.sent.slice(-1)
    for (const by of [browser, elsewhere]) expect((await byLink(setting, first, { press: true }, by)).ok).toBe(false)
    expect((await byLink(setting, second, { press: true }, elsewhere)).ok).toBe(false)
    expect((await byLink(setting, second, { end: 'x' }, elsewhere)).ok).toBe(false)
    const newest = sent?.kind === 'code' ? sent.code : ''
    if (code !== newest) expect((await byLink(setting, second, { code }, elsewhere)).ok).toBe(false)
    expect((await byLink(setting, second, { code: newest }, elsewhere)).ok).toBe(true)
    expect((await byLink(setting, second, { press: true }, browser)).ok).toBe(false)
  })

  it('and codes used at once open one session', async () => {
    for (let round = 0; round < 5; round++) {
      const { loginId, code } = await start(setting, 'ada@example.com')
      const token = linkOf(setting)
      const all = await Promise.all([
        take(setting, loginId, { code }),
        byLink(setting, token, { press: true }, browser),
        byLink(setting, token, { code }, elsewhere),
        byLink(setting, token, { press: true }, browser),
      ])
      expect(all.filter(({ ok }) => ok)).toHaveLength(1)
      setting.time += 60 * minute
    }
  })

  it('fit their attempt only, and nothing but a hash of them is kept', async () => {
    await start(setting, 'ada@example.com')
    const one = linkOf(setting)
    await start(setting, 'ada@example.com')
    const two = linkOf(setting)
    const mixed = one.slice(0, 43) + two.slice(43)
    expect((await byLink(setting, mixed, { press: true }, browser)).ok).toBe(false)
    const found = await setting.store.attempts.find(one.slice(0, 43))
    expect(JSON.stringify(found)).not.toContain(one.slice(43))
    expect((await byLink(setting, one, { press: true }, browser)).ok).toBe(true)
  })

  it('come in the mail of a browser only', async () => {
    const { code } = await start(setting, 'ada@example.com', 'native')
    expect([code.length, linkOf(setting)]).toEqual([6, ''])
  })
})

describe('the limit of sessions, asked about', () => {
  let setting: Setting
  beforeEach(async () => {
    setting = await openSetting({ policy: { maxSessions: 2, onLimit: 'ask' } })
  })
  afterEach(() => setting.close())

  it('stops one step before the end, opens for the session that is named, and for nobody else’s', async () => {
    const first = await signIn(setting)
    setting.time += minute
    const second = await signIn(setting)
    setting.time += minute
    const stranger = await signIn(setting, 'eve@example.com')
    const { loginId, code } = await start(setting, 'ada@example.com')
    expect(await take(setting, loginId, { end: first.snapshot.session.sid })).toMatchObject({ code: 'login_failed' })
    const idHash = linkOf(setting).slice(0, 43)
    const codeHash = async () => Buffer.from((await setting.store.attempts.find(idHash))?.attempt.codeHash ?? []).toString('hex')
    const before = await codeHash()
    const step = stepOf(await take(setting, loginId, { code }))
    // A node of a version that knows no such step would take the code once more: it fits nothing now.
    expect(await codeHash()).not.toBe(before)
    const sids = [first, second].map(({ snapshot }) => snapshot.session.sid)
    expect([step.state, step.sessions.map(({ sid }) => sid)]).toEqual(['limit', sids])
    // Neither the code again, nor another browser, nor another's session goes on from there.
    expect((await take(setting, loginId, { code })).ok).toBe(false)
    expect((await take(setting, loginId, { end: sids[0] ?? '' }, elsewhere)).ok).toBe(false)
    expect(await take(setting, loginId, { end: stranger.snapshot.session.sid })).toMatchObject({ code: 'not_found' })
    const view = await setting.core.login.view(loginId, browser)
    expect(view).toMatchObject({ state: 'limit', step: { sessions: [{ sid: sids[0] }, { sid: sids[1] }] } })
    const both = await Promise.all(sids.map((end) => take(setting, loginId, { end })))
    expect(both.filter(({ ok }) => ok)).toHaveLength(1)
    expect((await setting.store.sessions.list(first.snapshot.user.id)).sessions).toHaveLength(2)
  })

  it('is held by a link too: pressed again it proves nothing', async () => {
    const { snapshot } = await signIn(setting)
    await signIn(setting)
    await start(setting, 'ada@example.com')
    const step = stepOf(await byLink(setting, linkOf(setting), { press: true }, browser))
    const token = step.token ?? ''
    expect(await setting.core.login.viewLink(token, browser)).toMatchObject({ here: true, step: { state: 'limit' } })
    await setting.core.sessions.revoke({ user: snapshot.user.id }, 'admin', { actor: 'test' })
    expect((await byLink(setting, token, { press: true }, browser)).ok).toBe(false)
    expect((await byLink(setting, token, { end: snapshot.session.sid }, elsewhere)).ok).toBe(false)
  })

  it('asks on while more than one is too many', async () => {
    const sids = []
    for (let i = 0; i < 2; i++) sids.push((await signIn(setting)).snapshot.session.sid)
    const app = await setting.core.clients.change('app', { policy: { maxSessions: 1 } }, 'test')
    expect(app.ok).toBe(true)
    const { loginId, code } = await start(setting, 'ada@example.com')
    await take(setting, loginId, { code })
    const left = stepOf(await take(setting, loginId, { end: sids[0] ?? '' }))
    expect([left.state, left.sessions.map(({ sid }) => sid)]).toEqual(['limit', [sids[1]]])
    expect(await take(setting, loginId, { end: sids[1] ?? '' })).toMatchObject({ ok: true })
    expect((await setting.core.audit.list({}, 50)).filter(({ event }) => event === 'session.evicted')).toHaveLength(1)
  })

  it('waits for five minutes: the session says that somebody has just signed in', async () => {
    const sids = []
    for (let i = 0; i < 2; i++) sids.push((await signIn(setting)).snapshot.session.sid)
    await setting.core.clients.change('app', { policy: { maxSessions: 1 } }, 'test')
    const left = async (late: number, after: number) => {
      const { loginId, code } = await start(setting, 'ada@example.com')
      setting.time += 8 * minute
      const step = stepOf(await take(setting, loginId, { code }))
      expect(step.expiresAt).toBe(setting.time + 5 * minute)
      setting.time += late
      // What was asked again counts from the proof, too.
      if (after > 0) stepOf(await take(setting, loginId, { end: sids[0] ?? '' }))
      setting.time += after
      return take(setting, loginId, { end: sids[1] ?? '' })
    }
    expect(await left(5 * minute, 0)).toMatchObject({ ok: false, code: 'login_failed' })
    expect(await left(3 * minute, 2 * minute)).toMatchObject({ ok: false, code: 'login_failed' })
    expect(await left(5 * minute - 1, 0)).toMatchObject({ ok: true })
  })

  it('keeps a disabled person out at this step too', async () => {
    const { snapshot } = await signIn(setting)
    await signIn(setting)
    const { loginId, code } = await start(setting, 'ada@example.com')
    await take(setting, loginId, { code })
    await setting.core.users.change(snapshot.user.id, { status: 'disabled' }, 'test')
    expect((await take(setting, loginId, { end: snapshot.session.sid })).ok).toBe(false)
    expect((await setting.store.sessions.list(snapshot.user.id)).sessions).toEqual([])
  })
})
