// The playground's API: one route at each level, and the controls that a visitor may try on their own account.

import { createVerifier } from '@symbolon/verifier'
import { createGuard } from '@symbolon/verifier/express'
import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import type { Operator } from './operator.ts'

/** What the app stands on. */
export interface PlaygroundParts {
  readonly issuer: string
  readonly operator: Operator
  readonly client: { readonly id: string; readonly secret: string }
  /** The folder of the built page. */
  readonly page: string
}

/** Creates the app. */
export function createPlayground({ issuer, operator, client, page }: PlaygroundParts): Express {
  const verifier = createVerifier({ issuer, clientId: client.id, clientSecret: client.secret })
  const guard = createGuard(verifier)
  const app = express()
  app.disable('x-powered-by')
  app.use((_request: Request, response: Response, next: NextFunction) => {
    response.setHeader(
      'content-security-policy',
      `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ${issuer}; frame-ancestors 'none'; base-uri 'none'`,
    )
    response.setHeader('x-content-type-options', 'nosniff')
    response.setHeader('referrer-policy', 'same-origin')
    next()
  })

  /** Times a guard, so that the page can show what a level costs. */
  const timed = (level: 'public' | 'token' | 'session') => {
    const check = guard(level)
    return (request: Request, response: Response, next: NextFunction) => {
      const began = performance.now()
      const tell = () => response.setHeader('server-timing', `guard;dur=${(performance.now() - began).toFixed(4)}`)
      const end = response.end.bind(response)
      let passed = false
      // A refusal never comes to `next`: its time is told as it goes out.
      response.end = ((...input: never[]) => {
        if (!passed && !response.headersSent) tell()
        return end(...input)
      }) as never
      check(request, response, (error) => {
        passed = true
        tell()
        next(error)
      })
    }
  }
  app.get('/api/public', timed('public'), (_request, response) => void response.json({ hello: 'everybody' }))
  app.get(
    '/api/feed',
    timed('token'),
    (request, response) => void response.json({ hello: request.auth.sub, checked: request.auth.checked }),
  )
  app.post(
    '/api/transfers',
    timed('session'),
    (request, response) => void response.status(201).json({ by: request.auth.sub, checked: request.auth.checked }),
  )

  app.get('/play/config', (_request, response) => void response.json({ issuer }))
  app.get('/play/record', guard('session'), async (request, response) => {
    const found = await operator.call('GET', `/users/${request.auth.sub}/sessions`)
    const user = await operator.call('GET', `/users/${request.auth.sub}`)
    response.setHeader('cache-control', 'no-store')
    response.json({ ...(found.body as object), user: user.body })
  })
  app.put('/play/role', guard('session'), async (request, response) => {
    const user = await operator.call<{ roles: string[] }>('GET', `/users/${request.auth.sub}`)
    const roles = user.body.roles.includes('editor') ? [] : ['editor']
    const changed = await operator.call('PUT', `/users/${request.auth.sub}/roles`, { roles })
    response.status(changed.status).json(changed.body)
  })
  app.delete('/play/sessions/:sid', guard('session'), async (request, response) => {
    const own = await operator.call<{ sessions: { sid: string }[] }>('GET', `/users/${request.auth.sub}/sessions`)
    const sid = String(request.params.sid)
    if (!own.body.sessions.some((session) => session.sid === sid)) return void response.sendStatus(404)
    const ended = await operator.call('DELETE', `/sessions/${sid}`)
    response.status(ended.status).json(ended.body)
  })
  app.use(express.static(page, { index: 'index.html' }))
  return app
}
