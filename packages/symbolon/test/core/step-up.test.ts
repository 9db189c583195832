// Step-up on a real store: whose session it is, what must be proven, what becomes of the old credential, and for how long it
// counts. A second factor stands in for a passkey: it proves whatever it is told to.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Action, ChallengeFactor, Need, PlacedStep, SignedIn } from '#core'
import { canMeet, isPart, meets, sufficient } from '../../src/core/login/need.ts'
import { browser, caller, openSetting, type Setting, signIn, start } from '../setting/service.ts'

const key: ChallengeFactor = {
  kind: 'challenge',
  method: 'passkey',
  lifetime: 300_000,
  maxTries: 5,
  first: true,
  has: (user) => user.email !== 'nokey@example.com',
  begin: ({ user }) => ({ options: { for: user?.id ?? null }, state: 'asked' }),
  finish: ({ user, response }) =>
    (response as { ok?: boolean }).ok === true && user !== null
      ? { ok: true, userId: user.id, method: 'passkey', amr: ['hwk', 'user'] }
      : { ok: false, reason: 'no' },
}
const email = 'urn:symbolon:acr:email'
const passkey = 'urn:symbolon:acr:passkey'

/** What a refresh's own step saw last. */
let seen = ''
const look: PlacedStep = {
  after: 'claims',
  step: {
    name: 'look',
    budget: 1000,
    onFailure: 'deny',
    run: ({ session }) => {
      seen = `${session.acr} ${session.amr}`
    },
  },
}

let setting: Setting
beforeEach(async () => {
  setting = await openSetting({
    steps: [look],
    policy: { methods: ['email_otp', 'email_link', 'passkey'] },
    factors: [key],
  })
})
afterEach(() => setting.close())

const codeSent = () => {
  const last = setting.sent.at(-1)
  return last?.kind === 'code' ? last.code : ''
}
const at = (
  signedIn: Pick<SignedIn, 'credential'>,
  kind: 'cookie' | 'token',
  change: { need?: Need; method?: string; action?: Action } = {},
) =>
  setting.core.login.stepUp({
    credential: signedIn.credential,
    kind,
    method: change.method ?? null,
    need: change.need ?? {},
    action: change.action ?? null,
    browser: kind === 'cookie' ? browser : null,
    device: null,
    caller,
  })
const begin = async (...input: Parameters<typeof at>) => {
  const started = await at(...input)
  if (!started.ok) throw new Error(started.code)
  return { ...started, code: codeSent() }
}
const verify = (
  loginId: string,
  given: { code: string } | { response: unknown },
  replaces: string | null = null,
  from: string | null = browser,
) => setting.core.login.verify({ loginId, browser: from, device: null, replaces, caller, ...given })
const raised = async (...input: Parameters<typeof verify>): Promise<SignedIn> => {
  const answer = await verify(...input)
  if (!answer.ok || 'state' in answer) throw new Error(answer.ok ? answer.state : answer.code)
  return answer
}
const refresh = (credential: string, binding?: string, kind: 'cookie' | 'token' = 'token') =>
  setting.core.sessions.refresh({ credential, kind, background: false, caller, ...(binding !== undefined && { binding }) })

describe.each(['cookie', 'token'] as const)('a session by %s', (kind) => {
  const enter = () => signIn(setting, 'ada@example.com', kind === 'cookie' ? 'app' : 'native')
  const shown = (signedIn: SignedIn) => (kind === 'cookie' ? signedIn.credential : null)

  it('is raised by its own user’s code: the next credential, a fresh auth_time, the same session', async () => {
    const before = await enter()
    setting.time += 600_000
    const { loginId, code, method, methods } = await begin(before, kind, { need: { maxAge: 300 } })
    expect([method, methods, setting.sent.at(-1)]).toMatchObject([
      'email_otp',
      ['email_otp', 'passkey'],
      { kind: 'code', to: 'ada@example.com', link: null },
    ])
    const after = await raised(loginId, { code }, shown(before))
    const { session } = after.snapshot
    expect(session).toMatchObject({ sid: before.snapshot.session.sid, generation: 2, authTime: setting.time, acr: email, amr: ['otp'] })
    expect(after.created).toBe(false)
    expect(await setting.core.sessions.check(after.credential, kind)).toMatchObject({ ok: true })
    // The old one is refused at once, at a check and at a refresh, and nothing is revoked.
    expect(await setting.core.sessions.check(before.credential, kind)).toMatchObject({ ok: false, code: 'session_superseded' })
    expect(await refresh(before.credential, undefined, kind)).toMatchObject({ ok: false, outcome: 'session_superseded' })
    expect(await refresh(after.credential, undefined, kind)).toMatchObject({ ok: true, outcome: kind === 'cookie' ? 'minted' : 'rotated' })
    if (kind === 'token')
      expect(after.minted?.claims).toMatchObject({
        auth_time: Math.floor(setting.time / 1000),
        acr: email,
        jti: expect.stringMatching(/^2\./),
      })
  })

  it('gets its credential again when the answer was lost, with what the attempt was bound to, while the window is open', async () => {
    const before = await enter()
    const { loginId, code } = await begin(before, kind)
    const after = await raised(loginId, { code }, shown(before))
    const binding = kind === 'cookie' ? browser : loginId
    for (const wrong of [undefined, 'x', kind === 'cookie' ? loginId : browser])
      expect(await refresh(before.credential, wrong, kind)).toMatchObject({ ok: false, outcome: 'session_superseded' })
    setting.time += 9_999
    expect(await refresh(before.credential, binding, kind)).toMatchObject({ ok: true, outcome: 'replayed', credential: after.credential })
    setting.time += 1
    expect(await refresh(before.credential, binding, kind)).toMatchObject({ ok: false, outcome: 'session_superseded' })
    expect(await setting.core.sessions.check(after.credential, kind)).toMatchObject({ ok: true })
  })

  it('is not raised once it ended, nor by a code that was used', async () => {
    const before = await enter()
    const first = await begin(before, kind)
    const second = await begin(before, kind)
    const third = await begin(before, kind)
    const after = await raised(first.loginId, { code: first.code }, shown(before))
    expect(await verify(first.loginId, { code: first.code }, shown(after))).toMatchObject({ ok: false, code: 'login_failed' })
    // Another one that was begun before is good still.
    const again = await raised(second.loginId, { code: second.code }, shown(after))
    expect(again.snapshot.session.generation).toBe(3)
    await setting.core.sessions.revoke({ sid: again.snapshot.session.sid }, 'sign_out', { actor: 'test' })
    expect(await verify(third.loginId, { code: third.code }, shown(again))).toMatchObject({ ok: false, code: 'session_revoked' })
    expect(await at(again, kind)).toMatchObject({ ok: false, code: 'session_revoked' })
  })

  it('counts what was proven for as long as the policy says, everywhere alike, and then what the sign-in proved', async () => {
    const before = await enter()
    const { loginId, challenge } = await begin(before, kind, { need: { acrValues: [passkey] } })
    expect(challenge).toEqual({ for: before.snapshot.user.id })
    expect(await verify(loginId, { response: { ok: false } }, shown(before))).toMatchObject({ ok: false, code: 'login_failed' })
    const after = await raised(loginId, { response: { ok: true } }, shown(before))
    const authTime = Math.floor(setting.time / 1000)
    const level = async (credential: string) => {
      const minted = await refresh(credential, undefined, kind)
      if (!minted.ok) throw new Error(minted.code)
      return minted
    }
    setting.time += 14 * 60_000
    const high = await level(after.credential)
    expect(high.minted.claims).toMatchObject({ acr: passkey, amr: ['hwk', 'user'], auth_time: authTime })
    // No token says it for longer than the session itself.
    expect(high.minted.claims.exp).toBe(authTime + 900)
    expect(seen).toBe(`${passkey} hwk,user`)
    setting.time += 60_000
    const low = await level(high.credential)
    expect(low.minted.claims).toMatchObject({ acr: email, amr: ['otp'], auth_time: authTime })
    expect(low.minted.claims.exp).toBeGreaterThan(Math.floor(setting.time / 1000) + 200)
    expect(seen).toBe(`${email} otp`)
  })
})

describe('levels of several factors', () => {
  const rows = [
    { acr: 'one', proven: [['a', 'b']] },
    { acr: 'two', proven: [['a', 'b'], ['c']] },
    { acr: 'three', proven: [['d']] },
  ]
  const by = (...methods: string[]) => methods.map((method) => ({ method, amr: [], at: 0 }))
  it.each<[string, string[], string[], string, boolean, boolean]>([
    ['all of it', ['a', 'c'], ['two'], '', true, false],
    ['a part', ['a'], ['two'], '', false, true],
    ['the other part', ['c'], ['two', 'three'], '', false, true],
    ['a level above those that are enough', ['d'], ['two'], '', false, false],
    ['a level below the session', ['a'], ['one'], 'two', false, false],
    ['one of several', ['b'], ['one', 'two'], 'one', true, true],
  ])('%s', (_, methods, acrs, floor, enough, part) => {
    expect([meets(by(...methods), acrs, floor, rows), isPart(by(...methods), acrs, rows)]).toEqual([enough, part])
  })
  it('are offered from where the session stands', () => {
    expect(sufficient({}, 'two', rows)).toEqual(['two', 'three'])
    expect(sufficient({ acrValues: ['one', 'three', 'x'] }, 'two', rows)).toEqual(['three'])
    expect(sufficient({}, 'unknown', rows)).toEqual(['one', 'two', 'three'])
    expect(['a', 'c', 'd', 'x'].map((method) => canMeet(method, { acrValues: ['two'] }, 'one', rows))).toEqual([true, true, false, false])
  })
})

it('does not count a look at the refresh token as a use of it', async () => {
  const before = await signIn(setting, 'ada@example.com', 'native')
  const rotated = await refresh(before.credential)
  if (!rotated.ok) throw new Error(rotated.code)
  await begin(rotated, 'token')
  await setting.core.sessions.flush()
  expect((await setting.store.sessions.find(before.snapshot.session.sid))?.session).toMatchObject({
    generation: 2,
    predecessor: 1,
    seen: false,
  })
  // As for a refresh whose answer was lost, the one before can still step up; and neither is theft afterwards.
  setting.time += 60_000
  const { loginId, code } = await begin(before, 'token')
  const after = await raised(loginId, { code }, null, null)
  for (const old of [before, rotated]) expect(await refresh(old.credential)).toMatchObject({ outcome: 'session_superseded' })
  expect(await refresh(before.credential, loginId)).toMatchObject({ outcome: 'replayed', credential: after.credential })
})

it('helps who recovered too often: the fourth time asks for a step-up, and a step-up goes on from there', async () => {
  const before = await signIn(setting, 'ada@example.com', 'native')
  await refresh(before.credential)
  for (let i = 0; i < 3; i++) {
    setting.time += 11_000
    await refresh(before.credential)
  }
  setting.time += 11_000
  expect(await refresh(before.credential)).toMatchObject({ ok: false, code: 'step_up_required' })
  const { loginId, code } = await begin(before, 'token', { need: { maxAge: 0 } })
  const after = await raised(loginId, { code }, null, null)
  expect(await refresh(after.credential)).toMatchObject({ ok: true, outcome: 'rotated' })
})

it('shortens no token for a step-up that proved what the sign-in did, and none where the policy sets no end', async () => {
  const life = async (kind: 'same' | 'none') => {
    if (kind === 'none') {
      const client = await setting.core.clients.find('app')
      await setting.core.clients.change('app', { policy: { ...client?.policy, stepUpLifetime: 0 } }, 'test')
    }
    const before = await signIn(setting)
    const { loginId, code } = await begin(before, 'cookie', { method: kind === 'same' ? 'email_otp' : 'passkey' })
    const given = kind === 'same' ? { code } : { response: { ok: true } }
    const after = await raised(loginId, given, before.credential)
    setting.time += 15 * 60_000 - 1000
    const minted = await refresh(after.credential, undefined, 'cookie')
    if (!minted.ok) throw new Error(minted.code)
    setting.time += 1000
    const later = await refresh(after.credential, undefined, 'cookie')
    return [minted.minted.expiresIn > 200, minted.minted.claims.acr, later.ok && later.minted.claims.acr]
  }
  expect(await life('same')).toEqual([true, email, email])
  expect(await life('none')).toEqual([true, passkey, passkey])
})

describe('what must be proven', () => {
  it('is one of the classes asked for, and never less than the session has', async () => {
    const first = await signIn(setting)
    expect(await at(first, 'cookie', { need: { acrValues: ['urn:other'] } })).toMatchObject({ ok: false, code: 'unsupported_method' })
    expect(await at(first, 'cookie', { need: { acrValues: [passkey] }, method: 'email_otp' })).toMatchObject({ code: 'unsupported_method' })
    const { loginId } = await begin(first, 'cookie', { need: { acrValues: ['urn:other', passkey] } })
    const high = await raised(loginId, { response: { ok: true } }, first.credential)
    expect(await at(high, 'cookie', { method: 'email_otp', need: { maxAge: 60 } })).toMatchObject({ code: 'unsupported_method' })
    expect((await begin(high, 'cookie', { need: { maxAge: 60 } })).methods).toEqual(['passkey'])
    // What was begun before the session had more does not lower it.
    setting.time += 15 * 60_000
    const low = await begin(high, 'cookie', { method: 'email_otp' })
    const other = await begin(high, 'cookie', { method: 'passkey' })
    const higher = await raised(other.loginId, { response: { ok: true } }, high.credential)
    expect(await verify(low.loginId, { code: low.code }, higher.credential)).toMatchObject({ ok: false, code: 'login_failed' })
    expect((await setting.store.sessions.find(higher.snapshot.session.sid))?.session).toMatchObject({ acr: passkey, generation: 3 })
  })

  it('can be proven only by who has set it up', async () => {
    const without = await signIn(setting, 'nokey@example.com')
    expect(await at(without, 'cookie', { need: { acrValues: [passkey] } })).toMatchObject({ ok: false, code: 'unsupported_method' })
    expect((await begin(without, 'cookie')).methods).toEqual(['email_otp'])
  })

  it('is told before anything is begun', async () => {
    const { credential } = await signIn(setting)
    const ways = (need: Need) => setting.core.login.stepUpWays({ credential, kind: 'cookie', need, caller })
    expect(await ways({ acrValues: [passkey] })).toMatchObject({ ok: true, methods: ['passkey'] })
    expect(await ways({ acrValues: [email], maxAge: 60 })).toMatchObject({ ok: true, methods: ['email_otp'] })
    expect(await ways({ maxAge: 1.5 })).toMatchObject({ ok: false, code: 'invalid_request' })
    expect(setting.sent).toHaveLength(1)
  })
})

describe('one attempt is never used for another', () => {
  it('of another purpose: neither way round', async () => {
    const before = await signIn(setting)
    const stepping = await begin(before, 'cookie')
    const signing = await start(setting, 'ada@example.com')
    // A code fits its own attempt only.
    expect(
      await verify(stepping.loginId, { code: signing.code === stepping.code ? '000000' : signing.code }, before.credential),
    ).toMatchObject({ ok: false })
    const opened = await raised(signing.loginId, { code: signing.code }, null)
    expect(opened.snapshot.session.sid).not.toBe(before.snapshot.session.sid)
    expect(
      await setting.core.login.verify({
        loginId: stepping.loginId,
        end: before.snapshot.session.sid,
        browser,
        device: null,
        replaces: before.credential,
        caller,
      }),
    ).toMatchObject({ ok: false })
    const after = await raised(stepping.loginId, { code: stepping.code }, before.credential)
    expect(after.snapshot.session.sid).toBe(before.snapshot.session.sid)
    const { sessions } = await setting.core.sessions.list(before.snapshot.user.id)
    expect(sessions).toHaveLength(2)
  })

  it('of another session or browser: a cookie is shown again at the end', async () => {
    const mine = await signIn(setting)
    const other = await signIn(setting, 'bob@example.com')
    const { loginId, code } = await begin(mine, 'cookie')
    expect(await verify(loginId, { code }, null)).toMatchObject({ code: 'missing_credential' })
    expect(await verify(loginId, { code }, other.credential)).toMatchObject({ code: 'login_failed' })
    expect(await verify(loginId, { code }, mine.credential, 'BBBBBBBBBBBBBBBBBBBBBB')).toMatchObject({ code: 'login_failed' })
    expect(await verify(loginId, { code }, mine.credential)).toMatchObject({ ok: true })
  })

  it('at the other door', async () => {
    const cookie = await signIn(setting)
    const native = await signIn(setting, 'ada@example.com', 'native')
    expect(await at(cookie, 'token')).toMatchObject({ code: 'session_unknown' })
    expect(await at(native, 'cookie')).toMatchObject({ code: 'session_unknown' })
    const forged = `${native.credential.slice(0, -1)}${native.credential.endsWith('A') ? 'B' : 'A'}`
    expect(await at({ credential: forged }, 'token')).toMatchObject({ code: 'session_unknown' })
    expect(await at(native, 'token')).toMatchObject({ ok: true })
  })

  it('beyond its tries', async () => {
    const before = await signIn(setting)
    const { loginId, code } = await begin(before, 'cookie')
    const wrong = code === '000000' ? '000001' : '000000'
    const tries = await Promise.all(Array.from({ length: 12 }, () => verify(loginId, { code: wrong }, before.credential)))
    expect(tries.filter(({ ok }) => ok)).toEqual([])
    expect(await verify(loginId, { code }, before.credential)).toMatchObject({ ok: false, code: 'login_failed' })
    expect(await setting.core.sessions.check(before.credential, 'cookie')).toMatchObject({ ok: true })
  })
})

it('raises once when a step-up meets refreshes, and ends nobody’s session', async () => {
  let held = await signIn(setting, 'ada@example.com', 'native')
  for (let round = 0; round < 10; round++) {
    const { loginId, code } = await begin(held, 'token')
    const [answer, ...others] = await Promise.all([
      verify(loginId, { code }, null, null),
      ...Array.from({ length: 3 }, () => refresh(held.credential)),
    ])
    expect(answer).toMatchObject({ ok: true })
    for (const one of others) expect(['rotated', 'replayed', 'session_superseded']).toContain(one.outcome)
    if (!answer.ok || 'state' in answer) return
    // A refresh may have come behind the step-up of another credential: never theft.
    expect(await setting.core.sessions.check(answer.credential, 'token')).toMatchObject({ ok: true })
    held = answer
    setting.time += 1_000_000
  }
})

describe('a confirmation', () => {
  const act: Action = { type: 'transfer', text: 'Pay 20 € to Bob', parameters: { to: 'bob', amount: '20.00' } }
  const confirmed = async (action = act, clientId = 'app') => {
    const before = await signIn(setting, 'ada@example.com', clientId)
    const kind = clientId === 'app' ? 'cookie' : 'token'
    const { loginId, code } = await begin(before, kind, { action })
    const view = await setting.core.login.view(loginId, kind === 'cookie' ? browser : null)
    expect(view).toMatchObject({ ok: true, purpose: 'step_up', action })
    const after = await raised(loginId, { code }, before.credential)
    return { after, sid: after.snapshot.session.sid, text: after.confirmation?.text ?? '' }
  }
  const consume = (confirmation: string, sid: string, action: Action) =>
    setting.core.confirmations.consume({ confirmation, sid, action }, null)
  const refused = { ok: false, code: 'confirmation_refused' }

  it('can be used once, for this act, whatever the order of its parameters', async () => {
    const { text, sid, after } = await confirmed()
    const turned = { ...act, parameters: { amount: '20.00', to: 'bob' } }
    const all = await Promise.all(Array.from({ length: 10 }, () => consume(text, sid, turned)))
    expect(all.filter(({ ok }) => ok)).toEqual([
      { ok: true, sid, userId: after.snapshot.user.id, clientId: 'app', acr: email, action: turned },
    ])
    await setting.restart()
    expect(await consume(text, sid, act)).toEqual(refused)
    expect(await setting.core.audit.list({ userId: after.snapshot.user.id }, 1)).toMatchObject([
      { event: 'session.confirmed', sid, detail: { action: 'transfer' } },
    ])
  })

  it('fits no other act, no other session, and is used up by neither', async () => {
    const { text, sid } = await confirmed()
    const other = await confirmed({ ...act, text: 'Something else' })
    for (const changed of [
      { ...act, type: 'payment' },
      { ...act, text: 'Pay 2000 € to Bob' },
      { ...act, parameters: { ...act.parameters, amount: '2000.00' } },
      { ...act, parameters: { to: 'bob' } },
      { ...act, parameters: { ...act.parameters, note: 'x' } },
    ])
      expect(await consume(text, sid, changed)).toEqual(refused)
    expect(await consume(text, other.sid, act)).toEqual(refused)
    expect(await consume(text.replace(sid, other.sid), other.sid, act)).toEqual(refused)
    expect(await consume(other.text, sid, act)).toEqual(refused)
    const [head, expires] = [text.split('.')[0], Number(text.split('.')[1])]
    expect(await consume(text.replace(`${head}.${expires}`, `${head}.${expires + 100}`), sid, act)).toEqual(refused)
    expect(await consume(text, sid, act)).toMatchObject({ ok: true })
  })

  it('is over with its time, and with its session', async () => {
    const late = await confirmed()
    setting.time += 119_000
    expect(await consume(late.text, late.sid, act)).toMatchObject({ ok: true })
    const over = await confirmed()
    setting.time += 120_000
    expect(await consume(over.text, over.sid, act)).toEqual(refused)
    const ended = await confirmed()
    await setting.core.sessions.revoke({ sid: ended.sid }, 'sign_out', { actor: 'test' })
    expect(await consume(ended.text, ended.sid, act)).toEqual(refused)
  })

  it('is told to a client that owns the audience, and to no other', async () => {
    const make = async (id: string, audiences: string[]) => {
      const made = await setting.core.clients.create({ id, name: id, transport: 'service', audiences }, 'test')
      if (!made.ok) throw new Error(made.code)
      return made.client
    }
    const owner = await make('api', [setting.options.audience])
    const stranger = await make('other', ['https://other.example'])
    const { text, sid } = await confirmed()
    const input = { confirmation: text, sid, action: act }
    expect(await setting.core.confirmations.consume(input, stranger)).toEqual(refused)
    expect(await setting.core.confirmations.consume(input, owner)).toMatchObject({ ok: true })
  })

  it('comes for no act that could be shown as another, and without an act not at all', async () => {
    const before = await signIn(setting)
    for (const bad of [
      { ...act, type: 'Transfer!' },
      { ...act, text: 'Pay 20\u202e to Bob' },
      { ...act, text: 'x'.repeat(201) },
      { ...act, parameters: { to: 'bob\nand 1000 to Eve' } },
      { ...act, parameters: { '__proto__ ': 'x' } },
    ])
      expect(await at(before, 'cookie', { action: bad })).toMatchObject({ ok: false, code: 'invalid_request' })
    const { loginId, code } = await begin(before, 'cookie')
    expect((await raised(loginId, { code }, before.credential)).confirmation).toBeUndefined()
  })
})
