// Patterns of the policy table that overlap: frameworks differ in which of two routes they take, so no rule that may be meant is
// left out; one that says more in every segment stands before one that says less.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createVerifier } from '@symbolon/verifier'
import { createGuard as forExpress } from '@symbolon/verifier/express'
import { createGuard as forFastify } from '@symbolon/verifier/fastify'
import express from 'express'
import Fastify from 'fastify'
import { afterAll, expect, it } from 'vitest'
import { createPolicyGuard, type Policy } from '../src/policy.ts'

const verifier = createVerifier({ issuer: 'https://auth.example' })
afterAll(() => verifier.close())

/** Whether a request without a credential is let pass. */
async function passes(policy: Policy, method: string, url: string): Promise<boolean> {
  const result = await createPolicyGuard(verifier, policy)({ method, url, header: () => undefined })
  return result.ok
}

it.each<[Policy, string, boolean]>([
  // Each says more somewhere: both count, in whichever order they stand.
  [{ 'POST /admin/*': 'session', 'POST /:workspace/users': 'public' }, '/admin/users', false],
  [{ 'POST /:workspace/users': 'public', 'POST /admin/*': 'session' }, '/admin/users', false],
  [{ 'POST /admin/:id': 'session', 'POST /:org/settings': 'public' }, '/admin/settings', false],
  [{ 'POST /:org/settings': 'public', 'POST /admin/:id': 'session' }, '/admin/settings', false],
  [{ 'POST /a/:x/:y': 'session', 'POST /:x/b/c': 'public' }, '/a/b/c', false],
  [{ 'POST /:one': 'public', 'POST /:other': 'session' }, '/x', false],
  // One says more in every segment, or as much: it counts alone.
  [{ 'POST /users/:id': 'session', 'POST /users/me': 'public' }, '/users/me', true],
  [{ 'POST /users/:id': 'public', 'POST /users/me': 'session' }, '/users/me', false],
  [{ 'POST /users/:id': 'session', 'POST /users/me': 'public' }, '/users/you', false],
  [{ 'POST /*': 'session', 'POST /login': 'public' }, '/login', true],
  [{ 'POST /*': 'session', 'POST /login': 'public' }, '/login/x', false],
  [{ 'POST /admin/*': 'session', 'POST /admin': 'public' }, '/admin', true],
  [{ 'POST /files/:name?': 'session', 'POST /files': 'public' }, '/files', true],
  [{ 'POST /image.:ext': 'public', 'POST /:any': 'session' }, '/image.png', true],
])('%j: %s passes without a credential: %s', async (policy, url, expected) => expect(await passes(policy, 'POST', url)).toBe(expected))

it('holds for the routes that Express and Fastify take', async () => {
  const policy: Policy = { 'POST /admin/*': { level: 'session', roles: ['admin'] }, 'POST /:workspace/users': 'public' }
  const app = express()
  app.use(forExpress(verifier).policy(policy))
  app.post('/admin/users', (_req, res) => void res.send('admin'))
  app.post('/:workspace/users', (_req, res) => void res.send('anybody'))
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const fastify = Fastify()
  fastify.addHook('onRequest', forFastify(verifier).policy(policy))
  fastify.post('/admin/users', async () => 'admin')
  fastify.post('/:workspace/users', async () => 'anybody')
  await fastify.listen({ port: 0, host: '127.0.0.1' })
  try {
    for (const { port } of [server.address(), fastify.server.address()] as AddressInfo[]) {
      const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST' })
      expect((await ask('/admin/users')).status).toBe(401)
      expect(await (await ask('/team/users')).text()).toBe('anybody')
    }
  } finally {
    server.close()
    await fastify.close()
  }
})
