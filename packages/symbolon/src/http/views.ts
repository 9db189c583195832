// Records as they stand on the wire.

import type { LoginStepAnswer, SessionView, TokenAnswer } from '@symbolon/protocol'
import type { Client, Core, FollowerView, LoginStep, Minted, OwnEvent, Passkey, Session, SigningKey, User } from '#core'
import { limitsOf, standingOf } from '#core'
import { deviceName } from './context.ts'

const iso = (ms: number) => new Date(ms).toISOString()

/** A session as its owner sees it. */
export function sessionView(session: Session, user: User, client: Client, core: Core, current: string | null, now: number): SessionView {
  const policy = core.clients.policyOf(client)
  const limits = limitsOf(session, policy)
  const standing = standingOf(session, policy, now)
  return {
    sid: session.sid,
    client_id: session.clientId,
    user: { id: user.id, roles: user.roles, email: user.email },
    current: session.sid === current,
    device: deviceName(session.userAgent),
    ip: session.ip,
    created_at: iso(session.createdAt),
    last_seen_at: iso(session.lastSeenAt),
    idle_expires_at: iso(limits.idleEndsAt),
    expires_at: iso(limits.endsAt),
    auth_time: iso(standing.authTime),
    acr: standing.acr,
    amr: standing.amr,
  }
}

/** A user's sessions, each with its own client's limits. */
export async function sessionViews(core: Core, user: User, current: string | null): Promise<readonly SessionView[]> {
  const { sessions, now } = await core.sessions.list(user.id)
  const clients = new Map((await core.clients.list()).map((client) => [client.id, client]))
  return sessions.flatMap((session) => {
    const client = clients.get(session.clientId)
    return client === undefined ? [] : [sessionView(session, user, client, core, current, now)]
  })
}

/** What happened to an account, as its owner sees it; `device` where the session is still known. */
export const eventView = ({ event, userAgent }: OwnEvent) => ({ ...event, device: userAgent === null ? null : deviceName(userAgent) })

/** The same. */
export type EventView = ReturnType<typeof eventView>

/** What a sign-in still wants. */
export const stepView = ({ state, methods, challenge, sessions, expiresAt }: LoginStep): LoginStepAnswer => ({
  state,
  expires_at: iso(expiresAt),
  ...(methods.length > 0 && { methods }),
  ...(challenge !== null && { challenge }),
  ...(state === 'limit' && {
    sessions: sessions.map((one) => ({ sid: one.sid, device: deviceName(one.userAgent), last_seen_at: iso(one.lastSeenAt) })),
  }),
})

/** A fresh access token. */
export function tokenAnswer(minted: Minted): TokenAnswer {
  return {
    access_token: minted.accessToken,
    token_type: 'Bearer',
    expires_in: minted.expiresIn,
    refresh_in: minted.refreshIn,
    server_time: minted.serverTime,
    sid: String(minted.claims.sid),
  }
}

/** A passkey as its owner sees it. */
export const passkeyView = (passkey: Passkey) => ({
  id: passkey.id,
  name: passkey.name,
  synced: passkey.backupEligible,
  created_at: iso(passkey.createdAt),
  last_used_at: passkey.lastUsedAt === null ? null : iso(passkey.lastUsedAt),
})

/** The same. */
export type PasskeyView = ReturnType<typeof passkeyView>

/** A user as an operator sees it. */
export const userView = (user: User) => ({
  id: user.id,
  email: user.email,
  roles: user.roles,
  status: user.status,
  epoch: user.epoch,
  created_at: iso(user.createdAt),
})

/** A client as an operator sees it: never its secrets, only how many there are. */
export const clientView = (client: Client) => ({
  id: client.id,
  name: client.name,
  transport: client.transport,
  status: client.status,
  epoch: client.epoch,
  origins: client.origins,
  return_to: client.returnTo,
  scopes: client.scopes,
  audiences: client.audiences,
  policy: client.policy,
  access_token_format: client.accessTokenFormat,
  keys: client.keys.map((key) => key.kid),
  secrets: client.secretHashes.length,
  created_at: iso(client.createdAt),
})

/** A follower of the feed as an operator sees it. */
export const followerView = ({ clientId, since, position, transport }: FollowerView) => ({
  client_id: clientId,
  since: iso(since),
  position,
  transport,
})

/** A signing key as an operator sees it. */
export const keyView = (key: SigningKey) => ({
  kid: key.kid,
  alg: key.alg,
  state: key.state,
  created_at: iso(key.createdAt),
  changed_at: iso(key.changedAt),
})
