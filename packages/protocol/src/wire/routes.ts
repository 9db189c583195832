// The paths of the service below the issuer's path: a contract with every client. Nothing else spells them out.

/** Paths below the issuer's path. `{x}` stands for a parameter. */
export const routes = {
  loginStart: '/v1/login/start',
  loginResend: '/v1/login/resend',
  loginVerify: '/v1/login/verify',
  sessionToken: '/v1/session/token',
  sessionRefresh: '/v1/session/refresh',
  session: '/v1/session',
  confirmationConsume: '/v1/session/confirmations/consume',
  sessions: '/v1/sessions',
  sessionById: '/v1/sessions/{sid}',
  accountDelete: '/v1/account',
  accountEvents: '/v1/account/events',
  accountExport: '/v1/account/export',
  accountEmail: '/v1/account/email',
  accountEmailVerify: '/v1/account/email/verify',
  passkeys: '/v1/account/passkeys',
  passkeyStart: '/v1/account/passkeys/start',
  passkeyFinish: '/v1/account/passkeys/finish',
  passkeyById: '/v1/account/passkeys/{id}',
  passkeyName: '/v1/account/passkeys/{id}/name',
  webauthn: '/.well-known/webauthn',
  revocations: '/v1/revocations',
  revocationsSnapshot: '/v1/revocations/snapshot',
  token: '/oauth/token',
  revoke: '/oauth/revoke',
  introspect: '/oauth/introspect',
  introspectBatch: '/oauth/introspect/batch',
  metadata: '/.well-known/oauth-authorization-server',
  jwks: '/.well-known/jwks.json',
  health: '/healthz',
  ready: '/readyz',
  openapi: '/openapi.json',
  login: '/login',
  loginLink: '/login/link',
  account: '/account',
  accountUndo: '/account/undo',
  devMailbox: '/dev/mailbox',
  devOutbox: '/dev/outbox',
} as const

/** The header by which a browser says that a re-mint is not the user's activity. Value `1`. */
export const backgroundHeader = 'symbolon-background'

/**
 * The header that tells an answer from one to an earlier request: the service gives back what the request had in it
 * (letters, digits, `-` and `_`, at most 64). An answer with another's is none, however it came to be delivered again.
 */
export const nonceHeader = 'symbolon-nonce'

/** The path of an issuer without a trailing slash: `''` or `/auth`. */
export function issuerPath(issuer: string): string {
  const path = issuer.replace(/^https?:\/\/[^/]*/, '')
  return path.endsWith('/') ? path.slice(0, -1) : path
}
