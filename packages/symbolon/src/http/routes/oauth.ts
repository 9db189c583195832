// Introspection (RFC 7662). Form-encoded, client-authenticated, cookies ignored, errors as RFC 6749 §5.2.

import { z } from '@hono/zod-openapi'
import { SymbolonError } from '@symbolon/protocol'
import type { Client } from '#core'
import { readForm } from '../body.ts'
import type { Http, Site } from '../context.ts'

const introspection = z.object({
  token: z.string().max(8192),
  token_type_hint: z.string().max(60).optional(),
  client_id: z.string().max(100).optional(),
  client_secret: z.string().max(200).optional(),
})

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

/** The client's id and secret: by Basic (RFC 6749 §2.3.1) or in the form; both at once is none. */
function credentialsOf(c: Http, form: z.output<typeof introspection>): { readonly id: string; readonly secret: string } | undefined {
  const header = c.req.header('authorization')
  if (header === undefined) {
    return form.client_id === undefined || form.client_secret === undefined ? undefined : { id: form.client_id, secret: form.client_secret }
  }
  const basic = /^basic +([A-Za-z0-9+/]{1,800}={0,2})$/i.exec(header)?.[1]
  if (basic === undefined || form.client_secret !== undefined) return undefined
  let pair: string
  try {
    pair = atob(basic)
  } catch {
    return undefined
  }
  const colon = pair.indexOf(':')
  const id = decoded(pair.slice(0, Math.max(0, colon)))
  const secret = decoded(pair.slice(colon + 1))
  return colon < 0 || id === undefined || secret === undefined ? undefined : { id, secret }
}

/** `POST /oauth/introspect` */
export const introspect = (site: Site) => async (c: Http) => {
  let form: z.output<typeof introspection>
  try {
    form = await readForm(c, introspection)
  } catch (error) {
    const status = error instanceof SymbolonError && error.status === 413 ? 413 : 400
    return c.json({ error: 'invalid_request' }, status)
  }
  const { core } = site.parts
  const given = credentialsOf(c, form)
  const client: Client | undefined = given === undefined ? undefined : await core.clients.authenticate(given.id, given.secret)
  if (client === undefined) {
    c.header('www-authenticate', 'Basic realm="symbolon"')
    return c.json({ error: 'invalid_client' }, 401)
  }
  return c.json(await core.tokens.introspect(form.token, client))
}
