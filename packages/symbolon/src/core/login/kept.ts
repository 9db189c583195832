// Whether everything that something was proven with is there still: a key, a number, or the address of a mail. It may be taken
// away while an attempt is under way, and who was told that it is gone must not find anything opened by it: so it is asked before
// and behind what a proof opens.

import { toBase64url } from '@symbolon/protocol'
import { email, isMail } from '../factors/email.ts'
import type { CorePorts } from '../factors/factor.ts'
import type { Proof } from '../model.ts'

/** Where something was proven: an address by its mail, and of whom, where that is known already. */
export interface ProvenAt {
  readonly identifier: string
  readonly userId: string | null
}

const byMail = ({ method }: Proof) => method === email.method || method === email.link?.method

/** What a proof says of where it was sent to, under each secret that there is; the first is what is kept. */
export const placeKeys = ({ keyed }: Pick<CorePorts['crypto'], 'keyed'>, to: string): readonly string[] =>
  keyed('proven at', to).map((key) => toBase64url(key.subarray(0, 16)))

/** Asks the factors about proofs of theirs, and the store whose address it is. */
export async function areKept(
  { factors = [], store, crypto }: Pick<CorePorts, 'factors' | 'store' | 'crypto'>,
  proven: readonly Proof[],
  { identifier, userId }: ProvenAt,
): Promise<boolean> {
  const owner = async () => (userId === null ? undefined : store.users.find({ id: userId }))
  for (const factor of factors)
    for (const proof of proven) {
      if (factor.kind !== 'sent' && factor.keeps !== undefined && !(await factor.keeps(proof))) return false
      if (factor.kind !== 'sent' || isMail(factor) || proof.method !== factor.method) continue
      const user = await owner()
      const to = user && (await factor.addressOf(user))
      if (to === undefined || !placeKeys(crypto, to).includes(proof.key ?? '')) return false
    }
  // Of who is known by the address alone, the transaction that opens the session finds out.
  if (userId === null || identifier === '' || !proven.some(byMail)) return true
  return (await owner())?.email === identifier
}
