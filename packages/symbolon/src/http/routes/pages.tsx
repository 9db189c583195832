// The hosted pages as routes: rendered on the server, working without JavaScript. Forms are bound to the browser or the
// session that they were shown to; return addresses come from the client's list and nowhere else.

import { z } from '@hono/zod-openapi'
import { type ErrorCode, errors, isSameSite, readJsonObject, SymbolonError, toBase64url } from '@symbolon/protocol'
import type { Child } from 'hono/jsx'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Client, Refused, SessionSnapshot } from '#core'
import { pageTexts, passkeyTexts } from '#messages'
import { readForm, readQuery } from '../body.ts'
import { type Http, refusal, type Site, whoIs } from '../context.ts'
import { pagePolicy } from '../guard.ts'
import { AccountPage, MailboxPage, NoticePage } from '../pages/account.tsx'
import type { Look } from '../pages/frame.tsx'
import { CodePage, IdentifierPage, type Journey } from '../pages/login.tsx'
import { passkeyScript } from '../pages/passkey-script.ts'
import { pageScript, styleSheet } from '../pages/style.ts'
import { passkeyView, sessionViews } from '../views.ts'
import { browserOf, completeLogin } from './login.ts'
import { byOwner, ownRecent } from './passkeys.ts'
import { ended } from './session.ts'

const text = (most: number) => z.string().max(most)
const journeyFields = { client_id: text(60).default('app'), return_to: text(2000).optional() }
const loginQuery = z.object({ ...journeyFields, identifier: text(320).optional() })
const formToken = { form_token: text(100) }
const identifierForm = z.strictObject({ ...formToken, ...journeyFields, identifier: text(320) })
const codeForm = z.strictObject({ ...formToken, ...journeyFields, login_id: text(128), code: text(64) })
const resendForm = z.strictObject({ ...formToken, ...journeyFields, login_id: text(128) })
const passkeyForm = z.strictObject({ ...formToken, ...journeyFields, login_id: text(128), response: text(12_000) })
const renameForm = z.strictObject({ ...formToken, id: text(1400), name: text(200) })
const removeForm = z.strictObject({ ...formToken, id: text(1400) })
const signOutForm = z.strictObject({ ...formToken, sid: text(60).optional(), scope: z.enum(['others', 'all']).optional() })

/** Creates the routes of the pages. */
export function pageRoutes(site: Site) {
  const { parts, mount } = site
  const { core, crypto } = parts
  const style = styleSheet(parts.brand)
  const tag = (content: string) => toBase64url(crypto.hash(content)).slice(0, 12)
  const assets = {
    style: `${mount}/assets/page-${tag(style)}.css`,
    script: `${mount}/assets/page-${tag(pageScript)}.js`,
    passkeys: `${mount}/assets/passkeys-${tag(passkeyScript)}.js`,
  }
  const served: Readonly<Record<string, readonly [string, string]>> = {
    [assets.style]: [style, 'text/css'],
    [assets.script]: [pageScript, 'text/javascript'],
    [assets.passkeys]: [passkeyScript, 'text/javascript'],
  }

  const lookOf = (c: Http): Look => ({ brand: parts.brand, mount, dev: parts.outbox !== undefined, assets, language: c.var.language })
  const show = async (c: Http, page: Child, status: ContentfulStatusCode = 200) =>
    c.html(`<!doctype html>${await (page as { toString(): string | Promise<string> }).toString()}`, status)

  /** A form's proof that it was shown to this browser or session. */
  const proof = (subject: string) => toBase64url((crypto.keyed('form', subject)[0] as Uint8Array).subarray(0, 24))
  const proves = (subject: string, given: string) => {
    const bytes = new TextEncoder().encode(given)
    return crypto
      .keyed('form', subject)
      .map((key) => crypto.equal(new TextEncoder().encode(toBase64url(key.subarray(0, 24))), bytes))
      .includes(true)
  }
  /** Page forms come from our own pages only, listed origins or not. */
  const ownForm = (c: Http, subject: string, given: string) => {
    const own = isSameSite({
      method: 'POST',
      origin: c.req.header('origin'),
      fetchSite: c.req.header('sec-fetch-site'),
      own: site.origin,
      listed: [],
    })
    if (!own || !proves(subject, given)) throw new SymbolonError('cross_site_request')
  }

  const pageClient = async (id: string): Promise<Client> => {
    const client = await core.clients.find(id)
    if (client === undefined || client.transport !== 'cookie' || client.status !== 'active') throw new SymbolonError('unknown_client')
    return client
  }
  /** The address as it stands on the client's list; throws `invalid_return_to`. */
  const returnAddress = (client: Client, wanted: string | undefined): string | null => {
    if (wanted === undefined || wanted === '') return null
    if (wanted === `${mount}/account`) return wanted
    if (!client.returnTo.includes(wanted)) throw new SymbolonError('invalid_return_to')
    return wanted
  }
  const nameOf = (client: Client) => parts.brand.name ?? client.name
  const problemOf = (c: Http, code: ErrorCode) => pageTexts(c.var.language ?? 'en').errors[code] ?? errors[code].text

  /** The step again, with what went wrong beside its field. */
  const statusOf = (error: SymbolonError) =>
    error.status === 429 || error.status === 503 || error.status === 403 ? error.status : error.status === 401 ? 401 : 400

  const showCode = async (c: Http, journey: Journey, loginId: string, error: SymbolonError | null) => {
    const view = await core.login.view(loginId, c.var.cookies.login ?? null)
    if (!view.ok) return showIdentifier(c, journey, await pageClient(journey.clientId), '', error ?? new SymbolonError('login_failed'))
    const now = Date.now()
    return show(
      c,
      <CodePage
        look={lookOf(c)}
        journey={journey}
        loginId={loginId}
        identifier={view.identifier}
        minutes={Math.max(1, Math.ceil((view.expiresAt - now) / 60_000))}
        resendIn={Math.max(0, Math.ceil((view.resendAt - now) / 1000))}
        problem={error === null ? null : problemOf(c, error.code)}
      />,
      error === null ? 200 : statusOf(error),
    )
  }
  const showIdentifier = (c: Http, journey: Journey, client: Client, identifier: string, error: SymbolonError | null, problem?: string) =>
    show(
      c,
      <IdentifierPage
        look={lookOf(c)}
        journey={journey}
        name={nameOf(client)}
        identifier={identifier}
        passkeys={core.passkeys.party !== undefined && core.clients.policyOf(client).methods.includes('passkey')}
        problem={error === null ? null : (problem ?? problemOf(c, error.code))}
      />,
      error === null ? 200 : statusOf(error),
    )
  const journeyOf = (c: Http, client: Client, returnTo: string | null, browser: string): Journey => {
    const foreign = returnTo === null ? undefined : /^https?:\/\/[^/?#]+/.exec(returnTo)?.[0]
    if (foreign !== undefined) c.header('content-security-policy', pagePolicy(foreign))
    return { clientId: client.id, returnTo, formToken: proof(`login\n${browser}`) }
  }
  const expected = (error: unknown): SymbolonError => {
    if (error instanceof SymbolonError && error.status < 500) return error
    throw error
  }

  /** Where a session, or a more recent one, is wanted: signing in, and back to the account. */
  const signInFirst = (c: Http, error: unknown) => {
    if (expected(error).status !== 401) throw error
    return c.redirect(`${mount}/login?return_to=${encodeURIComponent(`${mount}/account`)}`, 303)
  }
  const ownPasskeys = async (userId: string) => {
    const { party } = core.passkeys
    if (party === undefined) return null
    const { handle, passkeys } = await core.passkeys.list(userId)
    return { rpId: party.rpId, handle, passkeys: passkeys.map(passkeyView) }
  }
  /** A change of a person's own passkeys, and back to the page. */
  const changed = async <S extends z.ZodType<{ readonly form_token: string }>>(
    c: Http,
    schema: S,
    change: (form: z.output<S>, by: ReturnType<typeof byOwner>, snapshot: SessionSnapshot) => Promise<{ readonly ok: true } | Refused>,
  ) => {
    const form = await readForm(c, schema)
    try {
      const snapshot = await ownRecent(c, site)
      ownForm(c, `account\n${snapshot.session.sid}`, form.form_token)
      const done = await change(form, byOwner(c, snapshot), snapshot)
      if (!done.ok) throw refusal(done)
    } catch (error) {
      return signInFirst(c, error)
    }
    return c.redirect(`${mount}/account#passkeys`, 303)
  }

  return {
    asset: (c: Http) => {
      const [body, type] = served[c.req.path] ?? []
      if (body === undefined || type === undefined) throw new SymbolonError('not_found')
      return c.body(body, 200, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'public, max-age=31536000, immutable' })
    },

    login: async (c: Http) => {
      const query = readQuery(c, loginQuery)
      const client = await pageClient(query.client_id)
      const returnTo = returnAddress(client, query.return_to)
      const browser = browserOf(c, site)
      return showIdentifier(c, journeyOf(c, client, returnTo, browser), client, query.identifier ?? '', null)
    },

    start: async (c: Http) => {
      const form = await readForm(c, identifierForm)
      ownForm(c, `login\n${c.var.cookies.login ?? ''}`, form.form_token)
      const client = await pageClient(form.client_id)
      const browser = browserOf(c, site)
      const journey = journeyOf(c, client, returnAddress(client, form.return_to), browser)
      const started = await core.login.start({
        method: 'email_otp',
        identifier: form.identifier,
        clientId: client.id,
        browser,
        device: c.var.cookies.device ?? null,
        caller: c.var.caller,
      })
      if (!started.ok) return showIdentifier(c, journey, client, form.identifier, expected(refusal(started)))
      return showCode(c, journey, started.loginId, null)
    },

    code: async (c: Http) => {
      const form = await readForm(c, codeForm)
      ownForm(c, `login\n${c.var.cookies.login ?? ''}`, form.form_token)
      const client = await pageClient(form.client_id)
      const returnTo = returnAddress(client, form.return_to)
      try {
        await completeLogin(c, site, form.login_id, { code: form.code })
      } catch (error) {
        return showCode(c, journeyOf(c, client, returnTo, browserOf(c, site)), form.login_id, expected(error))
      }
      return c.redirect(returnTo ?? `${mount}/account`, 303)
    },

    passkey: async (c: Http) => {
      const form = await readForm(c, passkeyForm)
      ownForm(c, `login\n${c.var.cookies.login ?? ''}`, form.form_token)
      const client = await pageClient(form.client_id)
      const returnTo = returnAddress(client, form.return_to)
      try {
        await completeLogin(c, site, form.login_id, { response: readJsonObject(form.response) ?? {} })
      } catch (error) {
        const failed = expected(error)
        const journey = journeyOf(c, client, returnTo, browserOf(c, site))
        const sentence = failed.code === 'login_failed' ? passkeyTexts(c.var.language).signInFailed : undefined
        return showIdentifier(c, journey, client, '', failed, sentence)
      }
      return c.redirect(returnTo ?? `${mount}/account`, 303)
    },

    resend: async (c: Http) => {
      const form = await readForm(c, resendForm)
      ownForm(c, `login\n${c.var.cookies.login ?? ''}`, form.form_token)
      const client = await pageClient(form.client_id)
      const journey = journeyOf(c, client, returnAddress(client, form.return_to), browserOf(c, site))
      const sent = await core.login.resend({
        loginId: form.login_id,
        browser: c.var.cookies.login ?? null,
        device: c.var.cookies.device ?? null,
        caller: c.var.caller,
      })
      return showCode(c, journey, form.login_id, sent.ok ? null : expected(refusal(sent)))
    },

    account: async (c: Http) => {
      try {
        const { session, user, now } = await whoIs(c, site)
        const sessions = await sessionViews(core, user, session.sid)
        return show(
          c,
          <AccountPage
            look={lookOf(c)}
            email={user.email}
            sessions={sessions}
            formToken={proof(`account\n${session.sid}`)}
            passkeys={await ownPasskeys(user.id)}
            now={now}
          />,
        )
      } catch (error) {
        return signInFirst(c, error)
      }
    },

    renamePasskey: (c: Http) => changed(c, renameForm, ({ id, name }, by, { user }) => core.passkeys.rename(user.id, id, name, by)),

    removePasskey: (c: Http) => changed(c, removeForm, ({ id }, by, { user, client }) => core.passkeys.remove(user.id, id, by, client)),

    signOut: async (c: Http) => {
      const form = await readForm(c, signOutForm)
      const { session, user } = await whoIs(c, site)
      ownForm(c, `account\n${session.sid}`, form.form_token)
      if ((form.sid === undefined) === (form.scope === undefined)) throw new SymbolonError('invalid_request')
      const target =
        form.sid !== undefined
          ? { sid: form.sid, ofUser: user.id }
          : form.scope === 'all'
            ? { user: user.id }
            : { user: user.id, except: session.sid }
      const own = form.sid === session.sid || form.scope === 'all'
      const revoked = await core.sessions.revoke(target, own ? 'sign_out' : 'signed_out_elsewhere', {
        actor: user.id,
        caller: c.var.caller,
      })
      ended(c, site, revoked, session.sid)
      if (!revoked.sids.includes(session.sid)) return c.redirect(`${mount}/account`, 303)
      const t = pageTexts(c.var.language)
      return show(c, <NoticePage look={lookOf(c)} title={t.signedOut} text={t.emailHint} href={`${mount}/login`} link={t.signInAgain} />)
    },

    mailbox: async (c: Http) => show(c, <MailboxPage look={lookOf(c)} mails={parts.outbox?.() ?? []} />),

    /** An error as a page: for navigations that asked for one. */
    problem: (c: Http, code: ErrorCode) => {
      const t = pageTexts(c.var.language ?? 'en')
      const shown = errors[code].status as ContentfulStatusCode
      const look = { ...lookOf(c), language: c.var.language ?? 'en' }
      return show(c, <NoticePage look={look} title={t.wrong} text={problemOf(c, code)} href={`${mount}/login`} link={t.signIn} />, shown)
    },
  }
}
