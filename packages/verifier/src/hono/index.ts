// Guards for Hono: a middleware that sets `c.var.auth`. Typed structurally: Hono itself is not imported.

import { type Guarding, verifierOf } from '../adapter.ts'
import type { Auth, GuardRequest, GuardResult, Level, Requirement } from '../auth.ts'
import { headerIn, type PlainHeaders } from '../plain.ts'
import { createPolicyGuard, type Policy, type Route } from '../policy.ts'
import type { Guard } from '../verifier.ts'

/** As much of a Hono context as a guard reads and writes. */
export interface HonoContextLike {
  /** On Node, `@hono/node-server` puts the plain request here: its headers cost nothing to read. */
  readonly env?: { readonly incoming?: Partial<PlainHeaders> } | undefined
  readonly req: { readonly method: string; readonly url: string; header(name: string): string | undefined }
  readonly res: { readonly status: number }
  set(key: 'auth', value: Auth): void
  header(name: string, value: string, options?: { append?: boolean }): void
  body(data: string, status: never, headers: Record<string, string>): Response
}

/** What a guard makes known to Hono's types: `new Hono<GuardEnv>()`. */
export interface GuardEnv {
  Variables: { auth: Auth }
}

/** A middleware for Hono. Behind it, `c.var.auth` says who is calling. */
// biome-ignore lint/suspicious/noExplicitAny: Hono's Context is invariant in its environment; a structural type cannot name it.
export type HonoMiddleware = (context: any, next: () => Promise<void>) => Promise<Response | undefined>

/** Makes guards for Hono. */
export interface HonoGuard {
  (level: Level, requirement?: Requirement): HonoMiddleware
  policy(policy: Policy, options?: { readonly strict?: boolean }): HonoMiddleware
}

function guardRequestOf({ req, env }: HonoContextLike): GuardRequest {
  const plain = env?.incoming?.headers === undefined ? undefined : (env.incoming as PlainHeaders)
  const { url } = req
  const path = url.indexOf('/', url.indexOf('//') + 2)
  return {
    method: req.method,
    url: path < 0 ? '/' : url.slice(path),
    header: (name) => (plain === undefined ? req.header(name) : headerIn(plain, name)),
  }
}

function toMiddleware(guard: Guard): HonoMiddleware {
  return async (context: HonoContextLike, next) => {
    const decided = guard(guardRequestOf(context))
    const result: GuardResult = decided instanceof Promise ? await decided : decided
    if (!result.ok) return context.body(result.body, result.status as never, { ...result.headers })
    if (result.auth !== undefined) context.set('auth', result.auth)
    await next()
    // Another protocol from here on: nothing can be added to its answer.
    if (context.res.status < 200) return undefined
    for (const cookie of result.setCookies) {
      context.header('set-cookie', cookie, { append: true })
      context.header('cache-control', 'private, no-store')
    }
    return undefined
  }
}

/**
 * Creates the guard for Hono.
 * @example
 * app.get('/feed', guard('token'), (c) => c.json({ hello: c.var.auth.sub }))
 */
export function createGuard(guarding: Guarding): HonoGuard {
  const verifier = verifierOf(guarding)
  return Object.assign((level: Level, requirement?: Requirement) => toMiddleware(verifier.guard(level, requirement)), {
    policy: (policy: Policy, options?: { readonly strict?: boolean }) => toMiddleware(createPolicyGuard(verifier, policy, options)),
  })
}

/** The routes of a Hono application; middleware (handlers that take `next`) is not a route. */
export function routesOf(app: {
  readonly routes: readonly { readonly method: string; readonly path: string; readonly handler: unknown }[]
}): readonly Route[] {
  return app.routes
    .filter(({ handler }) => typeof handler !== 'function' || handler.length < 2)
    .flatMap(({ method, path }) =>
      (method === 'ALL' ? ['POST', 'PUT', 'PATCH', 'DELETE'] : [method]).map((name) => ({ method: name, path })),
    )
}
