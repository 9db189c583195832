// Guards for handlers of the Fetch API: Bun, Deno, workers, React Router, and what Next is built on. A Request goes in, a
// Response comes out; nothing of a runtime is imported.

import { type Guarding, verifierOf } from '../adapter.ts'
import type { Auth, GuardRequest, Level, Requirement } from '../auth.ts'
import { createPolicyGuard, type Policy } from '../policy.ts'
import type { Guard } from '../verifier.ts'

/** A handler that runs only for those who pass; `request.auth` says who is calling. What else it is given is passed on. */
export type WebHandler<Q extends Request, Rest extends readonly unknown[]> = (
  request: Q & { readonly auth: Auth },
  ...rest: Rest
) => Response | Promise<Response>

/** Puts a guard before a handler. */
export type WebGuarded = <Q extends Request, Rest extends readonly unknown[]>(
  handler: WebHandler<Q, Rest>,
) => (request: Q, ...rest: Rest) => Promise<Response>

/** Who is calling and which cookies the answer must set (whole Set-Cookie values), or the answer that refuses. */
export type WebChecked =
  | { readonly ok: true; readonly auth: Auth; readonly setCookies: readonly string[] }
  | { readonly ok: false; readonly response: Response }

/** Makes guards for handlers of the Fetch API. */
export interface WebGuard {
  (level: Level, requirement?: Requirement): WebGuarded
  /** Guards every request by the policy table. */
  policy(policy: Policy, options?: { readonly strict?: boolean }): WebGuarded
  /** Decides without answering, for loaders and actions: `if (!checked.ok) throw checked.response`. */
  check(level: Level, requirement?: Requirement): (request: Request) => Promise<WebChecked>
}

/** The request as guards read it. */
export function guardRequestOf(request: Request): GuardRequest {
  const { headers, url } = request
  const path = url.indexOf('/', url.indexOf('//') + 2)
  return {
    method: request.method,
    url: path < 0 ? '/' : url.slice(path),
    header: (name) => headers.get(name) ?? undefined,
  }
}

/** The answer with cookies added, as a new one: the given one may be immutable, or be given to others too. */
export function withCookies(response: Response, cookies: readonly string[]): Response {
  // A switch of protocols (101) cannot be copied; without its cookie the token is minted again next time.
  if (cookies.length === 0 || response.status < 200) return response
  const copy = new Response(response.body, response)
  for (const cookie of cookies) copy.headers.append('set-cookie', cookie)
  copy.headers.set('cache-control', 'private, no-store')
  return copy
}

async function checkBy(guard: Guard, request: Request): Promise<WebChecked> {
  const result = await guard(guardRequestOf(request))
  if (result.ok) return { ok: true, auth: result.auth as Auth, setCookies: result.setCookies }
  return { ok: false, response: new Response(result.body, { status: result.status, headers: result.headers }) }
}

/**
 * Creates the guard for handlers of the Fetch API.
 * @example
 * Deno.serve(guard('token')((request) => Response.json({ hello: request.auth.sub })))
 */
export function createGuard(guarding: Guarding): WebGuard {
  const verifier = verifierOf(guarding)
  const wrap =
    (guard: Guard): WebGuarded =>
    (handler) =>
    async (request, ...rest) => {
      const checked = await checkBy(guard, request)
      if (!checked.ok) return checked.response
      return withCookies(await handler(Object.assign(request, { auth: checked.auth }), ...rest), checked.setCookies)
    }
  return Object.assign((level: Level, requirement?: Requirement) => wrap(verifier.guard(level, requirement)), {
    policy: (policy: Policy, options?: { readonly strict?: boolean }) => wrap(createPolicyGuard(verifier, policy, options)),
    check: (level: Level, requirement?: Requirement) => {
      const guard = verifier.guard(level, requirement)
      return (request: Request) => checkBy(guard, request)
    },
  })
}
