// Minting: an access token from a live session, at the store's time at which that session was read. Never past the
// session's absolute end or the time for which its step-up counts, never from a read older than five seconds, never with a reserved name from a template.

import { type AccessTokenClaims, reservedClaims, SymbolonError, toBase64url } from '@symbolon/protocol'
import type { Minted } from './api.ts'
import { limitsOf } from './limits.ts'
import type { Client, ClientPolicy, SigningKey, User } from './model.ts'
import { makeOpaque } from './opaque.ts'
import type { Crypto, SessionSnapshot, Signer } from './ports.ts'
import { standingOf } from './proven.ts'

/** A read and the monotonic clock before it: what is minted from it is young enough, or thrown away. */
export interface Read {
  readonly snapshot: SessionSnapshot
  /** Monotonic milliseconds. */
  readonly at: number
}

/** What a refresh pipeline changes on a token. */
export interface Shape {
  /** Milliseconds; shortens only. */
  readonly lifetime?: number
  readonly added?: Readonly<Record<string, unknown>>
  readonly dropped?: ReadonlySet<string>
}

/**
 * Prepares a token, or `undefined` when the read is too old or the session's time is up; the function signs it. Whatever
 * can be refused is refused before. `generation`: of the credential it goes out with.
 */
export type Mint = (read: Read, generation: number, shape?: Shape) => (() => Minted) | undefined

/** What minting stands on. */
export interface MintParts {
  readonly crypto: Crypto
  readonly signer: Pick<Signer, 'sign'>
  readonly clock: { now(): number }
  readonly options: {
    readonly issuer: string
    readonly audience: string
    readonly claims?: (user: User) => Readonly<Record<string, unknown>>
  }
  readonly policyOf: (client: Client) => ClientPolicy
  readonly activeKey: () => Pick<SigningKey, 'kid' | 'alg'> | undefined
}

/** A token must fit into a cookie beside its name and attributes. */
const tokenBytes = 3800
const staleMs = 5000

const segments = new WeakMap<object, string>()

/** Compact JSON in ASCII, so that its letters are its bytes. */
function ascii(value: unknown): string {
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function segment(value: unknown): string {
  const text = ascii(value)
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return toBase64url(bytes)
}

/** The claims of a template or step without any that are not its to set; throws a TypeError on a reserved name. */
export function foreignClaims(claims: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const own: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(claims)) {
    if (reservedClaims.has(name)) throw new TypeError(`The claim ${name} is reserved.`)
    if (value !== undefined) own[name] = value
  }
  return own
}

/** Tries a claims template on a made-up user; throws `invalid_option` when it sets a reserved name or leaves no room. */
export function tryTemplate(claims: (user: User) => Readonly<Record<string, unknown>>): void {
  const user: User = {
    id: `usr_${'A'.repeat(22)}`,
    tenant: 'main',
    email: 'somebody@example.com',
    roles: [],
    status: 'active',
    epoch: 1,
    createdAt: 0,
  }
  let made: Record<string, unknown>
  try {
    made = foreignClaims(claims(user))
  } catch (cause) {
    throw refuseTemplate(cause instanceof TypeError ? cause.message : 'It threw for a user that it does not know.', cause)
  }
  const { length } = ascii(made)
  if (length > templateBytes) throw refuseTemplate(`It makes ${length} bytes; at most ${templateBytes}.`)
}

const templateBytes = 2000
const refuseTemplate = (reason: string, cause?: unknown) => {
  const error = new SymbolonError('invalid_option', { detail: reason, cause })
  error.message = `The claims template cannot be used. ${reason}`
  return error
}

/** Letters of a signature. */
const signatureLetters: Readonly<Record<SigningKey['alg'], number>> = { ES256: 86, Ed25519: 86, RS256: 512, PS256: 512 }

/** What is signed: header and claims. Throws `internal` when the token would be too long. */
function inputOf(key: Pick<SigningKey, 'kid' | 'alg'>, claims: Readonly<Record<string, unknown>>, client: Client): string {
  let header = segments.get(key)
  if (header === undefined) {
    header = segment({ alg: key.alg, typ: 'at+jwt', kid: key.kid })
    segments.set(key, header)
  }
  const input = `${header}.${segment(claims)}`
  const plain = input.length + 1 + signatureLetters[key.alg]
  const length = client.accessTokenFormat === 'opaque' ? Math.ceil((plain + 64) / 3) * 4 : plain
  if (length > tokenBytes)
    throw new SymbolonError('internal', {
      detail: `an access token would have ${length} bytes; at most ${tokenBytes}: shorten the claims template or the roles`,
    })
  return input
}

/** Signs, and seals for a client whose tokens nobody reads. */
function finish({ signer, crypto }: Pick<MintParts, 'signer' | 'crypto'>, kid: string, input: string, client: Client): string {
  const token = `${input}.${toBase64url(signer.sign(kid, input))}`
  return client.accessTokenFormat === 'opaque' ? makeOpaque(crypto, token) : token
}

const noKey = () => new SymbolonError('keys_unavailable', { retryAfter: 5, detail: 'no signing key is open' })

/** A token for a client in its own name. `now`: the store's time of the read; `at`: monotonic, before it. */
export type MintForClient = (of: {
  readonly client: Client
  readonly now: number
  readonly at: number
  readonly scope: readonly string[]
  readonly audience: string
}) => { readonly accessToken: string; readonly expiresIn: number }

/** Creates the mint for clients in their own name (RFC 9068 §2.2): no session, no epoch of a user. */
export function createMintForClient(parts: MintParts): MintForClient {
  const { crypto, options } = parts
  return ({ client, now, at, scope, audience }) => {
    const key = parts.activeKey()
    if (key === undefined) throw noKey()
    if (parts.clock.now() - at > staleMs)
      throw new SymbolonError('try_later', { retryAfter: 1, detail: 'the read was too old to mint from' })
    const iat = Math.floor(now / 1000)
    const expiresIn = Math.max(60, Math.min(3600, Math.floor(parts.policyOf(client).tokenLifetime / 1000)))
    const claims = {
      iss: options.issuer,
      sub: client.id,
      aud: audience,
      client_id: client.id,
      iat,
      exp: iat + expiresIn,
      jti: `0.${toBase64url(crypto.random(16))}`,
      client_epoch: client.epoch,
      ...(scope.length > 0 && { scope: scope.join(' ') }),
    }
    return { accessToken: finish(parts, key.kid, inputOf(key, claims, client), client), expiresIn }
  }
}

/** Creates the mint. Throws `internal` when a token grows past 3,800 bytes, `keys_unavailable` without a signing key. */
export function createMint(parts: MintParts): Mint {
  const { crypto, options } = parts
  return ({ snapshot, at }, generation, shape = {}) => {
    const { session, user, client } = snapshot
    const key = parts.activeKey()
    if (key === undefined) throw noKey()
    const policy = parts.policyOf(client)
    const iat = Math.floor(snapshot.now / 1000)
    const wanted = Math.max(60, Math.min(900, Math.floor(Math.min(policy.tokenLifetime, shape.lifetime ?? policy.tokenLifetime) / 1000)))
    // Jitter downwards only: tokens of one busy minute do not all come back in one second.
    const lifetime = Math.max(60, wanted - crypto.randomBelow(Math.floor(wanted / 10) + 1))
    const standing = standingOf(session, policy, snapshot.now)
    // No token says more of its session than the session itself will.
    const ends = Math.min(limitsOf(session, policy).endsAt, standing.until ?? Number.POSITIVE_INFINITY)
    const exp = Math.min(iat + lifetime, Math.floor(ends / 1000))
    if (exp <= iat || parts.clock.now() - at > staleMs) return undefined

    const claims: Record<string, unknown> = {
      ...(options.claims !== undefined && foreignClaims(options.claims(user))),
      ...shape.added,
    }
    for (const name of shape.dropped ?? []) delete claims[name]
    Object.assign(claims, {
      iss: options.issuer,
      sub: user.id,
      aud: client.audiences[0] ?? options.audience,
      client_id: client.id,
      iat,
      exp,
      jti: `${generation}.${toBase64url(crypto.random(16))}`,
      client_epoch: client.epoch,
      epoch: user.epoch,
      sid: session.sid,
      auth_time: Math.floor(standing.authTime / 1000),
      acr: standing.acr,
      amr: standing.amr,
      ...(policy.scope.length > 0 && { scope: policy.scope.join(' ') }),
      ...(user.roles.length > 0 && { roles: user.roles }),
    })
    const input = inputOf(key, claims, client)
    const expiresIn = exp - iat
    const refreshIn = Math.max(1, Math.floor(expiresIn * 0.8) - crypto.randomBelow(Math.floor(expiresIn / 10) + 1))
    const { kid } = key
    return () => ({
      accessToken: finish(parts, kid, input, client),
      claims: claims as AccessTokenClaims,
      expiresIn,
      refreshIn,
      serverTime: snapshot.now,
    })
  }
}
