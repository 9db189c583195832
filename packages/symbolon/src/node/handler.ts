// An auth object mounted under node:http, Express and Fastify. The request's address is built from the issuer, never
// from Host; the client's address comes from the socket and from trusted hops only. Bodies are bounded in size and time.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { type ErrorCode, issuerPath, problemHeaders, problemOf, routes, securityHeaders } from '@symbolon/protocol'
import { clientAddress } from './address.ts'
import { readBody } from './body.ts'

/** A batch of tokens is larger than anything else that is sent; bytes. */
const batchLimit = 2_500_000

/** As much of an auth object as a handler needs. */
export interface Mountable {
  readonly issuer: string
  /** How many proxies in front are trusted to append to X-Forwarded-For. */
  readonly trustedProxies: number
  /** Paths at the host's root that it answers, wherever the issuer's is. */
  readonly wellKnown?: readonly string[]
  handler(request: Request, info?: { readonly ip?: string | null; readonly host?: string | null }): Promise<Response>
}

/** What a framework may have put on the request before us. */
type Arrived = IncomingMessage & { originalUrl?: string; body?: unknown }

/** A handler for node:http, Express (`app.use`) and Fastify's middleware plugins. `next` is called for paths that are not ours. */
export type NodeHandler = (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void) => void

/** Whether a path belongs to the service: below the issuer's path, or a well-known place at the host's root that names it. */
function isOurs(path: string, mount: string): boolean {
  // The metadata stands before the issuer's path (RFC 8414 §3.1).
  return mount === '' || path === mount || path.startsWith(`${mount}/`) || path === routes.metadata + mount
}

/** Methods that no Request can have (Fetch §2.2.1). */
const unspoken: ReadonlySet<string> = new Set(['TRACE', 'TRACK', 'CONNECT'])
/** More are refused, never dropped: what would be missing might be the one that forbids. */
const mostHeaders = 100

/** The paths of the service, and what belongs to its pages. A well-known place that others use too is ours only where it is said. */
const own = [
  ...Object.values(routes)
    .filter((path) => path !== routes.webauthn)
    .map((path) => new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`)),
  /^\/(?:login|account|dev)\//,
  /^\/assets\/(?:page|passkeys)-[^/]+$/,
]

/** With an issuer at the root and a framework behind us, only the service's own paths are taken from it. */
const isOursAtRoot = (path: string): boolean => own.some((pattern) => pattern.test(path))

/**
 * Mounts an auth object.
 * @example
 * app.use(toNodeHandler(auth))
 */
export function toNodeHandler(auth: Mountable): NodeHandler {
  const { origin } = new URL(auth.issuer)
  const mount = issuerPath(auth.issuer)
  const { wellKnown = [] } = auth
  return (request: Arrived, response, next) => {
    // A proxy may write the whole address (RFC 9112 §3.2.2); its host is not believed either.
    const target = (request.originalUrl ?? request.url ?? '/').replace(/^https?:\/\/[^/?]*/i, '')
    const path = target.split('?', 1)[0] as string
    const ours = wellKnown.includes(path) || (mount === '' && next !== undefined ? isOursAtRoot(path) : isOurs(path, mount))
    if (!ours) {
      if (next !== undefined) return next()
      return refuse(response, 'not_found', origin)
    }
    void answer(auth, origin, target, request, response)
  }
}

async function answer(auth: Mountable, origin: string, target: string, request: Arrived, response: ServerResponse): Promise<void> {
  try {
    // The concatenation keeps '//evil' and absolute targets inside our origin; a URL parser would leave it.
    if (!target.startsWith('/')) return refuse(response, 'invalid_request', origin)
    const method = request.method ?? 'GET'
    if (unspoken.has(method)) return refuse(response, 'method_not_allowed', origin)
    if (request.rawHeaders.length > 2 * mostHeaders) return refuse(response, 'headers_too_large', origin)
    const path = target.split('?', 1)[0] as string
    const limit = path === issuerPath(auth.issuer) + routes.introspectBatch ? batchLimit : undefined
    const body = method === 'GET' || method === 'HEAD' ? undefined : await readBody(request, limit)
    if (typeof body === 'string') return refuse(response, body, origin, true)
    const headers = new Headers()
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      const name = (request.rawHeaders[i] as string).toLowerCase()
      const value = request.rawHeaders[i + 1] as string
      // Headers would join two Cookie fields by a comma; RFC 9113 §8.2.3 says '; '.
      if (name === 'cookie' && headers.has('cookie')) headers.set('cookie', `${headers.get('cookie')}; ${value}`)
      // RFC 9113 §8.3: an HTTP/2 server of Node's lists the request line as headers, too.
      else if (name.startsWith(':') || name === 'host' || name === 'connection' || name === 'transfer-encoding') continue
      else headers.append(name, value)
    }
    const made = new Request(origin + target, { method, headers, ...(body !== undefined && body.length > 0 && { body }) })
    const ip = clientAddress(request.socket.remoteAddress, request.headers['x-forwarded-for'], auth.trustedProxies)
    await send(
      await auth.handler(made, { ip, host: String(request.headers.host ?? request.headers[':authority'] ?? '') }),
      method,
      response,
    )
  } catch (error) {
    if (response.headersSent) response.destroy()
    else refuse(response, error instanceof TypeError ? 'invalid_request' : 'internal', origin)
  }
}

/** Streams an answer out, each Set-Cookie in a line of its own. */
async function send(answered: Response, method: string, response: ServerResponse): Promise<void> {
  response.statusCode = answered.status
  for (const [name, value] of answered.headers) if (name !== 'set-cookie') response.setHeader(name, value)
  const cookies = answered.headers.getSetCookie()
  if (cookies.length > 0) response.setHeader('set-cookie', cookies)
  if (answered.body === null || method === 'HEAD') {
    await answered.body?.cancel()
    response.end()
    return
  }
  const reader = answered.body.getReader()
  const leave = () => void reader.cancel().catch(() => {})
  // Who went away while the answer was made says so no more.
  if (response.destroyed) return leave()
  response.once('close', leave)
  // What ends with a fault ends here too while nobody reads: nothing waits for a peer that does not drain.
  reader.closed.catch(() => response.destroy())
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    if (!response.write(value)) await writable(response)
    if (response.destroyed) return
  }
  response.end()
}

function writable(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}

function refuse(response: ServerResponse, code: ErrorCode, origin: string, close = false): void {
  const problem = problemOf(code)
  const text = JSON.stringify(problem)
  response.writeHead(problem.status, {
    ...securityHeaders(origin.startsWith('https:')),
    ...problemHeaders(code),
    'content-length': Buffer.byteLength(text),
    ...(close && { connection: 'close' }),
  })
  response.end(text)
}
