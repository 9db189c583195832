// Signing in by a passkey: the CPU that one answer of an authenticator costs to verify (challenge, origin, flags, ES256), by an
// authenticator in software whose answers are made before the clock starts.

import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { type Figures, median, spent } from './figures.ts'
import { issuer, rooms } from './rooms.ts'

const rounds = 5
const answers = 300

const sha = (data: string | Uint8Array) => createHash('sha256').update(data).digest()
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')

/** A synchronised ES256 passkey: its public half as the service keeps it, and how it answers a challenge. */
function createPasskey(rpId: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  const id = text(randomBytes(32))
  const handle = text(randomBytes(64))
  // COSE (RFC 9053 §7.1.1) in CBOR: kty EC2, alg ES256, crv P-256, x, y.
  const parts = ['a5010203262001215820', x, '225820', y].map((part, i) => Buffer.from(part, i % 2 === 0 ? 'hex' : 'base64url'))
  // WebAuthn §6.1: the hash of the relying party; present, verified, synchronised (0x1d); a counter of zero.
  const authenticatorData = Buffer.concat([sha(rpId), Buffer.from([0x1d, 0, 0, 0, 0])])
  return {
    handle,
    kept: { id, publicKey: Buffer.concat(parts), counter: 0, backupEligible: true },
    answer(challenge: string) {
      const data = JSON.stringify({ type: 'webauthn.get', challenge, origin: new URL(issuer).origin, crossOrigin: false })
      const signature = sign('sha256', Buffer.concat([authenticatorData, sha(data)]), privateKey)
      const response = { clientDataJSON: text(Buffer.from(data)), authenticatorData: text(authenticatorData), signature: text(signature) }
      return { id, rawId: id, type: 'public-key', response: { ...response, userHandle: handle }, clientExtensionResults: {} }
    },
  }
}

/** Measures. */
export async function measurePasskey(figures: Figures): Promise<void> {
  figures.begin('verifying passkeys')
  const rules = rooms.factors.createPasskeyRules({ issuer, name: 'Bench', origins: [], verification: 'required' })
  const passkey = createPasskey(new URL(issuer).hostname)
  const round = async () => {
    const given = Array.from({ length: answers }, () => {
      const challenge = text(randomBytes(32))
      return { challenge, response: passkey.answer(challenge) }
    })
    const { cpu } = await spent(async () => {
      for (const { challenge, response } of given) {
        const used = await rules.used(response, { challenge, handle: passkey.handle, named: false, passkey: passkey.kept })
        if (!used.ok) throw new Error(used.fault)
      }
    })
    return cpu / answers
  }
  // The first one loads the library and warms up.
  await round()
  const each: number[] = []
  for (let i = 0; i < rounds; i++) each.push(await round())
  figures.put('login.passkey.us', median(each), 'µs CPU', '≤ 2000')
}
