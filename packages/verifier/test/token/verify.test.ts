// The token check against jose's own minting: each refusal beside the token that passes.

import { createTokenVerifier } from '@symbolon/verifier/token'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { expect, it } from 'vitest'

const at = 1_800_000_000
const good = { iss: 'https://a.example', aud: 'api', sub: 'cli_x', client_id: 'cli_x', jti: 'j', client_epoch: 0, iat: at, exp: at + 300 }
const user = { sub: 'usr_x', sid: 'AAAAAAAAAAAAAAAAAAAAAA', epoch: 1, auth_time: at, acr: 'a', amr: ['otp'] }
const { privateKey, publicKey } = await generateKeyPair('ES256')
const jwk = { ...(await exportJWK(publicKey)), kty: 'EC' as const, kid: 'k', alg: 'ES256' as const, use: 'sig' as const }
const verifier = (now = () => at * 1000) => createTokenVerifier({ issuer: good.iss, audience: 'api', now, keys: () => [jwk as never] })
const mint = (claims: object, header: object = {}) =>
  new SignJWT({ ...good, ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'k', typ: 'at+jwt', ...header }).sign(privateKey)

it('accepts what jose mints within the profile, and again from memory without a promise', async () => {
  const one = verifier()
  const token = await mint({})
  expect(await one.verify(token)).toMatchObject({ ok: true })
  expect(one.verify(token)).toMatchObject({ ok: true })
  expect(await one.verify(await mint(user))).toMatchObject({ ok: true })
  expect(await one.verify(await mint({ aud: ['api'] }, { typ: 'application/AT+JWT' }))).toMatchObject({ ok: true })
})

it.each([
  ['aud', { aud: ['api', 'b'] }, {}],
  ['iss', { iss: 'https://b.example' }, {}],
  ['exp', { exp: at + 0.5 }, {}],
  ['lifetime', { exp: at + 3601 }, {}],
  ['cnf', { cnf: {} }, {}],
  ['sub', { sid: user.sid }, {}],
  ['sid', { sub: 'usr_x' }, {}],
  ['epoch', { ...user, epoch: undefined }, {}],
  ['lifetime', { ...user, exp: at + 901 }, {}],
  ['sid', { ...user, sid: 7 }, {}],
  ['roles', { roles: 'admin' }, {}],
  ['typ', {}, { typ: 'JWT' }],
  ['key', {}, { kid: 'other' }],
  ['header member', {}, { jku: 'https://b.example' }],
  ['header size', {}, { pad: 'x'.repeat(1024) }],
])('refuses by %s', async (detail, claims, header) => {
  expect(await verifier().verify(await mint(claims, header))).toEqual({ ok: false, code: 'invalid_token', detail })
})

it('refuses at exp + leeway, from memory too, and stays refused when the clock steps back', async () => {
  let now = at * 1000
  const one = verifier(() => now)
  const token = await mint({})
  expect(await one.verify(token)).toMatchObject({ ok: true })
  now = (at + 305) * 1000
  expect(await one.verify(token)).toMatchObject({ code: 'token_expired' })
  now = at * 1000
  expect(await one.verify(token)).toMatchObject({ code: 'token_expired' })
})

it('checks a new token once for all who show it at the same time, and holds each against revocations by itself', async () => {
  let asked = 0
  let revoked = false
  const one = createTokenVerifier({
    issuer: good.iss,
    audience: 'api',
    now: () => at * 1000,
    keys: () => {
      asked++
      return [jwk as never]
    },
    revoked: () => (revoked ? 'token_revoked' : undefined),
  })
  const token = await mint({})
  const first = one.verify(token) as Promise<unknown>
  // Whoever comes when something was revoked meanwhile is refused, though the check that it joins was already made.
  const late = first.then(() => {
    revoked = true
    return one.verify(token)
  })
  const answers = await Promise.all([first, ...Array.from({ length: 20 }, () => one.verify(token)), late])
  expect(asked).toBe(1)
  expect(answers.map((answer) => (answer as { ok: boolean }).ok)).toEqual([...Array(21).fill(true), false])
  revoked = false
  expect(await Promise.all(Array.from({ length: 3 }, () => one.verify(`${token}x`)))).toMatchObject(Array(3).fill({ ok: false }))
  expect(await one.verify(await mint({ jti: 'other' }))).toMatchObject({ ok: true })
})

it('holds whoever comes in the moment of another’s judgement against what is known by then', async () => {
  let revoked = false
  let late: unknown
  const one = createTokenVerifier({
    issuer: good.iss,
    audience: 'api',
    now: () => at * 1000,
    keys: () => [jwk as never],
    revoked: () => {
      const code = revoked ? 'token_revoked' : undefined
      late ??= Promise.resolve().then(() => {
        revoked = true
        return one.verify(token)
      })
      return code
    },
  })
  const token = await mint({})
  expect(await one.verify(token)).toMatchObject({ ok: true })
  expect(await late).toMatchObject({ ok: false, code: 'token_revoked' })
})

it('tells a token of a revoked key so, though the key has left the set, and one of an unknown key nothing', async () => {
  const one = createTokenVerifier({
    issuer: good.iss,
    audience: 'api',
    now: () => at * 1000,
    keys: () => [],
    keyRevoked: (kid) => kid === 'k',
  })
  expect(await one.verify(await mint({}))).toMatchObject({ ok: false, code: 'token_revoked' })
  expect(await one.verify(await mint({}, { kid: 'other' }))).toMatchObject({ ok: false, code: 'invalid_token' })
})

it.each(['', '.', 'a.b.c', 'a.b.c.d'])('never throws: %j', async (token) => {
  expect(await verifier().verify(token)).toMatchObject({ ok: false })
})
