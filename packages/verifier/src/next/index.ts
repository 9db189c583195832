// Guards for Next: route handlers, middleware (`proxy.ts`), server components and server actions. Typed structurally: Next
// itself is not imported. A page only reads: where no cookie can be written, a missing token is minted and not written back.

import { trimCookie } from '@symbolon/protocol'
import { type Guarding, verifierOf } from '../adapter.ts'
import type { Auth, GuardRequest, Level, Requirement } from '../auth.ts'
import { createPolicyGuard, type Policy } from '../policy.ts'
import type { Guard } from '../verifier.ts'
import { guardRequestOf, type WebGuard, createGuard as webGuard } from '../web/index.ts'

/** What a server component knows of its request: `await headers()`, `await cookies()` of `next/headers`. */
export interface PageRequest {
  readonly headers: { get(name: string): string | null }
  /** Only where the headers have no `cookie`. */
  readonly cookies?: { getAll(): readonly { readonly name: string; readonly value: string }[] }
  /** Path and query of the page, for the way back from signing in; Next does not tell. `/` unless said. */
  readonly url?: string
}

/** Who looks at a page, or why not: `location` where it should redirect to, else the status and code of the refusal. */
export type PageAnswer =
  | { readonly ok: true; readonly auth: Auth }
  | { readonly ok: false; readonly status: number; readonly code?: string; readonly location?: string }

/** What middleware may be told. */
export interface MiddlewareOptions {
  /** Refuses unnamed routes that change something. */
  readonly strict?: boolean
  /** `NextResponse.next`: how a token minted on the way is written back and told to the page. Without it neither happens. */
  readonly next?: (init: { readonly request: { readonly headers: Headers } }) => Response
}

/** Makes guards for Next. Called, it guards a route handler: `(request, context) => Response`, with `request.auth`. */
export interface NextGuard extends WebGuard {
  /** For `proxy.ts` (or `middleware.ts`, edge runtime too): the answer that refuses, or `undefined` to go on. */
  middleware(policy: Policy, options?: MiddlewareOptions): (request: Request) => Promise<Response | undefined>
  /** For a server component: reads only, never rotates, writes nothing. */
  page(level: Level, requirement?: Requirement): (request: PageRequest) => Promise<PageAnswer>
  /** For a server action: as for a page, but held to the cross-site rule, since it changes something. */
  action(level: Level, requirement?: Requirement): (request: PageRequest) => Promise<PageAnswer>
}

function readPage({ headers, cookies, url }: PageRequest, method: 'GET' | 'POST'): GuardRequest {
  return {
    method,
    url: url ?? '/',
    header(name) {
      // A page redirects by Next, which works for a navigation in the browser and for one in the page alike.
      if (name === 'sec-fetch-mode' && method === 'GET') return 'navigate'
      const value = headers.get(name) ?? undefined
      if (value !== undefined || name !== 'cookie' || cookies === undefined) return value
      // Next has decoded them: a value with a semicolon in it, which any sibling host can set, would read as more cookies.
      return cookies
        .getAll()
        .filter((one) => !`${one.name}${one.value}`.includes(';'))
        .map((one) => `${one.name}=${one.value}`)
        .join('; ')
    },
  }
}

async function answerPage(guard: Guard, request: GuardRequest): Promise<PageAnswer> {
  const result = await guard(request)
  if (result.ok) return { ok: true, auth: result.auth as Auth }
  const { location } = result.headers
  if (location !== undefined) return { ok: false, status: result.status, location }
  return { ok: false, status: result.status, code: (JSON.parse(result.body) as { code: string }).code }
}

/** The request's headers with cookies that the answer will set, so that the page behind finds them already. */
function forwarded(request: Request, setCookies: readonly string[]): Headers {
  const headers = new Headers(request.headers)
  const pairs = setCookies.map((cookie) => cookie.split(';', 1)[0] as string)
  const names = pairs.map((pair) => pair.slice(0, pair.indexOf('=') + 1))
  const kept = (headers.get('cookie') ?? '')
    .split(';')
    .map(trimCookie)
    .filter((pair) => pair !== '' && !names.some((name) => pair.startsWith(name)))
  headers.set('cookie', [...kept, ...pairs].join('; '))
  return headers
}

async function passThrough(guard: Guard, request: Request, next: MiddlewareOptions['next']): Promise<Response | undefined> {
  const result = await guard(guardRequestOf(request))
  if (!result.ok) {
    const headers = new Headers(result.headers)
    const location = headers.get('location')
    // Next takes no relative address from middleware; it makes one of its own host relative again.
    if (location !== null) headers.set('location', new URL(location, request.url).href)
    return new Response(result.body, { status: result.status, headers })
  }
  if (result.setCookies.length === 0 || next === undefined) return undefined
  const response = next({ request: { headers: forwarded(request, result.setCookies) } })
  for (const cookie of result.setCookies) response.headers.append('set-cookie', cookie)
  response.headers.set('cache-control', 'private, no-store')
  return response
}

/**
 * Creates the guard for Next.
 * @example
 * export const GET = guard('token')((request) => Response.json({ hello: request.auth.sub }))
 */
export function createGuard(guarding: Guarding): NextGuard {
  const verifier = verifierOf(guarding)
  const reader = (method: 'GET' | 'POST') => (level: Level, requirement?: Requirement) => {
    const guard = verifier.guard(level, requirement)
    return (request: PageRequest) => answerPage(guard, readPage(request, method))
  }
  return Object.assign(webGuard(verifier), {
    middleware: (policy: Policy, { next, ...options }: MiddlewareOptions = {}) => {
      const guard = createPolicyGuard(verifier, policy, options)
      return (request: Request) => passThrough(guard, request, next)
    },
    page: reader('GET'),
    action: reader('POST'),
  })
}
