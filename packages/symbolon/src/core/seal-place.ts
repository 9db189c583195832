// What a sealed value is sealed for: the text that binds it to its row (the associated data), so that bytes moved to
// another row, or to another column, do not open there.

import type { SessionKind } from './model.ts'
import type { SealedKind } from './upkeep-ports.ts'

/** The text for one row; `session`: the kind of a session, null for all else. */
export function sealPlace(kind: SealedKind, id: string, session: SessionKind | null = null): string {
  if (kind === 'session') return `session key\n${session}\n${id}`
  return kind === 'key' ? `signing key\n${id}` : `attempt identifier\n${id}`
}

/** The id of the secret that a sealed value names, in hexadecimal; empty for what was emptied. */
export function secretOf(sealed: Uint8Array): string {
  return Array.from(sealed.subarray(1, 9), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
