// What guards make of a step-up: the challenge, the way of a navigation to the page, and tokens of before it, which prove
// what they did and no more. The source answers by hand; no network.

import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { createVerifier, type LiveSession, type Requirement, type Source } from '../src/index.ts'

const issuer = 'http://localhost:3000'
const sid = 'AAECAwQFBgcICQoLDA0ODw'
const now = 1_800_000_000
const { privateKey, publicKey } = await generateKeyPair('ES256')
const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256', use: 'sig' }

type Proven = Pick<LiveSession, 'authTime' | 'acr' | 'amr'>
const claimsOf = ({ authTime, acr, amr }: Proven) => ({
  ...{ iss: issuer, aud: issuer, sub: `usr_${sid}`, client_id: 'app', client_epoch: 1, iat: now - 10, exp: now + 290 },
  ...{ sid, jti: `1.${sid}`, epoch: 1, auth_time: authTime, acr, amr: [...amr] },
})
const mint = (proven: Proven) =>
  new SignJWT(claimsOf(proven)).setProtectedHeader({ alg: 'ES256', kid: 'k', typ: 'at+jwt' }).sign(privateKey)
const sessionOf = (proven: Proven): LiveSession => ({
  ...{ sub: `usr_${sid}`, sid, clientId: 'app', epoch: 1, clientEpoch: 1, roles: [], scope: [] },
  ...proven,
})
const verifierOn = (proven: Proven) => {
  const source = {
    keys: () => [jwk],
    check: async () => ({ active: true, session: sessionOf(proven) }),
    mint: async () => ({ minted: true, accessToken: await mint(proven), claims: claimsOf(proven), session: sessionOf(proven) }),
    close: async () => {},
  } as unknown as Source
  return createVerifier({ issuer, source, cookies: true, now: () => now * 1000 })
}
const old: Proven = { authTime: now - 600, acr: 'low', amr: ['otp'] }
const raised: Proven = { authTime: now - 10, acr: 'high', amr: ['hwk', 'user'] }

const ask = (
  verifier: ReturnType<typeof verifierOn>,
  requirement: Requirement,
  headers: Record<string, string>,
  level: 'token' | 'session',
  method = 'GET',
) => verifier.guard(level, requirement)({ method, url: '/pay?x=1', header: (name) => headers[name] })

describe('an access token of before a step-up', () => {
  const said = async (token: Proven, session: Proven, requirement: Requirement, level: 'token' | 'session' = 'session') => {
    const result = await ask(verifierOn(session), requirement, { authorization: `Bearer ${await mint(token)}` }, level)
    if (!result.ok) return (JSON.parse(result.body) as { code: string }).code
    return result.auth?.kind === 'user' ? [result.auth.acr, result.auth.authTime] : 'client'
  }
  it.each(['token', 'session'] as const)('is refused where more is asked for, and taken where it is enough (%s)', async (level) => {
    expect(await said(old, raised, { maxAuthAge: '5m' }, level)).toBe('step_up_required')
    expect(await said(old, raised, { acr: 'high' }, level)).toBe('step_up_required')
    expect(await said(old, raised, { amr: ['hwk'] }, level)).toBe('step_up_required')
    expect(await said(old, raised, { acr: ['low', 'high'], maxAuthAge: '11m' }, level)).toEqual(['low', now - 600])
    expect(await said(raised, raised, { acr: 'high', maxAuthAge: '5m' }, level)).toEqual(['high', now - 10])
  })
  it('says no more than the session does now, once that stepped down again', async () => {
    const down = { ...raised, acr: 'low', amr: ['otp'] }
    expect(await said(raised, down, { acr: 'high' })).toBe('step_up_required')
    expect(await said(raised, down, { acr: 'low' })).toEqual(['low', now - 10])
  })
  it('in a cookie gives way to one minted from the session', async () => {
    const cookie = `symbolon=syc_${sid}.2.${'x'.repeat(32)}; symbolon-token=${await mint(old)}`
    const taken = await ask(verifierOn(raised), { maxAuthAge: '5m' }, { cookie }, 'token')
    expect(taken).toMatchObject({ ok: true, setCookies: [expect.stringMatching(/^symbolon-token=ey/)] })
    // One that is enough is used as it is; a session that proves no more is refused still.
    expect(await ask(verifierOn(raised), { maxAuthAge: '11m' }, { cookie }, 'token')).toMatchObject({ ok: true, setCookies: [] })
    expect(await ask(verifierOn(old), { maxAuthAge: '5m' }, { cookie }, 'token')).toMatchObject({ ok: false, status: 401 })
  })
})

describe('a refusal', () => {
  const cookie = `symbolon=syc_${sid}.1.${'x'.repeat(32)}`
  const asked: Requirement = { acr: ['high', 'urn:x&y'], maxAuthAge: '5m' }

  it('names what must be reached, for clients and for frameworks', async () => {
    const refused = await ask(verifierOn(old), asked, { cookie }, 'session')
    expect(refused).toMatchObject({ ok: false, status: 401, stepUp: { acrValues: ['high', 'urn:x&y'], maxAge: 300 } })
    expect(refused.ok ? '' : refused.headers['www-authenticate']).toMatch(
      /^Bearer realm="symbolon", error="insufficient_user_authentication", .*acr_values="high urn:x&y", max_age="300"$/,
    )
  })

  it('of a navigation leads to the page with it; of anything else it does not, and a sign-in asks for no step-up', async () => {
    const loginUrl = '/auth/login'
    const navigate = { cookie, 'sec-fetch-mode': 'navigate' }
    const where = async (requirement: Requirement, headers: Record<string, string>, method = 'GET') => {
      const result = await ask(verifierOn(old), { ...requirement, loginUrl }, headers, 'session', method)
      return result.ok ? 'ok' : (result.headers.location ?? result.status)
    }
    const back = '/auth/login?return_to=%2Fpay%3Fx%3D1'
    expect(await where(asked, navigate)).toBe(`${back}&step_up=1&acr_values=high%20urn%3Ax%26y&max_age=300`)
    expect(await where({ maxAuthAge: '5m' }, navigate)).toBe(`${back}&step_up=1&max_age=300`)
    expect(await where({ amr: ['hwk'] }, navigate)).toBe(`${back}&step_up=1`)
    expect(await where({ maxAuthAge: '5m' }, { 'sec-fetch-mode': 'navigate' })).toBe(back)
    expect(await where({ maxAuthAge: '11m' }, navigate)).toBe('ok')
    expect(await where(asked, { cookie, 'sec-fetch-mode': 'cors' })).toBe(401)
    expect(await where(asked, { ...navigate, origin: issuer, 'sec-fetch-site': 'same-origin' }, 'POST')).toBe(401)
  })
})
