// The public handler: every route on one screen, and what stands before and behind them all.

import { OpenAPIHono } from '@hono/zod-openapi'
import { type ErrorCode, errors, isLoopbackHost, nonceHeader, problemHeaders, problemOf, routes, SymbolonError } from '@symbolon/protocol'
import { createAllowed, type KnownRoute } from './allowed.ts'
import { type Env, type Http, readContext, siteOf } from './context.ts'
import { answerInTime, tooLate } from './deadline.ts'
import { type By, type Described, describe, documentOf, type Method } from './documented.ts'
import { applyCors, letRead, refuseCrossSite, secureHeaders } from './guard.ts'
import type { HttpHandler, HttpParts } from './parts.ts'
import * as account from './routes/account.ts'
import { addressRoutes } from './routes/address.tsx'
import * as confirmations from './routes/confirmations.ts'
import * as feed from './routes/feed.ts'
import { linkRoutes } from './routes/link.tsx'
import * as login from './routes/login.ts'
import { mailboxRoutes } from './routes/mailbox.tsx'
import * as meta from './routes/meta.ts'
import * as oauth from './routes/oauth.ts'
import { pageRoutes } from './routes/pages.tsx'
import * as passkeys from './routes/passkeys.ts'
import * as session from './routes/session.ts'
import * as accountSchemas from './schemas/account.ts'
import * as loginSchemas from './schemas/login.ts'
import * as oauthSchemas from './schemas/oauth.ts'
import * as passkeySchemas from './schemas/passkeys.ts'
import * as schemas from './schemas/session.ts'

type Handler = (c: Http) => Response | Promise<Response>

const byUser: readonly By[] = ['cookie', 'token']
const byClient: readonly By[] = ['client', 'body']
const byFollower: readonly By[] = ['client', 'clientToken']
const byAnybody: readonly By[] = ['anybody']

const byTransport: ReadonlySet<string> = new Set([routes.loginStart, routes.loginResend, routes.loginVerify, routes.sessionRefresh])

/** Creates the public handler. */
export function createHttp(parts: HttpParts): HttpHandler {
  const site = siteOf(parts)
  const { mount } = site
  const app = new OpenAPIHono<Env>({ strict: true })
  const pages = pageRoutes(site)
  const link = linkRoutes(site)
  const address = addressRoutes(site)
  const known: KnownRoute[] = []
  const allowed = createAllowed(() => known)

  const add = (method: Method, path: string, handler: Handler, described?: Described) => {
    app[method](mount + path.replace(/\{(\w+)\}/g, ':$1'), handler)
    known.push({ method, path: mount + path })
    if (described !== undefined) describe(app, method, path, described)
  }

  // Before every route: cookies read once, cross-site rule, CORS. What clients call in their own name ignores cookies.
  const cookielessPaths = new Set(
    [
      routes.token,
      routes.revoke,
      routes.introspect,
      routes.introspectBatch,
      routes.revocations,
      routes.revocationsSnapshot,
      routes.confirmationConsume,
    ].map((path) => mount + path),
  )
  app.use(async (c, next) => {
    const cookieless = cookielessPaths.has(c.req.path)
    readContext(c, site, cookieless)
    if (c.env.late === true) {
      if (c.env.listed !== undefined) letRead(c, c.env.listed)
      throw tooLate()
    }
    if (cookieless) return next()
    const answered = await applyCors(c, site)
    if (answered !== undefined) return answered
    // Without a cookie of ours, these decide by their client's transport: a native one is told that browsers may not.
    const decidesItself = Object.keys(c.var.cookies).length === 0 && byTransport.has(c.req.path.slice(mount.length))
    if (!decidesItself) await refuseCrossSite(c, site)
    return next()
  })

  add('post', routes.loginStart, login.start(site), {
    summary: 'Start a sign-in, or a step-up of a session: a code is sent.',
    by: ['anybody', 'cookie', 'body'],
    body: loginSchemas.loginStart,
    answer: loginSchemas.loginStarted,
  })
  add('post', routes.loginResend, login.resend(site), {
    summary: 'Send a new code.',
    by: ['body'],
    body: loginSchemas.loginResend,
    answer: loginSchemas.loginStarted,
  })
  add('post', routes.loginVerify, login.verify(site), {
    summary: 'Take the next step of a sign-in: the session, or what is still wanted.',
    by: ['body'],
    body: loginSchemas.loginVerify,
    answer: schemas.signedIn.or(loginSchemas.loginStep),
  })
  add('post', routes.sessionToken, session.mint(site), {
    summary: 'Mint an access token from the session cookie.',
    by: ['cookie'],
    body: schemas.mint,
    answer: schemas.token,
  })
  add('post', routes.sessionRefresh, session.refresh(site), {
    summary: 'Refresh a session without cookies.',
    by: ['body'],
    body: schemas.refresh,
    answer: schemas.refreshed,
  })
  add('post', routes.confirmationConsume, confirmations.consume(site), {
    summary: 'Take a confirmation of one act, once; client-authenticated.',
    by: ['client'],
    body: loginSchemas.confirmationConsume,
    answer: loginSchemas.confirmationConsumed,
  })
  add('get', routes.session, session.read(site), { summary: 'Read this session.', by: byUser, answer: schemas.session })
  add('delete', routes.session, session.signOut(site), { summary: 'Sign out.', by: byUser, status: 204 })
  add('get', routes.sessions, session.list(site), { summary: 'List this user’s sessions.', by: byUser, answer: schemas.sessions })
  add('delete', routes.sessions, session.revokeMany(site), {
    summary: 'End the other sessions, or all.',
    by: byUser,
    query: schemas.scope,
    answer: schemas.ended,
  })
  add('delete', routes.sessionById, session.revokeOne(site), { summary: 'End one session.', by: byUser, status: 204 })
  add('delete', routes.accountDelete, account.remove(site), {
    summary: 'Delete this user for good; only for who has just signed in.',
    by: ['cookie', 'nativeToken'],
    status: 204,
  })
  add('get', routes.accountEvents, account.events(site), {
    summary: 'What happened to this account lately, newest first.',
    by: byUser,
    answer: accountSchemas.events,
  })
  add('get', routes.accountExport, account.exported(site), {
    summary: 'Everything that is kept of this user, as a file; only for who has just signed in.',
    by: ['cookie', 'nativeToken'],
    answer: accountSchemas.exported,
  })
  add('post', routes.accountEmail, account.changeEmail(site), {
    summary: 'Begin to change this user’s e-mail address: a code is sent to the new one; only who has just signed in.',
    by: ['cookie', 'body'],
    body: accountSchemas.emailChange,
    answer: accountSchemas.emailChanging,
  })
  add('post', routes.accountEmailVerify, account.verifyEmail(site), {
    summary: 'Change the address by the code that came to it; every other session ends.',
    by: ['cookie', 'body'],
    body: accountSchemas.emailVerify,
    answer: accountSchemas.emailChanged,
  })
  add('get', routes.passkeys, passkeys.list(site), {
    summary: 'List this user’s passkeys.',
    by: ['cookie'],
    answer: passkeySchemas.passkeys,
  })
  add('post', routes.passkeyStart, passkeys.start(site), {
    summary: 'Begin to add a passkey; only who has just signed in.',
    by: ['cookie'],
    body: passkeySchemas.passkeyStart,
    answer: passkeySchemas.passkeyStarted,
  })
  add('post', routes.passkeyFinish, passkeys.finish(site), {
    summary: 'Add the passkey that the browser made.',
    by: ['cookie'],
    body: passkeySchemas.passkeyFinish,
    answer: passkeySchemas.passkey,
    status: 201,
  })
  add('post', routes.passkeyName, passkeys.rename(site), {
    summary: 'Name a passkey.',
    by: ['cookie'],
    body: passkeySchemas.passkeyName,
    status: 204,
  })
  add('delete', routes.passkeyById, passkeys.remove(site), { summary: 'Remove a passkey.', by: ['cookie'], status: 204 })
  add('get', routes.webauthn, passkeys.related(site), {
    summary: 'Other origins that use the same passkeys (WebAuthn §5.11).',
    by: byAnybody,
    answer: passkeySchemas.relatedOrigins,
  })
  // Browsers look for it at the host's root only.
  if (mount !== '') app.get(routes.webauthn, passkeys.related(site))
  const form = 'application/x-www-form-urlencoded'
  add('post', routes.token, oauth.token(site), {
    summary: 'A token for a client in its own name.',
    by: byClient,
    body: oauthSchemas.grant,
    type: form,
    answer: oauthSchemas.granted,
  })
  add('post', routes.revoke, oauth.revoke(site), {
    summary: 'End a token (RFC 7009).',
    by: byClient,
    body: oauthSchemas.aboutToken,
    type: form,
  })
  add('post', routes.introspect, oauth.introspect(site), {
    summary: 'Ask about a token (RFC 7662): only its audience, or its client, is told.',
    by: byClient,
    body: oauthSchemas.aboutToken,
    type: form,
    answer: oauthSchemas.introspected,
  })
  add('post', routes.introspectBatch, oauth.introspectBatch(site), {
    summary: 'Introspect many access tokens at once; client-authenticated.',
    by: byClient,
    body: oauthSchemas.batch,
    answer: oauthSchemas.introspectedBatch,
  })
  const metadata = oauth.metadata(site)
  add('get', routes.metadata, metadata, {
    summary: 'Where clients find all of this (RFC 8414).',
    by: byAnybody,
    answer: oauthSchemas.metadata,
  })
  // The standard puts it at the host's root, before the issuer's path (RFC 8414 §3.1).
  if (mount !== '') app.get(routes.metadata + mount, metadata)
  add('get', routes.revocations, feed.follow(site), {
    summary: 'Follow revocations: a stream of server-sent events, or with `wait` a long poll.',
    by: byFollower,
    query: feed.feedQuery,
    answer: schemas.feedPage,
    stream: 'text/event-stream',
  })
  add('get', routes.revocationsSnapshot, feed.snapshot(site), {
    summary: 'Every live revocation, complete up to a head; JSON, one a line.',
    by: byFollower,
    stream: 'application/x-ndjson',
  })
  add('get', routes.jwks, meta.jwks(site), { summary: 'The public signing keys.', by: byAnybody, answer: meta.jwkSet })
  add('get', routes.health, meta.health(), { summary: 'Whether the process answers.', by: byAnybody, answer: meta.fine })
  add('get', routes.ready, meta.ready(site), {
    summary: 'Whether store and keys answer.',
    by: byAnybody,
    answer: meta.fine,
    other: { status: 503, description: 'Not now.', answer: meta.unavailable },
  })
  add('get', routes.openapi, (c) => c.json(document()))
  add('get', routes.login, pages.login)
  add('post', routes.login, pages.start)
  add('post', '/login/code', pages.code)
  add('post', '/login/resend', pages.resend)
  add('get', '/login/offer', pages.offer.offer)
  add('post', '/login/offer', pages.offer.decline)
  add('post', '/login/step-up', pages.stepUp.start)
  add('post', '/login/step-up/code', pages.stepUp.code)
  add('post', '/login/step-up/resend', pages.stepUp.resend)
  add('get', routes.loginLink, link.link)
  add('post', routes.loginLink, link.take)
  add('get', routes.account, pages.account)
  add('post', '/account/email', address.start)
  add('post', '/account/email/code', address.code)
  add('get', routes.accountUndo, address.undo)
  add('post', routes.accountUndo, address.takeUndo)
  add('get', '/account/export', pages.exported)
  add('post', '/account/delete', pages.removeAccount)
  add('post', '/account/sign-out', pages.signOut)
  add('post', '/account/passkeys/rename', pages.renamePasskey)
  add('post', '/account/passkeys/remove', pages.removePasskey)
  add('get', '/assets/:name', pages.asset)
  if (parts.dev && parts.outbox !== undefined) {
    const mailbox = mailboxRoutes(site)
    // Codes, for whoever sits at this machine: to a page of another name, whose address leads here by now, there is nothing.
    const own = new URL(parts.issuer).host
    const here =
      (handler: Handler): Handler =>
      (c) => {
        const host = c.env.host ?? new URL(c.req.url).host
        if (host !== own && !isLoopbackHost(host)) throw new SymbolonError('not_found')
        return handler(c)
      }
    add('get', routes.devMailbox, here(mailbox.list))
    add('get', `${routes.devMailbox}/mail`, here(mailbox.read))
    add('get', `${routes.devMailbox}/html`, here(mailbox.html))
    add('get', routes.devOutbox, here(meta.outbox(site)))
  }

  let made: object | undefined
  const document = () => {
    made ??= documentOf(app, parts.issuer, site.secure)
    return made
  }

  app.notFound((c) => {
    const verbs = allowed(c.req.path)
    if (verbs === undefined) return refuse(c, 'not_found')
    c.header('allow', verbs)
    return refuse(c, 'method_not_allowed')
  })
  app.onError((error, c) => {
    if (error instanceof SymbolonError) {
      if (error.status >= 500) parts.observe({ event: 'http.fault', code: error.code, detail: error.detail ?? '' })
      return refuse(c, error.code, error)
    }
    parts.observe({ event: 'http.fault', code: 'internal', detail: `${error.name} at ${c.req.path.slice(0, 100)}` })
    return refuse(c, 'internal')
  })

  /** Pages get a page, everything else a problem. */
  const isPage = (c: Http) => {
    const path = c.req.path.slice(mount.length)
    if (/^\/(?:v1|oauth|\.well-known|assets|healthz|readyz|openapi\.json|dev\/outbox)(?:\/|$)/.test(path)) return false
    return (c.req.header('accept') ?? '').includes('text/html')
  }
  const refuse = (c: Http, code: ErrorCode, error?: SymbolonError): Response | Promise<Response> => {
    const headers = problemHeaders(code, error?.options)
    for (const name of ['retry-after', 'www-authenticate']) if (headers[name] !== undefined) c.header(name, headers[name])
    if (isPage(c)) return pages.problem(c, code)
    return c.body(JSON.stringify(problemOf(code, error?.options)), errors[code].status as never, {
      'content-type': 'application/problem+json',
    })
  }

  const answer = answerInTime(parts.foreign, (request, env) => app.fetch(request, env))
  return async (request, from) => {
    const response = await answer(request, from)
    // A redirect made by the platform has headers that cannot be changed; ours can.
    secureHeaders(response.headers, site)
    const nonce = request.headers.get(nonceHeader)
    if (nonce !== null && /^[\w-]{1,64}$/.test(nonce)) response.headers.set(nonceHeader, nonce)
    return response
  }
}
