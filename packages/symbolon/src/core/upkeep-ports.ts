// What the care of a store asks of it, beside everyday use: sealing again under another server secret, the steps that
// make a restored backup safe to serve from, and which process does what must be done once. Every verb is bounded and can be called again.

import type { FeedHead } from '@symbolon/protocol'
import type { AuditEntry, SessionKind } from './model.ts'

/** What is sealed: a session's key, a signing key's private half, the identifier of a sign-in under way. */
export type SealedKind = 'session' | 'key' | 'attempt'

/** A sealed value. `kind` is a session's, and null elsewhere: a part of what it is sealed for. */
export interface SealedRow {
  readonly id: string
  readonly kind: SessionKind | null
  readonly sealed: Uint8Array
}

/** A sealed value to be put in another one's place, if that one still stands there. */
export interface SealChange {
  readonly id: string
  readonly from: Uint8Array
  readonly to: Uint8Array
}

/** Sealed values by the secret that they name: after one byte of version, eight bytes, here in hexadecimal. */
export interface SealStore {
  /** Secrets that something may be sealed under, as far as was noted; the newest note last. */
  noted(): Soon<readonly string[]>
  /** Notes them in this order, each as the newest one. */
  note(secrets: readonly string[]): Promise<void>
  forget(secret: string): Promise<void>
  /** Walks on from an id through a bounded part: at most `limit` values sealed under this secret, or under another one. `next` is null at the end. */
  page(
    kind: SealedKind,
    which: { readonly under: string } | { readonly notUnder: string },
    after: string,
    limit: number,
  ): Soon<{ readonly rows: readonly SealedRow[]; readonly next: string | null }>
  /** Walks on in the same way, and counts what is still of use by secret: live sessions, keys that sign or will, sign-ins under way. */
  count(
    kind: SealedKind,
    after: string,
  ): Soon<{
    readonly counts: readonly { readonly secret: string; readonly count: number }[]
    readonly next: string | null
  }>
  /** Compare-and-set on the old bytes, each by itself; how many were replaced. */
  replace(kind: SealedKind, changes: readonly SealChange[]): Promise<number>
}

/** As `Eventually` in the ports, which stand on this file. */
type Soon<T> = T | Promise<T>

/** A restore that was begun. `cut`: sessions opened up to then end, in milliseconds since 1970. */
export interface RestoreBegun {
  readonly cut: number
  readonly head: FeedHead
}

/** The steps of a restore that are no everyday verbs. */
export interface RestoreStore {
  /** The restore that was begun and has not come to its end. */
  pending(): Soon<{ readonly cut: number } | undefined>
  /** Whether the log has this id, or had it before it was renewed. */
  had(feedId: string): Soon<boolean>
  /**
   * Begins, or finds what was begun: the log gets a new id, `former` counts as one that it had, and keys of these ids that
   * the store does not know are logged as revoked, for good; all in one transaction.
   */
  begin(input: {
    readonly former: string | null
    readonly kids: readonly string[]
    readonly audit: readonly Omit<AuditEntry, 'at' | 'tenant'>[]
  }): Promise<RestoreBegun>
  /** Grows the epochs of the next users or clients by more than was ever given out since a backup, and logs it. */
  grow(what: 'user' | 'client', after: string): Promise<{ readonly count: number; readonly next: string | null }>
  /** Deletes attempts, at most `limit`, in whatever state; how many. */
  dropAttempts(limit: number): Promise<number>
  /** The restore has come to its end; the head. */
  end(audit: readonly Omit<AuditEntry, 'at' | 'tenant'>[]): Promise<FeedHead>
}

/** A job that must run once, whichever of several processes it runs in. Times in milliseconds since 1970 by the store's clock. */
export interface Lease {
  readonly name: string
  /** Who runs it, until when; a process that dies lets it go by that. */
  readonly holder: string | null
  readonly until: number
  /** When it last ran to its end. */
  readonly ranAt: number | null
}

export interface LeaseStore {
  /** Takes a lease for so many milliseconds, or keeps the one that this holder has; `false` while another one has it. */
  take(name: string, holder: string, lasts: number): Promise<boolean>
  /** Lets it go; `ran`: the job came to its end. Nothing happens when another one has it. */
  release(name: string, holder: string, ran: boolean): Promise<void>
  list(): Soon<{ readonly now: number; readonly leases: readonly Lease[] }>
}
