// The cryptography that core is given: synchronous, so that a check needs no waiting; and what makes and uses signing keys.

import type { Algorithm, PublicJwk } from '@symbolon/protocol'

/** Synchronous cryptography. Texts are taken as UTF-8. */
export interface Crypto {
  hmac(key: Uint8Array, data: string | Uint8Array): Uint8Array
  /** SHA-256. */
  hash(data: string | Uint8Array): Uint8Array
  /** AES-256-GCM under the active server secret, whose id the result names. */
  seal(plain: Uint8Array | string, associated: string): Uint8Array
  /** `undefined` when it was changed, belongs elsewhere, or names a secret that is not here. */
  open(sealed: Uint8Array, associated: string): Uint8Array | undefined
  /** Ids of the server secrets, the active one first; they tell nothing of the secrets. */
  readonly secretIds: readonly string[]
  /** HMAC-SHA-256 under a key derived from each server secret for this purpose, the active one first. */
  keyed(purpose: string, data: string): readonly Uint8Array[]
  /** Constant time; false for different lengths. */
  equal(a: Uint8Array, b: Uint8Array): boolean
  random(bytes: number): Uint8Array
  /** A uniform number from 0 to `below` − 1. */
  randomBelow(below: number): number
}

/** Makes and uses signing keys; a KMS can stand behind it. */
export interface Signer {
  generate(alg: Algorithm): Promise<{ readonly publicJwk: PublicJwk; readonly privateKey: Uint8Array }>
  /** Makes a stored key usable; throws when the bytes are not its key. */
  load(kid: string, alg: Algorithm, privateKey: Uint8Array): void
  unload(kid: string): void
  /** A JWS signature (RFC 7518 §3.4, RFC 8037 §3.1). */
  sign(kid: string, data: string): Uint8Array
}
