// One request on its way through the routes: cookies, caller, and who it is. Read once, before any route.

import {
  type AccessTokenClaims,
  type cookieName,
  issuerPath,
  type OurCookies,
  readCookies,
  SymbolonError,
  setCookie,
} from '@symbolon/protocol'
import Bowser from 'bowser'
import type { Context } from 'hono'
import type { Caller, Client, Refused, SessionSnapshot } from '#core'
import { type Language, pickLanguage } from '#messages'
import type { From, HttpParts, Waiting } from './parts.ts'

/** What Hono carries for us. */
export interface Env {
  Bindings: From & {
    /** Until when it is waited for. */
    readonly waiting?: Waiting
    /** It was waited for too long, and only this is still to be said. */
    readonly late?: true
    /** The origin that may read the answer, once it is known. */
    listed?: string | undefined
  }
  Variables: { cookies: OurCookies; caller: Caller; language: Language }
}

/** A request in a route. */
export type Http = Context<Env>

/** What is fixed for a service. */
export interface Site {
  readonly parts: HttpParts
  readonly origin: string
  /** The issuer's path: `''` or `/auth`. */
  readonly mount: string
  /** Whether cookies are Secure and carry `__Host-`. */
  readonly secure: boolean
}

/** The site of a service. */
export function siteOf(parts: HttpParts): Site {
  const mount = issuerPath(parts.issuer)
  return { parts, mount, origin: parts.issuer.slice(0, parts.issuer.length - mount.length), secure: parts.issuer.startsWith('https:') }
}

/** A refusal as an error: handled in one place. */
export const refusal = ({ code, options }: Refused) => new SymbolonError(code, options)

const browsers: ReadonlySet<string> = new Set(Object.values(Bowser.BROWSER_MAP))

/**
 * The device in words for people, such as "Firefox on Linux". It stands in mails to whomever a stranger names, so a browser's
 * name is one that is known, and a program's one word of letters: no address, no number and no sentence.
 */
export function deviceName(userAgent: string | null): string {
  if (userAgent === null || userAgent === '') return 'An unknown device'
  try {
    const { browser, os } = Bowser.parse(userAgent.slice(0, 500))
    const name = browsers.has(browser.name ?? '') ? browser.name : /^([A-Za-z][A-Za-z-]{0,29})(?:[/ ]|$)/.exec(userAgent)?.[1]
    if (name !== undefined) return os.name ? `${name} on ${os.name}` : name
  } catch {
    // What bowser cannot read is not a browser.
  }
  return 'An unknown device'
}

/** Reads cookies and caller; throws `cookie_conflict`. `cookieless` paths ignore cookies, whatever they are. */
export function readContext(c: Http, site: Site, cookieless: boolean): void {
  const cookies = cookieless ? {} : readCookies(c.req.header('cookie'), site.secure)
  if (cookies === 'conflict') throw new SymbolonError('cookie_conflict')
  const userAgent = c.req.header('user-agent')?.slice(0, 512) ?? null
  const accepted = c.req.header('accept-language')
  const language = pickLanguage(accepted)
  c.set('cookies', cookies)
  c.set('language', language)
  c.set('caller', { ip: c.env.ip, userAgent, language, device: userAgent === null ? '' : deviceName(userAgent) })
}

/** Sets a cookie; the answer is for this browser alone. */
export function giveCookie(c: Http, site: Site, ...[name, value, maxAge]: [Parameters<typeof cookieName>[0], string, number?]): void {
  c.header('set-cookie', setCookie(name, value, { secure: site.secure, ...(maxAge !== undefined && { maxAge }) }), { append: true })
}

/** The Bearer token of a request (RFC 6750 §2.1). */
export function bearerOf(c: Http): string | undefined {
  return /^bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
}

/** Who is calling, live: by the session cookie, or by an access token for this service, whose session is looked up. Throws the refusal. */
export async function whoIs(c: Http, site: Site): Promise<SessionSnapshot> {
  const { core } = site.parts
  const { session } = c.var.cookies
  const bearer = bearerOf(c)
  const caller = c.var.caller
  if (bearer !== undefined) {
    const token = core.tokens.open(bearer)
    if (token === undefined) throw new SymbolonError('invalid_token')
    const verified = await core.tokens.verifyOwn(token)
    if (!verified.ok) throw refusal(verified)
    if (session !== undefined && session.slice(4, 26) !== verified.claims.sid) throw new SymbolonError('credential_conflict')
    const checked = await core.sessions.whole.checkToken(verified.claims, { caller })
    if (!checked.ok) throw refusal(checked)
    return provenBy(checked.snapshot, verified.claims)
  }
  if (c.req.header('authorization') !== undefined) throw new SymbolonError('invalid_token')
  if (session === undefined) throw new SymbolonError('missing_credential')
  const checked = await core.sessions.whole.check(session, 'cookie', { caller })
  if (!checked.ok) throw refusal(checked)
  return checked.snapshot
}

/** A session as its token shows it: one of before a step-up proves what it did, and no more. */
function provenBy(snapshot: SessionSnapshot, { auth_time = 0, acr, amr }: AccessTokenClaims): SessionSnapshot {
  const { session } = snapshot
  if (auth_time >= Math.floor(session.authTime / 1000)) return snapshot
  const proven = { authTime: auth_time * 1000, acr: acr ?? session.acr, amr: amr ?? session.amr, baseAcr: null, baseAmr: null }
  return { ...snapshot, session: { ...session, ...proven } }
}

/** A return address as it stands on the client's list; throws `invalid_return_to`. */
export function returnAddress({ mount }: Site, client: Client, wanted: string | null | undefined): string | null {
  if (wanted === undefined || wanted === null || wanted === '') return null
  if (wanted !== `${mount}/account` && !client.returnTo.includes(wanted)) throw new SymbolonError('invalid_return_to')
  return wanted
}

/** Whether the request shows that a browser made it. */
export const isBrowser = (c: Http) => c.req.header('origin') !== undefined || c.req.header('sec-fetch-site') !== undefined
