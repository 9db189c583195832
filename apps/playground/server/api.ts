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

/** The routes: one at each level. */
function createApi(name: ApiName, verifier: Verifier): Express {
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

  app.get('/public', timed(guard('public')), (_request, response) => void response.json({ api: name, hello: 'everybody' }))
  app.get('/feed', timed(guard('token', { maxStaleness: '5s' })), (request, response) => void response.json(say(request)))
  app.post('/transfers', timed(guard('session')), (request, response) => void response.status(201).json(say(request)))
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
    tell({ listening: await listen(createServer(createApi(name, verifier)), port) })
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
