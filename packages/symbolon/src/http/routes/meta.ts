// What a service says of itself: keys, health, readiness, and the development outbox as JSON.

import { z } from '@hono/zod-openapi'
import type { Http, Site } from '../context.ts'
import { letAnybodyRead } from '../guard.ts'

/** A key set (RFC 7517 §5). */
export const jwkSet = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string(), alg: z.string(), use: z.string() })) })

/** What health and readiness answer. */
export const fine = z.object({ status: z.literal('ok') })
export const unavailable = z.object({ status: z.literal('unavailable') })

/** `GET /.well-known/jwks.json` (RFC 7517 §5) */
export const jwks = (site: Site) => (c: Http) => {
  c.header('cache-control', 'public, max-age=300')
  letAnybodyRead(c)
  return c.json({ keys: site.parts.core.tokens.keys() })
}

/** `GET /healthz`: the process answers. */
export const health = () => (c: Http) => c.json({ status: 'ok' })

/** `GET /readyz`: store and keys answer. */
export const ready = (site: Site) => async (c: Http) => {
  const isReady = await Promise.resolve(site.parts.ready()).catch(() => false)
  return c.json({ status: isReady ? 'ok' : 'unavailable' }, isReady ? 200 : 503)
}

/** `GET /dev/outbox`: newest last. Development only. */
export const outbox = (site: Site) => (c: Http) => c.json(site.parts.outbox?.() ?? [])
