// What a factor is: one way to prove identity. One port for all of them; a later factor is one file that makes one of these
// three, one row in `login/levels.ts`, and a part of a page. A factor decides nothing about sessions, and stores no attempt.

import type { Caller } from '../answers.ts'
import type { Proof, User } from '../model.ts'
import type { NewPasskey } from '../passkey-ports.ts'
import type { Crypto, Delivery, Eventually, Ports } from '../ports.ts'

/** What a message says. `link`: null where none is sent. `confirms`: null for a sign-in. */
export interface Message {
  readonly code: string
  readonly link: string | null
  readonly confirms: string | null
  readonly clientName: string
  readonly device: string
  readonly language: string
}

/** What every factor says of itself. Lengths in milliseconds. */
interface Common {
  /** Its name on the wire and in a client's `methods`. */
  readonly method: string
  /** How long its code or challenge can be answered, and how many answers are heard. */
  readonly lifetime: number
  readonly maxTries: number
}

/** What a factor says of something that the person has. Of where something is sent, `addressOf` says it. */
interface Keeper {
  /** Whether what a proof of its own was made with is still there, by its `key`; true for proofs of others. */
  keeps?(proof: Proof): Eventually<boolean>
}

/** How a sign-in begins with something that is sent: by an identifier that says who somebody is. */
export interface Naming {
  /** The normalised identifier, which stays as it is when it is normalised again; or `undefined`. */
  identify(text: string): string | undefined
  /** What budgets of an account are kept under: aliases fall together. */
  account(identifier: string): string
  /** Whose it is, looked up at the same cost for everybody. Absent for the mail address alone, by which users are known, and become users; without it any other finds nobody. */
  find?(identifier: string): Eventually<User | undefined>
}

/** A factor whose secret is sent to the person. */
export interface SentFactor extends Common {
  readonly kind: 'sent'
  /** RFC 8176 names. */
  readonly amr: readonly string[]
  readonly maxSends: number
  /** A link beside the code: the method that opening it proves, and how long it lives. Of the mail alone: by a link an attempt is carried into another browser, too. */
  readonly link: { readonly method: string; readonly lifetime: number } | null
  /** How long to wait after this many sends. */
  resendAfter(sends: number): number
  /** Absent for one that is only a later proof. */
  readonly first?: Naming
  /** Where it reaches a user who is known already: one line of ASCII; `undefined` when it does not. What was proven is good only while this says the same. */
  addressOf(user: User): Eventually<string | undefined>
  newCode(crypto: Crypto): string
  /** The code as it was made, from what a person typed; `undefined` when it cannot be one. */
  readCode(text: string): string | undefined
  deliver(to: string, message: Message): Delivery
}

/** What a challenge is made for. `user`: null when the answer is to say who it is. */
export interface ChallengeContext {
  readonly clientId: string
  readonly user: User | null
  readonly caller: Caller
  /** Whether a proof by this method would be enough, with what was proven before: a factor need not ask for more. */
  readonly isEnough: (method: string) => boolean
}

/** What a checked answer says. */
export type Proven =
  | { readonly ok: true; readonly userId: string; readonly method: string; readonly amr: readonly string[]; readonly key?: string }
  | { readonly ok: false; readonly reason: string }

/** A key that was made while signing in, to be stored with the session that it opens, and with nothing else. */
export interface NewKey {
  /** The WebAuthn user handle that it was made for. */
  readonly handle: string
  readonly passkey: Omit<NewPasskey, 'userId'>
}

/** How a factor is set up by somebody who has none. `user`: null for who becomes one by this sign-in. */
export interface Enrolment {
  begin(context: ChallengeContext & { readonly identifier: string }): Eventually<{ readonly options: unknown; readonly state: string }>
  /** Checks an answer of the browser, which may hold anything. */
  finish(
    context: ChallengeContext & { readonly state: string; readonly response: unknown },
  ): Eventually<
    { readonly ok: true; readonly method: string; readonly amr: readonly string[]; readonly key: NewKey } | { readonly ok: false }
  >
}

/** A factor that asks the browser something, such as a signature by a key. */
export interface ChallengeFactor extends Common, Keeper {
  readonly kind: 'challenge'
  /** Whether a sign-in can begin with it: its answer says who somebody is. */
  readonly first: boolean
  /** Whether this user has set it up. */
  has(user: User): Eventually<boolean>
  /** `options` (JSON) go to the browser; `state` (one line of ASCII) is sealed into the attempt. */
  begin(context: ChallengeContext): Eventually<{ readonly options: unknown; readonly state: string }>
  /** Absent where it cannot be set up while signing in. */
  readonly enrolment?: Enrolment
  /** Checks an answer of the browser, which may hold anything. */
  finish(context: ChallengeContext & { readonly state: string; readonly response: unknown }): Eventually<Proven>
}

/** A factor whose secret the person keeps, and types something made from it. */
export interface SecretFactor extends Common, Keeper {
  readonly kind: 'secret'
  has(user: User): Eventually<boolean>
  /** Checks what was typed, and lets no answer pass twice. */
  check(context: { readonly user: User; readonly text: string; readonly caller: Caller }): Eventually<Proven>
}

/** One way to prove identity. */
export type Factor = SentFactor | ChallengeFactor | SecretFactor

/** What core is given, with ways of signing in beside e-mail, each from a library. */
export interface CorePorts extends Ports {
  readonly factors?: readonly Factor[]
}

/** Whether this user can be asked for it. */
export const hasFactor = async (factor: Factor, user: User): Promise<boolean> =>
  factor.kind === 'sent' ? (await factor.addressOf(user)) !== undefined : factor.has(user)
