// Access tokens that nobody but this service can read: a signed token, sealed. Neither the server secret alone (it has no
// signing key) nor the database alone (it has no server secret) can make one.

import { fromBase64url, toBase64url } from '@symbolon/protocol'
import type { Crypto } from './ports.ts'

const prefix = 'syo_'
const place = 'opaque access token'

/** Seals a signed access token. */
export function makeOpaque(crypto: Crypto, token: string): string {
  return prefix + toBase64url(crypto.seal(token, place))
}

/** The token inside; what is not opaque comes back as it is; `undefined` for what only looks like one of ours. */
export function openOpaque(crypto: Crypto, text: string): string | undefined {
  if (!text.startsWith(prefix)) return text
  const sealed = text.length > 8192 ? undefined : fromBase64url(text.slice(prefix.length))
  const plain = sealed === undefined ? undefined : crypto.open(sealed, place)
  if (plain === undefined) return undefined
  let token = ''
  for (const byte of plain) token += String.fromCharCode(byte)
  return token
}
