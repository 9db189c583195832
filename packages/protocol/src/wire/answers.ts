// The JSON bodies of the service as its clients read them. Times are ISO 8601 in UTC unless their name says seconds.

import type { ErrorCode } from '../errors.ts'

/** A session as its owner sees it. */
export interface SessionView {
  readonly sid: string
  readonly client_id: string
  readonly user: { readonly id: string; readonly roles: readonly string[]; readonly email?: string }
  readonly current: boolean
  /** For people: "Firefox on Linux". */
  readonly device: string
  readonly ip: string | null
  readonly created_at: string
  readonly last_seen_at: string
  readonly idle_expires_at: string
  readonly expires_at: string
  /** When the user last proved who they are. */
  readonly auth_time: string
  readonly acr: string
  readonly amr: readonly string[]
}

/** The answer of `POST /v1/session/token`. `expires_in` and `refresh_in` in seconds, `server_time` in milliseconds since 1970. */
export interface TokenAnswer {
  readonly access_token: string
  readonly token_type: 'Bearer'
  readonly expires_in: number
  /** Seconds after which a client should renew, before the token expires. */
  readonly refresh_in: number
  readonly server_time: number
  /** The session behind it; not secret. An opaque token does not tell. */
  readonly sid: string
}

/** The answer of `POST /v1/session/refresh`. */
export interface RefreshAnswer extends TokenAnswer {
  readonly refresh_token: string
}

/** The answer of `POST /v1/login/start` and `/v1/login/resend`. */
export interface LoginStartAnswer {
  readonly login_id: string
  readonly expires_at: string
  readonly resend_at: string
  /** What the browser is to answer, for a method that asks it something. */
  readonly challenge?: unknown
  /** Of a step-up: the way that was begun, and all that reach what is needed. */
  readonly method?: string
  readonly methods?: readonly string[]
}

/** The answer of `POST /v1/login/verify` when something was proven and more is wanted. */
export interface LoginStepAnswer {
  /** `verify`: a code was sent; `challenge`: `challenge`, or a code that the person makes, is to be answered; `choose`: one of `methods`; `enrol`: a key is to be made for `challenge`; `limit`: one of `sessions` has to end. */
  readonly state: 'verify' | 'challenge' | 'choose' | 'enrol' | 'limit'
  readonly expires_at: string
  readonly methods?: readonly string[]
  readonly challenge?: unknown
  readonly sessions?: readonly { readonly sid: string; readonly device: string; readonly last_seen_at: string }[]
}

/** The answer of `POST /v1/login/verify`: with tokens for a native client, without for a cookie client. */
export interface LoginVerifyAnswer extends Partial<RefreshAnswer> {
  readonly session: SessionView
  /** After a step-up that was bound to an act: shows once that the person confirmed it. */
  readonly confirmation?: { readonly value: string; readonly expires_at: string }
}

/**
 * One answer of introspection (RFC 7662 §2.2). The batch form (`POST /oauth/introspect/batch`, JSON `{tokens: string[]}`,
 * at most 256, to `{results}` in the same order) adds `code` when a token that the caller's audience owns is refused:
 * the caller passes it on, so that a client whose claims are only stale mints anew. `epoch` and `client_epoch` are as now.
 */
export type IntrospectionAnswer =
  | { readonly active: false; readonly code?: ErrorCode }
  | ({ readonly active: true } & Readonly<Record<string, unknown>>)
