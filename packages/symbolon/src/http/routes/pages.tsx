// The hosted pages as routes: rendered on the server, working without JavaScript. Forms are bound to the browser or the
// session that they were shown to; return addresses come from the client's list and nowhere else.

import { z } from '@hono/zod-openapi'
import { type ErrorCode, errors, isSid, SymbolonError } from '@symbolon/protocol'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Client, LoginStep, Refused, SessionSnapshot } from '#core'
import { accountTexts, pageTexts, passkeyTexts } from '#messages'
import { readForm, readQuery } from '../body.ts'
import { type Http, refusal, type Site } from '../context.ts'
import { AccountPage, NoticePage } from '../pages/account.tsx'
import { CodePage, IdentifierPage, type Journey, proofOfWork } from '../pages/login.tsx'
import { eventView, passkeyView, sessionViews } from '../views.ts'
import { exported, mostEvents, removeOwn } from './account.ts'
import { browserOf, completeLogin, pageAnswer } from './login.ts'
import { offerRoutes } from './offer.tsx'
import { byOwner, own, ownRecent, provenEnough } from './passkeys.ts'
import { ended } from './session.ts'
import { createShowing, expected, expectedOfCode, statusOf } from './showing.ts'
import { stepUpRoutes } from './step-up.tsx'

const text = (most: number) => z.string().max(most)
const journeyFields = { client_id: text(60).default('app'), return_to: text(2000).optional() }
const loginQuery = z.object({ ...journeyFields, identifier: text(320).optional() })
const formToken = { form_token: text(100) }
const identifierForm = z.strictObject({ ...formToken, ...journeyFields, identifier: text(320), captcha: text(2000).optional() })
const stepForm = z.strictObject({
  ...formToken,
  ...journeyFields,
  login_id: text(128),
  code: text(64).optional(),
  end: text(60).optional(),
  method: text(60).optional(),
  response: text(12_000).optional(),
})
const resendForm = z.strictObject({ ...formToken, ...journeyFields, login_id: text(128) })
const renameForm = z.strictObject({ ...formToken, id: text(1400), name: text(200) })
const removeForm = z.strictObject({ ...formToken, id: text(1400) })
const plainForm = z.strictObject(formToken)
const signOutForm = z.strictObject({ ...formToken, sid: text(60).optional(), scope: z.enum(['others', 'all']).optional() })

/** Creates the routes of the pages. */
export function pageRoutes(site: Site) {
  const { mount } = site
  const { core } = site.parts
  const showing = createShowing(site)
  const { served, proof, lookOf, show, ownForm, pageClient, returnAddress, leadTo, nameOf, problemOf, signInFirst } = showing

  const stepUp = stepUpRoutes(site)
  const offer = offerRoutes(site, showing)

  /** The step again, with what went wrong beside its field. */
  const showCode = async (c: Http, journey: Journey, loginId: string, error: SymbolonError | null) => {
    const view = await core.login.view(loginId, c.var.cookies.login ?? null)
    if (!view.ok) return showIdentifier(c, journey, await pageClient(journey.clientId), '', error ?? new SymbolonError('login_failed'))
    if (view.state !== 'verify') return showStep(c, journey, loginId, view.step, error)
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
      statusOf(error),
    )
  }
  /** What is still wanted after a proof. */
  const showStep = (c: Http, journey: Journey, loginId: string, step: LoginStep, error: SymbolonError | null): Promise<Response> =>
    step.state === 'verify'
      ? showCode(c, journey, loginId, error)
      : showing.showStep(c, { action: `${mount}/login/code`, journey, loginId }, step, error)
  const showIdentifier = async (
    c: Http,
    journey: Journey,
    client: Client,
    identifier: string,
    error: SymbolonError | null,
    problem?: string,
  ) =>
    show(
      c,
      <IdentifierPage
        look={lookOf(c)}
        journey={journey}
        name={nameOf(client)}
        identifier={identifier}
        captcha={proofOfWork(error?.options.challenge ?? (await core.login.captcha(client.id, c.var.caller)))}
        passkeys={core.passkeys.party !== undefined && core.clients.policyOf(client).methods.includes('passkey')}
        problem={error === null ? null : (problem ?? problemOf(c, error.code))}
      />,
      statusOf(error),
    )
  const journeyOf = (c: Http, client: Client, returnTo: string | null, browser: string): Journey => {
    leadTo(c, returnTo)
    return { clientId: client.id, returnTo, formToken: proof(`login\n${browser}`) }
  }

  const ownPasskeys = async (snapshot: SessionSnapshot) => {
    const { party } = core.passkeys
    if (party === undefined) return null
    const { handle, passkeys } = await core.passkeys.list(snapshot.user.id)
    return { rpId: party.rpId, handle, passkeys: passkeys.map(passkeyView), needs: await core.passkeys.needs(snapshot) }
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
    stepUp,
    offer,
    asset: (c: Http) => {
      const [body, type] = served[c.req.path] ?? []
      if (body === undefined || type === undefined) throw new SymbolonError('not_found')
      return c.body(body, 200, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'public, max-age=31536000, immutable' })
    },

    login: async (c: Http) => {
      if (c.req.query('step_up') !== undefined) return stepUp.ask(c)
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
      const returnTo = returnAddress(client, form.return_to)
      const journey = journeyOf(c, client, returnTo, browser)
      const started = await core.login.start({
        method: 'email_otp',
        identifier: form.identifier,
        captcha: form.captcha ?? null,
        clientId: client.id,
        returnTo,
        browser,
        device: c.var.cookies.device ?? null,
        caller: c.var.caller,
      })
      if (!started.ok) return showIdentifier(c, journey, client, form.identifier, expected(refusal(started)))
      return showCode(c, journey, started.loginId, null)
    },

    code: async (c: Http) => {
      const { code, end, method, response, ...form } = await readForm(c, stepForm)
      ownForm(c, `login\n${c.var.cookies.login ?? ''}`, form.form_token)
      const client = await pageClient(form.client_id)
      const returnTo = returnAddress(client, form.return_to)
      const journey = () => journeyOf(c, client, returnTo, browserOf(c, site))
      const answer = pageAnswer({ code, end, method, response })
      if (answer === undefined) throw new SymbolonError('invalid_request')
      try {
        const taken = await completeLogin(c, site, form.login_id, answer)
        if ('state' in taken) return showStep(c, journey(), form.login_id, taken, null)
        return c.redirect(await offer.onward(c, client, taken.snapshot.user, returnTo), 303)
      } catch (error) {
        const failed = expectedOfCode(c, error)
        if (response === undefined) return showCode(c, journey(), form.login_id, failed)
        const view = await core.login.view(form.login_id, c.var.cookies.login ?? null)
        if (view.ok && view.state === 'enrol') return showStep(c, journey(), form.login_id, view.step, failed)
        // A challenge is answered once: what follows is another start.
        const sentence = failed.code === 'login_failed' ? passkeyTexts(lookOf(c)).signInFailed : undefined
        return showIdentifier(c, journey(), client, '', failed, sentence)
      }
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
        const snapshot = await own(c, site)
        const { session, user, now } = snapshot
        const sessions = await sessionViews(core, user, session.sid)
        return show(
          c,
          <AccountPage
            look={lookOf(c)}
            email={user.email}
            sessions={sessions}
            formToken={proof(`account\n${session.sid}`)}
            passkeys={await ownPasskeys(snapshot)}
            events={(await core.account.events(user.id, null, mostEvents)).events.map(eventView)}
            now={now}
          />,
        )
      } catch (error) {
        return signInFirst(c, error)
      }
    },

    /** The same file as over the API; who must first sign in, or step up, is led there. */
    exported: async (c: Http) => {
      try {
        return await exported(site)(c)
      } catch (error) {
        return signInFirst(c, error)
      }
    },

    removeAccount: async (c: Http) => {
      const form = await readForm(c, plainForm)
      const look = lookOf(c)
      const t = accountTexts(look)
      try {
        const snapshot = await own(c, site)
        ownForm(c, `account\n${snapshot.session.sid}`, form.form_token)
        await removeOwn(c, site, snapshot)
      } catch (error) {
        if (!(error instanceof SymbolonError) || error.code !== 'conflict') return signInFirst(c, error)
        const back = { href: `${mount}/account`, link: pageTexts(look).account }
        return show(c, <NoticePage look={look} title={t.remove} text={t.removeLater} {...back} />, 409)
      }
      const { signIn } = pageTexts(look)
      return show(c, <NoticePage look={look} title={t.removed} text={t.removedHint} href={`${mount}/login`} link={signIn} />)
    },

    renamePasskey: (c: Http) => changed(c, renameForm, ({ id, name }, by, { user }) => core.passkeys.rename(user.id, id, name, by)),

    removePasskey: (c: Http) =>
      changed(c, removeForm, async ({ id }, by, snapshot) => {
        const { user, client } = await provenEnough(site, snapshot)
        return core.passkeys.remove(user.id, id, by, client)
      }),

    signOut: async (c: Http) => {
      const form = await readForm(c, signOutForm)
      const { session, user } = await own(c, site)
      ownForm(c, `account\n${session.sid}`, form.form_token)
      if ((form.sid === undefined) === (form.scope === undefined)) throw new SymbolonError('invalid_request')
      if (form.sid !== undefined && !isSid(form.sid)) throw new SymbolonError('not_found')
      const target =
        form.sid !== undefined
          ? { sid: form.sid, ofUser: user.id }
          : form.scope === 'all'
            ? { user: user.id }
            : { user: user.id, except: session.sid }
      const here = form.sid === session.sid || form.scope === 'all'
      const revoked = await core.sessions.revoke(target, here ? 'sign_out' : 'signed_out_elsewhere', {
        actor: user.id,
        caller: c.var.caller,
      })
      ended(c, site, revoked, session.sid)
      if (!revoked.sids.includes(session.sid)) return c.redirect(`${mount}/account`, 303)
      const t = pageTexts(lookOf(c))
      return show(c, <NoticePage look={lookOf(c)} title={t.signedOut} text={t.emailHint} href={`${mount}/login`} link={t.signInAgain} />)
    },

    /** An error as a page: for navigations that asked for one. */
    problem: (c: Http, code: ErrorCode) => {
      const t = pageTexts(lookOf(c))
      const shown = errors[code].status as ContentfulStatusCode
      return show(
        c,
        <NoticePage look={lookOf(c)} title={t.wrong} text={problemOf(c, code)} href={`${mount}/login`} link={t.signIn} />,
        shown,
      )
    },
  }
}
