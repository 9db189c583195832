// A response as a browser sends it (WebAuthn §5.1.6, JSON), held to its shape and size before anything is decoded: texts
// are canonical base64url of bounded length, and what is not needed is left behind.

import { fromBase64url, readJsonObject } from '@symbolon/protocol'
import type { PasskeyFault } from '#core'

/** The parts that both ceremonies have. `data`: the client data, read; `id` and the rest as they were sent. */
export interface Answered {
  readonly id: string
  readonly clientDataJSON: string
  readonly data: Readonly<Record<string, unknown>>
  readonly response: Readonly<Record<string, unknown>>
}

/** Most letters of each part. An id has at most 1,023 bytes (WebAuthn §6.5.1). */
const most = { id: 1364, clientDataJSON: 2800, attestationObject: 8000, authenticatorData: 2800, signature: 1400, userHandle: 88 } as const

/** A part of bytes: as text, if it is canonical base64url and not too long. */
export function bytesText(value: unknown, name: keyof typeof most): string | undefined {
  if (typeof value !== 'string' || value === '' || value.length > most[name]) return undefined
  return fromBase64url(value) === undefined ? undefined : value
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The id in a response; undefined when it is none. */
export function idOf(value: unknown): string | undefined {
  if (!isRecord(value) || value.type !== 'public-key' || value.id !== value.rawId) return undefined
  return bytesText(value.id, 'id')
}

/** A response with its client data; undefined when its shape is wrong. */
export function answeredOf(value: unknown): Answered | undefined {
  const id = idOf(value)
  if (id === undefined || !isRecord(value) || !isRecord(value.response)) return undefined
  const clientDataJSON = bytesText(value.response.clientDataJSON, 'clientDataJSON')
  if (clientDataJSON === undefined) return undefined
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(fromBase64url(clientDataJSON))
    const data = readJsonObject(text)
    return data === undefined ? undefined : { id, clientDataJSON, data, response: value.response }
  } catch {
    return undefined
  }
}

/** What is wrong with client data (WebAuthn §7.1, §7.2). An embedded page is refused, whichever embeds it. */
export function dataFault(
  { data }: Pick<Answered, 'data'>,
  expected: { readonly type: string; readonly challenge: string; readonly origins: readonly string[] },
): PasskeyFault | undefined {
  if (data.type !== expected.type) return 'type'
  if (data.challenge !== expected.challenge) return 'challenge'
  if (typeof data.origin !== 'string' || !expected.origins.includes(data.origin)) return 'origin'
  if ((data.crossOrigin !== undefined && data.crossOrigin !== false) || data.topOrigin !== undefined) return 'cross_origin'
  return undefined
}

/** What is wrong with the flags of authenticator data (WebAuthn §6.1): presence, verification where it is required, and backup without eligibility. */
export function flagsFault(authData: Uint8Array, verification: 'required' | 'preferred'): PasskeyFault | undefined {
  const flags = authData[32]
  if (flags === undefined) return 'malformed'
  if ((flags & 0x01) === 0) return 'presence'
  if (verification === 'required' && (flags & 0x04) === 0) return 'verification'
  if ((flags & 0x18) === 0x10) return 'backup'
  return undefined
}
