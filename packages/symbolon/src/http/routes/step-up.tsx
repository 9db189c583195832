// A step-up by the hosted pages, without JavaScript too. Opening the page sends nothing and changes nothing; whose session it
// is says the cookie; forms are bound to that session; the person returns to an address of its client's list.

import { z } from '@hono/zod-openapi'
import { readJsonObject, SymbolonError } from '@symbolon/protocol'
import type { Action, Client, Need, SessionSnapshot } from '#core'
import { readForm, readQuery } from '../body.ts'
import { type Http, refusal, type Site } from '../context.ts'
import { StepUpCodePage, type StepUpFields, StepUpKeyPage, StepUpPage } from '../pages/step-up.tsx'
import { passkeyAsked } from '../pages/steps.tsx'
import { action as actionSchema } from '../schemas/login.ts'
import { browserOf, completeLogin, needOf, pageAnswer } from './login.ts'
import { createShowing, expected, expectedOfCode, statusOf } from './showing.ts'

/** The ways that these pages can go. */
const paged = ['email_otp', 'passkey'] as const

const text = (most: number) => z.string().max(most)
const asked = {
  /** Whose person is to come back, should they be signed in nowhere. */
  client_id: text(60).optional(),
  return_to: text(2000).optional(),
  acr_values: text(1100).optional(),
  max_age: z
    .string()
    .regex(/^\d{1,8}$/)
    .optional(),
  action: text(6000).optional(),
}
const stepUpQuery = z.object(asked)
const carried = z.strictObject({ form_token: text(100), ...asked })
const startForm = carried.extend({ method: z.enum(paged).default('email_otp') })
const resendForm = carried.extend({ login_id: text(128) })
const answerForm = resendForm.extend({ code: text(64).optional(), response: text(8192).optional() })
type Asked = z.output<typeof stepUpQuery>

/** What must be reached, from a query or form. */
function readNeed({ acr_values = '', max_age }: Asked): Need {
  const values = acr_values.split(' ').filter((one) => one !== '')
  return needOf({ ...(values.length > 0 && { acr_values: values }), ...(max_age !== undefined && { max_age: Number(max_age) }) })
}

/** The act, each member once; throws `invalid_request` for what cannot be one. */
function readAction({ action }: Asked): Action | null {
  if (action === undefined) return null
  const read = actionSchema.safeParse(readJsonObject(action))
  if (!read.success) throw new SymbolonError('invalid_request', { field: 'action' })
  return read.data
}

/** Creates the routes of a step-up. */
export function stepUpRoutes(site: Site) {
  const { mount, parts } = site
  const { core } = parts
  const { proof, lookOf, show, ownForm, returnAddress, leadTo, nameOf, problemOf } = createShowing(site)
  const subject = (sid: string) => `step-up\n${sid}`

  /** The session of this browser; `undefined` when it has none that lives. */
  const sessionOf = async (c: Http): Promise<SessionSnapshot | undefined> => {
    const { session } = c.var.cookies
    if (session === undefined) return undefined
    const checked = await core.sessions.whole.check(session, 'cookie', { caller: c.var.caller })
    return checked.ok ? checked.snapshot : undefined
  }
  /** Who is signed in nowhere signs in: that is as fresh as a step-up, and leads back to what asked for one. */
  const toLogin = (c: Http, { client_id, return_to }: Asked) => {
    const query = new URLSearchParams({ ...(client_id !== undefined && { client_id }), ...(return_to !== undefined && { return_to }) })
    return c.redirect(`${mount}/login${query.size === 0 ? '' : `?${query}`}`, 303)
  }

  const fieldsOf = (sid: string, form: Asked, loginId?: string): StepUpFields => {
    const { client_id, return_to, acr_values, max_age, action } = form
    const all = { form_token: proof(subject(sid)), client_id, return_to, acr_values, max_age, action, login_id: loginId }
    return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined))
  }
  const showStart = async (c: Http, { session, user, client }: SessionSnapshot, form: Asked, problem: SymbolonError | null) => {
    leadTo(c, returnAddress(client, form.return_to))
    const asking = { credential: c.var.cookies.session ?? '', kind: 'cookie' as const, need: readNeed(form), caller: c.var.caller }
    const ways = await core.login.stepUpWays(asking)
    if (!ways.ok) throw refusal(ways)
    const methods = paged.filter((one) => ways.methods.includes(one)).sort((a, b) => ways.methods.indexOf(a) - ways.methods.indexOf(b))
    const error = problem ?? (methods.length === 0 ? new SymbolonError('unsupported_method') : null)
    return show(
      c,
      <StepUpPage
        look={lookOf(c)}
        name={nameOf(client)}
        email={user.email}
        action={readAction(form)}
        fields={fieldsOf(session.sid, form)}
        methods={methods}
        problem={error === null ? null : problemOf(c, error.code)}
      />,
      statusOf(error),
    )
  }
  /** The code's page, with the act as the attempt holds it. */
  const showCode = async (c: Http, snapshot: SessionSnapshot, form: Asked, loginId: string, error: SymbolonError | null) => {
    const view = await core.login.view(loginId, c.var.cookies.login ?? null)
    if (!view.ok || view.purpose !== 'step_up') return showStart(c, snapshot, form, error ?? new SymbolonError('login_failed'))
    const fields = fieldsOf(snapshot.session.sid, form, loginId)
    const options = passkeyAsked(view.step)
    // A challenge is answered once: what was refused is begun again.
    if (options !== undefined && error === null) {
      leadTo(c, returnAddress(snapshot.client, form.return_to))
      return show(c, <StepUpKeyPage look={lookOf(c)} action={view.action} fields={fields} options={options} />)
    }
    if (view.state !== 'verify') return showStart(c, snapshot, form, error ?? new SymbolonError('login_failed'))
    leadTo(c, returnAddress(snapshot.client, form.return_to))
    const now = Date.now()
    return show(
      c,
      <StepUpCodePage
        look={lookOf(c)}
        email={view.identifier}
        minutes={Math.max(1, Math.ceil((view.expiresAt - now) / 60_000))}
        resendIn={Math.max(0, Math.ceil((view.resendAt - now) / 1000))}
        action={view.action}
        fields={fields}
        problem={error === null ? null : problemOf(c, error.code)}
      />,
      statusOf(error),
    )
  }
  /** Where the person goes. A confirmation stands behind the `#`, which no browser sends to a server. */
  const back = (client: Client, form: Asked, confirmation: string | undefined) => {
    const address = returnAddress(client, form.return_to) ?? `${mount}/account`
    return confirmation === undefined ? address : `${address.replace(/#.*$/, '')}#confirmation=${confirmation}`
  }

  return {
    /** `GET /login?step_up=1` */
    ask: async (c: Http) => {
      const query = readQuery(c, stepUpQuery)
      const snapshot = await sessionOf(c)
      if (snapshot === undefined) return toLogin(c, query)
      browserOf(c, site)
      return showStart(c, snapshot, query, null)
    },

    /** `POST /login/step-up`: the code is sent. */
    start: async (c: Http) => {
      const { form_token, method, ...form } = await readForm(c, startForm)
      const snapshot = await sessionOf(c)
      if (snapshot === undefined) return toLogin(c, form)
      ownForm(c, subject(snapshot.session.sid), form_token)
      const started = await core.login.stepUp({
        credential: c.var.cookies.session ?? '',
        kind: 'cookie',
        method,
        need: readNeed(form),
        action: readAction(form),
        returnTo: returnAddress(snapshot.client, form.return_to),
        browser: browserOf(c, site),
        device: c.var.cookies.device ?? null,
        caller: c.var.caller,
      })
      if (!started.ok) return showStart(c, snapshot, form, expected(refusal(started)))
      return showCode(c, snapshot, form, started.loginId, null)
    },

    /** `POST /login/step-up/code`: the code, or what the passkey said. */
    code: async (c: Http) => {
      const { form_token, login_id, code, response, ...form } = await readForm(c, answerForm)
      const answer = pageAnswer({ code, response })
      if (answer === undefined) throw new SymbolonError('invalid_request')
      const snapshot = await sessionOf(c)
      if (snapshot === undefined) return toLogin(c, form)
      ownForm(c, subject(snapshot.session.sid), form_token)
      // Checked before anything is used up.
      const lead = (confirmation?: string) => back(snapshot.client, form, confirmation)
      lead()
      try {
        const view = await core.login.view(login_id, c.var.cookies.login ?? null)
        if (!view.ok || view.purpose !== 'step_up') throw new SymbolonError('login_failed')
        const taken = await completeLogin(c, site, login_id, answer)
        if ('state' in taken) throw new SymbolonError('denied', { detail: `no page for ${taken.state}` })
        return c.redirect(lead(taken.confirmation?.text), 303)
      } catch (error) {
        return showCode(c, snapshot, form, login_id, expectedOfCode(c, error))
      }
    },

    /** `POST /login/step-up/resend` */
    resend: async (c: Http) => {
      const { form_token, login_id, ...form } = await readForm(c, resendForm)
      const snapshot = await sessionOf(c)
      if (snapshot === undefined) return toLogin(c, form)
      ownForm(c, subject(snapshot.session.sid), form_token)
      const browser = c.var.cookies.login ?? null
      const sent = await core.login.resend({ loginId: login_id, browser, device: c.var.cookies.device ?? null, caller: c.var.caller })
      return showCode(c, snapshot, form, login_id, sent.ok ? null : expected(refusal(sent)))
    },
  }
}
