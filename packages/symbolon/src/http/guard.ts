// What stands before every route: the cross-site rule, CORS for listed origins, and security headers on every answer.

import { isSafeMethod, isSameSite, SymbolonError, securityHeaders } from '@symbolon/protocol'
import type { Http, Site } from './context.ts'

/**
 * The cross-site rule for the service itself. A request with a cookie of ours passes only if every header that is there
 * agrees; one without passes unless a header says that a strange site sent it.
 */
export async function refuseCrossSite(c: Http, site: Site): Promise<void> {
  const { method } = c.req
  if (isSafeMethod(method)) return
  const origin = c.req.header('origin')
  const fetchSite = c.req.header('sec-fetch-site')
  const carries = Object.keys(c.var.cookies).length > 0
  if (!carries && origin === undefined && fetchSite === undefined) return
  const listed = origin === undefined || origin === site.origin ? [] : await site.parts.core.clients.origins()
  if (!isSameSite({ method, origin, fetchSite, own: site.origin, listed })) throw new SymbolonError('cross_site_request')
}

/** Lets an origin read the answer. */
export function letRead(c: Http, origin: string): void {
  c.header('access-control-allow-origin', origin)
  c.header('access-control-allow-credentials', 'true')
  c.header('access-control-expose-headers', 'Retry-After, Symbolon-Seq, WWW-Authenticate')
}

/** For documents that are public: keys and metadata, which name nobody and need no credential. */
export function letAnybodyRead(c: Http): void {
  // A listed origin has been answered by name, and may send credentials.
  if (c.res.headers.get('access-control-allow-origin') === null) c.header('access-control-allow-origin', '*')
}

/** CORS headers (Fetch §3.2) for a listed origin; `null` and wildcards never are. Answers a preflight. */
export async function applyCors(c: Http, site: Site): Promise<Response | undefined> {
  const origin = c.req.header('origin')
  const preflight = c.req.method === 'OPTIONS' && c.req.header('access-control-request-method') !== undefined
  if (origin === undefined || origin === site.origin) return undefined
  c.header('vary', 'Origin', { append: true })
  if (origin === 'null' || !(await site.parts.core.clients.origins()).includes(origin)) {
    if (preflight) throw new SymbolonError('cross_site_request')
    return undefined
  }
  c.env.listed = origin
  letRead(c, origin)
  if (!preflight) return undefined
  c.header('access-control-allow-methods', 'GET, POST, DELETE')
  c.header('access-control-allow-headers', 'Authorization, Content-Type, Symbolon-Background')
  c.header('access-control-max-age', '600')
  return c.body(null, 204)
}

/**
 * The policy of a page. `style`: the one style sheet it may carry, by its digest. `formTarget`: a listed origin that a form of
 * this page may redirect to (Chromium holds redirects to `form-action`).
 */
export const pagePolicy = (style = "'none'", formTarget = '') =>
  `default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src ${style}; script-src 'self'; img-src 'self' data: https:; connect-src 'self'; form-action 'self'${formTarget === '' ? '' : ` ${formTarget}`}`

/** Security headers for an answer: pages get a policy that lets them work, everything else one that lets nothing. */
export function secureHeaders(headers: Headers, site: Site): void {
  const set = (name: string, value: string) => {
    if (!headers.has(name)) headers.set(name, value)
  }
  if (headers.get('content-type')?.startsWith('text/html') === true) set('content-security-policy', pagePolicy())
  for (const [name, value] of Object.entries(securityHeaders(site.secure))) set(name, value)
  if (headers.has('set-cookie')) headers.set('cache-control', 'private, no-store')
  else set('cache-control', 'no-store')
}
