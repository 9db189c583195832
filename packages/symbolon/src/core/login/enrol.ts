// Setting a factor up while signing in, for a client that wants more than a person has. Only who has nothing of the kind may:
// for everybody else an e-mail's code would be enough to get past what they set up. Who has nothing is asked of the store
// twice: before the question, and in the transaction that stores the new key with the session that it opens.

import { fromBase64url, toBase64url } from '@symbolon/protocol'
import type { ChallengeFactor, Enrolment, NewKey } from '../factors/factor.ts'
import type { Client, ClientPolicy, Proof, User } from '../model.ts'
import { type Attempts, ascii } from './attempt.ts'
import { reaches } from './levels.ts'

/** A factor that can be set up. */
export type Enrollable = ChallengeFactor & { readonly enrolment: Enrolment }

const isEnrollable = (factor: Attempts['factors'][number]): factor is Enrollable =>
  factor.kind === 'challenge' && factor.enrolment !== undefined

/** What somebody without it may set up now, so that it is enough; undefined when there is nothing, or they have it. */
export async function toEnrol(
  factors: Attempts['factors'],
  policy: ClientPolicy,
  user: User | undefined,
  proven: readonly Proof[],
): Promise<Enrollable | undefined> {
  if (policy.enrol !== 'required' || (user === undefined ? policy.signUp !== 'open' : user.status !== 'active')) return undefined
  for (const factor of factors) {
    if (!isEnrollable(factor) || !policy.methods.includes(factor.method)) continue
    if (!reaches([...proven, { method: factor.method, amr: [], at: 0 }], policy.acr)) continue
    if (user === undefined || !(await factor.has(user))) return factor
  }
  return undefined
}

/** A new key as one line of text, while the person is asked something else. */
export const keyText = ({ handle, passkey }: NewKey): string =>
  ascii({ handle, passkey: { ...passkey, publicKey: toBase64url(passkey.publicKey) } })

/** Reads that line; null when there is none. */
export function keyOf(text: string): NewKey | null {
  if (text === '') return null
  const { handle, passkey } = JSON.parse(text) as { handle: string; passkey: NewKey['passkey'] & { publicKey: string } }
  return { handle, passkey: { ...passkey, publicKey: fromBase64url(passkey.publicKey) ?? new Uint8Array() } }
}

/** Whose key it is, in the audit log: by who did it. */
export const enrolledLine = ({ passkey }: NewKey, client: Client, by: string, ip: string | null) => ({
  event: 'passkey.added',
  userId: null,
  sid: null,
  clientId: client.id,
  ip,
  detail: { by, passkey: passkey.id, synced: passkey.backupEligible },
})
