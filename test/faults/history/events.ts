// What a history is made of: one event for each call, as its caller saw it. Credentials are never in it, only what can be
// read in them (sid, generation) and their SHA-256. All times are milliseconds of the one monotonic clock of the recorder.

import type { TokenFacts } from '../history.ts'

/** What came back: the status, and the code of a problem. */
export interface Answer {
  readonly status: number
  readonly code: string | null
}

/** What every call has. */
interface Call {
  /** The node, or the verifier, that was called. */
  readonly node: string
  readonly startedAt: number
  /** When the answer had come; `null`: none ever came, and what the call did is not known. */
  readonly endedAt: number | null
  /** `null` just when `endedAt` is. */
  readonly answer: Answer | null
}

/** Who calls: the owner of the session, or somebody with a copy. */
export type Who = 'honest' | 'thief'

/** A refresh token that was received. */
export interface Received {
  readonly sid: string
  readonly generation: number
  /** SHA-256 of it, base64url. */
  readonly hash: string
}

/** The last step of a sign-in: what opens a session. */
export interface SignIn extends Call {
  readonly kind: 'sign_in'
  /** Whose it is, as far as the caller knows before the answer. */
  readonly sub: string | null
  readonly received: Received | null
  readonly token: TokenFacts | null
}

/** A refresh. */
export interface Refresh extends Call {
  readonly kind: 'refresh'
  readonly who: Who
  readonly sid: string
  /** The generation n of the credential presented. */
  readonly presented: number
  readonly received: Received | null
  /** The caller acts as if no answer had come: the service gave it all the same. */
  readonly lost: boolean
  /** The last one of its caller, tried until it was answered. */
  readonly final: boolean
}

/** A check of an access token: `session` level at a node or a verifier, `token` level at a verifier. */
export interface CheckEvent extends Call {
  readonly kind: 'check'
  readonly who: Who
  readonly level: 'token' | 'session'
  /** Milliseconds: the `maxStaleness` of the verifier's route; 0 at a node. */
  readonly bound: number
  /** Whether a verifier was asked, not a node. */
  readonly verifier: boolean
  readonly token: TokenFacts
}

/** The end of one session: by its owner, or by an operator. */
export interface EndSession extends Call {
  readonly kind: 'sign_out' | 'revoke_session'
  readonly sid: string
}

/** The end of every session that a user has now. */
export interface EndUser extends Call {
  readonly kind: 'revoke_user'
  readonly sub: string
}

/** A change of roles. `epoch`: of the user after it, as answered. */
export interface RoleChange extends Call {
  readonly kind: 'role_change'
  readonly sub: string
  readonly roles: readonly string[]
  readonly epoch: number | null
}

/** A change of status; disabling ends every session. */
export interface StatusChange extends Call {
  readonly kind: 'status_change'
  readonly sub: string
  readonly status: 'active' | 'disabled'
  readonly epoch: number | null
}

/** What an operator reads of a user, all of it after `startedAt`. */
export interface Read extends Call {
  readonly kind: 'read'
  readonly sub: string
  readonly state: {
    readonly epoch: number
    readonly status: string
    readonly roles: readonly string[]
    readonly sessions: readonly { readonly sid: string; readonly generation: number }[]
  } | null
}

/** A node was killed: what it had not done by then it never does. */
export interface Killed extends Call {
  readonly kind: 'killed'
}

/** One event. */
export type HistoryEvent = SignIn | Refresh | CheckEvent | EndSession | EndUser | RoleChange | StatusChange | Read | Killed

/** A broken promise: which, by what, and in one sentence. */
export interface Broken {
  readonly rule: 'G1' | 'G2' | 'G3' | 'G4' | 'G7'
  readonly events: readonly HistoryEvent[]
  readonly sentence: string
}

/** What a judge must know of the service. Milliseconds. */
export interface Terms {
  /** How long a predecessor is answered with its successor. */
  readonly window: number
  /** By when every node knows that a generation was presented at one of them. */
  readonly seenWithin: number
  /** How far two readings of the clocks may differ. */
  readonly slack: number
}

/** Recoveries in a row before a step-up is asked for. */
export const mostRecoveries = 3

/** Whether a call was answered with a yes. */
export const isYes = ({ answer }: Call): boolean => answer !== null && answer.status >= 200 && answer.status < 300

/** Whether a call was refused, or (status 0) nobody listened: what was asked for was surely not done. */
export const isRefused = ({ answer }: Call): boolean =>
  answer !== null && (answer.status === 0 || (answer.status >= 400 && answer.status < 500))

/** Codes that tell a caller that its session is over. */
export const endings: ReadonlySet<string> = new Set(['session_unknown', 'session_expired', 'session_revoked', 'session_reused'])

/** The generation that a token was minted with (it stands before the dot of the `jti`). */
export const generationOf = (token: TokenFacts): number => Number.parseInt(token.jti, 10)
