// The keys a service proves itself with (RFC 7523): what may be registered, and what of it is kept. Only public members of a
// signature key of one of our algorithms; a key with anything private in it is refused, never stored in part.

import { fromBase64url, type PublicJwk } from '@symbolon/protocol'

/** RFC 7518 §6.2.2, §6.3.2, §6.4, RFC 8037 §2. */
const secret = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const kid = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/

/** What a key type needs: its curve, its members and the algorithms it signs by. RSA of 2,048 to 4,096 bits. */
const types: Readonly<Record<string, { readonly crv?: string; readonly algs: readonly string[] }>> = {
  EC: { crv: 'P-256', algs: ['ES256'] },
  OKP: { crv: 'Ed25519', algs: ['Ed25519'] },
  RSA: { algs: ['RS256', 'PS256'] },
}

const bytesOf = (value: unknown) => (typeof value === 'string' && value.length < 1400 ? fromBase64url(value) : undefined)

/** A public key as it is kept; `undefined` for anything that may not stand. An elliptic key may leave out its `alg`. */
function publicKeyOf(value: unknown): PublicJwk | undefined {
  if (typeof value !== 'object' || value === null || secret.some((name) => Object.hasOwn(value, name))) return undefined
  const jwk = value as Readonly<Record<string, unknown>>
  const type = typeof jwk.kty === 'string' && Object.hasOwn(types, jwk.kty) ? types[jwk.kty] : undefined
  if (type === undefined || jwk.crv !== type.crv || typeof jwk.kid !== 'string' || !kid.test(jwk.kid)) return undefined
  if (jwk.use !== undefined && jwk.use !== 'sig') return undefined
  const alg = jwk.alg ?? (type.algs.length === 1 ? type.algs[0] : undefined)
  if (typeof alg !== 'string' || !type.algs.includes(alg)) return undefined
  const named = { kty: jwk.kty as PublicJwk['kty'], kid: jwk.kid, alg: alg as PublicJwk['alg'], use: 'sig' as const }
  if (type.crv === undefined) {
    const [n, e] = [bytesOf(jwk.n), bytesOf(jwk.e)]
    if (n === undefined || n.length < 256 || n.length > 512 || (n[0] as number) < 128) return undefined
    if (e === undefined || e.length < 1 || e.length > 4 || ((e.at(-1) as number) & 1) === 0 || (e.length === 1 && e[0] === 1))
      return undefined
    return { ...named, n: jwk.n as string, e: jwk.e as string }
  }
  const members = alg === 'ES256' ? (['x', 'y'] as const) : (['x'] as const)
  if (!members.every((name) => bytesOf(jwk[name])?.length === 32)) return undefined
  return { ...named, crv: type.crv, ...Object.fromEntries(members.map((name) => [name, jwk[name] as string])) }
}

/** The keys of a client, each under a name of its own; `undefined` when one of them, or their number, may not stand. */
export function publicKeysOf(values: readonly unknown[]): readonly PublicJwk[] | undefined {
  if (!Array.isArray(values) || values.length > 5) return undefined
  const keys = values.map(publicKeyOf)
  const kids = new Set(keys.map((key) => key?.kid))
  return keys.every((key) => key !== undefined) && kids.size === keys.length ? (keys as PublicJwk[]) : undefined
}
