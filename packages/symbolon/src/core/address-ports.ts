// What core asks of a store for a person's e-mail address: given to them when they have proven it, and put back by who has
// the earlier one. Each verb is atomic.

import type { FeedHead } from '@symbolon/protocol'
import type { AuditEntry, User } from './model.ts'

/** As `Eventually` and `AuditDraft` in the ports, which stand on this file. */
type Soon<T> = T | Promise<T>
type Draft = Omit<AuditEntry, 'at' | 'tenant'>

/** An address that its user gave up, and may have back. */
export interface AddressUndo {
  /** SHA-256 of the token, base64url. */
  readonly idHash: string
  readonly userId: string
  readonly email: string
  readonly createdAt: number
  readonly expiresAt: number
}

/** A change. `undoLife`: how long it can be put back, in milliseconds. */
export interface AddressChange {
  readonly userId: string
  readonly email: string
  /**
   * Who proved it: an attempt for this, of this user and session, unconsumed and unexpired, and that session, which must live, and
   * stays; or nothing happens. Null for an operator's change, by which every session ends.
   */
  readonly proof: { readonly attempt: string; readonly sid: string } | null
  readonly undoHash: string
  readonly undoLife: number
  readonly audit: readonly Draft[]
}

/** What one transaction changed: the user as they are now, the address that they had, and which sessions ended. */
export interface AddressChanged {
  readonly now: number
  readonly user: User
  readonly before: string
  readonly ended: readonly string[]
  readonly head: FeedHead
}

export interface AddressStore {
  /** Whether an address is another user's, or can still be put back by one. */
  isTaken(email: string, userId: string | null): Soon<boolean>
  /** When its user gave it up, while they can still have it back; undefined for every other address. */
  leftAt(email: string): Soon<number | undefined>
  /**
   * Holds the user, consumes the attempt, changes the address, grows the epoch, ends every other session, and keeps the address
   * that was given up for whoever undoes it. A change to one that is so kept is its undo, but for passkeys: it takes away what
   * was kept since, and keeps nothing. What is kept is later than what was kept before, in one moment too.
   */
  change(input: AddressChange): Promise<
    /** `wayBack`: whether the address that was given up is kept; not where this put one back. */
    | ({ readonly outcome: 'changed'; readonly wayBack: boolean } & AddressChanged)
    | { readonly outcome: 'attempt_gone' | 'session_gone' | 'user_gone' | 'taken' }
  >
  /** Those of a user that can still be used, the newest first. */
  undos(userId: string): Soon<readonly AddressUndo[]>
  /** One that can still be used. */
  findUndo(idHash: string): Soon<AddressUndo | undefined>
  /**
   * Puts an address back, once: grows the epoch, ends every session, removes passkeys made since `reach` milliseconds before the
   * change, and every undo that was made since: they lead to addresses that came later.
   */
  undo(input: {
    readonly idHash: string
    readonly reach: number
    readonly audit: readonly Draft[]
  }): Promise<({ readonly outcome: 'undone'; readonly passkeys: number } & AddressChanged) | { readonly outcome: 'gone' | 'taken' }>
  /** Deletes those whose time is over, at most `limit`; returns how many. */
  sweep(limit: number): Promise<number>
}
