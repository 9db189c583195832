// What a guard hands to a route (`req.auth`) and what a route asks for. Words as in the documentation, nothing else.

import type { AccessTokenClaims, Duration } from '@symbolon/protocol'

/** What a route consults: nothing, the token alone, or the session's record in real time. */
export type Level = 'public' | 'token' | 'session'

/** Who is calling, with a session behind them. `authTime` in seconds since 1970; `stalenessMs` 0 when checked live. */
export interface UserAuth {
  readonly kind: 'user'
  readonly sub: string
  readonly sid: string
  readonly clientId: string
  readonly epoch: number
  readonly roles: readonly string[]
  readonly scope: readonly string[]
  readonly authTime: number
  readonly acr: string
  readonly amr: readonly string[]
  readonly checked: 'local' | 'live'
  readonly stalenessMs: number
  /** The access token's claims; the same names for a live cookie check, without `jti`, `exp`, `iat`. */
  readonly claims: Readonly<Partial<AccessTokenClaims>>
}

/** A service calling in its own name. */
export interface ClientAuth {
  readonly kind: 'client'
  readonly sub: string
  readonly clientId: string
  readonly epoch: number
  readonly scope: readonly string[]
  readonly roles: readonly string[]
  readonly checked: 'local' | 'live'
  readonly stalenessMs: number
  readonly claims: Readonly<Partial<AccessTokenClaims>>
}

/** Who is calling. */
export type Auth = UserAuth | ClientAuth

/** What else a route asks for, beside its level. */
export interface Requirement {
  /** OIDC `max_age`: the user proved who they are within this time, else `step_up_required`. */
  readonly maxAuthAge?: Duration
  /** One of these authentication context classes. */
  readonly acr?: string | readonly string[]
  /** All of these methods (RFC 8176). */
  readonly amr?: readonly string[]
  /** All of these scopes. */
  readonly scope?: string | readonly string[]
  /** At least one of these roles. */
  readonly roles?: readonly string[]
  /** How old the knowledge of revocations may be; `10s` unless said. */
  readonly maxStaleness?: Duration
  /** Take the access token or the session cookie only. */
  readonly credential?: 'bearer' | 'cookie'
  /** Whose credential is taken; `user` unless said. */
  readonly subject?: 'user' | 'client' | 'any'
  /** Where a navigation is sent (303) that needs a sign-in, or a step-up (`step_up=1`, with `acr_values` and `max_age`). */
  readonly loginUrl?: string
}

/** A level with its requirements: a value of the policy table. */
export type Rule = Level | (Requirement & { readonly level: Level })

/**
 * What a guard looks at; adapters fill it from their framework's request without building anything else. Plain values: a
 * getter written in an object literal costs V8 a hidden class for each object, which only a full collection frees.
 */
export interface GuardRequest {
  readonly method: string
  /** Path and query as they came in, for a return address. */
  readonly url: string
  /** The same as the framework routes by, which something before the guard may have rewritten; `url` unless said. */
  readonly routed?: string
  /** The value of a header, its name in lower case; several values joined by `, ` (Cookie by `; `). */
  header(name: string): string | undefined
}

/** A guard's decision. `headers` (lower case) go out with the answer in both cases; `setCookies` are whole Set-Cookie values. */
export type GuardResult =
  | { readonly ok: true; readonly auth: Auth | undefined; readonly setCookies: readonly string[] }
  | {
      readonly ok: false
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
      readonly body: string
      /** What a step-up must reach, when that is what is missing (RFC 9470 §3). */
      readonly stepUp?: StepUp
    }

/** What a step-up must reach: one of these classes, and a proof that is no older. `maxAge` in seconds. */
export interface StepUp {
  readonly acrValues?: readonly string[]
  readonly maxAge?: number
}
