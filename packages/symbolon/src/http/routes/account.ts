// A person's own account over the API: what happened to it, all of it to take away, and its end.

import type { z } from '@hono/zod-openapi'
import { SymbolonError } from '@symbolon/protocol'
import type { SessionSnapshot } from '#core'
import { readJson } from '../body.ts'
import { bearerOf, type Http, isBrowser, refusal, type Site, whoIs } from '../context.ts'
import { emailChange, emailVerify } from '../schemas/account.ts'
import { eventView, passkeyView, sessionViews } from '../views.ts'
import { rememberHere } from './login.ts'
import { byOwner, justNow, own, provenEnough } from './passkeys.ts'
import { ended } from './session.ts'

/** Events of one answer. */
export const mostEvents = 50

/** `GET /v1/account/events` */
export const events = (site: Site) => async (c: Http) => {
  const { user } = await whoIs(c, site)
  const page = await site.parts.core.account.events(user.id, null, mostEvents)
  return c.json({ events: page.events.map(eventView) })
}

/**
 * Who it is, for all of the account: of a session in a browser its cookie, since every API that is called holds its access
 * tokens; a client without cookies has nothing else.
 */
async function keeper(c: Http, site: Site): Promise<SessionSnapshot> {
  if (bearerOf(c) === undefined || c.var.cookies.session !== undefined) return own(c, site)
  const snapshot = await whoIs(c, site)
  if (snapshot.session.kind === 'cookie') throw new SymbolonError('missing_credential')
  return snapshot
}

/** Events read at once for an export, and how long one that nobody reads on is held. */
const perPage = 200
const patience = 60_000

/**
 * `GET /v1/account/export`: everything that is kept of who asks, as a file; only for who has just signed in. Events come page
 * by page, as fast as they are read.
 */
export const exported = (site: Site) => async (c: Http) => {
  const { user, session, now } = justNow(await provenEnough(site, await keeper(c, site)))
  const headers = { 'content-type': 'application/json', 'content-disposition': 'attachment; filename="account.json"' }
  if (c.req.method === 'HEAD') return c.body(null, 200, headers)
  const { core } = site.parts
  const iso = (ms: number) => new Date(ms).toISOString()
  const about = {
    exported_at: iso(now),
    user: { id: user.id, email: user.email, roles: user.roles, status: user.status, created_at: iso(user.createdAt) },
    earlier_addresses: (await core.addresses.earlier(user.id)).map((one) => ({ email: one.email, until: iso(one.expiresAt) })),
    sessions: await sessionViews(core, user, session.sid),
    passkeys: (await core.passkeys.list(user.id)).passkeys.map(passkeyView),
  }
  const encoder = new TextEncoder()
  let page = await core.account.events(user.id, null, perPage)
  let between = ''
  const text = () => {
    const lines = page.events.map((one) => JSON.stringify(eventView(one)))
    const joined = lines.length === 0 ? '' : between + lines.join(',\n')
    if (lines.length > 0) between = ',\n'
    return joined
  }
  let late: ReturnType<typeof setTimeout>
  let begun = false
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      late = setTimeout(() => controller.error(new Error('The export is not read.')), patience)
    },
    async pull(controller) {
      try {
        if (begun && page.next !== null) page = await core.account.events(user.id, page.next, perPage)
        const head = begun ? '' : `${JSON.stringify(about, null, 2).slice(0, -2)},\n  "events": [\n`
        begun = true
        controller.enqueue(encoder.encode(head + text() + (page.next === null ? '\n  ]\n}\n' : '')))
        if (page.next !== null) return
        controller.close()
      } catch (error) {
        controller.error(error)
      }
      clearTimeout(late)
    },
    cancel: () => clearTimeout(late),
  })
  return c.body(stream, 200, headers)
}

/** Deletes the account of who has just signed in; the answer clears its cookies. */
export async function removeOwn(c: Http, site: Site, snapshot: SessionSnapshot): Promise<void> {
  const { user, session, client } = justNow(await provenEnough(site, snapshot))
  const removed = await site.parts.core.users.remove(user.id, byOwner(c, snapshot), client)
  // An earlier address can still be put back; or somebody else was first.
  if (!removed.ok) throw removed.code === 'conflict' ? refusal(removed) : new SymbolonError('session_revoked')
  ended(c, site, { head: removed.head, sids: [session.sid] }, session.sid)
}

/** `DELETE /v1/account` */
export const remove = (site: Site) => async (c: Http) => {
  await removeOwn(c, site, await keeper(c, site))
  return c.body(null, 204)
}

/** Who holds a session itself: its cookie, or the refresh token of a client without cookies, which is not used up. */
async function holder(c: Http, site: Site, refreshToken: string | undefined): Promise<SessionSnapshot> {
  if (refreshToken === undefined) return own(c, site)
  if (isBrowser(c)) throw new SymbolonError('browser_not_allowed')
  const checked = await site.parts.core.sessions.whole.check(refreshToken, 'token', { caller: c.var.caller, quiet: true })
  if (!checked.ok) throw refusal(checked)
  return checked.snapshot
}

/** `POST /v1/account/email`: only who has just signed in, as for a change of passkeys. */
export const changeEmail = (site: Site) => async (c: Http) => {
  const { email, refresh_token } = await readJson(c, emailChange)
  const begun = await site.parts.core.addresses.start(justNow(await provenEnough(site, await holder(c, site, refresh_token))), {
    email,
    caller: c.var.caller,
  })
  if (!begun.ok) throw refusal(begun)
  return c.json({ change_id: begun.changeId, expires_at: new Date(begun.expiresAt).toISOString() })
}

/** Takes the code of a change: it began with who had just signed in, and this is the same session. */
export async function takeAddress(c: Http, site: Site, snapshot: SessionSnapshot, given: z.output<typeof emailVerify>): Promise<string> {
  const done = await site.parts.core.addresses.finish(snapshot, {
    changeId: given.change_id,
    code: given.code,
    device: c.var.cookies.device ?? null,
    caller: c.var.caller,
  })
  if (!done.ok) throw refusal(done)
  ended(c, site, { head: done.head, sids: done.ended }, snapshot.session.sid)
  if (snapshot.session.kind === 'cookie') rememberHere(c, site, done.device)
  return done.email
}

/** `POST /v1/account/email/verify` */
export const verifyEmail = (site: Site) => async (c: Http) => {
  const { refresh_token, ...given } = await readJson(c, emailVerify)
  const snapshot = await provenEnough(site, await holder(c, site, refresh_token))
  return c.json({ email: await takeAddress(c, site, snapshot, given) })
}
