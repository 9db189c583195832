// What every hosted page stands on: how it looks, how it is shown, forms bound to the browser or the session that they were
// shown to, and return addresses, which come from the client's list and nowhere else.

import { type ErrorCode, errors, isSameSite, problemHeaders, SymbolonError, toBase64, toBase64url } from '@symbolon/protocol'
import type { Child } from 'hono/jsx'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Client, LoginStep } from '#core'
import { pageTexts } from '#messages'
import { giveCookie, type Http, returnAddress, type Site } from '../context.ts'
import { pagePolicy } from '../guard.ts'
import type { Look } from '../pages/frame.tsx'
import { passkeyScript } from '../pages/passkey-script.ts'
import { type StepForm, stepPage } from '../pages/steps.tsx'
import { pageScript, styleSheet } from '../pages/style.ts'

/** The tools of a page. */
export type Showing = ReturnType<typeof createShowing>

/** An error that a page can show beside its field; throws what is a fault of ours. */
export function expected(error: unknown): SymbolonError {
  if (error instanceof SymbolonError && error.status < 500) return error
  throw error
}

/** The same where a code is given: what was put off, by a hook perhaps, can be sent again as it stands. With a detail it is a fault, for the log. */
export function expectedOfCode(c: Http, error: unknown): SymbolonError {
  const isPutOff = error instanceof SymbolonError && error.code === 'try_later' && error.detail === undefined
  const shown = isPutOff ? error : expected(error)
  const wait = problemHeaders(shown.code, shown.options)['retry-after']
  if (wait !== undefined) c.header('retry-after', wait)
  return shown
}

/** The status of a step that is shown again. */
export const statusOf = (error: SymbolonError | null): ContentfulStatusCode =>
  error === null
    ? 200
    : error.status === 429 || error.status === 503 || error.status === 403
      ? error.status
      : error.status === 401
        ? 401
        : 400

/** How long a browser holds the token of a mail's link, in seconds: as long as a link to sign in lives. */
export const linkLife = 900

/** Creates the tools of the pages. */
export function createShowing(site: Site) {
  const { parts, mount } = site
  const { core, crypto } = parts
  const style = styleSheet(parts.brand)
  const tag = (content: string) => toBase64url(crypto.hash(content)).slice(0, 12)
  const assets = {
    script: `${mount}/assets/page-${tag(pageScript)}.js`,
    passkeys: `${mount}/assets/passkeys-${tag(passkeyScript)}.js`,
  }
  const styleDigest = `'sha256-${toBase64(crypto.hash(style))}'`
  const policy = (formTarget?: string) => pagePolicy(styleDigest, formTarget)

  /** A form's proof that it was shown to this browser or session. */
  const proof = (subject: string) => toBase64url((crypto.keyed('form', subject)[0] as Uint8Array).subarray(0, 24))
  const proves = (subject: string, given: string) => {
    const bytes = new TextEncoder().encode(given)
    return crypto
      .keyed('form', subject)
      .map((key) => crypto.equal(new TextEncoder().encode(toBase64url(key.subarray(0, 24))), bytes))
      .includes(true)
  }

  const lookOf = (c: Http): Look => ({
    brand: parts.brand,
    mount,
    dev: parts.outbox !== undefined,
    style,
    assets,
    language: c.var.language ?? 'en',
    texts: parts.brand.texts,
  })

  const show = async (c: Http, page: Child, status: ContentfulStatusCode = 200) => {
    const shown = c.html(`<!doctype html>${await (page as { toString(): string | Promise<string> }).toString()}`, status)
    const { headers } = await shown
    if (!headers.has('content-security-policy')) headers.set('content-security-policy', policy())
    return shown
  }
  const problemOf = (c: Http, code: ErrorCode) => pageTexts(lookOf(c)).errors[code] ?? errors[code].text

  return {
    /** What is served beside the pages, by path: its text and its media type. */
    served: {
      [assets.script]: [pageScript, 'text/javascript'],
      [assets.passkeys]: [passkeyScript, 'text/javascript'],
    } as Readonly<Record<string, readonly [string, string]>>,
    proof,
    lookOf,
    policy,
    show,
    /** What is still wanted after a proof, with what went wrong before. */
    showStep(c: Http, form: StepForm, step: LoginStep, error: SymbolonError | null) {
      const page = stepPage(lookOf(c), form, step, error === null ? null : problemOf(c, error.code))
      if (page === undefined) throw new SymbolonError('denied', { detail: `no page for ${step.state}` })
      return show(c, page, statusOf(error))
    },
    /** Page forms come from our own pages only, listed origins or not. */
    ownForm(c: Http, subject: string, given: string) {
      const own = isSameSite({
        method: 'POST',
        origin: c.req.header('origin'),
        fetchSite: c.req.header('sec-fetch-site'),
        own: site.origin,
        listed: [],
      })
      if (!own || !proves(subject, given)) throw new SymbolonError('cross_site_request')
    },
    async pageClient(id: string): Promise<Client> {
      const client = await core.clients.find(id)
      if (client === undefined || client.transport !== 'cookie' || client.status !== 'active') throw new SymbolonError('unknown_client')
      return client
    },
    returnAddress: (client: Client, wanted: string | null | undefined) => returnAddress(site, client, wanted),
    /** Lets the forms of this page lead to where the person returns. */
    leadTo(c: Http, returnTo: string | null) {
      const foreign = returnTo === null ? undefined : /^https?:\/\/[^/?#]+/.exec(returnTo)?.[0]
      if (foreign !== undefined) c.header('content-security-policy', policy(foreign))
    },
    /** Where a session is wanted: signing in, or, where a more recent proof is, stepping up; and back to the account. */
    signInFirst(c: Http, error: unknown) {
      const { status, code, options } = expected(error)
      if (status !== 401) throw error
      const { maxAge = 0, acrValues = [] } = options
      const wanted = acrValues.length === 0 ? '' : `&acr_values=${encodeURIComponent(acrValues.join(' '))}`
      const stepUp = code === 'step_up_required' ? `&step_up=1&max_age=${maxAge}${wanted}` : ''
      return c.redirect(`${mount}/login?return_to=${encodeURIComponent(`${mount}/account`)}${stepUp}`, 303)
    },
    /** A mail's link was opened: its token goes into a cookie of this browser, and out of the address. What cannot be one overwrites none. */
    holdToken(c: Http, token: string, form: RegExp, path: string) {
      c.header('referrer-policy', 'no-referrer')
      if (form.test(token)) giveCookie(c, site, 'link', token, linkLife)
      return c.redirect(path, 303)
    },
    nameOf: (client: Client) => parts.brand.name ?? client.name,
    problemOf,
  }
}
