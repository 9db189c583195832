// The words both sides share: errors, ids, bytes, durations, claims, and what stands on the wire. No dependency,
// no logic beyond parsing (and the one cross-site rule, which service and guards must not spell differently).

export { fromBase64url, toBase64url } from './bytes.ts'
export { type AccessTokenClaims, type Algorithm, type PublicJwk, reservedClaims } from './claims.ts'
export { type Duration, milliseconds, parseDuration } from './durations.ts'
export { type ErrorCode, type ErrorOptions, type ErrorRow, errors, SymbolonError } from './errors.ts'
export { type AuthEvent, type EventData, type EventField, type EventName, type EventRow, events } from './events.ts'
export { isClientId, isOpaque, isSid, isUserId } from './ids.ts'
export { readJsonObject } from './json.ts'
export type {
  IntrospectionAnswer,
  LoginStartAnswer,
  LoginStepAnswer,
  LoginVerifyAnswer,
  RefreshAnswer,
  SessionView,
  TokenAnswer,
} from './wire/answers.ts'
export { type CookieName, cookieName, type OurCookies, readCookies, setCookie, trimCookie } from './wire/cookies.ts'
export { type CrossSiteQuestion, isLoopbackHost, isSafeMethod, isSameSite } from './wire/cross-site.ts'
export {
  type FeedEvents,
  type FeedHead,
  type FeedPage,
  feedPage,
  followScope,
  formatPosition,
  parsePosition,
  positionHeader,
  type Revocation,
  type RevocationKind,
  type SnapshotEnd,
  type SnapshotEntry,
  type SnapshotStart,
  type WireRevocation,
} from './wire/feed.ts'
export { type Problem, problemHeaders, problemOf } from './wire/problem.ts'
export { backgroundHeader, issuerPath, nonceHeader, routes } from './wire/routes.ts'
export { securityHeaders } from './wire/security.ts'
export { fromBase64, readWebhookSecret, toBase64, webhookHeaders, webhookPreamble, webhookScheme, webhookSecret } from './wire/webhook.ts'
