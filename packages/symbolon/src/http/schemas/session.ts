// Bodies and answers of the session routes.

import { z } from '@hono/zod-openapi'

/** `POST /v1/session/token`; `rotate: false` by who cannot keep the next credential: a guard, a page being rendered. */
export const mint = z.strictObject({ rotate: z.literal(false).optional() })

/** `POST /v1/session/refresh`. */
export const refresh = z.strictObject({
  refresh_token: z.string().min(1).max(200),
  /** Of a step-up whose answer was lost: it is given again. */
  login_id: z.string().min(1).max(128).optional(),
})

/** `DELETE /v1/sessions`. */
export const scope = z.strictObject({ scope: z.enum(['others', 'all']) })

/** A session as its owner sees it. */
export const session = z.object({
  sid: z.string(),
  client_id: z.string(),
  user: z.object({ id: z.string(), roles: z.array(z.string()), email: z.string() }),
  current: z.boolean(),
  device: z.string(),
  ip: z.string().nullable(),
  created_at: z.iso.datetime(),
  last_seen_at: z.iso.datetime(),
  idle_expires_at: z.iso.datetime(),
  expires_at: z.iso.datetime(),
  auth_time: z.iso.datetime(),
  acr: z.string(),
  amr: z.array(z.string()),
})

/** The sessions of one user, newest first. */
export const sessions = z.object({ sessions: z.array(session) })

/** How many sessions ended. */
export const ended = z.object({ ended: z.int() })

/** The parameters of a path, by their names. */
export const parameters = (names: readonly string[]) => z.object(Object.fromEntries(names.map((name) => [name, z.string()])))

/** An access token; `expires_in` and `refresh_in` in seconds, `server_time` in milliseconds since 1970. */
export const token = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int(),
  refresh_in: z.int(),
  server_time: z.int(),
  sid: z.string(),
})

/** An access token and the next refresh token. */
export const refreshed = token.extend({ refresh_token: z.string() })

/** The answer to a sign-in: with tokens for a native client. */
export const signedIn = refreshed.partial().extend({
  session,
  /** After a step-up that was bound to an act. */
  confirmation: z.object({ value: z.string(), expires_at: z.iso.datetime() }).optional(),
})

/** A problem (RFC 9457). */
export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  field: z.string().optional(),
  /** With `captcha_required`: what is to be answered. */
  challenge: z.record(z.string(), z.unknown()).optional(),
})

/** A text in lines, such as events or JSON, one a line. */
export const lines = z.string()

/** A range of the revocation log; times in milliseconds, `t0` and `t` of the service's monotonic clock. */
export const feedPage = z.object({
  feed: z.string(),
  from: z.int(),
  to: z.int(),
  entries: z.array(
    z.object({
      seq: z.int(),
      kind: z.enum(['session', 'user', 'client', 'token', 'key']),
      id: z.string(),
      epoch: z.int().optional(),
      state: z.enum(['published', 'revoked']).optional(),
      at: z.int(),
      expires: z.int().nullable(),
    }),
  ),
  head: z.int(),
  t0: z.number(),
  t: z.number(),
})
