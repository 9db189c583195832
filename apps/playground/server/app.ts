// The process behind the page: serves it, passes its calls on to the two APIs, and acts as the operator for whoever is
// signed in. A development tool: it holds the development service's admin key, listens on loopback only, and lets any user
// revoke the signing key.

import { createVerifier, type Verifier } from '@symbolon/verifier'
import { createGuard } from '@symbolon/verifier/express'
import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import { type Actor, createActions } from './actions.ts'
import { type Cut, cuts } from './ipc.ts'
import type { Operator } from './operator.ts'
import type { Apis } from './processes.ts'
import { passOn } from './proxy.ts'
import type { Undo } from './undo.ts'

/** What the app stands on. */
export interface PlaygroundParts {
  readonly issuer: string
  readonly operator: Operator
  readonly client: { readonly id: string; readonly secret: string }
  readonly apis: Apis
  readonly undo: Undo
  /** The folder of the built page. */
  readonly page: string
}

/** Behind a `session` guard: who acts, with the token they showed. */
function actorOf(request: Request): Actor {
  const { auth } = request
  if (auth.kind !== 'user') throw new Error('a guard let a client through')
  return { sub: auth.sub, sid: auth.sid, token: (request.headers.authorization ?? '').slice('Bearer '.length) }
}

function securityHeaders(issuer: string) {
  const policy = `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ${issuer}; frame-ancestors 'none'; base-uri 'none'`
  return (_request: Request, response: Response, next: NextFunction) => {
    response.setHeader('content-security-policy', policy)
    response.setHeader('x-content-type-options', 'nosniff')
    response.setHeader('referrer-policy', 'same-origin')
    next()
  }
}

/** Creates the app, and the verifier behind its own routes. */
export function createPlayground(parts: PlaygroundParts): { readonly app: Express; readonly verifier: Verifier } {
  const { issuer, operator, client, apis, undo, page } = parts
  // Not cut by the switch: who cut the feed must be able to put it back.
  const verifier = createVerifier({ issuer, clientId: client.id, clientSecret: client.secret })
  const guard = createGuard(verifier)
  const actions = createActions({ operator, apis: apis.all, undo })
  const app = express()
  app.disable('x-powered-by')
  app.use(securityHeaders(issuer))

  for (const api of apis.all)
    app.use(`/api/${api.name}`, (request: Request, response: Response) => passOn(api, request.url, request, response))

  // No cookie is read here, only Bearer tokens: another site's page cannot act in a visitor's name.
  const body = express.json({ limit: '1kb' })
  app.get('/play/config', (_request, response) => void response.json({ issuer }))
  app.get('/play/record', guard('session'), async (request, response) => {
    const actor = actorOf(request)
    actions.seen(actor)
    const [found, user] = await Promise.all([
      operator.call('GET', `/users/${actor.sub}/sessions`),
      operator.call('GET', `/users/${actor.sub}`),
    ])
    response.setHeader('cache-control', 'no-store')
    response.json({ ...(found.body as object), user: user.body })
  })
  app.post('/play/actions/:name', guard('session'), body, (request, response) =>
    actions.run(String(request.params.name), actorOf(request), request, response),
  )
  app.post('/play/undo', body, async (request, response) => {
    const { id } = (request.body ?? {}) as { id?: unknown }
    const undone = typeof id === 'string' && (await undo.use(id))
    response.status(undone ? 200 : 404).json(undone ? {} : { code: 'not_found' })
  })
  app.get('/play/verifiers', (_request, response) => {
    response.setHeader('cache-control', 'no-store')
    response.json({ cut: apis.cut(), acted: actions.acted(), verifiers: apis.all.map((api) => ({ api: api.name, ...api.verifier() })) })
  })
  app.put('/play/cut', guard('session'), body, (request, response) => {
    const { cut } = (request.body ?? {}) as { cut?: unknown }
    if (!cuts.some((one) => one === cut)) return void response.status(400).json({ code: 'invalid_request' })
    apis.turn(cut as Cut)
    response.json({ cut: apis.cut() })
  })
  app.use(express.static(page, { index: 'index.html' }))
  // Express would answer with the error's stack: names of files on this machine.
  app.use((error: { readonly status?: unknown }, _request: Request, response: Response, _next: NextFunction) => {
    const asked = typeof error.status === 'number' && error.status >= 400 && error.status < 500
    if (response.headersSent) response.destroy()
    else response.status(asked ? Number(error.status) : 500).json({ code: asked ? 'invalid_request' : 'try_later' })
  })
  return { app, verifier }
}
