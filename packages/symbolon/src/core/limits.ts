// How long a session lives. The one place where idle, absolute and client limits are computed, so that a check,
// a refresh, the list and the mint cannot differ. A policy made stricter later counts for sessions already open.

import type { ClientPolicy, Session } from './model.ts'

/** When a session ends. Milliseconds since 1970 by the store's clock. */
export interface Limits {
  readonly idleEndsAt: number
  /** The absolute end. */
  readonly endsAt: number
}

/** The limits of a session under its client's policy. `lastSeenAt`: activity that is known here but not yet written. */
export function limitsOf(
  session: Pick<Session, 'createdAt' | 'expiresAt' | 'idle' | 'lastSeenAt'>,
  policy: ClientPolicy,
  lastSeenAt = session.lastSeenAt,
): Limits {
  return {
    idleEndsAt: Math.max(lastSeenAt, session.lastSeenAt) + Math.min(session.idle, policy.idle),
    endsAt: Math.min(session.expiresAt, session.createdAt + policy.absolute),
  }
}

/** Whether a session's time is over. */
export function isExpired(limits: Limits, now: number): boolean {
  return now >= limits.endsAt || now >= limits.idleEndsAt
}
