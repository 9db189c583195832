// Signing keys in this process, on node:crypto (six times faster than WebCrypto). Private keys live here and sealed in
// the store, nowhere else; a KMS would be another file like this one.

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { Algorithm, PublicJwk } from '@symbolon/protocol'
import { SymbolonError } from '@symbolon/protocol'
import type { Signer } from '#core'

interface Loaded {
  readonly key: KeyObject
  readonly alg: Algorithm
}

/** The members that a thumbprint covers, in their order (RFC 7638 §3.2, RFC 8037 §2). */
function thumbprint(jwk: { readonly kty?: string; readonly crv?: string; readonly x?: string; readonly y?: string }): string {
  const members = jwk.kty === 'EC' ? { crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y } : { crv: jwk.crv, kty: jwk.kty, x: jwk.x }
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url')
}

/** Creates the signer. ES256 and Ed25519. */
export function createSigner(): Signer {
  const loaded = new Map<string, Loaded>()
  return {
    async generate(alg) {
      if (alg !== 'ES256' && alg !== 'Ed25519')
        throw new SymbolonError('invalid_option', { detail: `keys.algorithm ${alg} cannot sign here` })
      const pair = alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
      const jwk = pair.publicKey.export({ format: 'jwk' }) as { kty: 'EC' | 'OKP'; crv: string; x: string; y?: string }
      const publicJwk: PublicJwk = { ...jwk, kid: thumbprint(jwk), alg, use: 'sig' }
      return { publicJwk, privateKey: pair.privateKey.export({ format: 'der', type: 'pkcs8' }) }
    },
    load(kid, alg, privateKey) {
      const key = createPrivateKey({ key: Buffer.from(privateKey), format: 'der', type: 'pkcs8' })
      const jwk = createPublicKey(key).export({ format: 'jwk' }) as { kty: string; crv: string; x: string; y?: string }
      if (thumbprint(jwk) !== kid)
        throw new SymbolonError('key_unopenable', { detail: `the stored signing key ${kid} is not the key it names` })
      loaded.set(kid, { key, alg })
    },
    unload: (kid) => void loaded.delete(kid),
    sign(kid, data) {
      const one = loaded.get(kid)
      if (one === undefined) throw new SymbolonError('keys_unavailable', { detail: `the signing key ${kid} is not open`, retryAfter: 5 })
      const bytes = Buffer.from(data, 'utf8')
      return one.alg === 'ES256' ? sign('sha256', bytes, { key: one.key, dsaEncoding: 'ieee-p1363' }) : sign(null, bytes, one.key)
    },
  }
}
