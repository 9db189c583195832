// Guards for Express 5: a middleware that sets `req.auth`. Typed structurally: Express itself is not imported.

import { type Guarding, verifierOf } from '../adapter.ts'
import type { Auth, GuardResult, Level, Requirement } from '../auth.ts'
import { addCookies, guardRequestOf, type IncomingLike, type OutgoingLike, sendRefusal } from '../node/index.ts'
import { createPolicyGuard, type Policy, type Route } from '../policy.ts'
import type { Guard } from '../verifier.ts'

/** A middleware for Express. Behind it, `req.auth` says who is calling. */
export type ExpressMiddleware = (request: IncomingLike & { auth?: Auth }, response: OutgoingLike, next: (error?: unknown) => void) => void

/** Makes guards for Express. */
export interface ExpressGuard {
  (level: Level, requirement?: Requirement): ExpressMiddleware
  /** One middleware for a whole policy table; mount it before the routes. */
  policy(policy: Policy, options?: { readonly strict?: boolean }): ExpressMiddleware
}

function toMiddleware(guard: Guard): ExpressMiddleware {
  return (request, response, next) => {
    const done = (result: GuardResult) => {
      if (!result.ok) return sendRefusal(response, result)
      if (result.auth !== undefined) request.auth = result.auth
      addCookies(response, result.setCookies)
      next()
    }
    const result = guard(guardRequestOf(request))
    if (result instanceof Promise) result.then(done).catch(next)
    else done(result)
  }
}

/**
 * Creates the guard for Express.
 * @example
 * const guard = createGuard(auth)
 * app.get('/feed', guard('token'), (req, res) => res.json({ hello: req.auth.sub }))
 */
export function createGuard(guarding: Guarding): ExpressGuard {
  const verifier = verifierOf(guarding)
  return Object.assign((level: Level, requirement?: Requirement) => toMiddleware(verifier.guard(level, requirement)), {
    policy: (policy: Policy, options?: { readonly strict?: boolean }) => toMiddleware(createPolicyGuard(verifier, policy, options)),
  })
}

interface Layer {
  readonly route?: { readonly path: unknown; readonly methods: Readonly<Record<string, boolean>> }
  readonly handle?: { readonly stack?: readonly Layer[] }
}

/** As much of an Express application or router as lists its routes. */
export interface RoutedLike {
  readonly router?: { readonly stack: readonly Layer[] }
  readonly stack?: readonly Layer[]
}

/**
 * The routes of an Express application. Express 5 does not remember where a router was mounted: name mounted routers in
 * `mounted` by their path, or they are listed as one route that no policy covers.
 */
export function routesOf(app: RoutedLike, mounted: Readonly<Record<string, RoutedLike>> = {}): readonly Route[] {
  const named = Object.entries(mounted)
  const stack = app.router?.stack ?? app.stack ?? []
  return stack.flatMap((layer): Route[] => {
    if (layer.route !== undefined) {
      const { path, methods } = layer.route
      const paths = (Array.isArray(path) ? path : [path]).map((one) => (typeof one === 'string' ? one : '(a regular expression)'))
      return paths.flatMap((one) =>
        Object.keys(methods).flatMap((method) =>
          (method === '_all' ? ['POST', 'PUT', 'PATCH', 'DELETE'] : [method.toUpperCase()]).map((name) => ({ method: name, path: one })),
        ),
      )
    }
    if (layer.handle?.stack === undefined) return []
    const found = named.find(([, router]) => router === (layer.handle as RoutedLike))
    if (found === undefined) return [{ method: 'POST', path: '(a router that was not named to routesOf)' }]
    return routesOf(layer.handle as RoutedLike).map(({ method, path }) => ({ method, path: `${found[0]}${path}` }))
  })
}

declare global {
  namespace Express {
    interface Request {
      /** Who is calling, behind a guard. */
      auth: Auth
    }
  }
}
