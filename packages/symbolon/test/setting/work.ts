// The work that a browser does for a proof of work, done here.

import { createHash } from 'node:crypto'

/** An answer to a challenge. */
export function work({ challenge, bits }: { readonly challenge: string; readonly bits: number }): string {
  for (let n = 0; ; n++) {
    const answer = `${challenge}.${n}`
    if (createHash('sha256').update(answer).digest().readUInt32BE(0) >>> (32 - bits) === 0) return answer
  }
}
