// A person's own passkeys over the API: by the session cookie, live, and for every change by who has just signed in, so that
// a session left open, or taken, does not become a way in for good.

import { SymbolonError } from '@symbolon/protocol'
import type { SessionSnapshot } from '#core'
import { readJson } from '../body.ts'
import { bearerOf, type Http, refusal, type Site, whoIs } from '../context.ts'
import { passkeyFinish, passkeyName, passkeyStart } from '../schemas/passkeys.ts'
import { passkeyView } from '../views.ts'

/** Seconds since signing in within which ways of signing in may be changed. */
const recent = 300

/**
 * The session of a cookie, live. A token beside it, and its session's id, are held by every API that was called with one: they
 * count for nothing here. Throws the refusal.
 */
export async function own(c: Http, site: Site): Promise<SessionSnapshot> {
  const { session } = c.var.cookies
  if (session === undefined) throw new SymbolonError('missing_credential')
  const snapshot = await whoIs(c, site)
  if (bearerOf(c) === undefined) return snapshot
  const checked = await site.parts.core.sessions.whole.check(session, 'cookie', { caller: c.var.caller })
  if (!checked.ok) throw refusal(checked)
  return checked.snapshot
}

/** The same of somebody who has just signed in; else `step_up_required` with `max_age` (RFC 9470 §3). */
export const ownRecent = async (c: Http, site: Site): Promise<SessionSnapshot> => justNow(await own(c, site))

/** A session at a level at which passkeys, and the account itself, may be changed, as it is; else the same refusal with `acr_values`, too. */
export async function provenEnough(site: Site, snapshot: SessionSnapshot): Promise<SessionSnapshot> {
  const acrValues = await site.parts.core.passkeys.needs(snapshot)
  if (acrValues.length > 0) throw new SymbolonError('step_up_required', { maxAge: recent, acrValues })
  return snapshot
}

/** A session whose person has just signed in or stepped up, as it is; else the same refusal. */
export function justNow(snapshot: SessionSnapshot): SessionSnapshot {
  if (snapshot.now - snapshot.session.authTime > recent * 1000) throw new SymbolonError('step_up_required', { maxAge: recent })
  return snapshot
}

/** Whose doing a change is. */
export const byOwner = (c: Http, { user }: SessionSnapshot) => ({ actor: user.id, caller: c.var.caller })

/** `GET /v1/account/passkeys` */
export const list = (site: Site) => async (c: Http) => {
  const { user } = await own(c, site)
  const { passkeys } = site.parts.core
  const { handle, passkeys: held } = await passkeys.list(user.id)
  return c.json({ rp_id: passkeys.party?.rpId ?? null, user_handle: handle, passkeys: held.map(passkeyView) })
}

/** `POST /v1/account/passkeys/start` */
export const start = (site: Site) => async (c: Http) => {
  await readJson(c, passkeyStart)
  const begun = await site.parts.core.passkeys.start(justNow(await provenEnough(site, await own(c, site))), c.var.caller)
  if (!begun.ok) throw refusal(begun)
  const { registrationId, expiresAt, options } = begun
  return c.json({ registration_id: registrationId, expires_at: new Date(expiresAt).toISOString(), public_key: options })
}

/** `POST /v1/account/passkeys/finish`: the start was by who had just signed in, and this is the same session. */
export const finish = (site: Site) => async (c: Http) => {
  const { registration_id, response, name } = await readJson(c, passkeyFinish)
  const made = await site.parts.core.passkeys.finish(await provenEnough(site, await own(c, site)), {
    registrationId: registration_id,
    response,
    caller: c.var.caller,
    ...(name !== undefined && { name }),
  })
  if (!made.ok) throw refusal(made)
  return c.json(passkeyView(made.passkey), 201)
}

/** `POST /v1/account/passkeys/{id}/name` */
export const rename = (site: Site) => async (c: Http) => {
  const { name } = await readJson(c, passkeyName)
  const snapshot = await ownRecent(c, site)
  const done = await site.parts.core.passkeys.rename(snapshot.user.id, c.req.param('id') ?? '', name, byOwner(c, snapshot))
  if (!done.ok) throw refusal(done)
  return c.body(null, 204)
}

/** `DELETE /v1/account/passkeys/{id}` */
export const remove = (site: Site) => async (c: Http) => {
  const snapshot = justNow(await provenEnough(site, await own(c, site)))
  const done = await site.parts.core.passkeys.remove(snapshot.user.id, c.req.param('id') ?? '', byOwner(c, snapshot), snapshot.client)
  if (!done.ok) throw refusal(done)
  return c.body(null, 204)
}

/** `GET /.well-known/webauthn`: who else may use these passkeys (WebAuthn §5.11). Nobody else: there is nothing. */
export const related = (site: Site) => (c: Http) => {
  const origins = site.parts.core.passkeys.party?.origins ?? []
  if (origins.length === 0) throw new SymbolonError('not_found')
  c.header('cache-control', 'public, max-age=300')
  return c.json({ origins: [site.origin, ...origins] })
}
