// What a sign-in reaches by what was proven in it: one table, from the weakest row to the strongest. Names of `amr` are
// those of RFC 8176; which row of NIST SP 800-63B-4 each one meets stands in docs/sign-in.md.

import type { ClientPolicy, Proof } from '../model.ts'

/** A row: one of each group was proven. */
export interface Level {
  readonly acr: string
  readonly proven: readonly (readonly string[])[]
}

/** The table. A method that is in no row can be used by no client. */
export const levels = [
  // The mailbox is read, no more: e-mail is no authenticator (NIST SP 800-63B-4 §3.1.3.1).
  { acr: 'urn:symbolon:acr:email', proven: [['email_otp', 'email_link']] },
  // The same key, of a device that did not look who is there: one factor (NIST SP 800-63B-4 §3.1.6).
  { acr: 'urn:symbolon:acr:key', proven: [['passkey_presence']] },
  // A key that a device or a keychain holds, used for this very origin (NIST SP 800-63B-4 §3.2.5).
  { acr: 'urn:symbolon:acr:passkey', proven: [['passkey']] },
] as const satisfies readonly Level[]

/** What is proven by a method of another name. A client that took this alone would take nobody. */
const outcomes: ReadonlySet<string> = new Set(['passkey_presence'])

/** Every way of signing in that there is a row for. */
const methodNames: ReadonlySet<string> = new Set(levels.flatMap(({ proven }) => proven.flat()).filter((name) => !outcomes.has(name)))

/** The strongest row that proofs fulfil; -1 for none. */
const rankOf = (proven: readonly Proof[], rows: readonly Level[]) =>
  rows.findLastIndex((row) => row.proven.every((group) => proven.some(({ method }) => group.includes(method))))

/** What was reached: the `acr` of the strongest row, and what each proof adds to `amr`; undefined when nothing was. */
export function reached(
  proven: readonly Proof[],
  rows: readonly Level[] = levels,
): { readonly acr: string; readonly amr: readonly string[] } | undefined {
  const row = rows[rankOf(proven, rows)]
  if (row === undefined) return undefined
  return { acr: row.acr, amr: [...new Set(proven.flatMap((proof) => proof.amr))] }
}

/** Whether a client lets nobody in who has none of these: other ways do not reach what it wants, and cannot be made up for while signing in. */
export function isOnlyWay(
  { methods, acr, enrol }: Pick<ClientPolicy, 'methods' | 'acr' | 'enrol'>,
  ofThese: (method: string) => boolean,
): boolean {
  const others = methods.filter((method) => !ofThese(method)).map((method) => ({ method, amr: [], at: 0 }))
  return others.length === 0 || (enrol !== 'required' && !reaches(others, acr))
}

/**
 * What is wrong with the ways that a client takes, and the row that it wants: the field. A link without its code would shut out
 * whoever opens it elsewhere. `passkeys`: whether the service's host can have any; where it cannot, they reach nothing.
 */
export function waysFault(
  { methods, acr }: { readonly methods: readonly string[]; readonly acr: string },
  { passkeys }: { readonly passkeys: boolean },
): 'methods' | 'acr' | undefined {
  if (!methods.every((method) => methodNames.has(method)) || (methods.includes('email_link') && !methods.includes('email_otp')))
    return 'methods'
  const all = methods.filter((method) => passkeys || method !== 'passkey').map((method) => ({ method, amr: [], at: 0 }))
  return reaches(all, acr) ? undefined : 'acr'
}

/** The rows that can be reached at a service, from the weakest to the strongest. */
export const acrValues = (place: { readonly passkeys: boolean }): readonly string[] =>
  levels.map(({ acr }) => acr).filter((acr) => waysFault({ methods: [...methodNames], acr }, place) === undefined)

/** Whether proofs reach a row or one above it. A row that is not in the table is reached by nothing. */
export function reaches(proven: readonly Proof[], acr: string, rows: readonly Level[] = levels): boolean {
  const wanted = rows.findIndex((row) => row.acr === acr)
  return wanted >= 0 && rankOf(proven, rows) >= wanted
}
