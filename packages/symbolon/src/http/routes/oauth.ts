// Introspection (RFC 7662). Form-encoded, client-authenticated, cookies ignored, errors as RFC 6749 §5.2.

import { z } from '@hono/zod-openapi'
import { SymbolonError } from '@symbolon/protocol'
import { readForm } from '../body.ts'
import { clientOf } from '../client.ts'
import type { Http, Site } from '../context.ts'

const introspection = z.object({
  token: z.string().max(8192),
  token_type_hint: z.string().max(60).optional(),
  client_id: z.string().max(100).optional(),
  client_secret: z.string().max(200).optional(),
})

/** `POST /oauth/introspect` */
export const introspect = (site: Site) => async (c: Http) => {
  let form: z.output<typeof introspection>
  try {
    form = await readForm(c, introspection)
  } catch (error) {
    const status = error instanceof SymbolonError && error.status === 413 ? 413 : 400
    return c.json({ error: 'invalid_request' }, status)
  }
  const client = await clientOf(c, site, form)
  if (client === undefined) {
    c.header('www-authenticate', 'Basic realm="symbolon"')
    return c.json({ error: 'invalid_client' }, 401)
  }
  return c.json(await site.parts.core.tokens.introspect(form.token, client))
}
