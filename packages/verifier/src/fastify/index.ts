// Guards for Fastify 5: an onRequest hook that sets `request.auth`. Typed structurally: Fastify itself is not imported.

import { type Guarding, verifierOf } from '../adapter.ts'
import type { Auth, GuardResult, Level, Requirement } from '../auth.ts'
import { guardRequestOf, type IncomingLike, keepPrivate, type OutgoingLike } from '../node/index.ts'
import { createPolicyGuard, type Policy, type Route } from '../policy.ts'
import type { Guard } from '../verifier.ts'

/** As much of a FastifyRequest as a guard reads. */
export interface FastifyRequestLike {
  readonly raw: IncomingLike
  auth?: Auth
}

/** As much of a FastifyReply as a guard writes. */
export interface FastifyReplyLike {
  readonly raw: Pick<OutgoingLike, 'setHeader'>
  code(status: number): unknown
  header(name: string, value: unknown): unknown
  send(body: unknown): unknown
}

/** A hook for `onRequest` or `preHandler`. */
export type FastifyHook = (request: FastifyRequestLike, reply: FastifyReplyLike, done: (error?: Error) => void) => void

/** Makes guards for Fastify. */
export interface FastifyGuard {
  (level: Level, requirement?: Requirement): FastifyHook
  policy(policy: Policy, options?: { readonly strict?: boolean }): FastifyHook
}

function toHook(guard: Guard): FastifyHook {
  return (request, reply, done) => {
    const settle = (result: GuardResult) => {
      if (result.ok) {
        if (result.auth !== undefined) request.auth = result.auth
        if (result.setCookies.length > 0) {
          reply.header('set-cookie', result.setCookies)
          keepPrivate(reply.raw)
        }
        return done()
      }
      reply.code(result.status)
      for (const name in result.headers) reply.header(name, result.headers[name])
      reply.send(result.body)
    }
    const result = guard(guardRequestOf(request.raw))
    if (result instanceof Promise) result.then(settle).catch(done)
    else settle(result)
  }
}

/**
 * Creates the guard for Fastify.
 * @example
 * app.get('/feed', { onRequest: guard('token') }, async (request) => ({ hello: request.auth.sub }))
 */
export function createGuard(guarding: Guarding): FastifyGuard {
  const verifier = verifierOf(guarding)
  return Object.assign((level: Level, requirement?: Requirement) => toHook(verifier.guard(level, requirement)), {
    policy: (policy: Policy, options?: { readonly strict?: boolean }) => toHook(createPolicyGuard(verifier, policy, options)),
  })
}

/** As much of a Fastify instance as tells of its routes. */
export interface FastifyLike {
  addHook(name: 'onRoute', hook: (route: { readonly method: string | readonly string[]; readonly url: string }) => void): unknown
}

/** Listens for routes from now on: call it before they are declared, and read the array when they are. */
export function routesOf(app: FastifyLike): readonly Route[] {
  const routes: Route[] = []
  app.addHook('onRoute', ({ method, url }) => {
    for (const name of typeof method === 'string' ? [method] : method) routes.push({ method: name, path: url })
  })
  return routes
}
