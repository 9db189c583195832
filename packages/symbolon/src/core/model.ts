// The records Symbolon keeps. Plain, readonly; times in milliseconds since 1970 by the store's clock.
// No record holds anything that is a credential or from which, without a server secret, one could be made.

import type { Algorithm, PublicJwk } from '@symbolon/protocol'

/** Which door a session's credential opens: the cookie's, the refresh token's, or a grant's. */
export type SessionKind = 'cookie' | 'token' | 'grant'

/** Why a session ended. */
export type RevokeReason =
  | 'sign_out'
  | 'signed_out_elsewhere'
  | 'replaced'
  | 'evicted'
  | 'reused'
  | 'rolled_back'
  | 'user_disabled'
  | 'user_deleted'
  | 'admin'
  | 'parent'
  /** The store was restored from a backup that is older than what was acknowledged. */
  | 'restored'

/** The server's record of one sign-in on one device: the whole truth about a session, in one row. */
export interface Session {
  /** 128 random bits, base64url; not secret. */
  readonly sid: string
  readonly tenant: string
  readonly kind: SessionKind
  readonly parent: string | null
  readonly clientId: string
  readonly userId: string
  /** Epochs when the session was opened. */
  readonly userEpoch: number
  readonly clientEpoch: number
  readonly createdAt: number
  readonly authTime: number
  /** As proven last, by the sign-in or a step-up; what counts of it now is said in `proven.ts`. */
  readonly acr: string
  readonly amr: readonly string[]
  /** What the sign-in proved, once a step-up took its place; null before one. */
  readonly baseAcr: string | null
  readonly baseAmr: readonly string[] | null
  /** Absolute end. */
  readonly expiresAt: number
  /** Idle limit, a length in milliseconds: the session ends at `lastSeenAt + idle`. */
  readonly idle: number
  readonly lastSeenAt: number
  readonly ip: string | null
  readonly userAgent: string | null
  /** A bound key's thumbprint; null for now. */
  readonly binding: string | null
  /** g: the current credential's number. */
  readonly generation: number
  /** p: the credential before it, null when there is none to accept. */
  readonly predecessor: number | null
  /** e: the oldest generation that the last step-up replaced. */
  readonly replaced: number | null
  /** SHA-256 of what the attempt behind that step-up was bound to (login cookie, or login id), base64url. */
  readonly replacedFor: string | null
  readonly rotatedAt: number
  /** Whether credential g was presented anywhere. */
  readonly seen: boolean
  /** Lost answers recovered in a row. */
  readonly recovered: number
  /** SHA-256 of credential g. */
  readonly credentialHash: Uint8Array
  /** The session key under AES-256-GCM; names its server secret. */
  readonly sealedKey: Uint8Array
  readonly revokedAt: number | null
  readonly revokedReason: RevokeReason | null
}

/** A person. */
export interface User {
  /** `usr_…` */
  readonly id: string
  readonly tenant: string
  /** The normalised e-mail address. */
  readonly email: string
  readonly roles: readonly string[]
  readonly status: 'active' | 'disabled'
  /** Grows when roles or status change. */
  readonly epoch: number
  readonly createdAt: number
}

/** A passkey: the public half of a key that a person's device, or password manager, keeps (WebAuthn). */
export interface Passkey {
  /** The credential id, base64url. */
  readonly id: string
  readonly tenant: string
  readonly userId: string
  /** COSE_Key (RFC 9052 §7). */
  readonly publicKey: Uint8Array
  /** The signature counter last seen; 0 for most passkeys that are synchronised. */
  readonly counter: number
  /** How it can be reached, as its browser said. */
  readonly transports: readonly string[]
  /** Whether it can be copied to other devices (flag BE); never changes. */
  readonly backupEligible: boolean
  /** Whether it is copied now (flag BS). */
  readonly backedUp: boolean
  /** What made it, as it says itself: unproven, for names only. */
  readonly aaguid: string
  readonly name: string
  /** Whether the person was verified by the device when it was made. */
  readonly userVerified: boolean
  readonly createdAt: number
  readonly lastUsedAt: number | null
}

/** How a client's people carry their session: a browser's cookie, a native application's tokens, or no people at all. */
export type ClientTransport = 'cookie' | 'native' | 'service'

/** An application or service registered with the server. `policy` overrides the defaults field by field. */
export interface Client {
  readonly id: string
  readonly tenant: string
  readonly name: string
  readonly transport: ClientTransport
  readonly status: 'active' | 'disabled'
  readonly epoch: number
  /** Foreign origins whose pages may call with credentials, exactly as they stand in `Origin`. */
  readonly origins: readonly string[]
  /** Exact addresses a sign-in may return to, beside paths on the issuer's own origin that stand here as paths. */
  readonly returnTo: readonly string[]
  /** SHA-256 of its secrets, base64url (256 random bits each); two at most, for rotation. */
  readonly secretHashes: readonly string[]
  readonly scopes: readonly string[]
  /** Public keys it may authenticate itself with (RFC 7523); five at most. */
  readonly keys: readonly PublicJwk[]
  /** `opaque`: its access tokens can be read by nobody but this service. */
  readonly accessTokenFormat: 'jwt' | 'opaque'
  /** The audiences it owns: whose access tokens it may introspect. The first one is its tokens' audience. */
  readonly audiences: readonly string[]
  readonly policy: Partial<ClientPolicy>
  readonly createdAt: number
}

/** What may differ per client. Lengths in milliseconds. */
export interface ClientPolicy {
  readonly idle: number
  readonly absolute: number
  /** Sessions per user; 0: no limit. */
  readonly maxSessions: number
  /** `ask`: the person chooses which session ends. */
  readonly onLimit: 'deny' | 'evict_oldest' | 'ask'
  readonly tokenLifetime: number
  /** `always` for refresh tokens; for cookies `never` or an interval of at least ten windows. */
  readonly rotate: 'always' | 'never' | number
  /** How long a predecessor is answered with its successor. */
  readonly window: number
  readonly recovery: 'allow' | 'step_up' | 'revoke'
  /** Whether an unknown identifier that proves itself becomes a user. */
  readonly signUp: 'open' | 'closed'
  /** Ways of signing in that may be used here; names of the table in `login/levels.ts`. */
  readonly methods: readonly string[]
  /** What a sign-in must reach before a session opens; a row of that table. */
  readonly acr: string
  /**
   * `required`: who lacks what `acr` needs sets it up while signing in, instead of being refused. `offered`: behind a sign-in on
   * the hosted pages, who has no passkey is asked whether they want one.
   */
  readonly enrol: 'required' | 'offered' | 'off'
  /** When whoever wants a mail sent shows first that they are no flood. */
  readonly captcha: 'never' | 'when_busy' | 'always'
  /** Whether a sign-in on a device that was not known before is told by mail. */
  readonly newDeviceNotice: boolean
  /** How long a step-up to another level counts; 0: as long as the session. */
  readonly stepUpLifetime: number
  /** How long a confirmation of one act can be used. */
  readonly confirmationLifetime: number
  readonly scope: readonly string[]
  /** Audiences that a service's own tokens may be for, beside the issuer's default one and those it owns. */
  readonly targets: readonly string[]
}

/** A signing key's life: published, signing, no longer signing, gone; or revoked, for good. */
export type KeyState = 'next' | 'active' | 'retiring' | 'retired' | 'revoked'

/** A signing key. */
export interface SigningKey {
  /** RFC 7638 thumbprint. */
  readonly kid: string
  readonly tenant: string
  readonly alg: Algorithm
  readonly state: KeyState
  readonly publicJwk: PublicJwk
  /** PKCS#8 under AES-256-GCM; names its server secret. */
  readonly sealedPrivate: Uint8Array
  readonly createdAt: number
  /** When it entered its state. */
  readonly changedAt: number
}

/** What an attempt is for: a new session, a stronger or fresher proof in one that is there, a further way of signing in, or another address. */
export type AttemptPurpose = 'sign_in' | 'step_up' | 'enrol' | 'change_email'

/** Where an attempt stands; what may be done there is the table in `login/machine.ts`, in which `address`, of who is signed in already, has no place. */
export type AttemptState = 'verify' | 'challenge' | 'choose' | 'enrol' | 'limit' | 'address'

/** A factor that was proven in an attempt. `amr`: RFC 8176 names. */
export interface Proof {
  readonly method: string
  readonly amr: readonly string[]
  readonly at: number
  /** Which of several a person has of that kind, or a keyed hash of where it was sent to: what can be taken away. */
  readonly key?: string
}

/** What a step-up must reach (RFC 9470 §3): one of these classes, and a proof that is no older. `maxAge` in seconds. */
export interface Need {
  readonly acrValues?: readonly string[]
  readonly maxAge?: number
}

/** One act that a step-up can be bound to. `type`: what kind of act; `text`: a sentence for the person; all of it is shown. */
export interface Action {
  readonly type: string
  readonly text: string
  readonly parameters: Readonly<Record<string, string>>
}

/** A sign-in under way. Stored under hashes only: the row alone starts and finishes nothing. */
export interface Attempt {
  /** SHA-256 of the secret `login_id`, base64url. */
  readonly idHash: string
  readonly tenant: string
  readonly clientId: string
  readonly purpose: AttemptPurpose
  /** The method whose answer is waited for, or was proven last. */
  readonly method: string
  /** The normalised identifier, what is kept for the next answer, what the browser was asked, and from where a link was asked for: lines, sealed together. */
  readonly sealedIdentifier: Uint8Array
  /** SHA-256 of the browser's login cookie, base64url; null for a client without cookies. */
  readonly bindingHash: string | null
  /** Keyed hash of the code, bound to attempt, address, purpose and browser; random where no code is waited for. */
  readonly codeHash: Uint8Array
  /** Guesses charged so far, and how many there are. */
  readonly tries: number
  readonly maxTries: number
  readonly sends: number
  readonly createdAt: number
  /** Until when the code or the answer to a challenge is taken. */
  readonly expiresAt: number
  readonly resendAt: number
  readonly consumedAt: number | null
  readonly state: AttemptState
  /** Grows with each change of state: who decided on an older one has lost. */
  readonly step: number
  /** Keyed hash of the link's token, base64url; null when none was sent. */
  readonly linkHash: string | null
  /** Until when the attempt lives, its link included. */
  readonly endsAt: number
  /** Where it was started, as the person sees it when the link is opened elsewhere. */
  readonly userAgent: string | null
  /** Where the person goes when it is done; checked against the client's list again then. */
  readonly returnTo: string | null
  /** Who it is, once that is known. */
  readonly userId: string | null
  /** What was proven so far. */
  readonly proven: readonly Proof[]
  /** The session that a step-up is for. */
  readonly sid: string | null
  /** What a step-up must reach. */
  readonly need: Need | null
  /** The one act that a step-up is for, when it is bound to one, as `login/action.ts` writes it. */
  readonly action: string | null
}

/** One line of the audit log: ids and words only. */
export interface AuditEntry {
  readonly at: number
  readonly tenant: string
  readonly event: string
  readonly userId: string | null
  readonly sid: string | null
  readonly clientId: string | null
  readonly ip: string | null
  readonly detail: Readonly<Record<string, string | number | boolean | null>>
}

/** A budget by the generic cell rate algorithm: `limit` at once, refilled over `window` milliseconds. `key` is already a keyed hash. */
export interface Budget {
  readonly key: string
  readonly limit: number
  readonly window: number
}
