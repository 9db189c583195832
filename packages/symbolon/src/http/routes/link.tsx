// The link in a mail. Opening it changes nothing, however often and by whom: the token goes into a cookie of this browser,
// and the address is left behind. What consumes it is a form, and that needs what no scanner has: the login cookie of the
// browser that started, or the code of the same mail.

import { z } from '@hono/zod-openapi'
import type { SymbolonError } from '@symbolon/protocol'
import type { LoginStep } from '#core'
import { pageTexts } from '#messages'
import { readForm, readQuery } from '../body.ts'
import { deviceName, giveCookie, type Http, refusal, type Site } from '../context.ts'
import { NoticePage } from '../pages/account.tsx'
import { LinkPage } from '../pages/link.tsx'
import { browserOf, giveSession, pageAnswer } from './login.ts'
import { offerRoutes } from './offer.tsx'
import { createShowing, expectedOfCode, linkLife, statusOf } from './showing.ts'

const linkQuery = z.object({ token: z.string().max(200).optional() })
const linkForm = z.strictObject({
  form_token: z.string().max(100),
  code: z.string().max(64).optional(),
  end: z.string().max(60).optional(),
  method: z.string().max(60).optional(),
  response: z.string().max(12_000).optional(),
})
const tokenForm = /^[A-Za-z0-9_-]{86}$/

/** Creates the routes of the link. */
export function linkRoutes(site: Site) {
  const { mount, parts } = site
  const { core } = parts
  const showing = createShowing(site)
  const { proof, lookOf, show, ownForm, pageClient, returnAddress, leadTo, nameOf, problemOf, holdToken } = showing
  const offer = offerRoutes(site, showing)
  const subject = (browser: string, token: string) => `link\n${browser}\n${token}`

  const showGone = (c: Http) => {
    const t = pageTexts(lookOf(c))
    return show(c, <NoticePage look={lookOf(c)} title={t.linkGone} text={t.linkGoneHint} href={`${mount}/login`} link={t.signIn} />, 410)
  }
  const showStep = (c: Http, step: LoginStep, formToken: string, error: SymbolonError | null) =>
    showing.showStep(c, { action: `${mount}/login/link`, formToken }, step, error)
  /** What stands behind the link that this browser holds. */
  const showLink = async (c: Http, token: string, error: SymbolonError | null) => {
    const browser = browserOf(c, site)
    const view = await core.login.viewLink(token, browser)
    // A code that is too old cannot be taken here; where it was started a press still can.
    if (!view.ok || (!view.here && view.now >= view.expiresAt)) return showGone(c)
    const client = await pageClient(view.clientId)
    leadTo(c, returnAddress(client, view.returnTo))
    const formToken = proof(subject(browser, token))
    if (view.step.state !== 'verify') return showStep(c, view.step, formToken, error)
    return show(
      c,
      <LinkPage
        look={lookOf(c)}
        formToken={formToken}
        here={view.here}
        name={nameOf(client)}
        identifier={view.identifier}
        device={deviceName(view.userAgent)}
        ip={view.ip}
        startedAt={new Date(view.startedAt).toISOString()}
        problem={error === null ? null : problemOf(c, error.code)}
      />,
      statusOf(error),
    )
  }

  return {
    /** `GET /login/link`: with the token it only moves it out of the address; without, it shows what it is for. */
    link: async (c: Http) => {
      const { token } = readQuery(c, linkQuery)
      if (token !== undefined) return holdToken(c, token, tokenForm, `${mount}/login/link`)
      const held = c.var.cookies.link
      return held === undefined ? showGone(c) : showLink(c, held, null)
    },

    /** `POST /login/link`: pressed, or with a code, with the way that was chosen, or with the session that ends. */
    take: async (c: Http) => {
      const { form_token, code, end, method, response } = await readForm(c, linkForm)
      const { cookies, caller } = c.var
      const { link: token, login = '' } = cookies
      if (token === undefined) return showGone(c)
      ownForm(c, subject(login, token), form_token)
      const answer = pageAnswer({ code, end, method, response }) ?? { press: true as const }
      const view = await core.login.viewLink(token, login)
      if (!view.ok) return showGone(c)
      const client = await pageClient(view.clientId)
      const returnTo = returnAddress(client, view.returnTo)
      const taken = await core.login.takeLink({
        token,
        browser: login,
        device: cookies.device ?? null,
        replaces: cookies.session ?? null,
        caller,
        ...answer,
      })
      const still = !taken.ok && response !== undefined ? await core.login.viewLink(token, login) : null
      // A question that was answered once is over; one that has a passkey made is not.
      if (still !== null && !(still.ok && still.step.state === 'enrol')) return showGone(c)
      if (!taken.ok) return showLink(c, token, expectedOfCode(c, refusal(taken)))
      if ('state' in taken) {
        if (taken.token !== null) giveCookie(c, site, 'link', taken.token, linkLife * 2)
        leadTo(c, returnTo)
        return showStep(c, taken, proof(subject(login, taken.token ?? token)), null)
      }
      giveCookie(c, site, 'link', '', 0)
      giveSession(c, site, taken)
      return c.redirect(await offer.onward(c, client, taken.snapshot.user, returnTo), 303)
    },
  }
}
