// An authenticator in software: makes passkeys and signs with them as a browser would send it, and bends any part of it when
// told so. What it sends is real: keys, CBOR and signatures are made here, not recorded.

import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/** What can be told about one answer; the rest is as it should be. */
export interface Bent {
  readonly origin?: string
  readonly rpId?: string
  readonly type?: string
  readonly challenge?: string
  /** UP 0x01, UV 0x04, BE 0x08, BS 0x10. */
  readonly flags?: number
  readonly counter?: number
  readonly userHandle?: string | null
  readonly id?: string
  readonly data?: Readonly<Record<string, unknown>>
  /** The client data's text itself. */
  readonly dataText?: string
  readonly fmt?: string
  readonly attStmt?: ReadonlyMap<unknown, unknown>
  readonly attestationObject?: Uint8Array
  readonly authenticatorData?: Uint8Array
  readonly signature?: Uint8Array
  readonly transports?: unknown
}

/** Options as a service gives them, as far as they are looked at. */
interface Options {
  readonly challenge: string
  readonly rp?: { readonly id: string }
  readonly rpId?: string
  readonly user?: { readonly id: string }
}

const b64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
const sha = (data: string | Uint8Array) => createHash('sha256').update(data).digest()

/** CBOR (RFC 8949) of what WebAuthn needs. */
export function cbor(value: unknown): Buffer {
  const head = (major: number, n: number) => {
    if (n < 24) return Buffer.from([(major << 5) | n])
    if (n < 256) return Buffer.from([(major << 5) | 24, n])
    if (n < 65_536) return Buffer.from([(major << 5) | 25, n >> 8, n & 255])
    return Buffer.from([(major << 5) | 26, (n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255])
  }
  if (typeof value === 'number') return value >= 0 ? head(0, value) : head(1, -1 - value)
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value])
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)])
  if (value instanceof Map) return Buffer.concat([head(5, value.size), ...[...value].flatMap(([k, v]) => [cbor(k), cbor(v)])])
  throw new Error('no CBOR for this')
}

const kinds = {
  ES256: {
    make: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    cose: (key: KeyObject) => {
      const { x = '', y = '' } = key.export({ format: 'jwk' }) as { x?: string; y?: string }
      const bytes = (text: string) => Buffer.from(text, 'base64url')
      return new Map<number, unknown>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, bytes(x)],
        [-3, bytes(y)],
      ])
    },
    sign: (data: Uint8Array, key: KeyObject) => sign('sha256', data, key),
  },
  Ed25519: {
    make: () => generateKeyPairSync('ed25519'),
    cose: (key: KeyObject) =>
      new Map<number, unknown>([
        [1, 1],
        [3, -8],
        [-1, 6],
        [-2, Buffer.from((key.export({ format: 'jwk' }) as { x: string }).x, 'base64url')],
      ]),
    sign: (data: Uint8Array, key: KeyObject) => sign(null, data, key),
  },
  RS256: {
    make: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    cose: (key: KeyObject) => {
      const { n, e } = key.export({ format: 'jwk' }) as { n: string; e: string }
      return new Map<number, unknown>([
        [1, 3],
        [3, -257],
        [-1, Buffer.from(n, 'base64url')],
        [-2, Buffer.from(e, 'base64url')],
      ])
    },
    sign: (data: Uint8Array, key: KeyObject) => sign('sha256', data, key),
  },
  /** RSA with SHA-1, which nobody should take. */
  RS1: {
    make: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    cose: (key: KeyObject) => new Map([...kinds.RS256.cose(key), [3, -65_535]]) as Map<number, unknown>,
    sign: (data: Uint8Array, key: KeyObject) => sign('sha1', data, key),
  },
}

/** Creates a passkey on a new authenticator. `synced`: it can be copied and is (BE and BS), and counts nothing. */
export function createAuthenticator(origin: string, how: { readonly alg?: keyof typeof kinds; readonly synced?: boolean } = {}) {
  const { alg = 'ES256', synced = true } = how
  const kind = kinds[alg]
  const pair = kind.make() as { publicKey: KeyObject; privateKey: KeyObject }
  const id = randomBytes(32)
  const ownFlags = 0x05 | (synced ? 0x18 : 0)
  let handle = ''
  let count = 0
  const dataOf = (type: string, options: Options, bent: Bent) =>
    Buffer.from(
      bent.dataText ??
        JSON.stringify({
          type: bent.type ?? type,
          challenge: bent.challenge ?? options.challenge,
          origin: bent.origin ?? origin,
          crossOrigin: false,
          ...bent.data,
        }),
    )
  const headOf = (rpId: string, flags: number, counter: number) => {
    const bytes = Buffer.alloc(37)
    sha(rpId).copy(bytes)
    bytes[32] = flags
    bytes.writeUInt32BE(counter, 33)
    return bytes
  }
  const hostOf = (options: Options, bent: Bent) => bent.rpId ?? options.rp?.id ?? options.rpId ?? new URL(origin).hostname
  const counted = (bent: Bent) => {
    if (!synced) count++
    return bent.counter ?? count
  }

  return {
    id: b64(id),
    get handle() {
      return handle
    },
    /** Answers `navigator.credentials.create`. */
    create(options: Options, bent: Bent = {}) {
      handle = options.user?.id ?? handle
      const clientData = dataOf('webauthn.create', options, bent)
      const length = Buffer.alloc(2)
      length.writeUInt16BE(id.length)
      const authData =
        bent.authenticatorData ??
        Buffer.concat([
          headOf(hostOf(options, bent), bent.flags ?? ownFlags | 0x40, counted(bent)),
          Buffer.alloc(16),
          length,
          id,
          cbor(kind.cose(pair.publicKey)),
        ])
      // `packed` without a certificate is signed by the passkey itself (WebAuthn §8.2).
      const self = new Map<unknown, unknown>([
        ['alg', kind.cose(pair.publicKey).get(3)],
        ['sig', kind.sign(Buffer.concat([authData, sha(clientData)]), pair.privateKey)],
      ])
      const statement = bent.attStmt ?? (bent.fmt === 'packed' ? self : new Map())
      const attestation = new Map<unknown, unknown>([
        ['fmt', bent.fmt ?? 'none'],
        ['attStmt', statement],
        ['authData', authData],
      ])
      return {
        id: bent.id ?? b64(id),
        rawId: bent.id ?? b64(id),
        type: 'public-key',
        response: {
          clientDataJSON: b64(clientData),
          attestationObject: b64(bent.attestationObject ?? cbor(attestation)),
          transports: bent.transports ?? ['internal', 'hybrid'],
        },
        clientExtensionResults: { credProps: { rk: true } },
        authenticatorAttachment: 'platform',
      }
    },
    /** Answers `navigator.credentials.get`. */
    get(options: Options, bent: Bent = {}) {
      const clientData = dataOf('webauthn.get', options, bent)
      const authData = bent.authenticatorData ?? headOf(hostOf(options, bent), bent.flags ?? ownFlags, counted(bent))
      const signature = bent.signature ?? kind.sign(Buffer.concat([authData, sha(clientData)]), pair.privateKey)
      return {
        id: bent.id ?? b64(id),
        rawId: bent.id ?? b64(id),
        type: 'public-key',
        response: {
          clientDataJSON: b64(clientData),
          authenticatorData: b64(authData),
          signature: b64(signature),
          ...(bent.userHandle !== null && { userHandle: bent.userHandle ?? handle }),
        },
        clientExtensionResults: {},
        authenticatorAttachment: 'platform',
      }
    },
  }
}

/** An authenticator. */
export type Authenticator = ReturnType<typeof createAuthenticator>
