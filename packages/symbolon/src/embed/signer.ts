// Signing keys in this process, on node:crypto (six times faster than WebCrypto). Private keys live here and sealed in
// the store, nowhere else; a KMS would be another file like this one.

import { constants, createHash, createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, sign } from 'node:crypto'
import { promisify } from 'node:util'
import type { Algorithm, PublicJwk } from '@symbolon/protocol'
import { SymbolonError } from '@symbolon/protocol'
import type { Signer } from '#core'

const generate = promisify(generateKeyPair)

interface Loaded {
  readonly key: KeyObject
  readonly alg: Algorithm
}

interface Jwk {
  readonly kty?: string
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly n?: string
  readonly e?: string
}

/** The members that a thumbprint covers, in their order (RFC 7638 §3.2, RFC 8037 §2). */
function thumbprint({ kty, crv, x, y, n, e }: Jwk): string {
  const members = kty === 'EC' ? { crv, kty, x, y } : kty === 'RSA' ? { e, kty, n } : { crv, kty, x }
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url')
}

const pairOf: Readonly<Record<Algorithm, () => Promise<{ readonly publicKey: KeyObject; readonly privateKey: KeyObject }>>> = {
  ES256: () => generate('ec', { namedCurve: 'P-256' }),
  Ed25519: () => generate('ed25519'),
  RS256: () => generate('rsa', { modulusLength: 3072 }),
  PS256: () => generate('rsa', { modulusLength: 3072 }),
}

/** JWS signatures (RFC 7518 §3.3–3.5, RFC 8037 §3.1). */
const signatureOf: Readonly<Record<Algorithm, (bytes: Uint8Array, key: KeyObject) => Uint8Array>> = {
  ES256: (bytes, key) => sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }),
  Ed25519: (bytes, key) => sign(null, bytes, key),
  RS256: (bytes, key) => sign('sha256', bytes, key),
  PS256: (bytes, key) =>
    sign('sha256', bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }),
}

/** Creates the signer. */
export function createSigner(): Signer {
  const loaded = new Map<string, Loaded>()
  return {
    async generate(alg) {
      const pair = await pairOf[alg]()
      const jwk = pair.publicKey.export({ format: 'jwk' }) as Jwk & { readonly kty: PublicJwk['kty'] }
      const publicJwk: PublicJwk = { ...jwk, kid: thumbprint(jwk), alg, use: 'sig' }
      return { publicJwk, privateKey: pair.privateKey.export({ format: 'der', type: 'pkcs8' }) }
    },
    load(kid, alg, privateKey) {
      const key = createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs8' })
      if (thumbprint(createPublicKey(key).export({ format: 'jwk' }) as Jwk) !== kid)
        throw new SymbolonError('key_unopenable', { detail: `the stored signing key ${kid} is not the key it names` })
      loaded.set(kid, { key, alg })
    },
    unload: (kid) => void loaded.delete(kid),
    sign(kid, data) {
      const one = loaded.get(kid)
      if (one === undefined) throw new SymbolonError('keys_unavailable', { detail: `the signing key ${kid} is not open`, retryAfter: 5 })
      return signatureOf[one.alg](Buffer.from(data, 'utf8'), one.key)
    },
  }
}
