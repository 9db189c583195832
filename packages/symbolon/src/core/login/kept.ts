// Whether everything that something was proven with is there still: a key, a number, or the address of a mail. It may be taken away while
// an attempt is under way, and who was told that it is gone must not find anything opened by it: so it is asked before and
// behind what a proof opens.

import { email } from '../factors/email.ts'
import type { CorePorts } from '../factors/factor.ts'
import type { Proof } from '../model.ts'

/** Where something was proven: an address by its mail, and of whom, where that is known already. */
export interface ProvenAt {
  readonly identifier: string
  readonly userId: string | null
}

const byMail = ({ method }: Proof) => method === email.method || method === email.link?.method

/** Asks the factors about proofs of theirs, and the store whose address it is. */
export async function areKept(
  { factors = [], store }: Pick<CorePorts, 'factors' | 'store'>,
  proven: readonly Proof[],
  { identifier, userId }: ProvenAt,
): Promise<boolean> {
  for (const factor of factors) if (factor.keeps !== undefined) for (const proof of proven) if (!(await factor.keeps(proof))) return false
  // Of who is known by the address alone, the transaction that opens the session finds out.
  if (userId === null || identifier === '' || !proven.some(byMail)) return true
  return (await store.users.find({ id: userId }))?.email === identifier
}
