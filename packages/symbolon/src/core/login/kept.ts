// Whether every key that something was proven with is there still. It may be taken away while an attempt is under way, and
// who was told that it is gone must not find anything opened by it: so it is asked before and behind what a proof opens.

import type { CorePorts } from '../factors/factor.ts'
import type { Proof } from '../model.ts'

/** Asks the factors about proofs of theirs. */
export async function areKept({ factors = [] }: Pick<CorePorts, 'factors'>, proven: readonly Proof[]): Promise<boolean> {
  for (const factor of factors)
    if (factor.kind === 'challenge' && factor.keeps !== undefined)
      for (const proof of proven) if (!(await factor.keeps(proof))) return false
  return true
}
