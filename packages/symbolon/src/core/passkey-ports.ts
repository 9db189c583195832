// What passkeys ask of the world: a store that keeps their public halves and decides on counters, and somebody who knows
// WebAuthn (Level 3). Nothing here is a secret: who reads all of it can sign in nowhere.

import type { AuditEntry, Passkey, User } from './model.ts'

/** As `Eventually` in the ports, which stand on this file. */
type Soon<T> = T | Promise<T>
type Line = Omit<AuditEntry, 'at' | 'tenant'>

/** A passkey to be stored; the store adds the times. */
export type NewPasskey = Omit<Passkey, 'tenant' | 'createdAt' | 'lastUsedAt'>

/** By what a passkey was made: an attempt, and the session that it is of. */
export interface PasskeyProof {
  readonly attempt: string
  readonly sid: string
}

/** A passkey with its owner, as one read saw them. */
export interface PasskeyFound {
  readonly now: number
  readonly passkey: Passkey
  readonly user: User
  /** The owner's user handle. */
  readonly handle: string
}

/** Keeps passkeys. An id is one person's for the whole service (WebAuthn §7.1). */
export interface PasskeyStore {
  /** The user handle (WebAuthn §5.4.3) of a person: this one if there was none before, for good; undefined for an unknown person. */
  handle(userId: string, fresh: string): Promise<string | undefined>
  /**
   * Adds one to a person who is active and has fewer than `most`. `conflict`: the id is taken, whoever has it. `proof`: who
   * made it: an attempt for this, of this person and session, which is used up, and that session, which must live; null where
   * nobody is signed in. Anything but `added` has changed nothing.
   */
  add(
    passkey: NewPasskey,
    most: number,
    audit: readonly Line[],
    proof: PasskeyProof | null,
  ): Promise<
    | { readonly outcome: 'added'; readonly passkey: Passkey }
    | { readonly outcome: 'conflict' | 'limit' | 'user_gone' | 'attempt_gone' | 'session_gone' }
  >
  find(id: string): Soon<PasskeyFound | undefined>
  /** Oldest first, and the person's handle if they have one. */
  list(userId: string): Soon<{ readonly handle: string | null; readonly passkeys: readonly Passkey[] }>
  /**
   * Notes a use, whose signature was verified before. Counters only grow, unless both are zero (WebAuthn §6.1.1): with
   * `counter_back` nothing changes but the audit log, which these lines go to.
   */
  use(
    id: string,
    seen: { readonly counter: number; readonly backedUp: boolean },
    whenBack: readonly Line[],
  ): Promise<'used' | 'counter_back' | 'gone'>
  rename(userId: string, id: string, name: string, audit: readonly Line[]): Promise<boolean>
  /** `keepOne`: the last one of a person stays (`last`). */
  remove(userId: string, id: string, keepOne: boolean, audit: readonly Line[]): Promise<'removed' | 'last' | 'gone'>
}

/** Whose passkey is asked for. `handle`: base64url of 64 random bytes, never anything that names a person. */
export interface PasskeyOwner {
  readonly handle: string
  /** What the person's device shows: never sent back. */
  readonly name: string
}

/** JSON as the browser's own functions take and give it (WebAuthn §5.1.8, §5.1.9). */
export type PasskeyJson = Readonly<Record<string, unknown>>

/** What a new passkey is, when everything about it was right. */
export type PasskeyMade = Pick<
  Passkey,
  'id' | 'publicKey' | 'counter' | 'transports' | 'backupEligible' | 'backedUp' | 'aaguid' | 'userVerified'
>

/** Why a response was refused: for logs and metrics, never for the caller. */
export type PasskeyFault =
  | 'malformed'
  | 'type'
  | 'challenge'
  | 'origin'
  | 'cross_origin'
  | 'rp_id'
  | 'presence'
  | 'verification'
  | 'attestation'
  | 'algorithm'
  | 'backup'
  | 'handle'
  | 'signature'

/** Knows WebAuthn. Bound to one relying party; never throws for what was sent. */
export interface PasskeyRules {
  /** Whether the service's host can have passkeys at all: an address of numbers cannot. */
  readonly possible: boolean
  /** Origins beside the issuer's own that may use these passkeys, as in `/.well-known/webauthn`. */
  readonly origins: readonly string[]
  readonly rpId: string
  /** Options for `navigator.credentials.create`; `challenge` is base64url. */
  creation(input: {
    readonly challenge: string
    readonly owner: PasskeyOwner
    readonly have: readonly Pick<Passkey, 'id' | 'transports'>[]
    /** Milliseconds. */
    readonly timeout: number
    /** The device must verify who is there, whatever the service asks for otherwise. */
    readonly verify?: boolean
  }): PasskeyJson
  /**
   * Options for `navigator.credentials.get`. Without `have` they name no passkey, and tell nothing about anybody; with it, to
   * somebody who has proven before who they are, only those.
   */
  request(input: {
    readonly challenge: string
    readonly have: readonly Pick<Passkey, 'id' | 'transports'>[]
    /** Milliseconds. */
    readonly timeout: number
    /** The device must verify who is there, whatever the service asks for otherwise. */
    readonly verify?: boolean
  }): PasskeyJson
  /** Judges the answer to `creation` (WebAuthn §7.1). */
  made(
    response: unknown,
    expected: { readonly challenge: string; readonly verify?: boolean },
  ): Promise<{ readonly ok: true; readonly passkey: PasskeyMade } | { readonly ok: false; readonly fault: PasskeyFault }>
  /** The passkey that an answer to `request` names; undefined when it cannot be one. */
  named(response: unknown): string | undefined
  /** Judges the answer to `request` (WebAuthn §7.2), but for the counter, which the store decides on. */
  used(
    response: unknown,
    expected: {
      readonly challenge: string
      readonly verify?: boolean
      /** The owner's; a response may leave it out only where `named`: somebody who is known by now was asked for one of theirs. */
      readonly handle: string
      readonly named: boolean
      readonly passkey: Pick<Passkey, 'id' | 'publicKey' | 'backupEligible'>
    },
  ): Promise<
    | { readonly ok: true; readonly counter: number; readonly backedUp: boolean; readonly userVerified: boolean }
    | { readonly ok: false; readonly fault: PasskeyFault }
  >
}
