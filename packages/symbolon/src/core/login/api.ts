// What sign-in offers: an attempt is started, taken from step to step by what proves who somebody is, and ends in a session.

import type { Caller, Minted, Refused } from '../answers.ts'
import type { Action, AttemptPurpose, AttemptState, Need, Session } from '../model.ts'
import type { SessionSnapshot } from '../ports.ts'

/** Whose browser or application is calling. */
export interface LoginCaller {
  /** The browser's login cookie (128 bits, base64url), made by the door when the browser has none; null for native clients. */
  readonly browser: string | null
  /** The device cookie's value, if any. */
  readonly device: string | null
  readonly caller: Caller
}

export interface LoginStart extends LoginCaller {
  readonly method: string
  /** Empty for a method that tells by its answer who somebody is. */
  readonly identifier: string
  readonly clientId: string
  /** The answer to what `captcha_required` asked. */
  readonly captcha?: string | null
  /** Where the person goes when it is done, from the client's list. */
  readonly returnTo?: string | null
}

/** `loginId` is secret: it goes to the starter alone. Times in milliseconds since 1970. */
export interface LoginStarted {
  readonly ok: true
  readonly loginId: string
  readonly expiresAt: number
  readonly resendAt: number
  /** What the browser is to answer, for a method that asks it something. */
  readonly challenge: unknown
}

/** A signed-in session. `credential` is the session token or the refresh token. */
export interface SignedIn {
  readonly ok: true
  readonly snapshot: SessionSnapshot
  readonly credential: string
  /** For native clients; cookie clients mint when they need. */
  readonly minted: Minted | null
  /** The new value of the device cookie. */
  readonly device: string
  readonly created: boolean
  /** After a step-up for one act: what shows once that the person confirmed it. `expiresAt` in milliseconds since 1970. */
  readonly confirmation?: { readonly text: string; readonly expiresAt: number }
}

/** A session to be stepped up: by its own credential, for its own user. */
export interface StepUpQuestion {
  readonly credential: string
  readonly kind: 'cookie' | 'token'
  readonly need: Need
  readonly caller: Caller
}

/** What a step-up of a session would take. */
export interface StepUpWays {
  readonly ok: true
  readonly snapshot: SessionSnapshot
  /** Ways that the client takes, the person has, and that can reach what is needed; in the client's order. */
  readonly methods: readonly string[]
}

export interface StepUpStart extends LoginCaller, StepUpQuestion {
  /** One of the ways; null for the first. */
  readonly method: string | null
  readonly action: Action | null
  readonly returnTo?: string | null
}

/** A step-up under way. */
export type StepUpStarted = LoginStarted & { readonly method: string; readonly methods: readonly string[] }

/** Where a sign-in or step-up can stand. */
export type LoginState = Exclude<AttemptState, 'address'>

/** Something was proven, and more is wanted: what may be done next. Nothing is opened yet. */
export interface LoginStep {
  readonly ok: true
  readonly state: LoginState
  /** The method whose answer is waited for; of several, those to choose from. */
  readonly methods: readonly string[]
  readonly challenge: unknown
  /** At the limit of sessions: which of them can be ended for the new one, those not seen for longest first. */
  readonly sessions: readonly Session[]
  readonly expiresAt: number
  /** For who came by a link: what the next step is taken with, from this very browser; null for everybody else. */
  readonly token: string | null
}

/** What a step is answered with: a code, what the browser made of a challenge, the method chosen, or the session to end. */
export type LoginAnswer =
  | { readonly code: string }
  | { readonly response: unknown }
  | { readonly method: string }
  | { readonly end: string }

/** A link pressed where the sign-in was started. */
export interface Press {
  readonly press: true
}

/** `replaces`: the session credential the browser sent: ended when a new session opens, and what a step-up must be shown. */
export type LoginInput = LoginCaller & { readonly loginId: string; readonly replaces: string | null } & LoginAnswer

/** An attempt as its starter may see it. */
export type LoginView = LoginStarted & {
  readonly clientId: string
  readonly identifier: string
  readonly purpose: AttemptPurpose
  readonly state: LoginState
  readonly step: LoginStep
  /** What a step-up is for, and what it must reach. */
  readonly need: Need
  readonly action: Action | null
  readonly returnTo: string | null
}

/** An attempt as whoever opened its link may see it. Times in milliseconds since 1970. */
export interface LinkView {
  readonly ok: true
  /** Whether this is the browser that it was started in: only there a press is enough. */
  readonly here: boolean
  readonly clientId: string
  readonly identifier: string
  readonly startedAt: number
  /** Of the browser that it was started in. */
  readonly userAgent: string | null
  /** From where it was asked for first; null where that is not known. */
  readonly ip: string | null
  /** Until when its code is taken, by the store's time `now`. */
  readonly expiresAt: number
  readonly now: number
  readonly returnTo: string | null
  readonly step: LoginStep
}

export interface Login {
  /** What a step-up of this session would take. Changes nothing. */
  stepUpWays(input: StepUpQuestion): Promise<StepUpWays | Refused>
  /** Begins a step-up; `unsupported_method` when there is no way to what is needed. */
  stepUp(input: StepUpStart): Promise<StepUpStarted | Refused>
  /** What has to be answered before a mail is sent to somebody of this client; null when nothing has to now. */
  captcha(clientId: string, caller: Caller): Promise<Readonly<Record<string, unknown>> | null>
  /** Begins a sign-in; `captcha_required` with a challenge when that has to be answered first. */
  start(input: LoginStart): Promise<LoginStarted | Refused>
  resend(input: LoginCaller & { readonly loginId: string }): Promise<LoginStarted | Refused>
  /** Takes one step. A session opens, or the one that a step-up is for is raised, when what was proven is enough. */
  verify(input: LoginInput): Promise<SignedIn | LoginStep | Refused>
  /** What the pages show; refuses when the browser is not the starting one. */
  view(loginId: string, browser: string | null): Promise<LoginView | Refused>
  /** What stands behind a link. Changes nothing, however often it is asked. */
  viewLink(token: string, browser: string | null): Promise<LinkView | Refused>
  /**
   * Takes one step by a link: pressed in the browser that it was started in, or, in any other one, with the code of the same
   * mail, which is charged as every guess of it; the session then opens where the code was given.
   */
  takeLink(
    input: LoginCaller & { readonly token: string; readonly replaces: string | null } & (LoginAnswer | Press),
  ): Promise<SignedIn | LoginStep | Refused>
}
