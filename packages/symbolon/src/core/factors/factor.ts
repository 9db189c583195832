// What a factor is: one way to prove identity by something that was sent. A later factor is one file like
// `email-code.ts` and one row in the table of `login.ts`.

import type { Crypto, Delivery } from '../ports.ts'

/** What a message says beside its code. */
export interface Message {
  readonly code: string
  readonly clientName: string
  readonly device: string
  readonly language: string
}

/** A factor whose secret is sent to the person. Lengths in milliseconds. */
export interface Factor {
  /** Its name on the wire. */
  readonly method: string
  /** What a sign-in by it alone reaches. */
  readonly acr: string
  /** RFC 8176 names. */
  readonly amr: readonly string[]
  readonly lifetime: number
  readonly maxTries: number
  readonly maxSends: number
  /** How long to wait after this many sends. */
  resendAfter(sends: number): number
  /** The normalised identifier, or `undefined`. */
  identify(text: string): string | undefined
  /** What budgets of an account are kept under: aliases fall together. */
  account(identifier: string): string
  newCode(crypto: Crypto): string
  /** The code as it was made, from what a person typed; `undefined` when it cannot be one. */
  readCode(text: string): string | undefined
  deliver(to: string, message: Message): Delivery
}
