// The server under load, in a process of its own: one framework, the same route bare and at both levels, or in front of
// better-auth.

import type { AddressInfo } from 'node:net'
import { createAuth } from 'symbolon'
import { connections, issuer, secret } from './rooms.ts'

const [framework = 'express', data = '', url] = process.argv.slice(2)
const answer = { hello: 'world' }

/** The same route in front of better-auth. */
async function startRival(): Promise<number> {
  const { default: fastify } = await import('fastify')
  const { fromNodeHeaders } = await import('better-auth/node')
  const { openRival } = await import('./rival.ts')
  const { auth } = await openRival(url as string)
  const app = fastify()
  app.get('/bare', async () => answer)
  app.get('/session', async (request, reply) => {
    if ((await auth.api.getSession({ headers: fromNodeHeaders(request.headers) })) !== null) return answer
    return reply.code(401).send()
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

async function start(): Promise<number> {
  if (framework === 'better-auth') return startRival()
  const auth = createAuth({ issuer, dev: true, data, secrets: [secret], ...(url !== undefined && { database: { url, connections } }) })
  await auth.ready()
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
