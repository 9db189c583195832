// The source behind a guard in the service's own process: keys and live answers straight from core, revocations from
// the log in the store.

import type { AccessTokenClaims, ErrorCode, FeedHead, Revocation } from '@symbolon/protocol'
import type { Feed, LiveAnswer, LiveSession, Source } from '@symbolon/verifier'
import { type Checked, type ClientPolicy, type Core, type SessionGlance, type Store, standingOf } from '#core'
import { followStore } from './following.ts'

/** What the source stands on. `onRevoked`: the store's listener, called with entries after their commit; returns the function that ends it. */
export interface SourceParts {
  /** Whose tokens guards here accept. */
  readonly audience: string
  readonly core: () => Core
  readonly store: () => Store
  readonly onRevoked: (apply: (entries: readonly Revocation[]) => void) => () => void
  /** The store's hints that another node may have logged something; returns the function that ends it. */
  readonly onHint?: (look: () => void) => () => void
  /** Told when the log was given another id here. */
  readonly renewed?: (head: FeedHead) => void
  readonly ready: () => Promise<void>
  /** Whether `ready` has come: then nothing waits. */
  readonly opened: () => boolean
}

/** The session as guards know it. */
function liveSession({ session, user, client, now }: SessionGlance, policy: ClientPolicy): LiveSession {
  const { authTime, acr, amr } = standingOf(session, policy, now)
  return {
    sub: user.id,
    sid: session.sid,
    clientId: client.id,
    epoch: user.epoch,
    clientEpoch: client.epoch,
    roles: user.roles,
    scope: policy.scope,
    authTime: Math.floor(authTime / 1000),
    acr,
    amr,
  }
}

const refused = (code: ErrorCode, options: Checked & { ok: false }): LiveAnswer =>
  options.options === undefined ? { active: false, code } : { active: false, code, options: options.options }

/** The in-process source. */
export function createSource(parts: SourceParts): Source {
  const feeds = new Set<Feed>()
  const answerOf = (checked: Checked): LiveAnswer =>
    checked.ok
      ? { active: true, session: liveSession(checked.snapshot, parts.core().clients.policyOf(checked.snapshot.client)) }
      : refused(checked.code, checked)
  const byClient = async (claims: AccessTokenClaims): Promise<LiveAnswer> => {
    const checked = await parts.core().tokens.checkClient(claims)
    if (!checked.ok) return refused(checked.code, checked)
    const scope = claims.scope === undefined || claims.scope === '' ? [] : claims.scope.split(' ')
    return { active: true, client: { clientId: checked.client.id, clientEpoch: checked.client.epoch, scope }, claims }
  }
  const byOpaque = async (text: string, background: boolean): Promise<LiveAnswer> => {
    const { tokens, sessions } = parts.core()
    const token = tokens.open(text)
    const verified = token === undefined ? ({ ok: false, code: 'invalid_token' } as const) : await tokens.verify(token)
    if (!verified.ok) return refused(verified.code, verified)
    const { claims } = verified
    if (claims.aud !== parts.audience) return refused('invalid_token', { ok: false, code: 'invalid_token' })
    if (claims.sid === undefined) return byClient(claims)
    const answer = answerOf(await sessions.checkToken(claims, { background }))
    return answer.active ? { ...answer, claims } : answer
  }
  const now = <T>(answer: () => T | Promise<T>): T | Promise<T> => (parts.opened() ? answer() : parts.ready().then(answer))

  return {
    keys: () => now(() => parts.core().tokens.keys()),
    check: (question) =>
      now(() => {
        const { sessions } = parts.core()
        if (question.by === 'opaque') return byOpaque(question.token, question.background === true)
        if (question.by === 'token' && question.claims.sid === undefined) return byClient(question.claims)
        const options = { background: question.background === true }
        const checked =
          question.by === 'cookie' ? sessions.check(question.credential, 'cookie', options) : sessions.checkToken(question.claims, options)
        return checked instanceof Promise ? checked.then(answerOf) : answerOf(checked)
      }),
    mint: async (credential) => {
      await parts.ready()
      const minted = await parts.core().sessions.mint(credential)
      if (!minted.ok) return { ...(minted.options !== undefined && { options: minted.options }), minted: false, code: minted.code }
      return {
        minted: true,
        accessToken: minted.minted.accessToken,
        claims: minted.minted.claims,
        session: liveSession(minted.snapshot, parts.core().clients.policyOf(minted.snapshot.client)),
      }
    },
    follow: (apply) => {
      const { store, onRevoked, onHint, renewed, ready } = parts
      const optional = { ...(onHint !== undefined && { onHint }), ...(renewed !== undefined && { renewed }) }
      const feed = followStore({ store, onRevoked, ready, apply, ...optional })
      feeds.add(feed)
      return feed
    },
    close: async () => {
      for (const feed of feeds) feed.end()
    },
  }
}
