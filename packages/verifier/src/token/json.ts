// JSON of a token's header and payload: UTF-8 without a byte order mark, then as all JSON here. Must never throw on input.

import { readJsonObject } from '@symbolon/protocol'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads a JSON object from bytes; `undefined` for anything else. */
export function readObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    return readJsonObject(decoder.decode(bytes))
  } catch {
    return undefined
  }
}
