// Step-up on a real store: whose session it is, what must be proven, what becomes of the old credential, and for how long it
// counts.

import { describe, expect, it } from 'vitest'
import type { Need, SignedIn } from '#core'
import { canMeet, isPart, meets, sufficient } from '../../src/core/login/need.ts'
import { browser, caller, signIn, start } from '../setting/service.ts'
import { email, passkey, steppingUp } from '../setting/stepping-up.ts'

const stage = steppingUp()
const { at, begin, verify, raised, refresh, seen } = stage

describe.each(['cookie', 'token'] as const)('a session by %s', (kind) => {
  const enter = () => signIn(stage.setting, 'ada@example.com', kind === 'cookie' ? 'app' : 'native')
  const shown = (signedIn: SignedIn) => (kind === 'cookie' ? signedIn.credential : null)

  it('is raised by its own user’s code: the next credential, a fresh auth_time, the same session', async () => {
    const before = await enter()
    stage.setting.time += 600_000
    const { loginId, code, method, methods } = await begin(before, kind, { need: { maxAge: 300 } })
    expect([method, methods, stage.setting.sent.at(-1)]).toMatchObject([
      'email_otp',
      ['email_otp', 'passkey'],
      { kind: 'code', to: 'ada@example.com', link: null },
    ])
    const after = await raised(loginId, { code }, shown(before))
    const { session } = after.snapshot
    expect(session).toMatchObject({
      sid: before.snapshot.session.sid,
      generation: 2,
      authTime: stage.setting.time,
      acr: email,
      amr: ['otp'],
    })
    expect(after.created).toBe(false)
    expect(await stage.setting.core.sessions.check(after.credential, kind)).toMatchObject({ ok: true })
    // The old one is refused at once, at a check and at a refresh, and nothing is revoked.
    expect(await stage.setting.core.sessions.check(before.credential, kind)).toMatchObject({ ok: false, code: 'session_superseded' })
    expect(await refresh(before.credential, undefined, kind)).toMatchObject({ ok: false, outcome: 'session_superseded' })
    expect(await refresh(after.credential, undefined, kind)).toMatchObject({ ok: true, outcome: kind === 'cookie' ? 'minted' : 'rotated' })
    if (kind === 'token')
      expect(after.minted?.claims).toMatchObject({
        auth_time: Math.floor(stage.setting.time / 1000),
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
    stage.setting.time += 9_999
    expect(await refresh(before.credential, binding, kind)).toMatchObject({ ok: true, outcome: 'replayed', credential: after.credential })
    stage.setting.time += 1
    expect(await refresh(before.credential, binding, kind)).toMatchObject({ ok: false, outcome: 'session_superseded' })
    expect(await stage.setting.core.sessions.check(after.credential, kind)).toMatchObject({ ok: true })
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
    await stage.setting.core.sessions.revoke({ sid: again.snapshot.session.sid }, 'sign_out', { actor: 'test' })
    expect(await verify(third.loginId, { code: third.code }, shown(again))).toMatchObject({ ok: false, code: 'session_revoked' })
    expect(await at(again, kind)).toMatchObject({ ok: false, code: 'session_revoked' })
  })

  it('counts what was proven for as long as the policy says, everywhere alike, and then what the sign-in proved', async () => {
    const before = await enter()
    const { loginId, challenge } = await begin(before, kind, { need: { acrValues: [passkey] } })
    expect(challenge).toEqual({ for: before.snapshot.user.id })
    expect(await verify(loginId, { response: { ok: false } }, shown(before))).toMatchObject({ ok: false, code: 'login_failed' })
    const after = await raised(loginId, { response: { ok: true } }, shown(before))
    const authTime = Math.floor(stage.setting.time / 1000)
    const level = async (credential: string) => {
      const minted = await refresh(credential, undefined, kind)
      if (!minted.ok) throw new Error(minted.code)
      return minted
    }
    stage.setting.time += 14 * 60_000
    const high = await level(after.credential)
    expect(high.minted.claims).toMatchObject({ acr: passkey, amr: ['hwk', 'user'], auth_time: authTime })
    // No token says it for longer than the session itself.
    expect(high.minted.claims.exp).toBe(authTime + 900)
    expect(seen()).toBe(`${passkey} hwk,user`)
    stage.setting.time += 60_000
    const low = await level(high.credential)
    expect(low.minted.claims).toMatchObject({ acr: email, amr: ['otp'], auth_time: authTime })
    expect(low.minted.claims.exp).toBeGreaterThan(Math.floor(stage.setting.time / 1000) + 200)
    expect(seen()).toBe(`${email} otp`)
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
  const before = await signIn(stage.setting, 'ada@example.com', 'native')
  const rotated = await refresh(before.credential)
  if (!rotated.ok) throw new Error(rotated.code)
  await begin(rotated, 'token')
  await stage.setting.core.sessions.flush()
  expect((await stage.setting.store.sessions.find(before.snapshot.session.sid))?.session).toMatchObject({
    generation: 2,
    predecessor: 1,
    seen: false,
  })
  // As for a refresh whose answer was lost, the one before can still step up; and neither is theft afterwards.
  stage.setting.time += 60_000
  const { loginId, code } = await begin(before, 'token')
  const after = await raised(loginId, { code }, null, null)
  for (const old of [before, rotated]) expect(await refresh(old.credential)).toMatchObject({ outcome: 'session_superseded' })
  expect(await refresh(before.credential, loginId)).toMatchObject({ outcome: 'replayed', credential: after.credential })
})

it('helps who recovered too often: the fourth time asks for a step-up, and a step-up goes on from there', async () => {
  const before = await signIn(stage.setting, 'ada@example.com', 'native')
  await refresh(before.credential)
  for (let i = 0; i < 3; i++) {
    stage.setting.time += 11_000
    await refresh(before.credential)
  }
  stage.setting.time += 11_000
  expect(await refresh(before.credential)).toMatchObject({ ok: false, code: 'step_up_required' })
  const { loginId, code } = await begin(before, 'token', { need: { maxAge: 0 } })
  const after = await raised(loginId, { code }, null, null)
  expect(await refresh(after.credential)).toMatchObject({ ok: true, outcome: 'rotated' })
})

it('shortens no token for a step-up that proved what the sign-in did, and none where the policy sets no end', async () => {
  const life = async (kind: 'same' | 'none') => {
    if (kind === 'none') {
      const client = await stage.setting.core.clients.find('app')
      await stage.setting.core.clients.change('app', { policy: { ...client?.policy, stepUpLifetime: 0 } }, 'test')
    }
    const before = await signIn(stage.setting)
    const { loginId, code } = await begin(before, 'cookie', { method: kind === 'same' ? 'email_otp' : 'passkey' })
    const given = kind === 'same' ? { code } : { response: { ok: true } }
    const after = await raised(loginId, given, before.credential)
    stage.setting.time += 15 * 60_000 - 1000
    const minted = await refresh(after.credential, undefined, 'cookie')
    if (!minted.ok) throw new Error(minted.code)
    stage.setting.time += 1000
    const later = await refresh(after.credential, undefined, 'cookie')
    return [minted.minted.expiresIn > 200, minted.minted.claims.acr, later.ok && later.minted.claims.acr]
  }
  expect(await life('same')).toEqual([true, email, email])
  expect(await life('none')).toEqual([true, passkey, passkey])
})

describe('what must be proven', () => {
  it('is one of the classes asked for, and never less than the session has', async () => {
    const first = await signIn(stage.setting)
    expect(await at(first, 'cookie', { need: { acrValues: ['urn:other'] } })).toMatchObject({ ok: false, code: 'unsupported_method' })
    expect(await at(first, 'cookie', { need: { acrValues: [passkey] }, method: 'email_otp' })).toMatchObject({ code: 'unsupported_method' })
    const { loginId } = await begin(first, 'cookie', { need: { acrValues: ['urn:other', passkey] } })
    const high = await raised(loginId, { response: { ok: true } }, first.credential)
    expect(await at(high, 'cookie', { method: 'email_otp', need: { maxAge: 60 } })).toMatchObject({ code: 'unsupported_method' })
    expect((await begin(high, 'cookie', { need: { maxAge: 60 } })).methods).toEqual(['passkey'])
    // What was begun before the session had more does not lower it.
    stage.setting.time += 15 * 60_000
    const low = await begin(high, 'cookie', { method: 'email_otp' })
    const other = await begin(high, 'cookie', { method: 'passkey' })
    const higher = await raised(other.loginId, { response: { ok: true } }, high.credential)
    expect(await verify(low.loginId, { code: low.code }, higher.credential)).toMatchObject({ ok: false, code: 'login_failed' })
    expect((await stage.setting.store.sessions.find(higher.snapshot.session.sid))?.session).toMatchObject({ acr: passkey, generation: 3 })
  })

  it('can be proven only by who has set it up', async () => {
    const without = await signIn(stage.setting, 'nokey@example.com')
    expect(await at(without, 'cookie', { need: { acrValues: [passkey] } })).toMatchObject({ ok: false, code: 'unsupported_method' })
    expect((await begin(without, 'cookie')).methods).toEqual(['email_otp'])
  })

  it('is told before anything is begun', async () => {
    const { credential } = await signIn(stage.setting)
    const ways = (need: Need) => stage.setting.core.login.stepUpWays({ credential, kind: 'cookie', need, caller })
    expect(await ways({ acrValues: [passkey] })).toMatchObject({ ok: true, methods: ['passkey'] })
    expect(await ways({ acrValues: [email], maxAge: 60 })).toMatchObject({ ok: true, methods: ['email_otp'] })
    expect(await ways({ maxAge: 1.5 })).toMatchObject({ ok: false, code: 'invalid_request' })
    expect(stage.setting.sent).toHaveLength(1)
  })
})

describe('one attempt is never used for another', () => {
  it('of another purpose: neither way round', async () => {
    const before = await signIn(stage.setting)
    const stepping = await begin(before, 'cookie')
    const signing = await start(stage.setting, 'ada@example.com')
    // A code fits its own attempt only.
    expect(
      await verify(stepping.loginId, { code: signing.code === stepping.code ? '000000' : signing.code }, before.credential),
    ).toMatchObject({ ok: false })
    const opened = await raised(signing.loginId, { code: signing.code }, null)
    expect(opened.snapshot.session.sid).not.toBe(before.snapshot.session.sid)
    expect(
      await stage.setting.core.login.verify({
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
    const { sessions } = await stage.setting.core.sessions.list(before.snapshot.user.id)
    expect(sessions).toHaveLength(2)
  })

  it('of another session or browser: a cookie is shown again at the end', async () => {
    const mine = await signIn(stage.setting)
    const other = await signIn(stage.setting, 'bob@example.com')
    const { loginId, code } = await begin(mine, 'cookie')
    expect(await verify(loginId, { code }, null)).toMatchObject({ code: 'missing_credential' })
    expect(await verify(loginId, { code }, other.credential)).toMatchObject({ code: 'login_failed' })
    expect(await verify(loginId, { code }, mine.credential, 'BBBBBBBBBBBBBBBBBBBBBB')).toMatchObject({ code: 'login_failed' })
    expect(await verify(loginId, { code }, mine.credential)).toMatchObject({ ok: true })
  })

  it('at the other door', async () => {
    const cookie = await signIn(stage.setting)
    const native = await signIn(stage.setting, 'ada@example.com', 'native')
    expect(await at(cookie, 'token')).toMatchObject({ code: 'session_unknown' })
    expect(await at(native, 'cookie')).toMatchObject({ code: 'session_unknown' })
    const forged = `${native.credential.slice(0, -1)}${native.credential.endsWith('A') ? 'B' : 'A'}`
    expect(await at({ credential: forged }, 'token')).toMatchObject({ code: 'session_unknown' })
    expect(await at(native, 'token')).toMatchObject({ ok: true })
  })

  it('beyond its tries', async () => {
    const before = await signIn(stage.setting)
    const { loginId, code } = await begin(before, 'cookie')
    const wrong = code === '000000' ? '000001' : '000000'
    const tries = await Promise.all(Array.from({ length: 12 }, () => verify(loginId, { code: wrong }, before.credential)))
    expect(tries.filter(({ ok }) => ok)).toEqual([])
    expect(await verify(loginId, { code }, before.credential)).toMatchObject({ ok: false, code: 'login_failed' })
    expect(await stage.setting.core.sessions.check(before.credential, 'cookie')).toMatchObject({ ok: true })
  })
})

it('raises once when a step-up meets refreshes, and ends nobody’s session', async () => {
  let held = await signIn(stage.setting, 'ada@example.com', 'native')
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
    expect(await stage.setting.core.sessions.check(answer.credential, 'token')).toMatchObject({ ok: true })
    held = answer
    stage.setting.time += 1_000_000
  }
})
