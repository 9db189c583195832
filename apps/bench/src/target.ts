// The server under load, in a process of its own: one framework, the same route bare and at both levels.

import type { AddressInfo } from 'node:net'
import { createAuth } from 'symbolon'
import { issuer, secret } from './rooms.ts'

const [framework = 'express', data = ''] = process.argv.slice(2)
const auth = createAuth({ issuer, dev: true, data, secrets: [secret] })
await auth.ready()
const answer = { hello: 'world' }

async function start(): Promise<number> {
  if (framework === 'express') {
    const { default: express } = await import('express')
    const { createGuard } = await import('symbolon/express')
    const guard = createGuard(auth)
    const app = express()
    app.get('/bare', (_req, res) => void res.json(answer))
    app.get('/token', guard('token'), (_req, res) => void res.json(answer))
    app.get('/session', guard('session'), (_req, res) => void res.json(answer))
    return new Promise((resolve) => {
      const server = app.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
    })
  }
  if (framework === 'fastify') {
    const { default: fastify } = await import('fastify')
    const { createGuard } = await import('symbolon/fastify')
    const guard = createGuard(auth)
    const app = fastify()
    app.get('/bare', async () => answer)
    app.get('/token', { onRequest: guard('token') as never }, async () => answer)
    app.get('/session', { onRequest: guard('session') as never }, async () => answer)
    await app.listen({ port: 0, host: '127.0.0.1' })
    return (app.server.address() as AddressInfo).port
  }
  const { Hono } = await import('hono')
  const { serve } = await import('@hono/node-server')
  const { createGuard } = await import('symbolon/hono')
  const guard = createGuard(auth)
  const app = new Hono()
  app.get('/bare', (c) => c.json(answer))
  app.get('/token', guard('token'), (c) => c.json(answer))
  app.get('/session', guard('session'), (c) => c.json(answer))
  return new Promise((resolve) => {
    serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => resolve(port))
  })
}

const port = await start()
process.on('message', (message) => {
  if (message === 'cpu') process.send?.(process.cpuUsage())
  else process.exit()
})
process.on('disconnect', () => process.exit())
process.send?.({ port })
