// Sign-in over the API. A cookie client gets its session in a cookie; a native one gets tokens, and is refused to browsers.

import { type LoginStartAnswer, type LoginVerifyAnswer, SymbolonError, toBase64url } from '@symbolon/protocol'
import type { Client, LoginAnswer, LoginStarted, LoginStep, SignedIn } from '#core'
import { readJson } from '../body.ts'
import { giveCookie, type Http, isBrowser, refusal, type Site } from '../context.ts'
import { refuseCrossSite } from '../guard.ts'
import { loginResend, loginStart, loginVerify } from '../schemas/login.ts'
import { sessionView, stepView, tokenAnswer } from '../views.ts'

const yearAndMore = 34_560_000

/** The browser's login cookie, made and given when there is none. */
export function browserOf(c: Http, site: Site): string {
  const held = c.var.cookies.login
  if (held !== undefined && /^[A-Za-z0-9_-]{22}$/.test(held)) return held
  const made = toBase64url(site.parts.crypto.random(16))
  giveCookie(c, site, 'login', made)
  return made
}

const started = (answer: LoginStarted): LoginStartAnswer => ({
  login_id: answer.loginId,
  expires_at: new Date(answer.expiresAt).toISOString(),
  resend_at: new Date(answer.resendAt).toISOString(),
  ...(answer.challenge !== null && { challenge: answer.challenge }),
})

/** `POST /v1/login/start` */
export const start = (site: Site) => async (c: Http) => {
  const body = await readJson(c, loginStart)
  const { core } = site.parts
  const client = await core.clients.find(body.client_id)
  await refuseBrowser(c, site, client)
  const answer = await core.login.start({
    method: body.method,
    identifier: body.identifier ?? '',
    clientId: body.client_id,
    browser: client?.transport === 'cookie' ? browserOf(c, site) : null,
    device: c.var.cookies.device ?? null,
    caller: c.var.caller,
  })
  if (!answer.ok && answer.code === 'invalid_identifier' && body.identifier === undefined)
    throw new SymbolonError('invalid_request', { field: 'identifier' })
  if (!answer.ok) throw refusal(answer)
  return c.json(started(answer))
}

/** A native client is not for browsers; every other one is not for other sites. */
async function refuseBrowser(c: Http, site: Site, client: Client | undefined): Promise<void> {
  if (client?.transport === 'native' && isBrowser(c)) throw new SymbolonError('browser_not_allowed')
  await refuseCrossSite(c, site)
}

/** The same for an attempt under way. */
async function refuseBrowserAt(c: Http, site: Site, loginId: string): Promise<void> {
  if (!isBrowser(c)) return
  const { core } = site.parts
  const view = await core.login.view(loginId, c.var.cookies.login ?? null)
  await refuseBrowser(c, site, view.ok ? await core.clients.find(view.clientId) : undefined)
}

/** `POST /v1/login/resend` */
export const resend = (site: Site) => async (c: Http) => {
  const body = await readJson(c, loginResend)
  await refuseBrowserAt(c, site, body.login_id)
  const answer = await site.parts.core.login.resend({
    loginId: body.login_id,
    browser: c.var.cookies.login ?? null,
    device: c.var.cookies.device ?? null,
    caller: c.var.caller,
  })
  if (!answer.ok) throw refusal(answer)
  return c.json(started(answer))
}

/** Takes a step, and gives a cookie client its cookies when it was the last. Shared with the pages. */
export async function completeLogin(c: Http, site: Site, loginId: string, given: LoginAnswer): Promise<SignedIn | LoginStep> {
  const { cookies, caller } = c.var
  const answer = await site.parts.core.login.verify({
    loginId,
    browser: cookies.login ?? null,
    device: cookies.device ?? null,
    replaces: cookies.session ?? null,
    caller,
    ...given,
  })
  if (!answer.ok) throw refusal(answer)
  if (!('state' in answer)) giveSession(c, site, answer)
  return answer
}

/** Gives a cookie client its cookies. */
export function giveSession(c: Http, site: Site, { minted, snapshot, credential, device }: SignedIn): void {
  if (minted !== null) return
  const life = site.parts.core.clients.policyOf(snapshot.client).absolute
  giveCookie(c, site, 'session', credential, Math.floor(life / 1000))
  giveCookie(c, site, 'device', device, yearAndMore)
}

/** `POST /v1/login/verify` */
export const verify = (site: Site) => async (c: Http) => {
  const { login_id, ...given } = await readJson(c, loginVerify)
  const [one, ...more] = Object.entries(given).filter(([, value]) => value !== undefined)
  if (one === undefined) throw new SymbolonError('invalid_request', { field: 'code' })
  if (more.length > 0) throw new SymbolonError('invalid_request')
  await refuseBrowserAt(c, site, login_id)
  const taken = await completeLogin(c, site, login_id, Object.fromEntries([one]) as never)
  if ('state' in taken) return c.json(stepView(taken))
  const { snapshot, credential, minted } = taken
  const { session, user, client } = snapshot
  const view = sessionView(session, user, client, site.parts.core, session.sid)
  const answer: LoginVerifyAnswer =
    minted === null ? { session: view } : { session: view, ...tokenAnswer(minted), refresh_token: credential }
  return c.json(answer)
}
