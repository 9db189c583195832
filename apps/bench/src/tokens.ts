// Checking access tokens: cold against jose with the same key and options, cached against a bare Map.

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { createTokenVerifier } from '@symbolon/verifier/token'
import { importJWK, jwtVerify } from 'jose'
import { type Figures, sideBySide, spent } from './figures.ts'

const issuer = 'https://auth.example'

/** Measures. */
export async function measureTokens(figures: Figures): Promise<void> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'ES256', use: 'sig' } as never
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const header = encode({ alg: 'ES256', typ: 'at+jwt', kid: 'bench' })
  const now = Math.floor(Date.now() / 1000)
  const claims = (i: number) => ({
    iss: issuer,
    sub: `usr_${i}`,
    aud: issuer,
    client_id: 'app',
    iat: now,
    exp: now + 900,
    jti: `1.${randomBytes(16).toString('base64url')}`,
    client_epoch: 1,
    epoch: 1,
    sid: randomBytes(16).toString('base64url'),
    auth_time: now,
    acr: 'urn:symbolon:acr:email',
    amr: ['otp'],
    roles: ['member', 'editor'],
  })
  const mint = (i: number) => {
    const input = `${header}.${encode(claims(i))}`
    return `${input}.${sign('sha256', Buffer.from(input), { key: pair.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
  }

  figures.begin('token check, cold, against jose')
  const cold = Array.from({ length: 1600 }, (_, i) => mint(i))
  const key = await importJWK(jwk, 'ES256')
  const keys = [jwk]
  const each = async (verify: (token: string) => unknown) => {
    const { cpu } = await spent(async () => {
      for (let i = 0; i < cold.length; i += 16) await Promise.all(cold.slice(i, i + 16).map(verify))
    })
    return cpu / cold.length
  }
  const checked = await sideBySide(7, {
    ours: () => {
      const verifier = createTokenVerifier({ issuer, audience: issuer, keys: () => keys as never, now: Date.now })
      return each(async (token) => {
        if (!(await verifier.verify(token)).ok) throw new Error('refused')
      })
    },
    jose: () =>
      each((token) =>
        jwtVerify(token, key, {
          issuer,
          audience: issuer,
          typ: 'at+jwt',
          algorithms: ['ES256'],
          clockTolerance: 5,
          requiredClaims: ['exp', 'iat', 'sub', 'jti'],
        }),
      ),
  })
  figures.put('verify.cold.us', checked.ours, 'µs CPU')
  figures.put('verify.cold.vs_jose', checked.ours / checked.jose, '×', '≤ 1.25')

  figures.begin('token check, cached, against a bare Map of 100,000 tokens')
  const count = 100_000
  const verifier = createTokenVerifier({ issuer, audience: issuer, keys: () => keys as never, now: Date.now, cache: { size: 2 * count } })
  const tokens = Array.from({ length: count }, (_, i) => mint(i))
  const map = new Map<string, object>()
  for (let i = 0; i < count; i += 64) {
    const part = tokens.slice(i, i + 64)
    for (const result of await Promise.all(part.map((token) => verifier.verify(token)))) if (!result.ok) throw new Error('refused')
    for (const token of part) map.set(token, {})
  }
  // Tokens come off the wire as strings that nobody has hashed before.
  const bytes = tokens.map((token) => Buffer.from(token, 'latin1'))
  const fresh = () => bytes.map((one) => one.toString('latin1'))
  const over = (look: (token: string) => unknown) => {
    const strings = fresh()
    const began = performance.now()
    let hits = 0
    for (const token of strings) if (look(token)) hits++
    const us = ((performance.now() - began) * 1000) / count
    if (hits !== count) throw new Error('missed')
    return us
  }
  const cached = await sideBySide(9, {
    ours: () => over((token) => (verifier.verify(token) as { ok: boolean }).ok),
    map: () => over((token) => map.get(token)),
  })
  figures.put('verify.cached.us', cached.ours, 'µs')
  figures.put('verify.cached.vs_map', cached.ours / cached.map, '×', '≤ 1.6')
}
