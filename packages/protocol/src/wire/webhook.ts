// How a webhook is signed (Standard Webhooks 1.0): three headers, and HMAC-SHA-256 over id, time and body. Here stands what
// sender and receiver must not spell differently; neither computes anything here.

import { fromBase64url, toBase64url } from '../bytes.ts'

/** The headers of a webhook. */
export const webhookHeaders = { id: 'webhook-id', timestamp: 'webhook-timestamp', signature: 'webhook-signature' } as const

/** What stands before a signature of this scheme, and before a secret. */
export const webhookScheme = 'v1,'
const prefix = 'whsec_'

/** What is signed before the body. `timestamp`: seconds since 1970. */
export const webhookPreamble = (id: string, timestamp: string) => `${id}.${timestamp}.`

/** Base64 with padding (RFC 4648 §4), as Standard Webhooks writes bytes. */
export const toBase64 = (bytes: Uint8Array): string =>
  toBase64url(bytes).replaceAll('-', '+').replaceAll('_', '/') + '='.repeat((3 - (bytes.length % 3)) % 3)

/** Reads base64, with its padding or without; `undefined` for anything else, two spellings of one value among it. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bare = text.replace(/={1,2}$/, '')
  if (/[-_=]/.test(bare) || (bare !== text && text.length % 4 !== 0)) return undefined
  return fromBase64url(bare.replaceAll('+', '-').replaceAll('/', '_'))
}

/** The bytes of a secret, `whsec_` and 24 to 64 bytes in base64; `undefined` for anything else. */
export function readWebhookSecret(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = text.startsWith(prefix) ? fromBase64(text.slice(prefix.length)) : undefined
  return bytes !== undefined && bytes.length >= 24 && bytes.length <= 64 ? bytes : undefined
}

/** Writes a secret. */
export const webhookSecret = (bytes: Uint8Array): string => `${prefix}${toBase64(bytes)}`
