// The operator's handler: a listener of its own, admin keys compared by hash, no cookies, no CORS.

import { type ErrorCode, errors, isSafeMethod, problemHeaders, problemOf, SymbolonError } from '@symbolon/protocol'
import { Hono } from 'hono'
import { createAllowed } from './allowed.ts'
import { bearerOf, type Env, type Http, siteOf } from './context.ts'
import { answerInTime, tooLate } from './deadline.ts'
import { secureHeaders } from './guard.ts'
import type { AdminParts, HttpHandler } from './parts.ts'
import { adminRoutes } from './routes/admin.ts'

/** Creates the operator's handler. */
export function createAdminHttp(parts: AdminParts): HttpHandler {
  const site = siteOf(parts)
  const app = new Hono<Env>()

  app.use(async (c, next) => {
    c.set('cookies', {})
    c.set('language', 'en')
    c.set('caller', { ip: c.env.ip, userAgent: null })
    const fetchSite = c.req.header('sec-fetch-site')
    if (fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none') throw new SymbolonError('cross_site_request')
    const key = bearerOf(c)
    // Compared with every key, the missing one too: time tells nothing.
    const hash = parts.crypto.hash(key ?? '')
    const known = parts.adminKeyHashes().map((one) => parts.crypto.equal(one, hash))
    if (key === undefined || !known.includes(true)) throw new SymbolonError('invalid_admin_key')
    if (c.env.late === true) throw tooLate()
    await next()
  })
  adminRoutes(app, parts)

  const refuse = (c: Http, code: ErrorCode, error?: SymbolonError) =>
    c.body(JSON.stringify(problemOf(code, error?.options)), errors[code].status as never, problemHeaders(code, error?.options))
  const allowed = createAllowed(() => app.routes.filter(({ method }) => method !== 'ALL'))
  app.notFound((c) => {
    const verbs = allowed(c.req.path)
    if (verbs === undefined) return refuse(c, 'not_found')
    c.header('allow', verbs)
    return refuse(c, 'method_not_allowed')
  })
  app.onError((error, c) => {
    if (error instanceof SymbolonError) return refuse(c, error.code, error)
    parts.observe({ event: 'http.fault', code: 'internal', detail: `${error.name} at ${c.req.path.slice(0, 100)}` })
    return refuse(c, 'internal')
  })

  const look = answerInTime(parts.foreign, (request, env) => app.fetch(request, env))
  return async (request, from) => {
    const response = await (isSafeMethod(request.method) ? look(request, from) : app.fetch(request, from))
    secureHeaders(response.headers, site)
    return response
  }
}
