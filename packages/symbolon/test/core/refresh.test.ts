// Refresh on a real store: every row of the table, as its caller meets it.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { caller, openSetting, type Setting, signIn } from '../setting/service.ts'

let setting: Setting
beforeEach(async () => {
  setting = await openSetting()
})
afterEach(() => setting.close())

const refresh = (credential: string, kind: 'cookie' | 'token' = 'token') =>
  setting.core.sessions.refresh({ credential, kind, background: false, caller })

describe('a refresh token', () => {
  it('rotates at every use, and the token is one of the new generation', async () => {
    const { credential } = await signIn(setting, 'ada@example.com', 'native')
    const first = await refresh(credential)
    expect(first).toMatchObject({ ok: true, outcome: 'rotated' })
    if (!first.ok) return
    expect(first.credential).not.toBe(credential)
    expect(first.minted.claims.jti).toMatch(/^2\./)
    expect(await refresh(first.credential)).toMatchObject({ ok: true, outcome: 'rotated' })
  })

  it('is answered with its successor while the window is open, and nothing is written', async () => {
    const { credential } = await signIn(setting, 'ada@example.com', 'native')
    const first = await refresh(credential)
    const again = await refresh(credential)
    expect(again).toMatchObject({ ok: true, outcome: 'replayed', credential: first.ok ? first.credential : '' })
  })

  it('is recovered when the answer was lost, three times in a row, and then asks for a step-up', async () => {
    const { credential } = await signIn(setting, 'ada@example.com', 'native')
    await refresh(credential)
    for (let i = 0; i < 3; i++) {
      setting.time += 11_000
      expect(await refresh(credential)).toMatchObject({ ok: true, outcome: 'recovered' })
    }
    setting.time += 11_000
    expect(await refresh(credential)).toMatchObject({ ok: false, code: 'step_up_required' })
    expect(setting.events.filter((e) => e.event === 'session.recovered')).toHaveLength(3)
  })

  it('ends the session when its successor was seen and the window closed', async () => {
    const { credential, snapshot } = await signIn(setting, 'ada@example.com', 'native')
    const first = await refresh(credential)
    if (!first.ok) throw new Error(first.code)
    expect(await setting.core.sessions.checkToken(first.minted.claims)).toMatchObject({ ok: true })
    setting.time += 11_000
    expect(await refresh(credential)).toMatchObject({ ok: false, outcome: 'reused', code: 'session_reused' })
    expect(await refresh(first.credential)).toMatchObject({ ok: false, outcome: 'revoked' })
    expect(await setting.core.sessions.list(snapshot.user.id)).toMatchObject({ sessions: [] })
  })

  it('ends the session when it is older than the predecessor', async () => {
    const { credential } = await signIn(setting, 'ada@example.com', 'native')
    const first = await refresh(credential)
    if (!first.ok) throw new Error(first.code)
    await refresh(first.credential)
    expect(await refresh(credential)).toMatchObject({ ok: false, outcome: 'reused' })
  })

  it('adds exactly one generation however many copies run at once, and signs nobody out', async () => {
    const { credential } = await signIn(setting, 'ada@example.com', 'native')
    const all = await Promise.all(Array.from({ length: 50 }, () => refresh(credential)))
    expect(all.map((one) => one.outcome).filter((outcome) => outcome === 'rotated')).toHaveLength(1)
    const credentials = new Set(all.map((one) => (one.ok ? one.credential : one.code)))
    expect(credentials.size).toBe(1)
    expect(await refresh([...credentials][0] as string)).toMatchObject({ ok: true, outcome: 'rotated' })
  })
})

describe('a session cookie', () => {
  it('mints without rotating', async () => {
    const { credential } = await signIn(setting)
    const minted = await refresh(credential, 'cookie')
    expect(minted).toMatchObject({ ok: true, outcome: 'minted', credential })
    if (!minted.ok) return
    expect(await setting.core.tokens.verify(minted.minted.accessToken)).toMatchObject({ ok: true })
  })

  it('is refused at the door of refresh tokens, and the other way round', async () => {
    const cookie = await signIn(setting)
    const native = await signIn(setting, 'ada@example.com', 'native')
    expect(await refresh(cookie.credential, 'token')).toMatchObject({ ok: false, code: 'session_unknown' })
    expect(await refresh(native.credential, 'cookie')).toMatchObject({ ok: false, code: 'session_unknown' })
  })

  it('dies with its idle time, which a background mint does not extend', async () => {
    const { credential } = await signIn(setting)
    const day = 86_400_000
    for (const background of [false, true]) {
      setting.time += 13 * day
      const minted = await setting.core.sessions.refresh({ credential, kind: 'cookie', background, caller })
      expect(minted.ok).toBe(true)
      await setting.core.sessions.flush()
    }
    setting.time += 2 * day
    expect(await refresh(credential, 'cookie')).toMatchObject({ ok: false, outcome: 'expired', code: 'session_expired' })
  })

  it('is not listed any more when its client’s policy has become stricter than it was opened under', async () => {
    const { credential, snapshot } = await signIn(setting)
    const listed = async () => (await setting.core.sessions.list(snapshot.user.id)).sessions.length
    setting.time += 3_600_000
    expect(await listed()).toBe(1)
    await setting.core.clients.change(snapshot.client.id, { policy: { idle: 1_800_000 } }, 'test')
    expect(await listed()).toBe(0)
    expect(await setting.core.sessions.check(credential, 'cookie')).toMatchObject({ code: 'session_expired' })
  })

  it('stays dead when the clock steps back, over a restart too', async () => {
    const { credential } = await signIn(setting)
    setting.time += 15 * 86_400_000
    expect(await setting.core.sessions.check(credential, 'cookie')).toMatchObject({ code: 'session_expired' })
    await setting.restart()
    setting.time -= 15 * 86_400_000
    expect(await setting.core.sessions.check(credential, 'cookie')).toMatchObject({ code: 'session_expired' })
  })
})

describe('a token that is minted for a guard', () => {
  it('says that the credential it was asked with has arrived, not the newest one: a lost answer is still recovered', async () => {
    const rotating = await openSetting({ policy: { rotate: 3_600_000 } })
    try {
      const { sessions } = rotating.core
      const { credential } = await signIn(rotating)
      const ask = (of: string) => sessions.refresh({ credential: of, kind: 'cookie', background: false, caller })
      const use = async (of: string) => {
        const minted = await sessions.mint(of)
        if (!minted.ok) throw new Error(minted.code)
        expect(await sessions.checkToken(minted.minted.claims)).toMatchObject({ ok: true })
        await sessions.flush()
        return minted.minted.claims.jti.split('.')[0]
      }
      rotating.time += 3_600_000
      // The answer is lost: the browser keeps what it had.
      expect(await ask(credential)).toMatchObject({ outcome: 'rotated' })
      rotating.time += 11_000
      expect(await use(credential)).toBe('1')
      const recovered = await ask(credential)
      expect(recovered).toMatchObject({ ok: true, outcome: 'recovered' })
      // One minted for the newest does say so, and an older copy is found out.
      expect(await use(recovered.ok ? recovered.credential : '')).toBe('3')
      rotating.time += 11_000
      expect(await ask(credential)).toMatchObject({ ok: false, outcome: 'reused' })
    } finally {
      await rotating.close()
    }
  })
})

describe('an ended session', () => {
  it('is refused at once, at every door', async () => {
    const { credential, snapshot } = await signIn(setting)
    const minted = await refresh(credential, 'cookie')
    if (!minted.ok) throw new Error(minted.code)
    await setting.core.sessions.revoke({ sid: snapshot.session.sid }, 'admin', { actor: 'test' })
    expect(await setting.core.sessions.check(credential, 'cookie')).toMatchObject({ code: 'session_revoked' })
    expect(await setting.core.sessions.checkToken(minted.minted.claims)).toMatchObject({ code: 'session_revoked' })
    expect(await refresh(credential, 'cookie')).toMatchObject({ code: 'session_revoked' })
  })

  it('is replaced by a new sign-in of the same browser, but never by somebody who only knows the sid', async () => {
    const first = await signIn(setting)
    const forged = first.credential.replace(/\.[^.]*$/, `.${'A'.repeat(32)}`)
    await signIn(setting, 'eve@example.com', 'app', forged)
    expect(await setting.core.sessions.check(first.credential, 'cookie')).toMatchObject({ ok: true })
    await signIn(setting, 'ada@example.com', 'app', first.credential)
    expect(await setting.core.sessions.check(first.credential, 'cookie')).toMatchObject({ code: 'session_revoked' })
  })
})
