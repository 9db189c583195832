// What core asks of the world: a store of atomic verbs, cryptography, a signer, delivery, and an observer.
// A store decides by its own clock (`now`), which never goes back; core computes with the times it is given.

import type { FeedHead, Revocation } from '@symbolon/protocol'
import type { AddressStore } from './address-ports.ts'
import type { AttemptStore, Limited } from './attempt-ports.ts'
import type { Captcha } from './captcha-ports.ts'
import type { Crypto, Signer } from './crypto-ports.ts'
import type { Courier } from './delivery-ports.ts'
import type { AuditEntry, Budget, Client, RevokeReason, Session, SigningKey, User } from './model.ts'
import type { NewPasskey, PasskeyRules, PasskeyStore } from './passkey-ports.ts'
import type { LeaseStore, RestoreStore, SealStore } from './upkeep-ports.ts'
import type { WebhookStore } from './webhook-ports.ts'

export type * from './address-ports.ts'
export type * from './attempt-ports.ts'
export type { Crypto, Signer } from './crypto-ports.ts'
export type * from './delivery-ports.ts'

/** An answer that may be there at once: an embedded store reads without waiting. */
export type Eventually<T> = T | Promise<T>

/** An audit line before the store adds its time. */
export type AuditDraft = Omit<AuditEntry, 'at' | 'tenant'>

/** A session with its user and client as one read saw them, and the store's time of that read. */
export interface SessionSnapshot {
  readonly now: number
  readonly session: Session
  readonly user: User
  readonly client: Client
  /** Whether any single access token is revoked, so that this one must be looked for by its `jti`. */
  readonly tokensRevoked?: boolean
}

/** As much of a session, its user and client as a live check looks at: no key, no address, no name. */
export interface SessionGlance extends Pick<SessionSnapshot, 'now' | 'client' | 'tokensRevoked'> {
  readonly session: Pick<
    Session,
    | 'sid'
    | 'createdAt'
    | 'authTime'
    | 'acr'
    | 'amr'
    | 'baseAcr'
    | 'baseAmr'
    | 'expiresAt'
    | 'idle'
    | 'lastSeenAt'
    | 'generation'
    | 'predecessor'
    | 'rotatedAt'
    | 'seen'
    | 'credentialHash'
    | 'revokedAt'
  >
  readonly user: Pick<User, 'id' | 'roles' | 'status' | 'epoch'>
}

/** A session to be opened; the store adds the times. Lengths in milliseconds. */
export interface NewSession
  extends Pick<
    Session,
    'sid' | 'kind' | 'parent' | 'clientId' | 'acr' | 'amr' | 'idle' | 'ip' | 'userAgent' | 'binding' | 'credentialHash' | 'sealedKey'
  > {
  readonly absolute: number
}

/** A user that a sign-in creates, if there is none of this address; `audit` is written if so. */
export interface NewUser {
  readonly id: string
  readonly roles: readonly string[]
  readonly audit?: readonly AuditDraft[]
}

/** Opening a session: one transaction that holds the user's row, consumes the attempt, rechecks status, keeps the limit, ends what it replaces. */
export interface OpenSession {
  readonly session: NewSession
  /** The attempt whose last factor this consumes: unconsumed and unexpired, or nothing happens. */
  readonly attempt: string | null
  readonly user: { readonly id: string } | { readonly email: string; readonly create: NewUser | null }
  readonly maxSessions: number
  /** `ask` refuses as `deny` does: the person is asked, and names what to end in `ends`. */
  readonly onLimit: 'deny' | 'evict_oldest' | 'ask'
  /** A live session of this user at this client that the person gives up for the new one (`evicted`). */
  readonly ends?: string | null
  /**
   * A passkey that was made while signing in, by somebody who has none: stored with the session, or nothing happens
   * (`enrolled`: they have one by now, or another handle; `key_taken`: somebody has a key of this id).
   */
  readonly enrols?: { readonly handle: string; readonly passkey: Omit<NewPasskey, 'userId'>; readonly audit: readonly AuditDraft[] } | null
  /** The session that the same browser held before: ended (`replaced`), whoever's it was. */
  readonly replaces: string | null
  readonly audit: readonly AuditDraft[]
}

export type OpenOutcome =
  | { readonly outcome: 'opened'; readonly snapshot: SessionSnapshot; readonly created: boolean; readonly ended: readonly string[] }
  | {
      readonly outcome:
        | 'attempt_gone'
        | 'user_unknown'
        | 'user_disabled'
        | 'client_disabled'
        | 'parent_gone'
        | 'limit'
        | 'enrolled'
        | 'key_taken'
    }

/** A rotation: a compare-and-set that names generation, not-revoked and both epochs. */
export interface Rotation {
  readonly sid: string
  readonly from: number
  readonly userEpoch: number
  readonly clientEpoch: number
  readonly credentialHash: Uint8Array
  /** `rotated`: p := from, count := 0, e := null. `recovered`: p stays, count + 1; only while g is unseen. Both: g := from + 1, seen := false, rotation time := now. */
  readonly as: 'rotated' | 'recovered'
  /** Whether the user's activity is recorded. */
  readonly active: boolean
  readonly audit: readonly AuditDraft[]
}

/** A step-up: one transaction that consumes the attempt, holds the user's row, and compares and sets the generation. */
export interface Raise {
  readonly sid: string
  /** Of this session, and of no other purpose. */
  readonly attempt: string
  /** g, as it was read. */
  readonly from: number
  /** Of credential g + 1. */
  readonly credentialHash: Uint8Array
  /** What the attempt was bound to, for a credential whose successor was lost on its way. */
  readonly replacedFor: string
  readonly acr: string
  readonly amr: readonly string[]
  /** How long a predecessor counts as current, in milliseconds. */
  readonly window: number
  readonly audit: readonly AuditDraft[]
}

/** `lost`: the generation moved on meanwhile; nothing was consumed. */
export type RaiseOutcome =
  | { readonly outcome: 'raised'; readonly snapshot: SessionSnapshot }
  | { readonly outcome: 'attempt_gone' | 'session_gone' | 'user_disabled' | 'lost' }

/** Coalesced activity of a session. Never moves times back; `seen` only if the generation is still g. */
export interface Touch {
  readonly sid: string
  readonly lastSeenAt: number | null
  readonly seenGeneration: number | null
  readonly ip?: string | null
  readonly userAgent?: string | null
}

/**
 * Which sessions to end: one, a user's, or those of a client after a sid (that were there when the first batch began), or
 * all that were opened up to a time.
 * A session's children end with it, in the same transaction.
 */
export type RevokeTarget =
  | { readonly sid: string; readonly ofUser?: string }
  | { readonly user: string; readonly except?: string }
  | { readonly client: string; readonly after?: string }
  | { readonly before: number; readonly after?: string }

export interface Revoked {
  readonly now: number
  readonly sids: readonly string[]
  readonly head: FeedHead
}

/** What one transaction ended; `rest`: what is left to end in the next one. */
export interface RevokedBatch extends Revoked {
  readonly rest: RevokeTarget | null
}

export interface SessionStore {
  open(input: OpenSession): Promise<OpenOutcome>
  /** Revoked and expired sessions are returned too: core says what they are. */
  find(sid: string): Eventually<SessionSnapshot | undefined>
  /** The same for a live check, which comes with nearly every request. */
  glance(sid: string): Eventually<SessionGlance | undefined>
  rotate(input: Rotation): Promise<{ readonly outcome: 'rotated'; readonly now: number } | { readonly outcome: 'lost' }>
  /**
   * Steps a session up, if it is alive and its user active: g := g + 1, p := null, e := p while that is still current, else g;
   * `seen` := false, count := 0, rotation time and `auth_time` := now. What the sign-in proved is kept beside what is proven now.
   */
  raise(input: Raise): Promise<RaiseOutcome>
  /**
   * Resolves to the sids that were left out, because somebody else holds their rows: nobody is waited for. `patient`: waits
   * for each, keeps no other call waiting meanwhile, and throws where a row stays held.
   */
  touch(touches: readonly Touch[], patient?: boolean): Promise<readonly string[]>
  /** Ends at most about 1,000 sessions, so that nobody waits long for the log's head; the families of parents stay whole. */
  revoke(target: RevokeTarget, reason: RevokeReason, audit: readonly AuditDraft[]): Promise<RevokedBatch>
  /** Live sessions of a user (neither revoked nor expired), newest first, at most 1,000. */
  list(userId: string): Eventually<{ readonly now: number; readonly sessions: readonly Session[] }>
  /** Deletes sessions ended over a day ago, at most `limit`; returns how many. */
  sweep(limit: number): Promise<number>
}

/** A change of a user. `bump`: the epoch grows, whatever else changes. */
export interface UserChange {
  readonly roles?: readonly string[]
  readonly status?: User['status']
  readonly bump?: boolean
}

export interface UserStore {
  /** Creates, or says `conflict` when the address is taken. */
  create(
    user: { readonly id: string; readonly email: string; readonly roles: readonly string[] },
    audit: readonly AuditDraft[],
  ): Promise<User | 'conflict'>
  find(by: { readonly id: string } | { readonly email: string }): Eventually<User | undefined>
  /** At most `limit` users after this id, in order of id. */
  list(after: string | null, limit: number): Eventually<readonly User[]>
  /** Changes roles or status, or nothing but the epoch; bumps the epoch and logs it to the feed; disabling ends the sessions; all in one transaction that locks the user first. */
  change(
    id: string,
    change: UserChange,
    audit: readonly AuditDraft[],
  ): Promise<{ readonly user: User; readonly ended: readonly string[]; readonly head: FeedHead } | undefined>
  /**
   * Deletes a user as they were last, in one transaction that locks them first: sessions end and are logged to the feed with
   * the epoch after the last, passkeys, handle and attempts go, and no address or user agent stays in what is kept.
   */
  remove(
    id: string,
    audit: readonly AuditDraft[],
  ): Promise<{ readonly user: User; readonly ended: readonly string[]; readonly head: FeedHead } | undefined>
}

export interface ClientStore {
  /**
   * Creates (`before` null) or replaces by id, if the record still is as it was read; else `conflict`. The epoch grows when
   * status, scopes or audiences change.
   */
  put(
    client: Omit<Client, 'epoch' | 'createdAt' | 'tenant'>,
    before: Client | null,
    audit: readonly AuditDraft[],
  ): Promise<{ readonly client: Client; readonly head: FeedHead } | 'conflict'>
  /** Grows the epoch and logs it to the feed, whatever else changes at the same time. */
  bump(id: string, audit: readonly AuditDraft[]): Promise<{ readonly client: Client; readonly head: FeedHead } | undefined>
  find(id: string): Eventually<Client | undefined>
  list(): Eventually<readonly Client[]>
}

export interface KeyStore {
  list(): Eventually<{ readonly now: number; readonly keys: readonly SigningKey[] }>
  /**
   * All or nothing: inserts keys and moves others from one state to the next, if each is still in the state named (`insert`
   * alone: only if no key of this state exists, `whenNone`). Logged to the feed with it: `published` for a key inserted, for
   * a day, and `revoked` for good for one moved there, whose private half is emptied.
   */
  change(input: {
    readonly insert: readonly Omit<SigningKey, 'createdAt' | 'changedAt' | 'tenant'>[]
    readonly move: readonly { readonly kid: string; readonly from: SigningKey['state']; readonly to: SigningKey['state'] }[]
    readonly whenNone?: SigningKey['state']
    readonly audit: readonly AuditDraft[]
  }): Promise<{ readonly outcome: 'changed'; readonly head: FeedHead } | { readonly outcome: 'lost' }>
}

export interface LimitStore {
  /** Whether this is the first time that a key is seen before `expires` (milliseconds since 1970); remembered until then. */
  once(key: string, expires: number): Promise<boolean>
  /** All or none. */
  spend(budgets: readonly Budget[]): Promise<{ readonly outcome: 'spent' } | Limited>
  sweep(limit: number): Promise<number>
}

export interface AuditStore {
  write(entries: readonly AuditDraft[]): Promise<void>
  /** Newest first. */
  list(filter: { readonly userId?: string }, limit: number): Eventually<readonly AuditEntry[]>
  /** A user's lines of these names, newest first, at most `limit` of those before the line `before` (null: of all). */
  page(
    filter: { readonly userId: string; readonly names: readonly string[]; readonly before: number | null },
    limit: number,
  ): Eventually<readonly { readonly id: number; readonly line: AuditEntry }[]>
}

export interface FeedStore {
  head(): Eventually<FeedHead>
  /** Entries after this `seq`, in order, at most `limit`. */
  after(seq: number, limit: number): Eventually<readonly Revocation[]>
  /** Logs a single token as revoked, until `expires`; the head after it. */
  revokeToken(jti: string, expires: number, audit: readonly AuditDraft[]): Promise<FeedHead>
  /** Whether a single token was revoked. */
  hasToken(jti: string): Eventually<boolean>
  /** Gives the log a new id, if it still has this one; the head after it. */
  renew(feedId: string): Promise<FeedHead>
  /** Deletes entries whose time has come, at most `limit`. */
  compact(limit: number): Promise<number>
}

/** Everything that lasts. */
export interface Store {
  readonly sessions: SessionStore
  readonly users: UserStore
  readonly clients: ClientStore
  readonly keys: KeyStore
  readonly addresses: AddressStore
  readonly attempts: AttemptStore
  readonly passkeys: PasskeyStore
  readonly limits: LimitStore
  readonly leases: LeaseStore
  readonly audit: AuditStore
  readonly feed: FeedStore
  readonly seals: SealStore
  readonly restores: RestoreStore
  readonly webhooks: WebhookStore
  /** The store's clock, read now; throws `store_unavailable` when the store cannot be reached. */
  now(): Eventually<number>
  /** One line per finding for `doctor`; empty when all is well. */
  examine(): Promise<readonly string[]>
  close(): Promise<void>
}

/** What happened, for logs and metrics: names and ids only. */
export interface CoreEvent {
  readonly event: string
  readonly [field: string]: string | number | boolean | null | undefined
}

/** Waiting and measuring. `now` in monotonic milliseconds; `after` runs once and returns the function that calls it off. */
export interface Clock {
  now(): number
  after(ms: number, run: () => void): () => void
}

/** Everything core is given. */
export interface Ports {
  readonly clock: Clock
  readonly store: Store
  readonly crypto: Crypto
  readonly signer: Signer
  readonly courier: Courier
  /** Who asks for a proof before a mail is sent; without it, a proof of work. */
  readonly captcha?: Captcha | undefined
  /** Who knows WebAuthn; without it there are no passkeys. */
  readonly passkeys?: PasskeyRules | undefined
  observe(event: CoreEvent): void
  /** For tests that kill the process, or the database, at a named step; nothing otherwise. */
  crashPoint(step: string): void
}
