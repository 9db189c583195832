// Who is told what about a token, who may end it, and what a live check compares: at the core, where each refusal stands
// beside the same question that is answered.

import type { AccessTokenClaims } from '@symbolon/protocol'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Client, SignedIn } from '#core'
import { deadBecause } from '../../src/core/session.ts'
import { caller, issuer, openSetting, type Setting, signIn } from '../setting/service.ts'

let setting: Setting
let native: Client
let other: Client
let api: Client
let ada: SignedIn
const client = async (id: string) => (await setting.core.clients.find(id)) as Client
const refresh = async (credential: string) => {
  const outcome = await setting.core.sessions.refresh({ credential, kind: 'token', background: true, caller })
  if (!outcome.ok) throw new Error(outcome.code)
  return outcome
}
const access = (one: Pick<SignedIn, 'minted'>) => one.minted as { readonly accessToken: string; readonly claims: AccessTokenClaims }
/** The same with another MAC. */
const forged = (credential: string) => credential.replace(/\.([^.])([^.]*)$/, (_, first, rest) => `.${first === 'A' ? 'B' : 'A'}${rest}`)

beforeEach(async () => {
  setting = await openSetting()
  await setting.core.clients.create({ id: 'other', name: 'Other', transport: 'native' }, 'test')
  await setting.core.clients.create({ id: 'api', name: 'API', transport: 'service', audiences: [issuer], scopes: ['a'] }, 'test')
  native = await client('native')
  other = await client('other')
  api = await client('api')
  ada = await signIn(setting, 'ada@example.com', 'native')
})
afterEach(() => setting.close())

describe('the explanation of an access token', () => {
  const explained = (token: string) => setting.core.tokens.explain(token)
  const change = (token: string, claims: object) => {
    const [header, payload, signature] = token.split('.') as [string, string, string]
    const said = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), ...claims }
    return [header, Buffer.from(JSON.stringify(said)).toString('base64url'), signature].join('.')
  }

  it('says what a live check would, and in words what is wrong with it', async () => {
    const { accessToken } = access(await refresh(ada.credential))
    expect(await explained(accessToken)).toEqual({ ok: true, token: accessToken })
    const tampered = change(accessToken, { roles: ['admin'] })
    expect(await explained(tampered)).toEqual({ ok: false, code: 'invalid_token', detail: 'signature', token: tampered })
    expect(await explained(change(accessToken, { aud: 'https://other.example' }))).toMatchObject({ detail: /audience/ })
    await setting.core.sessions.revoke({ sid: ada.snapshot.session.sid }, 'admin', { actor: 'test' })
    expect(await explained(accessToken)).toEqual({ ok: false, code: 'session_revoked', token: accessToken })
  })

  it('opens an opaque one', async () => {
    await setting.core.clients.change('native', { accessTokenFormat: 'opaque' }, 'test')
    const { accessToken } = access(await refresh(ada.credential))
    expect(accessToken).toMatch(/^syo_/)
    expect(await explained(accessToken)).toEqual({ ok: true, token: expect.stringMatching(/^ey/) })
    expect(await explained(`${accessToken.slice(0, -2)}AA`)).toMatchObject({ ok: false, token: undefined })
  })

  it('is no use of the session: its idle time goes on', async () => {
    const { accessToken } = access(await refresh(ada.credential))
    await setting.core.sessions.flush()
    const before = await setting.store.sessions.find(ada.snapshot.session.sid)
    setting.time += 60_000
    expect(await explained(accessToken)).toMatchObject({ ok: true })
    await setting.core.sessions.flush()
    expect((await setting.store.sessions.find(ada.snapshot.session.sid))?.session).toEqual(before?.session)
  })
})

describe('introspection of a refresh token', () => {
  const active = async (credential: string, who = native) => (await setting.core.tokens.introspect(credential, who)).active

  it('tells its own client, and nobody else: not another client, nor the API that its access tokens are for', async () => {
    expect(await setting.core.tokens.introspect(ada.credential, native)).toMatchObject({
      active: true,
      token_type: 'refresh_token',
      sub: ada.snapshot.user.id,
      sid: ada.snapshot.session.sid,
    })
    for (const one of [other, api]) expect(await setting.core.tokens.introspect(ada.credential, one)).toEqual({ active: false })
  })

  it('tells nothing of one with a wrong MAC', async () => {
    expect(await setting.core.tokens.introspect(forged(ada.credential), native)).toEqual({ active: false })
  })

  it('tells of one that is over: replaced and seen, of an ended session, of a disabled user', async () => {
    const next = (await refresh(ada.credential)).credential
    expect([await active(ada.credential), await active(next)]).toEqual([true, true])
    setting.time += 60_000
    // Until the successor was seen its answer may be lost. Introspection itself does not show it to anybody.
    expect(await active(ada.credential)).toBe(true)
    await refresh(next)
    setting.time += 60_000
    expect([await active(ada.credential), await active(next)]).toEqual([false, true])
    const bob = await signIn(setting, 'bob@example.com', 'native')
    expect(await active(bob.credential)).toBe(true)
    await setting.core.users.change(bob.snapshot.user.id, { status: 'disabled' }, 'test')
    expect(await active(bob.credential)).toBe(false)
    await setting.core.sessions.revoke({ sid: ada.snapshot.session.sid }, 'admin', { actor: 'test' })
    expect(await active(next)).toBe(false)
  })
})

describe('revocation by a client', () => {
  const lives = async (one: SignedIn) => (await setting.core.sessions.checkToken(access(one).claims)).ok

  it('ends its own access token, and no other client’s; the entry outlives every leeway', async () => {
    const before = await setting.store.feed.head()
    expect(await setting.core.tokens.revoke(access(ada).accessToken, other, caller)).toEqual(before)
    expect(await lives(ada)).toBe(true)
    const head = await setting.core.tokens.revoke(access(ada).accessToken, native, caller)
    expect([head.seq, await lives(ada)]).toEqual([before.seq + 1, false])
    const { exp, jti } = access(ada).claims
    const [entry] = await setting.store.feed.after(before.seq, 10)
    expect(entry).toMatchObject({ kind: 'token', id: jti })
    // Verifiers take a token up to 60 s after its end.
    expect(entry?.expires).toBeGreaterThanOrEqual((exp + 60) * 1000)
  })

  it('ends a session by its own refresh token, and not by a forged one, nor by another client', async () => {
    for (const [token, who] of [
      [forged(ada.credential), native],
      [ada.credential, other],
    ] as const) {
      await setting.core.tokens.revoke(token, who, caller)
      expect(await lives(ada)).toBe(true)
    }
    await setting.core.tokens.revoke(ada.credential, native, caller)
    expect(await lives(ada)).toBe(false)
  })
})

describe('a live check of an access token', () => {
  const code = async (change: Partial<AccessTokenClaims> = {}) => {
    const checked = await setting.core.sessions.checkToken({ ...access(ada).claims, ...change })
    return checked.ok ? 'ok' : checked.code
  }

  it.each<[string, Partial<AccessTokenClaims>, string]>([
    ['as it was minted', {}, 'ok'],
    ['of another user’s epoch', { epoch: 2 }, 'claims_stale'],
    ['of another client’s epoch', { client_epoch: 2 }, 'claims_stale'],
    ['of another user than the session’s', { sub: 'usr_somebody_else' }, 'session_unknown'],
    ['of another client than the session’s', { client_id: 'other' }, 'session_unknown'],
    ['of no session', { sid: undefined as never }, 'session_required'],
    ['of an unknown one', { sid: 'AAECAwQFBgcICQoLDA0ODw' }, 'session_unknown'],
  ])('%s: %s', async (_, change, expected) => expect(await code(change)).toBe(expected))

  it.each<[string, () => Promise<unknown>, string]>([
    ['a grown user’s epoch', () => setting.core.users.change(ada.snapshot.user.id, { roles: ['x'] }, 'test'), 'claims_stale'],
    ['a grown client’s epoch', () => setting.core.clients.bumpEpoch('native', 'test'), 'claims_stale'],
    ['a disabled user', () => setting.core.users.change(ada.snapshot.user.id, { status: 'disabled' }, 'test'), 'session_revoked'],
    ['a disabled client', () => setting.core.clients.change('native', { status: 'disabled' }, 'test'), 'denied'],
    ['an ended session', () => setting.core.sessions.revoke({ user: ada.snapshot.user.id }, 'admin', { actor: 'test' }), 'session_revoked'],
  ])('knows of %s at once', async (_, change, expected) => {
    // Read before, so that nothing remembered can stand for it.
    expect(await code()).toBe('ok')
    await change()
    expect(await code()).toBe(expected)
  })
})

it('holds each of the three against a session: itself, its user, its client', () => {
  const { session, user, client } = ada.snapshot
  const dead = (change: object) => deadBecause({ ...ada.snapshot, ...change }, setting.core.clients.policyOf(client))
  expect(dead({})).toBeUndefined()
  expect(dead({ session: { ...session, revokedAt: 1 } })).toBe('session_revoked')
  // Disabling ends the sessions too: neither guard leans on the other.
  expect(dead({ user: { ...user, status: 'disabled' } })).toBe('session_revoked')
  expect(dead({ client: { ...client, status: 'disabled' } })).toBe('denied')
  expect(dead({ now: session.expiresAt })).toBe('session_expired')
})

describe('a live check of a credential', () => {
  it('is made at the door of its kind only', async () => {
    const cookie = await signIn(setting)
    const check = async (credential: string, kind: 'cookie' | 'token') => (await setting.core.sessions.check(credential, kind)).ok
    expect([await check(cookie.credential, 'cookie'), await check(ada.credential, 'token')]).toEqual([true, true])
    expect([await check(cookie.credential, 'token'), await check(ada.credential, 'cookie')]).toEqual([false, false])
  })

  it('takes the predecessor until its successor was seen and the window is over', async () => {
    const check = async (credential: string) => {
      const checked = await setting.core.sessions.check(credential, 'token')
      return checked.ok ? 'ok' : checked.code
    }
    const next = (await refresh(ada.credential)).credential
    expect([await check(next), await check(ada.credential)]).toEqual(['ok', 'ok'])
    await setting.core.sessions.flush()
    setting.time += 10_000
    expect([await check(ada.credential), await check(next)]).toEqual(['session_superseded', 'ok'])
  })
})

describe('a client that proves itself by its key', () => {
  const made = async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    const key = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }
    await setting.core.clients.create({ id: 'jobs', name: 'Jobs', transport: 'service', scopes: ['a'], keys: [key as never] }, 'test')
    const now = setting.time / 1000
    const assertion = (jti: string, claims: object = {}) =>
      new SignJWT({ iss: 'jobs', sub: 'jobs', aud: issuer, jti, exp: now + 60, ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'k' })
        .sign(privateKey)
    return { assertion, now }
  }
  const known = async (assertion: string) => (await setting.core.oauth.authenticate(assertion, []))?.id

  it('does so once with each assertion, to the last moment in which it is taken', async () => {
    const { assertion, now } = await made()
    const one = await assertion('1')
    expect([await known(one), await known(one), await known(await assertion('2'))]).toEqual(['jobs', undefined, 'jobs'])
    const twin = await assertion('3')
    // Five seconds after its end it is still taken: as long it must be remembered, whatever was swept meanwhile.
    setting.time = (now + 64) * 1000
    await setting.store.limits.sweep(1000)
    expect([await known(one), await known(twin)]).toEqual([undefined, 'jobs'])
    setting.time += 1000
    expect(await known(await assertion('4'))).toBeUndefined()
  })

  it('does so while it is active, and is granted nothing if it was disabled since', async () => {
    const { assertion } = await made()
    const jobs = await client('jobs')
    expect(await known(await assertion('1'))).toBe('jobs')
    expect(await setting.core.oauth.grant(jobs, { scope: undefined, audience: undefined })).toMatchObject({ ok: true })
    await setting.core.clients.change('jobs', { status: 'disabled' }, 'test')
    expect(await known(await assertion('2'))).toBeUndefined()
    // Whoever asked had proved itself before.
    expect(await setting.core.oauth.grant(jobs, { scope: undefined, audience: undefined })).toMatchObject({ ok: false })
  })
})
