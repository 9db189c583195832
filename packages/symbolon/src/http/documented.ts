// What the service says of its routes in `/openapi.json`: what each takes and gives, and by what it knows who is calling.

import type { OpenAPIHono, z } from '@hono/zod-openapi'
import { cookieName } from '@symbolon/protocol'
import type { Env } from './context.ts'
import { refusedAs, refusedWith } from './schemas/oauth.ts'
import { lines, parameters, problem } from './schemas/session.ts'

/** A verb that is documented. */
export type Method = 'get' | 'post' | 'delete'

/**
 * By what a route knows who is calling. `body`: by what its body holds, such as a refresh token, a login id, or a client's
 * secret or assertion. `anybody`: it need not know.
 */
export type By = keyof typeof named | 'body' | 'anybody'

/** What a route takes and gives. */
export interface Described {
  readonly summary: string
  /** Any one of these will do. */
  readonly by: readonly By[]
  readonly body?: z.ZodObject
  /** The body's media type; JSON unless said. */
  readonly type?: string
  readonly query?: z.ZodObject
  readonly answer?: z.ZodType
  /** The media type of an answer that is text in lines. */
  readonly stream?: string
  readonly status?: number
  /** An answer with another status, which is not a problem. */
  readonly other?: { readonly status: number; readonly description: string; readonly answer: z.ZodType }
}

/** The names of what shows who is calling. */
const named = {
  cookie: 'sessionCookie',
  token: 'accessToken',
  nativeToken: 'nativeAccessToken',
  client: 'clientSecret',
  clientToken: 'clientToken',
} as const

const schemes = (cookie: string): Readonly<Record<keyof typeof named, object>> => ({
  cookie: { type: 'apiKey', in: 'cookie', name: cookie, description: 'The session of a browser.' },
  token: { type: 'http', scheme: 'bearer', description: 'An access token for this service; its session is looked up (RFC 6750 §2.1).' },
  nativeToken: { type: 'http', scheme: 'bearer', description: 'The same, of a client without cookies.' },
  client: { type: 'http', scheme: 'basic', description: 'A client’s id and secret (RFC 6749 §2.3.1).' },
  clientToken: { type: 'http', scheme: 'bearer', description: 'A client’s own access token with the scope `revocations:read`.' },
})

const securityOf = (by: readonly By[]) => by.map((one) => (one === 'body' || one === 'anybody' ? {} : { [named[one]]: [] }))
const json = (schema: z.ZodType) => ({ 'application/json': { schema } })

/** Below `/oauth` refusals speak as the standard of that door does; what never reached its route is a problem as ever. */
const refusals = Object.fromEntries(
  refusedWith.map((status) => [status, { description: 'Refused; `error` says why (RFC 6749 §5.2).', content: json(refusedAs) }]),
)

/** Describes one route. `path`: below the issuer's, with `{names}`. */
export function describe(app: OpenAPIHono<Env>, method: Method, path: string, described: Described): void {
  const { summary, by, body, type = 'application/json', query, answer, stream, status = 200, other } = described
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string)
  const content = { ...(answer !== undefined && json(answer)), ...(stream !== undefined && { [stream]: { schema: lines } }) }
  app.openAPIRegistry.registerPath({
    method,
    path,
    summary,
    security: securityOf(by),
    request: {
      ...(body !== undefined && { body: { required: true, content: { [type]: { schema: body } } } }),
      ...(names.length > 0 && { params: parameters(names) }),
      ...(query !== undefined && { query }),
    },
    responses: {
      [status]: { description: 'Done.', ...(Object.keys(content).length > 0 && { content }) },
      ...(other !== undefined && { [other.status]: { description: other.description, content: json(other.answer) } }),
      ...(path.startsWith('/oauth/') && refusals),
      default: { description: 'Refused; `code` says why.', content: { 'application/problem+json': { schema: problem } } },
    },
  })
}

/** The whole document (OpenAPI 3.1). `secure`: whether the cookie carries its prefix. */
export function documentOf(app: OpenAPIHono<Env>, issuer: string, secure: boolean): object {
  for (const [by, scheme] of Object.entries(schemes(cookieName('session', secure))))
    app.openAPIRegistry.registerComponent('securitySchemes', named[by as keyof typeof named], scheme as never)
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Symbolon', version: '1', description: 'Session truth at token speed.' },
    servers: [{ url: issuer }],
  })
}
