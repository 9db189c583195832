// Checking access tokens: cold against jose with the same key and options, cached against a bare Map.

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { createTokenVerifier } from '@symbolon/verifier/token'
import { importJWK, jwtVerify } from 'jose'
import { type Figures, sideBySide, spent } from './figures.ts'

const issuer = 'https://auth.example'

/** A key and tokens signed with it. */
function createIssuer() {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'ES256', use: 'sig' } as never
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const header = encode({ alg: 'ES256', typ: 'at+jwt', kid: 'bench' })
  const now = Math.floor(Date.now() / 1000)
  const claims = (i: number) => ({
    iss: issuer,
    sub: `usr_${Buffer.alloc(16, i).toString('base64url')}`,
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
  return { jwk, mint, keys: [jwk] }
}

/** Microseconds of one look at each token; tokens come off the wire as strings that nobody has hashed before. */
function lookAt(bytes: readonly Buffer[], look: (token: string) => unknown): number {
  const strings = bytes.map((one) => one.toString('latin1'))
  const began = performance.now()
  let hits = 0
  for (const token of strings) if (look(token)) hits++
  const us = ((performance.now() - began) * 1000) / bytes.length
  if (hits !== bytes.length) throw new Error('missed')
  return us
}

/** What a million live revocations add to a cached check: the same verifier twice, one of which knows them. */
export async function measureKnown(figures: Figures): Promise<void> {
  figures.begin('cached checks with 1,000,000 live revocations, and with none')
  const { createRevocations } = await import(new URL('../../../packages/verifier/dist/revocations.js', import.meta.url).href)
  const { mint, keys } = createIssuer()
  const tokens = Array.from({ length: 20_000 }, (_, i) => mint(i))
  const knowing = async (entries: number) => {
    const revocations = createRevocations(Date.now)
    const expires = Date.now() + 1_000_000
    for (let i = 0; i < entries; i += 1000)
      revocations.apply(
        Array.from({ length: 1000 }, (_, j) => ({
          seq: i + j + 1,
          tenant: 'main',
          kind: j % 10 === 0 ? 'user' : 'session',
          id: j % 10 === 0 ? `usr_${randomBytes(16).toString('base64url')}` : randomBytes(16).toString('base64url'),
          epoch: 2,
          at: 0,
          expires,
        })),
      )
    const verifier = createTokenVerifier({
      issuer,
      audience: issuer,
      keys: () => keys,
      now: Date.now,
      revoked: revocations.revoked,
      cache: { size: 40_000 },
    })
    for (const token of tokens) if (!(await verifier.verify(token)).ok) throw new Error('refused')
    return (token: string) => (verifier.verify(token) as { ok: boolean }).ok
  }
  const [many, none] = [await knowing(1_000_000), await knowing(0)]
  const bytes = tokens.map((token) => Buffer.from(token, 'latin1'))
  const us = await sideBySide(15, { many: () => lookAt(bytes, many), none: () => lookAt(bytes, none) })
  figures.put('verify.feed_1m.us', us.median.many, 'µs')
  figures.put('verify.feed_1m.extra_us', us.median.many - us.median.none, 'µs', '≤ 1.5')
}

/** Measures. */
export async function measureTokens(figures: Figures): Promise<void> {
  const { jwk, mint, keys } = createIssuer()

  figures.begin('token check, cold, against jose')
  const cold = Array.from({ length: 1600 }, (_, i) => mint(i))
  const key = await importJWK(jwk, 'ES256')
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
  figures.put('verify.cold.us', checked.median.ours, 'µs CPU')
  figures.put('verify.cold.vs_jose', checked.ratio('ours', 'jose'), '×', '≤ 1.25')

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
  const bytes = tokens.map((token) => Buffer.from(token, 'latin1'))
  const cached = await sideBySide(9, {
    ours: () => lookAt(bytes, (token) => (verifier.verify(token) as { ok: boolean }).ok),
    map: () => lookAt(bytes, (token) => map.get(token)),
  })
  figures.put('verify.cached.us', cached.median.ours, 'µs')
  figures.put('verify.cached.vs_map', cached.ratio('ours', 'map'), '×', '≤ 1.6')
}
