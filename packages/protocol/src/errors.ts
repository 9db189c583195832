// Every error Symbolon can answer, in one table: its code, HTTP status, public text and, where a standard
// asks for one, the `error` word of its WWW-Authenticate challenge. Docs and wire are both printed from here.
// A message never holds a value that was sent, a credential, or an e-mail address.

/** One row of the error table. `challenge` is the `error` of RFC 6750 §3.1 or RFC 9470 §3. */
export interface ErrorRow {
  readonly status: number
  readonly text: string
  readonly challenge?: 'invalid_request' | 'invalid_token' | 'insufficient_scope' | 'insufficient_user_authentication'
}

const table = {
  // 400: the request cannot be understood
  invalid_request: { status: 400, text: 'The request is malformed. Check its fields against /openapi.json.', challenge: 'invalid_request' },
  invalid_identifier: { status: 400, text: 'That is not an e-mail address this service can send to.' },
  invalid_return_to: { status: 400, text: 'The return address is not on the list of this client.' },
  cookie_conflict: { status: 400, text: 'Two cookies of the same name were sent. Delete the cookies of this site and try again.' },
  unsupported_method: { status: 400, text: 'This client does not offer that way of signing in.' },
  passkey_refused: { status: 400, text: 'That passkey could not be added. Start again.' },
  unknown_client: { status: 400, text: 'There is no such client, or it may not do this.' },

  // 401: who is calling is not established
  missing_credential: { status: 401, text: 'Authentication is required.' },
  invalid_token: { status: 401, text: 'The access token is not valid here.', challenge: 'invalid_token' },
  token_expired: { status: 401, text: 'The access token has expired. Refresh and try again.', challenge: 'invalid_token' },
  token_revoked: { status: 401, text: 'The access token was revoked.', challenge: 'invalid_token' },
  claims_stale: {
    status: 401,
    text: 'Roles or status changed since this access token was made. Refresh and try again.',
    challenge: 'invalid_token',
  },
  credential_conflict: {
    status: 401,
    text: 'The access token and the session cookie belong to different sessions.',
    challenge: 'invalid_token',
  },
  session_unknown: { status: 401, text: 'There is no such session. Sign in again.', challenge: 'invalid_token' },
  session_required: { status: 401, text: 'This route needs a live session.', challenge: 'invalid_token' },
  session_expired: { status: 401, text: 'The session has expired. Sign in again.', challenge: 'invalid_token' },
  session_revoked: { status: 401, text: 'The session was ended. Sign in again.', challenge: 'invalid_token' },
  session_superseded: {
    status: 401,
    text: 'This credential was replaced by a newer one of the same session. Refresh and try again.',
    challenge: 'invalid_token',
  },
  session_reused: {
    status: 401,
    text: 'An old copy of this credential was used, so the session was ended. Sign in again.',
    challenge: 'invalid_token',
  },
  step_up_required: { status: 401, text: 'This needs a more recent or stronger sign-in.', challenge: 'insufficient_user_authentication' },
  login_failed: { status: 401, text: 'The code is wrong, used or too old. Check it, or ask for a new one.' },
  invalid_client: { status: 401, text: 'The client could not be authenticated.' },
  invalid_admin_key: {
    status: 401,
    text: 'The admin key is missing or wrong. Make one with `symbolon init` or `symbolon admin-key create`.',
  },

  // 403: known, but not allowed
  cross_site_request: { status: 403, text: 'This request came from another site.' },
  browser_not_allowed: { status: 403, text: 'This client is for native applications; browsers must use a cookie client.' },
  insufficient_scope: { status: 403, text: 'The access token lacks the scope this route needs.', challenge: 'insufficient_scope' },
  insufficient_role: { status: 403, text: 'A role this route needs is missing.' },
  captcha_required: { status: 403, text: 'Answer the challenge first, and send this again with `captcha`.' },
  session_limit: { status: 403, text: 'There are too many sessions. Sign out on another device first.' },
  confirmation_refused: { status: 403, text: 'The confirmation is not for this act or session, was used, or is too old.' },
  denied: { status: 403, text: 'This is not allowed.' },

  // the rest of 4xx
  not_found: { status: 404, text: 'There is nothing here.' },
  method_not_allowed: { status: 405, text: 'This path does not answer that method.' },
  request_timeout: { status: 408, text: 'The request took too long to arrive.' },
  conflict: { status: 409, text: 'That exists already, or changed in the meantime.' },
  snapshot_required: { status: 410, text: 'What you ask for is no longer kept, or too much. Take a snapshot and follow from there.' },
  body_too_large: { status: 413, text: 'The body is too large.' },
  unsupported_media_type: { status: 415, text: 'The body must be application/json.' },
  headers_too_large: { status: 431, text: 'The headers are too large.' },
  rate_limited: { status: 429, text: 'Too many tries. Wait as long as Retry-After says.' },

  // 5xx: ours
  internal: { status: 500, text: 'Something went wrong on our side.' },
  try_later: { status: 503, text: 'This cannot be decided right now. Try again shortly.' },
  store_unavailable: { status: 503, text: 'The store cannot be reached. Try again shortly.' },
  keys_unavailable: { status: 503, text: 'The signing keys cannot be read. Try again shortly.' },
  revocation_unknown: { status: 503, text: 'It is not known whether this access token was revoked. Try again shortly.' },

  // start-up and configuration; never on the wire
  invalid_option: { status: 500, text: 'An option is not valid.' },
  secret_missing: { status: 500, text: 'A server secret is missing.' },
  key_unopenable: { status: 500, text: 'A stored signing key cannot be opened with the server secrets given.' },
  store_behind: { status: 500, text: 'The store is older than what was acknowledged, or its restore has not come to its end.' },
  store_corrupt: { status: 500, text: 'The store cannot be read.' },
  uncovered_routes: { status: 500, text: 'Routes that change something have no level.' },
} as const satisfies Record<string, ErrorRow>

/** The code of an error, as on the wire. */
export type ErrorCode = keyof typeof table

/** The error table. */
export const errors: Readonly<Record<ErrorCode, ErrorRow>> = table

/** What an error may carry beside its code. `detail` is private: for logs, never for the wire. */
export interface ErrorOptions {
  readonly detail?: string
  readonly cause?: unknown
  /** Seconds; becomes `Retry-After`. */
  readonly retryAfter?: number
  /** RFC 9470 §3: what a step-up must reach. */
  readonly acrValues?: readonly string[]
  /** Seconds; RFC 9470 §3. */
  readonly maxAge?: number
  /** RFC 6750 §3: the scope a route needs. */
  readonly scope?: string
  /** Values of an allow-list of names, such as which field was wrong; public. */
  readonly field?: string
  /** What is to be answered before this is sent again; public. */
  readonly challenge?: Readonly<Record<string, unknown>>
}

/**
 * The one error class. `code` is stable; `message` is the public text.
 * @example
 * throw new SymbolonError('invalid_token', { detail: 'aud is not ours' })
 */
export class SymbolonError extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly detail: string | undefined
  readonly retryAfter: number | undefined
  readonly options: ErrorOptions

  constructor(code: ErrorCode, options: ErrorOptions = {}) {
    super(errors[code].text, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SymbolonError'
    this.code = code
    this.status = errors[code].status
    this.detail = options.detail
    this.retryAfter = options.retryAfter
    this.options = options
  }
}
