// Who is calling, in the words of `auth`: by a token's claims alone, or by a live answer. Builds plain objects, and the
// one for a known token with a single allocation.

import type { AccessTokenClaims } from '@symbolon/protocol'
import type { Auth, ClientAuth, UserAuth } from './auth.ts'
import type { LiveClient, LiveSession } from './source.ts'

const none: readonly string[] = Object.freeze([])

/** Who is calling, by a token's claims; `stalenessMs` is 0. */
export function authOf(claims: AccessTokenClaims): Auth {
  const scope = claims.scope === undefined || claims.scope === '' ? none : Object.freeze(claims.scope.split(' '))
  const common = {
    sub: claims.sub,
    clientId: claims.client_id,
    scope,
    roles: claims.roles ?? none,
    checked: 'local' as const,
    stalenessMs: 0,
    claims,
  }
  if (claims.sid === undefined) return Object.freeze({ kind: 'client' as const, ...common, epoch: claims.client_epoch })
  return Object.freeze({
    kind: 'user' as const,
    ...common,
    sid: claims.sid,
    epoch: claims.epoch ?? 0,
    authTime: claims.auth_time ?? 0,
    acr: claims.acr ?? '',
    amr: claims.amr ?? none,
  })
}

/** The same with the staleness of now. Written out: spreading costs several times as much, at every request. */
export function withStaleness(auth: Auth, stalenessMs: number): Auth {
  if (stalenessMs === 0) return auth
  const { sub, clientId, epoch, roles, scope, checked, claims } = auth
  if (auth.kind === 'client') return { kind: 'client', sub, clientId, epoch, roles, scope, checked, stalenessMs, claims }
  const { sid, authTime, acr, amr } = auth
  return { kind: 'user', sub, sid, clientId, epoch, roles, scope, authTime, acr, amr, checked, stalenessMs, claims }
}

/** Who is calling, by the session as it is now. A token that was made before a step-up proves what it did, and no more. */
export function liveUser(session: LiveSession, claims: UserAuth['claims']): UserAuth {
  const { sub, sid, clientId, epoch, roles, scope } = session
  const older = claims.auth_time !== undefined && claims.auth_time < session.authTime
  const authTime = older ? (claims.auth_time as number) : session.authTime
  const acr = older ? (claims.acr ?? '') : session.acr
  const amr = older ? (claims.amr ?? none) : session.amr
  return { kind: 'user', sub, sid, clientId, epoch, roles, scope, authTime, acr, amr, checked: 'live', stalenessMs: 0, claims }
}

/** Which service is calling, as it is now. */
export function liveClient({ clientId, clientEpoch, scope }: LiveClient, claims: ClientAuth['claims']): ClientAuth {
  const roles = claims.roles ?? none
  return { kind: 'client', sub: clientId, clientId, epoch: clientEpoch, roles, scope, checked: 'live', stalenessMs: 0, claims }
}

/** A session in the words of claims, for who presented no token that could be read. */
export function sessionClaims(session: LiveSession): UserAuth['claims'] {
  const { sub, sid, clientId, epoch, clientEpoch, roles, scope, authTime, acr, amr } = session
  return { sub, sid, client_id: clientId, epoch, client_epoch: clientEpoch, roles, scope: scope.join(' '), auth_time: authTime, acr, amr }
}

/** The same for a client. */
export function clientClaims({ clientId, clientEpoch, scope }: LiveClient): ClientAuth['claims'] {
  return { sub: clientId, client_id: clientId, client_epoch: clientEpoch, scope: scope.join(' ') }
}

/** The sid that stands in a session cookie. */
export const sidOf = (cookie: string): string => cookie.slice(4, 26)
