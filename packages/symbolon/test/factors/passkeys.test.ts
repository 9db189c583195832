// Each rule of WebAuthn that the service holds, by answers that are right but for one thing. Beside every refusal stands
// what is accepted.

import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { PasskeyMade, PasskeyRules } from '#core'
import { createPasskeyRules, passkeyPartyFault } from '#factors'
import { type Bent, cbor, createAuthenticator } from '../setting/authenticator.ts'

const origin = 'https://auth.example.com'
const related = 'https://shop.example'
const party = { issuer: `${origin}/auth`, name: 'Example', origins: [related], verification: 'required' } as const
const rules = createPasskeyRules(party)
/** For who need not be verified. */
const lenient = createPasskeyRules({ ...party, verification: 'preferred' })
const challengeOf = () => randomBytes(32).toString('base64url')
const handle = randomBytes(64).toString('base64url')

async function make(bent: Bent = {}, how: Parameters<typeof createAuthenticator>[1] = {}, by = rules) {
  const device = createAuthenticator(origin, how)
  const challenge = challengeOf()
  const options = by.creation({ challenge, owner: { handle, name: 'ada@example.com' }, have: [], timeout: 300_000 })
  const made = await by.made(device.create(options as never, bent), { challenge })
  return { device, made, options }
}
async function use(bent: Bent = {}, how: Parameters<typeof make>[1] = {}, by: PasskeyRules = rules, change: Partial<PasskeyMade> = {}) {
  const { device, made } = await make({}, how, by)
  if (!made.ok) throw new Error(made.fault)
  const challenge = challengeOf()
  const options = by.request({ challenge, have: [], timeout: 300_000 })
  return by.used(device.get(options as never, bent), { challenge, handle, named: false, passkey: { ...made.passkey, ...change } })
}
const fault = (answer: { ok: boolean; fault?: string }) => (answer.ok ? 'accepted' : answer.fault)

describe('options', () => {
  it('ask for a passkey that finds itself, verified, without attestation', async () => {
    const { options } = await make()
    expect(options).toMatchObject({
      rp: { id: 'auth.example.com', name: 'Example' },
      user: { id: handle, name: 'ada@example.com' },
      attestation: 'none',
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      pubKeyCredParams: [{ alg: -8 }, { alg: -7 }, { alg: -257 }],
      timeout: 300_000,
    })
    // A handle is all that travels with each sign-in: no address in it.
    expect(Buffer.from(handle, 'base64url').toString('latin1')).not.toContain('ada')
  })
  it('name the passkeys that are there to their owner, and none to who signs in', () => {
    const have = [{ id: 'abcd', transports: ['usb'] }]
    const creation = rules.creation({ challenge: 'x', owner: { handle, name: 'a' }, have, timeout: 1 })
    expect(creation.excludeCredentials).toEqual([{ id: 'abcd', type: 'public-key', transports: ['usb'] }])
    expect(rules.request({ challenge: 'x', have: [], timeout: 1 })).toEqual({
      ...{ challenge: 'x', rpId: 'auth.example.com', timeout: 1, userVerification: 'required' },
      allowCredentials: [],
    })
    expect(lenient.request({ challenge: 'x', have, timeout: 1 })).toMatchObject({
      userVerification: 'preferred',
      allowCredentials: [{ id: 'abcd', type: 'public-key', transports: ['usb'] }],
    })
  })
})

describe('a new passkey', () => {
  it.each([
    ['ES256, synchronised', {}, { counter: 0, backupEligible: true, backedUp: true }],
    ['Ed25519', { alg: 'Ed25519' }, { backupEligible: true }],
    ['RS256', { alg: 'RS256' }, { backupEligible: true }],
    ['bound to its device, which counts', { synced: false }, { counter: 1, backupEligible: false, backedUp: false }],
  ] as const)('is taken: %s', async (_, how, expected) => {
    const { made, device } = await make({}, how)
    expect(made).toMatchObject({
      ok: true,
      passkey: { ...expected, id: device.id, userVerified: true, transports: ['hybrid', 'internal'] },
    })
  })

  const nothing = new Map()
  const cases: readonly (readonly [string, Bent, string])[] = [
    ['from a related origin', { origin: related }, 'accepted'],
    ['attested by itself', { fmt: 'packed' }, 'accepted'],
    ['with words that browsers add to client data', { data: { other_keys_can_be_added_here: 'do not compare' } }, 'accepted'],
    ['with unknown transports, which are forgotten', { transports: ['internal', 'telepathy', 7] }, 'accepted'],
    ['from another origin', { origin: 'https://auth.example.org' }, 'origin'],
    ['from an origin that begins like ours', { origin: 'https://auth.example.com.evil.example' }, 'origin'],
    ['from our host on another port', { origin: 'https://auth.example.com:8443' }, 'origin'],
    ['from our host without TLS', { origin: 'http://auth.example.com' }, 'origin'],
    ['from a domain above', { origin: 'https://example.com' }, 'origin'],
    ['for another relying party', { rpId: 'example.com' }, 'rp_id'],
    ['for another challenge', { challenge: challengeOf() }, 'challenge'],
    ['from the other ceremony', { type: 'webauthn.get' }, 'type'],
    ['made inside of another site’s page', { data: { crossOrigin: true } }, 'cross_origin'],
    ['with the name of a page around it', { data: { topOrigin: 'https://evil.example' } }, 'cross_origin'],
    ['with nobody there', { flags: 0x40 | 0x04 }, 'presence'],
    ['with nobody verified', { flags: 0x40 | 0x01 }, 'verification'],
    ['copied though it cannot be', { flags: 0x40 | 0x05 | 0x10 }, 'backup'],
    ['without a key', { flags: 0x05 }, 'malformed'],
    ['under another id than it has', { id: randomBytes(32).toString('base64url') }, 'malformed'],
    [
      'with a certificate',
      {
        fmt: 'packed',
        attStmt: new Map<unknown, unknown>([
          ['alg', -7],
          ['sig', randomBytes(70)],
          ['x5c', [randomBytes(300)]],
        ]),
      },
      'attestation',
    ],
    [
      'attested by itself with another signature',
      {
        fmt: 'packed',
        attStmt: new Map<unknown, unknown>([
          ['alg', -7],
          ['sig', randomBytes(70)],
        ]),
      },
      'malformed',
    ],
    ['attested as a TPM does', { fmt: 'tpm', attStmt: nothing }, 'attestation'],
    ['attested as Apple does', { fmt: 'apple', attStmt: nothing }, 'attestation'],
    ['with something beside no attestation', { attStmt: new Map([['sig', 1]]) }, 'malformed'],
    ['with CBOR that ends early', { attestationObject: Buffer.from('a363666d74', 'hex') }, 'malformed'],
    ['with CBOR of endless depth', { attestationObject: Buffer.alloc(5000, 0x81) }, 'malformed'],
    ['with CBOR of a length that is not there', { attestationObject: Buffer.from('bb7fffffffffffffff', 'hex') }, 'malformed'],
    ['with CBOR that is no map', { attestationObject: cbor([1, 2, 3]) }, 'malformed'],
    ['with authenticator data of a few bytes', { authenticatorData: randomBytes(20) }, 'malformed'],
    [
      'with authenticator data that goes on',
      { authenticatorData: Buffer.concat([Buffer.alloc(32), Buffer.from([0x45]), randomBytes(2000)]) },
      'malformed',
    ],
    ['that is larger than any', { attestationObject: Buffer.alloc(6100) }, 'malformed'],
    ['with a member named twice', { dataText: '{"type":"webauthn.create","type":"webauthn.create"}' }, 'malformed'],
    ['with client data that is no JSON', { dataText: 'type=webauthn.create' }, 'malformed'],
  ]
  it.each(cases)('%s', async (_, bent, expected) => {
    const { made } = await make(bent)
    expect(fault(made)).toBe(expected)
  })

  it('by an algorithm that nobody should use is refused', async () =>
    expect(fault((await make({}, { alg: 'RS1' })).made)).toBe('algorithm'))
  it('of somebody not verified is taken where that is enough, and says so', async () => {
    expect((await make({ flags: 0x41 }, {}, lenient)).made).toMatchObject({ ok: true, passkey: { userVerified: false } })
  })
  it.each([undefined, null, 'x', [], {}, { id: 'x' }, { id: 'ab', rawId: 'cd', type: 'public-key' }])('is not %j', async (response) => {
    expect(fault(await rules.made(response, { challenge: 'x' }))).toBe('malformed')
  })

  it('with a certificate is refused before anything in it is read, so that nothing makes the service fetch what it names', async () => {
    const attStmt = new Map<unknown, unknown>([
      ['alg', -7],
      ['sig', randomBytes(70)],
      ['x5c', [randomBytes(300), randomBytes(300)]],
    ])
    for (const fmt of ['packed', 'fido-u2f', 'android-key', 'android-safetynet', 'apple', 'tpm'])
      expect([fmt, fault((await make({ fmt, attStmt })).made)]).toEqual([fmt, 'attestation'])
  })
})

describe('a use', () => {
  it.each([
    ['ES256', {}],
    ['Ed25519', { alg: 'Ed25519' }],
    ['RS256', { alg: 'RS256' }],
  ] as const)('is accepted: %s', async (_, how) => {
    expect(await use({}, how)).toEqual({ ok: true, counter: 0, backedUp: true, userVerified: true })
  })

  const cases: readonly (readonly [string, Bent, string])[] = [
    ['from a related origin', { origin: related }, 'accepted'],
    ['no longer copied', { flags: 0x0d }, 'accepted'],
    ['with a counter that goes back: the store says so, behind a good signature', { counter: 0 }, 'accepted'],
    ['from another origin', { origin: 'https://auth.example.com.evil.example' }, 'origin'],
    ['from an origin that looks like ours', { origin: 'https://аuth.example.com' }, 'origin'],
    ['for another relying party', { rpId: 'evil.example' }, 'rp_id'],
    ['for another challenge', { challenge: challengeOf() }, 'challenge'],
    ['from the other ceremony', { type: 'webauthn.create' }, 'type'],
    ['inside of another site’s page', { data: { crossOrigin: true } }, 'cross_origin'],
    ['with the name of a page around it', { data: { crossOrigin: false, topOrigin: origin } }, 'cross_origin'],
    ['with nobody there', { flags: 0x1c }, 'presence'],
    ['with nobody verified', { flags: 0x19 }, 'verification'],
    ['copied though it cannot be', { flags: 0x15 }, 'backup'],
    ['that cannot be copied any more', { flags: 0x05 }, 'backup'],
    ['that names somebody else', { userHandle: randomBytes(64).toString('base64url') }, 'handle'],
    ['that names nobody', { userHandle: null }, 'handle'],
    ['signed by nobody', { signature: Buffer.from('3006020101020101', 'hex') }, 'signature'],
    ['with a signature that is none', { signature: randomBytes(64) }, 'malformed'],
    ['with authenticator data of a few bytes', { authenticatorData: randomBytes(10) }, 'malformed'],
    [
      'with authenticator data that goes on',
      { authenticatorData: Buffer.concat([Buffer.alloc(32), Buffer.from([0x1d]), randomBytes(500)]) },
      'malformed',
    ],
    ['larger than any', { signature: randomBytes(1100) }, 'malformed'],
    ['of another passkey', { id: randomBytes(32).toString('base64url') }, 'malformed'],
  ]
  it.each(cases)('%s', async (_, bent, expected) => expect(fault(await use(bent))).toBe(expected))

  it('by another key is refused', async () => {
    const { made } = await make()
    if (!made.ok) throw new Error(made.fault)
    expect(fault(await use({}, {}, rules, { publicKey: made.passkey.publicKey }))).toBe('signature')
  })
  it('of one that could not be copied, and now can, is refused', async () => {
    expect(fault(await use({ flags: 0x0d }, { synced: false }))).toBe('backup')
    expect(fault(await use({}, { synced: false }))).toBe('accepted')
  })
  it('without verification is taken where that is enough, and says so', async () => {
    expect(await use({ flags: 0x19 }, {}, lenient)).toMatchObject({ ok: true, userVerified: false })
  })
  it('need not name who was named before, but nobody else', async () => {
    const { device, made } = await make()
    if (!made.ok) throw new Error(made.fault)
    const challenge = challengeOf()
    const as = (bent: Bent, named: boolean) =>
      rules.used(device.get({ challenge, rpId: rules.rpId }, bent), { challenge, handle, named, passkey: made.passkey })
    expect(fault(await as({ userHandle: null }, true))).toBe('accepted')
    expect(fault(await as({ userHandle: null }, false))).toBe('handle')
    expect(fault(await as({ userHandle: randomBytes(64).toString('base64url') }, true))).toBe('handle')
  })
  it('names its passkey only in one spelling', async () => {
    const { device } = await make()
    const response = device.get({ challenge: 'x' })
    expect(rules.named(response)).toBe(device.id)
    for (const id of [`${device.id}=`, `${device.id} `, '', 'a'.repeat(1400), 7])
      expect(rules.named({ ...response, id, rawId: id })).toBeUndefined()
    expect(rules.named({ ...response, rawId: 'AAAA' })).toBeUndefined()
  })
  it('costs few milliseconds, however busy the machine', async () => {
    const { device, made } = await make()
    if (!made.ok) throw new Error(made.fault)
    const challenge = challengeOf()
    const response = device.get({ challenge, rpId: rules.rpId })
    const once = () => rules.used(response, { challenge, handle, named: false, passkey: made.passkey })
    for (let i = 0; i < 50; i++) await once()
    const before = process.cpuUsage()
    for (let i = 0; i < 200; i++) expect((await once()).ok).toBe(true)
    const { user, system } = process.cpuUsage(before)
    const each = (user + system) / 200 / 1000
    console.log(`one verification: ${each.toFixed(2)} ms of CPU`)
    expect(each).toBeLessThan(4)
  })
})

describe('the relying party', () => {
  it.each([
    ['https://auth.example.com', undefined, true],
    ['https://auth.example.com', 'auth.example.com', true],
    ['https://auth.example.com', 'example.com', true],
    ['https://auth.example.com', 'com', false],
    ['https://auth.example.com', 'h.example.com', false],
    ['https://auth.example.com', 'evil.example', false],
    ['https://auth.example.com', 'login.auth.example.com', false],
    ['http://localhost:3000/auth', undefined, true],
    ['http://127.0.0.1:3000', '0.1', false],
  ])('of %s may be %s: %s', (issuer, rpId, fine) => {
    expect(passkeyPartyFault({ issuer, rpId }) === undefined).toBe(fine)
    if (!fine) expect(() => createPasskeyRules({ issuer, name: 'x', rpId, origins: [], verification: 'required' })).toThrow()
  })
  it('above the host takes passkeys for it, and only for it', async () => {
    const above = createPasskeyRules({ ...party, issuer: origin, rpId: 'example.com', origins: [] })
    expect(fault((await make({}, {}, above)).made)).toBe('accepted')
    expect(fault((await make({ rpId: 'auth.example.com' }, {}, above)).made)).toBe('rp_id')
    expect(fault((await make({ origin: 'https://example.com' }, {}, above)).made)).toBe('origin')
  })
  it('cannot be an address of numbers', () => {
    const at = (issuer: string) => createPasskeyRules({ ...party, issuer }).possible
    expect(['http://127.0.0.1:3000', 'http://[::1]:3000', 'http://localhost:3000', origin].map(at)).toEqual([false, false, true, true])
  })
})
