// The session itself: minting from it, refreshing it, reading it, ending it and its siblings.

import { backgroundHeader, formatPosition, isSid, positionHeader, SymbolonError } from '@symbolon/protocol'
import type { Revoked } from '#core'
import { readJson, readQuery } from '../body.ts'
import { giveCookie, type Http, isBrowser, refusal, type Site, whoIs } from '../context.ts'
import { mint as mintBody, refresh as refreshBody, scope } from '../schemas/session.ts'
import { sessionView, sessionViews, tokenAnswer } from '../views.ts'

/** `POST /v1/session/token`: an access token from the session cookie. */
export const mint = (site: Site) => async (c: Http) => {
  const { rotate } = await readJson(c, mintBody)
  const { core } = site.parts
  const credential = c.var.cookies.session
  if (credential === undefined) throw new SymbolonError('missing_credential')
  const background = c.req.header(backgroundHeader) === '1'
  if (rotate === false) {
    const read = await core.sessions.mint(credential, { background })
    if (!read.ok) throw refusal(read)
    return c.json(tokenAnswer(read.minted))
  }
  const outcome = await core.sessions.refresh({
    credential,
    kind: 'cookie',
    background,
    caller: c.var.caller,
    ...(c.var.cookies.login !== undefined && { binding: c.var.cookies.login }),
  })
  if (!outcome.ok) throw refusal(outcome)
  if (outcome.credential !== credential) {
    const { session } = outcome.snapshot
    giveCookie(c, site, 'session', outcome.credential, Math.max(1, Math.floor((session.expiresAt - outcome.snapshot.now) / 1000)))
  }
  return c.json(tokenAnswer(outcome.minted))
}

/** `POST /v1/session/refresh`: the same and the next refresh token, for clients without cookies. */
export const refresh = (site: Site) => async (c: Http) => {
  if (isBrowser(c)) throw new SymbolonError('browser_not_allowed')
  const body = await readJson(c, refreshBody)
  const outcome = await site.parts.core.sessions.refresh({
    credential: body.refresh_token,
    kind: 'token',
    background: c.req.header(backgroundHeader) === '1',
    caller: c.var.caller,
    ...(body.login_id !== undefined && { binding: body.login_id }),
  })
  if (!outcome.ok) throw refusal(outcome)
  return c.json({ ...tokenAnswer(outcome.minted), refresh_token: outcome.credential })
}

/** `GET /v1/session` */
export const read = (site: Site) => async (c: Http) => {
  const { session, user, client, now } = await whoIs(c, site)
  return c.json(sessionView(session, user, client, site.parts.core, session.sid, now))
}

/** `GET /v1/sessions` */
export const list = (site: Site) => async (c: Http) => {
  const { session, user } = await whoIs(c, site)
  return c.json({ sessions: await sessionViews(site.parts.core, user, session.sid) })
}

/** The answer to an explicit end: its place in the feed, and no more cookies if this very session ended. */
export function ended(c: Http, site: Site, revoked: Pick<Revoked, 'head' | 'sids'>, own: string): void {
  c.header(positionHeader, formatPosition(revoked.head))
  if (!revoked.sids.includes(own) || c.var.cookies.session === undefined) return
  giveCookie(c, site, 'session', '', 0)
  giveCookie(c, site, 'token', '', 0)
}

/** `DELETE /v1/session` */
export const signOut = (site: Site) => async (c: Http) => {
  const { session, user } = await whoIs(c, site)
  const revoked = await site.parts.core.sessions.revoke({ sid: session.sid }, 'sign_out', { actor: user.id, caller: c.var.caller })
  ended(c, site, revoked, session.sid)
  return c.body(null, 204)
}

/** `DELETE /v1/sessions/{sid}` */
export const revokeOne = (site: Site) => async (c: Http) => {
  const { session, user } = await whoIs(c, site)
  const sid = c.req.param('sid') ?? ''
  if (!isSid(sid)) throw new SymbolonError('not_found')
  const own = sid === session.sid
  const by = { actor: user.id, caller: c.var.caller }
  const revoked = await site.parts.core.sessions.revoke({ sid, ofUser: user.id }, own ? 'sign_out' : 'signed_out_elsewhere', by)
  if (!revoked.sids.includes(sid)) throw new SymbolonError('not_found')
  ended(c, site, revoked, session.sid)
  return c.body(null, 204)
}

/** `DELETE /v1/sessions?scope=others|all` */
export const revokeMany = (site: Site) => async (c: Http) => {
  const { session, user } = await whoIs(c, site)
  const { scope: which } = readQuery(c, scope)
  const target = which === 'all' ? { user: user.id } : { user: user.id, except: session.sid }
  const revoked = await site.parts.core.sessions.revoke(target, which === 'all' ? 'sign_out' : 'signed_out_elsewhere', {
    actor: user.id,
    caller: c.var.caller,
  })
  ended(c, site, revoked, session.sid)
  return c.json({ ended: revoked.count })
}
