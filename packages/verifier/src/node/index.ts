// Guards for node:http. Typed structurally: nothing of node is imported.

import { type Guarding, verifierOf } from '../adapter.ts'
import type { Auth, GuardRequest, GuardResult, Level, Requirement } from '../auth.ts'
import { headerIn, type PlainHeaders } from '../plain.ts'
import { createPolicyGuard, type Policy } from '../policy.ts'
import type { Guard } from '../verifier.ts'

/** As much of an IncomingMessage as a guard reads. */
export interface IncomingLike extends PlainHeaders {
  readonly method?: string | undefined
  readonly url?: string | undefined
}

/** As much of a ServerResponse as a guard writes. */
export interface OutgoingLike {
  statusCode: number
  setHeader(name: string, value: string | readonly string[]): unknown
  getHeader(name: string): number | string | readonly string[] | undefined
  end(body?: string): unknown
}

/** The request as guards read it. Frameworks that rewrite `url` keep the `originalUrl`; Express takes off where a router is mounted. */
export function guardRequestOf(request: IncomingLike & { readonly originalUrl?: string; readonly baseUrl?: string }): GuardRequest {
  const { url = '/', baseUrl = '' } = request
  return {
    method: request.method ?? 'GET',
    url: request.originalUrl ?? url,
    routed: baseUrl + url,
    header: (name) => headerIn(request, name),
  }
}

/** Adds cookies to those that the answer has already. */
export function addCookies(response: Pick<OutgoingLike, 'setHeader' | 'getHeader'>, cookies: readonly string[]): void {
  if (cookies.length === 0) return
  const before = response.getHeader('set-cookie')
  const held = before === undefined ? [] : typeof before === 'object' ? before : [String(before)]
  response.setHeader('set-cookie', [...held, ...cookies])
  keepPrivate(response)
}

/** Sees to it that no shared cache keeps an answer with a cookie of ours, whatever the route behind says of caching. */
export function keepPrivate(response: Pick<OutgoingLike, 'setHeader'>): void {
  response.setHeader('cache-control', keptPrivate)
  const writing = response as { writeHead?: (...input: unknown[]) => unknown }
  const { writeHead } = writing
  if (writeHead === undefined) return
  writing.writeHead = (...input) => {
    response.setHeader('cache-control', keptPrivate)
    return writeHead.apply(response, input.map(withoutCaching))
  }
}

const keptPrivate = 'private, no-store'

/** The headers given to `writeHead` last, without theirs; its status and reason as they are. */
function withoutCaching(input: unknown): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input
  return Object.fromEntries(Object.entries(input).filter(([name]) => name.toLowerCase() !== 'cache-control'))
}

/** Writes a refusal out. */
export function sendRefusal(response: OutgoingLike, refused: Extract<GuardResult, { ok: false }>): void {
  response.statusCode = refused.status
  for (const name in refused.headers) response.setHeader(name, refused.headers[name] as string)
  response.end(refused.body)
}

/** A handler that runs only for those who pass; `auth` says who is calling (`undefined` on public routes). */
export type GuardedHandler<Request, Response> = (request: Request & { auth: Auth }, response: Response) => unknown

/** Makes guards for node:http. */
export interface NodeGuard {
  (
    level: Level,
    requirement?: Requirement,
  ): <Q extends IncomingLike, P extends OutgoingLike>(handler: GuardedHandler<Q, P>) => (request: Q, response: P) => Promise<void>
  /** Guards every request by the policy table. */
  policy(
    policy: Policy,
    options?: { readonly strict?: boolean },
  ): <Q extends IncomingLike, P extends OutgoingLike>(handler: GuardedHandler<Q, P>) => (request: Q, response: P) => Promise<void>
}

/**
 * Creates the guard for node:http.
 * @example
 * createServer(guard('token')((req, res) => res.end(req.auth.sub)))
 */
export function createGuard(guarding: Guarding): NodeGuard {
  const verifier = verifierOf(guarding)
  const wrap =
    (guard: Guard) =>
    <Q extends IncomingLike, P extends OutgoingLike>(handler: GuardedHandler<Q, P>) =>
    async (request: Q, response: P): Promise<void> => {
      const result = await guard(guardRequestOf(request))
      if (!result.ok) return sendRefusal(response, result)
      addCookies(response, result.setCookies)
      await handler(Object.assign(request, { auth: result.auth as Auth }), response)
    }
  return Object.assign((level: Level, requirement?: Requirement) => wrap(verifier.guard(level, requirement)), {
    policy: (policy: Policy, options?: { readonly strict?: boolean }) => wrap(createPolicyGuard(verifier, policy, options)),
  }) as NodeGuard
}
