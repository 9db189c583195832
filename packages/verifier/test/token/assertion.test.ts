// A client's assertion by itself: its times to the second, and its one key. Whether it was used before is another's to know.

import { verifyAssertion } from '@symbolon/verifier/token'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'

const at = 1_800_000_000
const audience = 'https://a.example'
const { privateKey, publicKey } = await generateKeyPair('ES256')
const other = await generateKeyPair('ES256')
const jwk = { ...(await exportJWK(publicKey)), kty: 'EC' as const, kid: 'k', alg: 'ES256' as const, use: 'sig' as const }
const good = { iss: 'jobs', sub: 'jobs', aud: audience, jti: 'j', exp: at + 60 }
const make = (claims: object = {}, header: object = {}, key = privateKey) =>
  new SignJWT({ ...good, ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'k', ...header }).sign(key)
const holds = async (assertion: string, now = at) =>
  (await verifyAssertion(assertion, { keys: [jwk as never], audiences: [audience], now: now * 1000 })) !== undefined

describe('an assertion', () => {
  it('says whose it is, and until when it must be remembered', async () => {
    const held = await verifyAssertion(await make(), { keys: [jwk as never], audiences: [audience], now: at * 1000 })
    expect(held).toEqual({ clientId: 'jobs', jti: 'j', expires: at + 65 })
  })

  it.each<[string, object, number, boolean]>([
    ['before its end and the leeway', {}, at + 64, true],
    ['after them', {}, at + 65, false],
    ['of five minutes', { exp: at + 305 }, at, true],
    ['of longer', { exp: at + 306 }, at, false],
    ['from now', { iat: at + 5 }, at, true],
    ['from later', { iat: at + 6 }, at, false],
    ['from five minutes ago', { iat: at - 305 }, at, true],
    ['from longer ago', { iat: at - 306 }, at, false],
    ['not before now', { nbf: at + 5 }, at, true],
    ['not before later', { nbf: at + 6 }, at, false],
    ['without an end', { exp: undefined }, at, false],
    ['for two', { aud: [audience, 'b'] }, at, false],
    ['for one in a list', { aud: [audience] }, at, true],
    ['by one for another', { sub: 'other' }, at, false],
  ])('%s', async (_, claims, now, is) => expect(await holds(await make(claims), now)).toBe(is))

  it.each<[string, () => Promise<string>, boolean]>([
    ['with its kid', () => make(), true],
    ['without a kid, by the only key', () => make({}, { kid: undefined }), true],
    ['with another kid', () => make({}, { kid: 'other' }), false],
    ['by another key', () => make({}, {}, other.privateKey), false],
    ['of type JWT', () => make({}, { typ: 'JWT' }), true],
    ['of an access token’s type', () => make({}, { typ: 'at+jwt' }), false],
    ['with a key of its own', () => make({}, { jwk }), false],
  ])('%s', async (_, assertion, is) => expect(await holds(await assertion())).toBe(is))
})
