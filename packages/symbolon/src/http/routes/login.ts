// Sign-in over the API. A cookie client gets its session in a cookie; a native one gets tokens, and is refused to browsers.

import type { z } from '@hono/zod-openapi'
import { type LoginStartAnswer, type LoginVerifyAnswer, readJsonObject, SymbolonError, toBase64url } from '@symbolon/protocol'
import type { Client, LoginAnswer, LoginStarted, LoginStep, Need, SignedIn } from '#core'
import { readJson } from '../body.ts'
import { giveCookie, type Http, isBrowser, refusal, returnAddress, type Site } from '../context.ts'
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
  if (body.purpose === 'step_up') return c.json(await startStepUp(c, site, body))
  const { method, client_id: clientId = 'app', refresh_token, need, action } = body
  if (method === undefined) throw new SymbolonError('invalid_request', { field: 'method' })
  // A sign-in never becomes part of a session that is there.
  if (refresh_token !== undefined || need !== undefined || action !== undefined)
    throw new SymbolonError('invalid_request', { field: 'purpose' })
  const client = await core.clients.find(clientId)
  await refuseBrowser(c, site, client)
  // Without cookies there is no page to return from.
  if (body.return_to !== undefined && client !== undefined && client.transport !== 'cookie')
    throw new SymbolonError('invalid_request', { field: 'return_to' })
  const answer = await core.login.start({
    returnTo: client === undefined ? null : returnAddress(site, client, body.return_to),
    method,
    identifier: body.identifier ?? '',
    captcha: body.captcha ?? null,
    clientId,
    browser: client?.transport === 'cookie' ? browserOf(c, site) : null,
    device: c.var.cookies.device ?? null,
    caller: c.var.caller,
  })
  if (!answer.ok && answer.code === 'invalid_identifier' && body.identifier === undefined)
    throw new SymbolonError('invalid_request', { field: 'identifier' })
  if (!answer.ok) throw refusal(answer)
  return c.json(started(answer))
}

/** Begins a step-up of the session that the request shows: by its refresh token, or by the cookie of this browser. */
async function startStepUp(c: Http, site: Site, body: z.output<typeof loginStart>): Promise<LoginStartAnswer> {
  const { refresh_token, need = {}, action = null } = body
  if (refresh_token !== undefined && isBrowser(c)) throw new SymbolonError('browser_not_allowed')
  // Who it is, and where they are signed in, says the session alone.
  for (const field of ['identifier', 'client_id', 'return_to'] as const)
    if (body[field] !== undefined) throw new SymbolonError('invalid_request', { field })
  const credential = refresh_token ?? c.var.cookies.session
  if (credential === undefined) throw new SymbolonError('missing_credential')
  const answer = await site.parts.core.login.stepUp({
    credential,
    kind: refresh_token === undefined ? 'cookie' : 'token',
    method: body.method ?? null,
    need: needOf(need),
    action,
    browser: refresh_token === undefined ? browserOf(c, site) : null,
    device: c.var.cookies.device ?? null,
    caller: c.var.caller,
  })
  if (!answer.ok) throw refusal(answer)
  return { ...started(answer), method: answer.method, methods: answer.methods }
}

/** What is needed, from its words on the wire. */
export const needOf = ({ acr_values, max_age }: { acr_values?: readonly string[] | undefined; max_age?: number | undefined }): Need => ({
  ...(acr_values !== undefined && { acrValues: acr_values }),
  ...(max_age !== undefined && { maxAge: max_age }),
})

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

/** The one answer that is given; undefined when there is none, `invalid_request` for more than one. */
function answerOf(given: Readonly<Record<string, unknown>>): LoginAnswer | undefined {
  const [one, ...more] = Object.entries(given).filter(([, value]) => value !== undefined)
  if (more.length > 0) throw new SymbolonError('invalid_request')
  return one === undefined ? undefined : (Object.fromEntries([one]) as unknown as LoginAnswer)
}

/** The same from a page's form, which has what a browser answers as text. */
export const pageAnswer = ({
  response,
  ...rest
}: {
  readonly code: string | undefined
  readonly response: string | undefined
  readonly end?: string | undefined
  readonly method?: string | undefined
}) => answerOf({ ...rest, response: response === undefined ? undefined : (readJsonObject(response) ?? {}) })

/** Gives a cookie client its cookies. */
export function giveSession(c: Http, site: Site, { minted, snapshot, credential, device }: SignedIn): void {
  if (minted !== null) return
  // One that was stepped up lives as long as before.
  giveCookie(c, site, 'session', credential, Math.max(1, Math.floor((snapshot.session.expiresAt - snapshot.now) / 1000)))
  rememberHere(c, site, device)
}

/** Keeps what this browser is known by. */
export const rememberHere = (c: Http, site: Site, device: string) => giveCookie(c, site, 'device', device, yearAndMore)

/** `POST /v1/login/verify` */
export const verify = (site: Site) => async (c: Http) => {
  const { login_id, ...given } = await readJson(c, loginVerify)
  const answer = answerOf(given)
  if (answer === undefined) throw new SymbolonError('invalid_request', { field: 'code' })
  await refuseBrowserAt(c, site, login_id)
  const taken = await completeLogin(c, site, login_id, answer)
  if ('state' in taken) return c.json(stepView(taken))
  const { snapshot, credential, minted, confirmation } = taken
  const { session, user, client, now } = snapshot
  const view = sessionView(session, user, client, site.parts.core, session.sid, now)
  const body: LoginVerifyAnswer = {
    session: view,
    ...(minted !== null && { ...tokenAnswer(minted), refresh_token: credential }),
    ...(confirmation !== undefined && {
      confirmation: { value: confirmation.text, expires_at: new Date(confirmation.expiresAt).toISOString() },
    }),
  }
  return c.json(body)
}
