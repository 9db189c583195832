// Hostile tokens, each beside its positive twin; and a differential test against jose in both directions.

import { createHmac, createPublicKey, sign as nodeSign } from 'node:crypto'
import { createTokenVerifier, type TokenVerifier } from '@symbolon/verifier/token'
import fc from 'fast-check'
import { compactVerify, exportJWK, generateKeyPair, importJWK, jwtVerify, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'

const at = 1_800_000_000
const good = {
  iss: 'https://a.example',
  aud: 'api',
  sub: 'usr_x',
  client_id: 'app',
  jti: '1.j',
  client_epoch: 1,
  iat: at,
  exp: at + 300,
  sid: 'AAAAAAAAAAAAAAAAAAAAAA',
  epoch: 1,
  auth_time: at,
  acr: 'a',
  amr: ['otp'],
}
const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
const jwk = { ...(await exportJWK(publicKey)), kty: 'EC' as const, kid: 'k', alg: 'ES256' as const, use: 'sig' as const }
const verifierOf = (keys: readonly object[] = [jwk]): TokenVerifier =>
  createTokenVerifier({ issuer: good.iss, audience: 'api', now: () => at * 1000, keys: () => keys as never })
const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
const b64 = (value: unknown) => Buffer.from(text(value)).toString('base64url')
/** Any header and payload, signed as they stand. */
async function signed(header: unknown = { alg: 'ES256', kid: 'k', typ: 'at+jwt' }, payload: unknown = good): Promise<string> {
  const input = `${b64(header)}.${b64(payload)}`
  const { createPrivateKey } = await import('node:crypto')
  const key = createPrivateKey({ key: { ...(await exportJWK(privateKey)) } as never, format: 'jwk' })
  return `${input}.${nodeSign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}
const header = (change: object) => ({ alg: 'ES256', kid: 'k', typ: 'at+jwt', ...change })
const payload = (change: object) => ({ ...good, ...change })
const raw = (change: string) => text(good).replace(/}$/, `,${change}}`)
const last = (token: string) => token.at(-1) as string
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The other signature of the same message (ECDSA: n − s). */
function twin(token: string): string {
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const [h, p, s = ''] = token.split('.')
  const bytes = Buffer.from(s, 'base64url')
  const other = (n - BigInt(`0x${bytes.subarray(32).toString('hex')}`)).toString(16).padStart(64, '0')
  return `${h}.${p}.${Buffer.concat([bytes.subarray(0, 32), Buffer.from(other, 'hex')]).toString('base64url')}`
}

it('accepts the token that every hostile one is made from', async () => {
  expect(await verifierOf().verify(await signed())).toMatchObject({ ok: true })
})

describe('refused', () => {
  it.each<[string, () => Promise<string> | string]>([
    ['padding', async () => `${await signed()}=`],
    ['a blank', async () => `${await signed()} `],
    ['a line break inside', async () => (await signed()).replace(/.{30}$/, (end) => `\n${end}`)],
    [
      'loose trailing bits',
      async () => {
        const token = await signed()
        return token.slice(0, -1) + letters[(letters.indexOf(last(token)) & 48) | ((letters.indexOf(last(token)) + 1) & 15)]
      },
    ],
    ['plus and slash', async () => (await signed()).replaceAll('-', '+').replaceAll('_', '/').replace(/^/, '+')],
    ['four segments', async () => `${await signed()}.x`],
    ['JSON serialisation', async () => JSON.stringify({ payload: b64(good), protected: b64(header({})), signature: 'x' })],
    ['too many bytes', async () => signed(header({}), payload({ pad: 'x'.repeat(8192) }))],
    ['a large header', async () => signed(header({ pad: 'x'.repeat(1024) }))],
    ['alg none', async () => `${b64({ alg: 'none', kid: 'k', typ: 'at+jwt' })}.${b64(good)}.`],
    [
      'HS256 with the public key',
      async () => {
        const input = `${b64(header({ alg: 'HS256' }))}.${b64(good)}`
        const pem = createPublicKey({ key: jwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
        return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`
      },
    ],
    ['another alg than the key’s', async () => signed(header({ alg: 'ES384' }))],
    ['no kid', async () => signed({ alg: 'ES256', typ: 'at+jwt' })],
    ['an ID token’s typ', async () => signed(header({ typ: 'JWT' }))],
    ['jku', async () => signed(header({ jku: 'https://evil.example' }))],
    ['x5u', async () => signed(header({ x5u: 'https://evil.example' }))],
    ['an embedded key', async () => signed(header({ jwk }))],
    ['x5c', async () => signed(header({ x5c: ['x'] }))],
    ['crit', async () => signed(header({ crit: ['b64'], b64: true }))],
    ['b64', async () => signed(header({ b64: false }))],
    ['a header member twice', async () => signed('{"alg":"ES256","alg":"ES256","kid":"k","typ":"at+jwt"}')],
    ['a claim twice', async () => signed(header({}), raw('"sub":"usr_y"'))],
    ['an escaped claim twice', async () => signed(header({}), raw('"\\u0073ub":"usr_y"'))],
    ['a prototype', async () => signed(header({}), raw('"__proto__":{"admin":true}'))],
    ['no exp', async () => signed(header({}), payload({ exp: undefined }))],
    ['exp 1e400', async () => signed(header({}), text(good).replace(/"exp":\d+/, '"exp":1e400'))],
    ['exp in milliseconds', async () => signed(header({}), payload({ exp: (at + 300) * 1000 }))],
    ['exp as text', async () => signed(header({}), payload({ exp: String(at + 300) }))],
    ['exp before iat', async () => signed(header({}), payload({ exp: at - 1 }))],
    ['a long life', async () => signed(header({}), payload({ exp: at + 901 }))],
    ['iat in the future', async () => signed(header({}), payload({ iat: at + 6, exp: at + 300 }))],
    ['nbf in the future', async () => signed(header({}), payload({ nbf: at + 6 }))],
    ['nbf as text', async () => signed(header({}), payload({ nbf: 'now' }))],
    ['another audience', async () => signed(header({}), payload({ aud: 'other' }))],
    ['two audiences', async () => signed(header({}), payload({ aud: ['api', 'other'] }))],
    ['no audience', async () => signed(header({}), payload({ aud: [] }))],
    ['another issuer', async () => signed(header({}), payload({ iss: 'https://a.example/' }))],
    ['an unknown confirmation', async () => signed(header({}), payload({ cnf: { jkt: 'x' } }))],
    ['a user without a session', async () => signed(header({}), payload({ sid: undefined }))],
    ['a user without an epoch', async () => signed(header({}), payload({ epoch: undefined }))],
    ['a fractional epoch', async () => signed(header({}), payload({ epoch: 0.5 }))],
    ['a deep payload', async () => signed(header({}), raw(`"x":${'['.repeat(3000)}${']'.repeat(3000)}`))],
    ['a payload that is an array', async () => signed(header({}), '[]')],
    ['a byte order mark', async () => signed(header({}), `\ufeff${text(good)}`)],
    [
      'another key’s signature',
      async () => new SignJWT(good).setProtectedHeader(header({}) as never).sign((await generateKeyPair('ES256')).privateKey),
    ],
    ['a signature of nothing', async () => (await signed()).replace(/\.[^.]*$/, `.${Buffer.alloc(64).toString('base64url')}`)],
    [
      'a DER signature',
      async () => {
        const { createPrivateKey } = await import('node:crypto')
        const input = `${b64(header({}))}.${b64(good)}`
        const key = createPrivateKey({ key: (await exportJWK(privateKey)) as never, format: 'jwk' })
        return `${input}.${nodeSign('sha256', Buffer.from(input), key).toString('base64url')}`
      },
    ],
  ])('%s', async (_, make) => {
    expect(await verifierOf().verify(await make())).toMatchObject({ ok: false })
  })

  it('a kid that two keys carry', async () => {
    expect(await verifierOf([jwk, jwk]).verify(await signed())).toMatchObject({ ok: false })
  })

  it('a megabyte quickly, and whatever is not text', async () => {
    const verifier = verifierOf()
    expect(await verifier.verify('a'.repeat(1_000_000))).toMatchObject({ ok: false, detail: 'size' })
    for (const value of [undefined, null, 7, {}, []]) expect(await verifier.verify(value as never)).toMatchObject({ ok: false })
  })
})

it('decides on claims, never on the string: both signatures of one token are one token', async () => {
  let revoked = false
  const verifier = createTokenVerifier({
    issuer: good.iss,
    audience: 'api',
    now: () => at * 1000,
    keys: () => [jwk] as never,
    revoked: () => (revoked ? 'token_revoked' : undefined),
  })
  const token = await signed()
  for (const one of [token, twin(token)]) expect(await verifier.verify(one)).toMatchObject({ ok: true })
  revoked = true
  for (const one of [token, twin(token)]) expect(await verifier.verify(one)).toMatchObject({ ok: false, code: 'token_revoked' })
})

it('hands out claims that nobody can change for the next one', async () => {
  const verifier = verifierOf()
  const first = await verifier.verify(await signed(header({}), payload({ roles: ['reader'] })))
  if (!first.ok) throw new Error(first.detail)
  expect(() => (first.claims.roles as string[]).push('admin')).toThrow(TypeError)
})

it('remembers within its bound', async () => {
  let asked = 0
  const verifier = createTokenVerifier({
    issuer: good.iss,
    audience: 'api',
    now: () => at * 1000,
    cache: { size: 2 },
    keys: () => {
      asked++
      return [jwk] as never
    },
  })
  const tokens = await Promise.all(Array.from({ length: 10 }, (_, i) => signed(header({}), payload({ jti: `1.${i}` }))))
  for (const token of tokens) await verifier.verify(token)
  for (const token of tokens) await verifier.verify(token)
  expect(asked).toBeGreaterThan(15)
})

it.each(['Ed25519', 'RS256', 'PS256'] as const)('takes %s', async (alg) => {
  const pair = await generateKeyPair(alg)
  const other = { ...(await exportJWK(pair.publicKey)), kid: 'o', alg, use: 'sig' }
  const token = await new SignJWT(good).setProtectedHeader({ alg, kid: 'o', typ: 'at+jwt' }).sign(pair.privateKey)
  expect(await verifierOf([other]).verify(token)).toMatchObject({ ok: true })
  expect(await verifierOf([{ ...other, alg: 'ES256' }]).verify(token)).toMatchObject({ ok: false })
})

// Public vectors: keys and signatures as printed in the standards. The payloads are no access tokens, so the layer below is asked too.
describe('public vectors', () => {
  it.each([
    [
      'RFC 7515 A.3 (ES256)',
      { kty: 'EC', crv: 'P-256', x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU', y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0' },
      'ES256',
      'eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q',
    ],
    [
      'RFC 8037 A.4 (Ed25519)',
      { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' },
      'EdDSA',
      'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
    ],
  ])('%s', async (_, key, alg, token) => {
    await expect(compactVerify(token, await importJWK(key, alg), { algorithms: [alg] })).resolves.toBeDefined()
    // Neither is an access token, however good its signature.
    expect(await verifierOf([{ ...key, kid: 'k', alg: alg === 'EdDSA' ? 'Ed25519' : alg, use: 'sig' }]).verify(token)).toMatchObject({
      ok: false,
    })
  })
})

it('accepts nothing that jose refuses, whatever is changed', async () => {
  const verifier = verifierOf()
  const token = await signed()
  const key = await importJWK(jwk, 'ES256')
  await fc.assert(
    fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom(...letters, '.', '=', ' ', '\n'), async (position, letter) => {
      const changed = token.slice(0, position) + letter + token.slice(position + 1)
      const ours = await verifier.verify(changed)
      if (!ours.ok) return
      await jwtVerify(changed, key, {
        issuer: good.iss,
        audience: 'api',
        typ: 'at+jwt',
        algorithms: ['ES256'],
        currentDate: new Date(at * 1000),
      })
    }),
    { numRuns: 200 },
  )
})
