// One of the playground's two APIs: a process of its own, with a verifier of its own that follows the service's feed. It
// learns everything from the process that forked it, and ends with it.

import { createServer, type Server } from 'node:http'
import { createVerifier, type Verifier } from '@symbolon/verifier'
import { createGuard } from '@symbolon/verifier/express'
import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import { createCuttable } from './cuttable.ts'
import type { ApiName, FromApi, ToApi } from './ipc.ts'

/** Milliseconds between two words about the verifier. */
const pace = 200

const tell = (message: FromApi) => {
  if (process.connected) process.send?.(message)
}

/** The act that a person confirms; nothing of it comes from the page. */
const transfer = { type: 'transfer', text: 'Transfer 42 € to Ada', parameters: { to: 'Ada', amount: '42.00 EUR' } }

/** Takes a confirmation of the transfer, once. */
type Consume = (confirmation: string, sid: string) => Promise<boolean>

/** Asks the service, as the client that owns the audience. */
function consumer(issuer: string, client: { readonly id: string; readonly secret: string }): Consume {
  const authorization = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`
  return async (confirmation, sid) => {
    const answer = await line.fetch(`${issuer}/v1/session/confirmations/consume`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body: JSON.stringify({ confirmation, sid, action: transfer }),
      signal: AbortSignal.timeout(3000),
    })
    return answer.ok
  }
}

/** The routes: one at each level, and those that ask for more than a session. */
function createApi(name: ApiName, verifier: Verifier, consume: Consume): Express {
  const guard = createGuard(verifier)
  const app = express()
  app.disable('x-powered-by')

  /** Times a guard, so that the page can show what a level costs. */
  const timed = (check: ReturnType<typeof guard>) => (request: Request, response: Response, next: NextFunction) => {
    const began = performance.now()
    const time = () => response.setHeader('server-timing', `guard;dur=${(performance.now() - began).toFixed(4)}`)
    const end = response.end.bind(response)
    let passed = false
    // A refusal never comes to `next`: its time is told as it goes out.
    response.end = ((...input: never[]) => {
      if (!passed && !response.headersSent) time()
      return end(...input)
    }) as never
    check(request, response, (error) => {
      passed = true
      time()
      next(error)
    })
  }
  const say = ({ auth }: Request) => ({ api: name, hello: auth.sub, checked: auth.checked, staleness_ms: auth.stalenessMs })
  const proof = ({ auth }: Request) => (auth.kind === 'user' ? { acr: auth.acr } : {})
  const more = (request: Request, response: Response) => void response.json({ ...say(request), ...proof(request) })

  app.get('/public', timed(guard('public')), (_request, response) => void response.json({ api: name, hello: 'everybody' }))
  app.get('/feed', timed(guard('token', { maxStaleness: '5s' })), (request, response) => void response.json(say(request)))
  app.post('/transfers', timed(guard('session')), (request, response) => void response.status(201).json(say(request)))
  app.post('/fresh', timed(guard('session', { maxAuthAge: '30s' })), more)
  app.post('/strong', timed(guard('session', { acr: 'urn:symbolon:acr:passkey' })), more)
  app.post('/payments', timed(guard('session')), express.json({ limit: '4kb' }), async (request, response) => {
    const { confirmation } = (request.body ?? {}) as { confirmation?: unknown }
    if (request.auth.kind !== 'user') return void response.status(403).json({ code: 'denied' })
    if (typeof confirmation !== 'string') {
      // RFC 9470 §3: whoever wants to pay shows first that it is them, and which act it is for.
      response.setHeader('www-authenticate', 'Bearer realm="playground", error="insufficient_user_authentication", max_age="0"')
      return void response.status(401).json({ code: 'step_up_required' })
    }
    const taken = await consume(confirmation, request.auth.sid).catch(() => undefined)
    if (taken === undefined) return void response.status(503).json({ code: 'try_later' })
    if (!taken) return void response.status(403).json({ code: 'confirmation_refused' })
    more(request, response)
  })
  return app
}

/** Listens on the port wished for, or on any that is free. */
function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const ready = () => resolve((server.address() as { port: number }).port)
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return reject(error)
      server.once('error', reject)
      server.listen(0, '127.0.0.1', ready)
    })
    server.listen(port, '127.0.0.1', ready)
  })
}

const line = createCuttable('none')
process.on('disconnect', () => process.exit())
process.on('message', async (message: ToApi) => {
  if ('cut' in message) return line.turn(message.cut)
  const { name, port, issuer, client, cut } = message.start
  line.turn(cut)
  try {
    const verifier = createVerifier({ issuer, clientId: client.id, clientSecret: client.secret, fetch: line.fetch })
    tell({ listening: await listen(createServer(createApi(name, verifier, consumer(issuer, client))), port) })
    setInterval(() => {
      const { stalenessMs, transport, breaker, reconnects, counters } = verifier.status()
      const { fallbacks, refusedUnknown } = counters
      const known = Number.isFinite(stalenessMs) ? stalenessMs : null
      tell({ status: { stalenessMs: known, transport, breaker, reconnects, fallbacks, refusedUnknown } })
    }, pace)
  } catch (error) {
    tell({ failed: error instanceof Error ? error.message : String(error) })
    process.exitCode = 1
    process.disconnect()
  }
})
