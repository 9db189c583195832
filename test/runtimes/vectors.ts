// The tokens that every runtime judges: good ones of each algorithm, and each hostile one made from a good one. Made by
// node:crypto, so that neither jose nor the verifier is asked what right is. Plain data: it travels as JSON.

import { createHmac, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

/** A token and what a verifier must say of it: `ok`, or the code that refuses. */
export interface Vector {
  readonly name: string
  readonly token: string
  readonly expect: 'ok' | 'invalid_token' | 'token_expired'
}

/** Seconds since 1970 at which the vectors are judged. */
const at = 1_800_000_000
const issuer = 'https://auth.example'
const audience = 'https://api.example'
const good = {
  iss: issuer,
  aud: audience,
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

const b64 = (value: string | Uint8Array) => Buffer.from(value).toString('base64url')

function keyOf(alg: string): { readonly alg: string; readonly key: KeyObject; readonly jwk: object } {
  const pair =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : alg === 'Ed25519'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('rsa', { modulusLength: 3072 })
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: alg, alg, use: 'sig' }
  return { alg, key: createPrivateKey(pair.privateKey.export({ type: 'pkcs8', format: 'pem' })), jwk }
}

function signed({ alg, key }: { readonly alg: string; readonly key: KeyObject }, header: object = {}, claims: object = {}): string {
  const input = `${b64(JSON.stringify({ alg, kid: alg, typ: 'at+jwt', ...header }))}.${b64(JSON.stringify({ ...good, ...claims }))}`
  const bytes = Buffer.from(input)
  const signature =
    alg === 'ES256'
      ? sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' })
      : alg === 'Ed25519'
        ? sign(null, bytes, key)
        : sign('sha256', bytes, alg === 'PS256' ? { key, padding: 6, saltLength: 32 } : key)
  return `${input}.${b64(signature)}`
}

/** The vectors, with the keys and the rules that they are judged by. */
export function makeVectors() {
  const keys = ['ES256', 'Ed25519', 'RS256', 'PS256'].map(keyOf)
  const [es, ed, rs] = keys as [ReturnType<typeof keyOf>, ReturnType<typeof keyOf>, ReturnType<typeof keyOf>]
  const token = signed(es)
  const [head = '', body = '', tail = ''] = token.split('.')
  const hs = `${b64(JSON.stringify({ alg: 'HS256', kid: 'ES256', typ: 'at+jwt' }))}.${body}`
  const refused: Readonly<Record<string, string>> = {
    'one claim changed': `${head}.${b64(JSON.stringify({ ...good, sub: 'usr_y' }))}.${tail}`,
    'one bit of the signature changed': `${head}.${body}.${tail[0] === 'A' ? 'B' : 'A'}${tail.slice(1)}`,
    'no signature': `${head}.${body}.`,
    'loose trailing bits':
      token.slice(0, -1) + 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'[looser(token.at(-1) ?? 'A')],
    padding: `${token}==`,
    'a line break in the signature': `${head}.${body}.${tail.slice(0, 20)}\n${tail.slice(20)}`,
    'alg none': `${b64(JSON.stringify({ alg: 'none', kid: 'ES256', typ: 'at+jwt' }))}.${body}.`,
    'HS256 over the public key': `${hs}.${b64(createHmac('sha256', JSON.stringify(es.jwk)).update(hs).digest())}`,
    'the key of another algorithm': signed(ed, { kid: 'ES256' }),
    'RS256 with a PS256 key': signed(rs, { kid: 'PS256' }),
    'an unknown key': signed(es, { kid: 'other' }),
    'a key in the header': signed(es, { jwk: es.jwk }),
    crit: signed(es, { crit: ['b64'], b64: false }),
    'typ JWT': signed(es, { typ: 'JWT' }),
    'another audience': signed(es, {}, { aud: 'https://other.example' }),
    'two audiences': signed(es, {}, { aud: [audience, 'https://other.example'] }),
    'another issuer': signed(es, {}, { iss: 'https://auth.example/' }),
    'no exp': signed(es, {}, { exp: undefined }),
    'exp in milliseconds': signed(es, {}, { exp: (at + 300) * 1000 }),
    'exp too far away': signed(es, {}, { exp: at + 901 }),
    'iat in the future': signed(es, {}, { iat: at + 60, exp: at + 300 }),
    'an unknown cnf': signed(es, {}, { cnf: { jkt: 'x' } }),
    'too large': signed(es, {}, { pad: 'x'.repeat(8192) }),
  }
  const vectors: Vector[] = [
    ...keys.map((key): Vector => ({ name: `a good ${key.alg} token`, token: signed(key), expect: 'ok' })),
    { name: 'typ application/at+jwt in capitals', token: signed(es, { typ: 'Application/AT+JWT' }), expect: 'ok' },
    { name: 'our audience in an array', token: signed(es, {}, { aud: [audience] }), expect: 'ok' },
    { name: 'expired within the leeway', token: signed(es, {}, { iat: at - 300, exp: at - 4 }), expect: 'ok' },
    { name: 'expired', token: signed(es, {}, { iat: at - 300, exp: at - 5 }), expect: 'token_expired' },
    ...Object.entries(refused).map(([name, one]): Vector => ({ name, token: one, expect: 'invalid_token' })),
  ]
  return { issuer, audience, at, keys: keys.map(({ jwk }) => jwk), vectors }
}

/** The index of a letter that decodes to the same bytes but is not the canonical one. */
function looser(letter: string): number {
  const index = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.indexOf(letter)
  return (index & 48) | ((index + 1) & 15)
}
