// What core offers to the rooms above it: one small group of verbs per noun. Expected outcomes are returned as
// unions with error codes; only faults (a store that cannot be reached) are thrown, as SymbolonError.

import type { AccessTokenClaims, AuthEvent, ErrorCode, FeedHead, IntrospectionAnswer, PublicJwk } from '@symbolon/protocol'
import type { Addresses } from './address-api.ts'
import type { Caller, Minted, Refused } from './answers.ts'
import type { FeedHub } from './feed.ts'
import type { AbortSignalLike, FailureMode } from './foreign.ts'
import type { Login } from './login/api.ts'
import type { Action, AuditEntry, Client, ClientPolicy, Passkey, RevokeReason, Session, SigningKey, User } from './model.ts'
import type { PasskeyJson, PasskeyRules } from './passkey-ports.ts'
import type { Eventually, Revoked, RevokeTarget, SessionGlance, SessionSnapshot } from './ports.ts'
import type { Seals } from './seals.ts'

export type * from './address-api.ts'
export type * from './answers.ts'
export type * from './login/api.ts'

/** A refresh as asked for at its own door. */
export interface RefreshInput {
  readonly credential: string
  /** The door: each refuses the other's credential. */
  readonly kind: 'cookie' | 'token'
  /** A re-mint that is not the user's activity. */
  readonly background: boolean
  readonly caller: Caller
  /** The login cookie or login id of the attempt that stepped up, for a replaced generation. */
  readonly binding?: string
}

/** One step of the pipeline as `explain` shows it. `ms` is the time it took. */
export interface StepTrace {
  readonly step: string
  readonly outcome: string
  readonly ms: number
}

export type RefreshOutcome =
  | {
      readonly ok: true
      readonly outcome: 'rotated' | 'minted' | 'replayed' | 'recovered'
      readonly snapshot: SessionSnapshot
      /** The credential to hold from now on; the presented one when nothing changed. */
      readonly credential: string
      readonly minted: Minted
      readonly trace: readonly StepTrace[]
    }
  | (Refused & {
      readonly outcome:
        | 'malformed'
        | 'unknown'
        | 'reused'
        | 'rolled_back'
        | 'expired'
        | 'revoked'
        | 'denied'
        | 'step_up_required'
        | 'try_later'
        | 'session_superseded'
      readonly trace: readonly StepTrace[]
    })

/** What a refresh would do now. */
export interface Explained {
  readonly ok: true
  readonly outcome: RefreshOutcome['outcome']
  /** Milliseconds; the lifetime of the token it would mint, before jitter. */
  readonly lifetime: number
  readonly trace: readonly StepTrace[]
}

export type Checked<Found extends SessionGlance = SessionGlance> = { readonly ok: true; readonly snapshot: Found } | Refused

/** What a revocation ended. `sids`: at most 10,000 of them, `count` all. */
export interface Ended extends Revoked {
  readonly count: number
}

/** How a check was made. */
export interface CheckOptions {
  /** Not the user's activity: the idle time is not extended. */
  readonly background?: boolean
  readonly caller?: Caller
  /** A look that is no use of the session: nothing is noted, nor does it count as presented. */
  readonly quiet?: boolean
}

/** Live checks, and what they find. */
export interface Checks<Found extends SessionGlance> {
  /** A live check of a credential at its door. Reads only; activity is recorded in batches. */
  check(credential: string, kind: 'cookie' | 'token', options?: CheckOptions): Eventually<Checked<Found>>
  /** A live check of the session behind a verified access token: alive, of this user, with these epochs. */
  checkToken(claims: AccessTokenClaims, options?: CheckOptions): Eventually<Checked<Found>>
}

export interface Sessions extends Checks<SessionGlance> {
  /** The same checks, which read all there is of a session and its user. */
  readonly whole: Checks<SessionSnapshot>
  refresh(input: RefreshInput): Promise<RefreshOutcome>
  /** Runs the pipeline for the current credential without writing anything; each step's outcome and time. */
  explain(sid: string): Promise<Explained | Refused>
  /** Mints from a session cookie without rotating it (server-rendered pages); the user's activity unless `background`. */
  mint(
    credential: string,
    options?: { readonly background?: boolean },
  ): Promise<{ readonly ok: true; readonly minted: Minted; readonly snapshot: SessionSnapshot } | Refused>
  /** Live sessions of a user, newest first. */
  list(userId: string): Promise<{ readonly now: number; readonly sessions: readonly Session[] }>
  /** Ends one session, a user's, or a client's; a client's very many in small batches, with room for others between them. */
  revoke(target: RevokeTarget, reason: RevokeReason, by: { readonly actor: string; readonly caller?: Caller }): Promise<Ended>
  /** Writes what activity is waiting. `last`, on close: waits for whoever holds a row, and throws with how much is left. */
  flush(last?: 'last'): Promise<void>
}

/** A refresh under way, as a custom step sees it. */
export interface RefreshContext {
  readonly userId: string
  readonly sid: string
  readonly clientId: string
  readonly roles: readonly string[]
  readonly session: Session
  readonly caller: Caller
  /** Reserved names and `__proto__` are refused with a TypeError. */
  addClaims(claims: Readonly<Record<string, unknown>>): void
  dropClaim(name: string): void
  /** Shortens only; milliseconds. */
  shorten(lifetime: number): void
  deny(): void
  requireStepUp(options?: { readonly acrValues?: readonly string[]; readonly maxAge?: number }): void
  readonly signal: AbortSignalLike
}

/** A step of the refresh pipeline. `budget` in milliseconds. */
export interface RefreshStep {
  readonly name: string
  readonly budget: number
  readonly onFailure: FailureMode
  run(context: RefreshContext): void | Promise<void>
}

/** A custom step and the default step it comes after. */
export interface PlacedStep {
  readonly after: string
  readonly step: RefreshStep
}

/** `token`: what an opaque one stands for, a compact JWS. */
export type Explanation = ({ readonly ok: true } | { readonly ok: false; readonly code: ErrorCode; readonly detail?: string }) & {
  readonly token: string | undefined
}

export interface Tokens {
  /** The public keys of every `next`, `active` and `retiring` key. */
  keys(): readonly PublicJwk[]
  /** Verifies an access token that this service made, whichever audience it is for. The session behind it is not consulted. */
  verify(token: string): Promise<{ readonly ok: true; readonly claims: AccessTokenClaims } | Refused>
  /** What would be said of any token by whoever asks live, with what was wrong in words, and the token opened; it is no use of the session. */
  explain(token: string): Promise<Explanation>
  /** The same of one that was made for this service: who holds one for another audience is not that person here (RFC 9068 §4). */
  verifyOwn: Tokens['verify']
  /** For an authenticated caller: access tokens whose audience it owns and its own refresh tokens; else `active: false`, with a `code` for those it owns. Changes nothing. */
  introspect(token: string, caller: Client): Promise<IntrospectionAnswer>
  /** An opaque access token opened; anything else as it is; `undefined` for what only looks like one. */
  open(token: string): string | undefined
  /** A client's own access token is alive: the client active, its epoch current, the token not revoked. */
  checkClient(claims: AccessTokenClaims): Promise<{ readonly ok: true; readonly client: Client } | Refused>
  /** Ends what a client's own token stands for (RFC 7009): a refresh token its session, an access token itself. Unknown ones are no error. */
  revoke(token: string, caller: Client, from: Caller): Promise<FeedHead>
}

export interface OAuth {
  /** The client that a good, unused assertion names (RFC 7523 §3); undefined for anything else. `endpoints`: what it may name as its audience beside the issuer. */
  authenticate(assertion: string, endpoints: readonly string[]): Promise<Client | undefined>
  /** An access token for a service in its own name (RFC 6749 §4.4); refused by an `error` of RFC 6749 §5.2 or RFC 8707 §2. `expiresIn` in seconds. */
  grant(
    client: Client,
    asked: { readonly scope?: string | undefined; readonly audience?: string | undefined },
  ): Promise<
    | { readonly ok: true; readonly accessToken: string; readonly expiresIn: number; readonly scope: string }
    | { readonly ok: false; readonly error: 'invalid_scope' | 'invalid_target' | 'unauthorized_client' }
  >
}

export interface Keys {
  list(): Promise<readonly SigningKey[]>
  /** Makes the next key sign at once. */
  rotate(by: string): Promise<SigningKey>
  /**
   * Ends a key for good, in whatever state it is: it leaves the key set, signs nothing any more, and every token that names
   * it is refused, forged ones too. When it was the active one, the next one signs at once. Idempotent; `not_found` for an
   * unknown kid. `head`: where the feed stood with the revocation.
   */
  revoke(
    kid: string,
    options: { readonly now: true },
    by: string,
  ): Promise<{ readonly ok: true; readonly key: SigningKey; readonly head: FeedHead } | Refused>
  /** Opens what the store holds, makes what is missing, moves what is due. Throws `key_unopenable`. */
  maintain(): Promise<void>
  /** Whether there is a key to sign with. */
  ready(): boolean
}

export interface Users {
  create(
    input: { readonly email: string; readonly roles?: readonly string[] },
    by: string,
  ): Promise<{ readonly ok: true; readonly user: User } | Refused>
  find(by: { readonly id: string } | { readonly email: string }): Promise<User | undefined>
  list(after: string | null, limit: number): Promise<readonly User[]>
  /** Changes roles or status; older access tokens become stale, and disabling ends the sessions. `head`: where the feed stood with the change. */
  change(
    id: string,
    change: { readonly roles?: readonly string[]; readonly status?: User['status'] },
    by: string,
  ): Promise<{ readonly ok: true; readonly user: User; readonly head: FeedHead } | Refused>
  /** Makes this user's older access tokens stale though nothing here changed, as when what a claim was made from did. */
  bumpEpoch(id: string, by: string): Promise<{ readonly ok: true; readonly user: User; readonly head: FeedHead } | Refused>
  /**
   * Gives a user another address, as an operator: every session ends, and the old address is told, with a way back of seven
   * days. `invalid_identifier`; `conflict` when it is theirs already, another one's, or can still be put back by one.
   */
  changeEmail(
    id: string,
    email: string,
    by: Actor,
  ): Promise<{ readonly ok: true; readonly user: User; readonly ended: readonly string[]; readonly head: FeedHead } | Refused>
  /**
   * Deletes a user for good: their sessions end everywhere, nothing personal is kept, their address is free, and they are told
   * by mail, at earlier addresses that could be put back, too. Whoever comes with that address is somebody new. `conflict` for
   * the person themselves (`actor`) while one can be. `ended`: the sessions; `at`: the client that it was asked at.
   */
  remove(
    id: string,
    by: Actor,
    at?: Client,
  ): Promise<{ readonly ok: true; readonly ended: readonly string[]; readonly head: FeedHead } | Refused>
}

export interface NewClient
  extends Pick<Client, 'name' | 'transport'>,
    Partial<Pick<Client, 'origins' | 'returnTo' | 'scopes' | 'keys' | 'accessTokenFormat' | 'audiences' | 'policy'>> {
  readonly id?: string
}

export interface Clients {
  /** The secret (services only) is shown here and never again. */
  create(input: NewClient, by: string): Promise<{ readonly ok: true; readonly client: Client; readonly secret: string | null } | Refused>
  find(id: string): Promise<Client | undefined>
  list(): Promise<readonly Client[]>
  /** Foreign origins that active cookie clients list. */
  origins(): Promise<readonly string[]>
  change(
    id: string,
    change: Partial<
      Pick<Client, 'name' | 'origins' | 'returnTo' | 'scopes' | 'keys' | 'accessTokenFormat' | 'audiences' | 'policy' | 'status'>
    >,
    by: string,
  ): Promise<{ readonly ok: true; readonly client: Client; readonly head: FeedHead } | Refused>
  /** Makes older tokens of this client stale, its own and its users'. `head`: where the feed stood with the change. */
  bumpEpoch(id: string, by: string): Promise<{ readonly ok: true; readonly client: Client; readonly head: FeedHead } | Refused>
  /** Drops the older of two secrets: what was made with the newer one goes on. */
  removeOldSecret(id: string, by: string): Promise<{ readonly ok: true; readonly client: Client } | Refused>
  /** Adds a secret beside the newest one; the older one falls away. */
  rotateSecret(id: string, by: string): Promise<{ readonly ok: true; readonly secret: string } | Refused>
  /** Constant time; undefined for anything wrong. What was not right here before is a guess: charged first, `rate_limited` is thrown when there were too many. */
  authenticate(id: string, secret: string, ip?: string | null): Promise<Client | undefined>
  /** The defaults with this client's overrides. */
  policyOf(client: Client): ClientPolicy
}

/** A person's passkeys. `handle`: what passkeys know the person by; null until one was asked for. */
export interface OwnedPasskeys {
  readonly handle: string | null
  readonly passkeys: readonly Passkey[]
}

/** Whose doing a change is. */
export interface Actor {
  readonly actor: string
  readonly caller?: Caller
}

export interface Passkeys {
  /** Where they are good; undefined where there can be none. */
  readonly party: Pick<PasskeyRules, 'rpId' | 'origins'> | undefined
  list(userId: string): Promise<OwnedPasskeys>
  /** One of these levels a session must stand at, for its person to change their passkeys or the whole account; none: any will do. */
  needs(snapshot: SessionSnapshot): Promise<readonly string[]>
  /** Begins to add one. `registrationId` goes to this browser alone; `options` are for `navigator.credentials.create`. */
  start(
    snapshot: SessionSnapshot,
    caller: Caller,
  ): Promise<{ readonly ok: true; readonly registrationId: string; readonly expiresAt: number; readonly options: PasskeyJson } | Refused>
  /** Adds it. `name`: what the person calls it, else what made it or where it was made. */
  finish(
    snapshot: SessionSnapshot,
    input: { readonly registrationId: string; readonly response: unknown; readonly name?: string; readonly caller: Caller },
  ): Promise<{ readonly ok: true; readonly passkey: Passkey } | Refused>
  rename(userId: string, id: string, name: string, by: Actor): Promise<{ readonly ok: true } | Refused>
  /** Removes one; it signs in nowhere from then on. Sessions stay. `at`: the last one stays (`conflict`) where a person gets in at this client by passkeys only. */
  remove(userId: string, id: string, by: Actor, at?: Client): Promise<{ readonly ok: true } | Refused>
}

/** An act that was confirmed, and at which level. */
export interface Confirmed {
  readonly ok: true
  readonly sid: string
  readonly userId: string
  readonly clientId: string
  readonly acr: string
  readonly action: Action
}

export interface Confirmations {
  /**
   * Takes a confirmation for this act of this session, once; `confirmation_refused` for anything else, which uses nothing up.
   * `caller`: a client of its own, which must own the audience that the session's tokens are for; null in the service's process.
   */
  consume(
    input: { readonly confirmation: string; readonly sid: string; readonly action: Action },
    caller: Client | null,
  ): Promise<Confirmed | Refused>
}

export interface Audit {
  list(filter: { readonly userId?: string }, limit: number): Promise<readonly AuditEntry[]>
}

/** What happened to an account, as its owner is told. `userAgent`: of the session it was in, while its record is kept. */
export interface OwnEvent {
  readonly event: AuthEvent
  readonly userAgent: string | null
}

export interface Account {
  /** Newest first, at most `limit`; `next` is where the page after it begins, null when there is none. */
  events(
    userId: string,
    before: number | null,
    limit: number,
  ): Promise<{ readonly events: readonly OwnEvent[]; readonly next: number | null }>
}

/** Scheduled work, run by whoever holds the process: keys every minute, clean-up in small batches. */
export interface Jobs {
  readonly maintain: () => Promise<void>
  readonly sweep: (goOn?: () => boolean) => Promise<number>
}

/** The whole of core. */
export interface Core {
  readonly login: Login
  readonly sessions: Sessions
  readonly tokens: Tokens
  readonly oauth: OAuth
  readonly keys: Keys
  readonly users: Users
  readonly clients: Clients
  readonly passkeys: Passkeys
  readonly confirmations: Confirmations
  readonly account: Account
  readonly addresses: Addresses
  readonly audit: Audit
  readonly feed: FeedHub
  readonly seals: Seals
  readonly jobs: Jobs
}

/** What core is told once. Lengths in milliseconds. */
export interface CoreOptions {
  readonly issuer: string
  /** The default audience; the issuer unless said. */
  readonly audience: string
  readonly policy: ClientPolicy
  readonly algorithm: SigningKey['alg']
  readonly keyRotation: number
  readonly steps: readonly PlacedStep[]
  /** Claims from what is known of the user; reserved names refused. */
  readonly claims?: (user: User) => Readonly<Record<string, unknown>>
  /** Guess and send budgets: `limit` per `window`. */
  readonly budgets: {
    readonly startPerAccount: Rate
    readonly startPerAddress: Rate
    readonly startOverall: Rate
    readonly verifyPerAccount: Rate
    readonly verifyPerAddress: Rate
    readonly verifyPerDevice: Rate
    readonly verifyOverall: Rate
    /** Secrets of one client from one address. */
    readonly secretPerClient: Rate
    readonly secretPerAddress: Rate
  }
}

export interface Rate {
  readonly limit: number
  readonly window: number
}
