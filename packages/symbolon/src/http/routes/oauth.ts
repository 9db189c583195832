// What clients do in their own name: tokens (RFC 6749 §4.4), introspection (RFC 7662, and a batch of it), revocation (RFC 7009),
// and where all of it is found (RFC 8414). Client-authenticated, cookies ignored, errors as RFC 6749 §5.2.

import type { z } from '@hono/zod-openapi'
import { formatPosition, positionHeader, routes, SymbolonError } from '@symbolon/protocol'
import { acrValues, type Client } from '#core'
import { readForm, readJson } from '../body.ts'
import { type ClientForm, clientOf, isTwofold } from '../client.ts'
import type { Http, Site } from '../context.ts'
import { letAnybodyRead } from '../guard.ts'
import { aboutToken, batch, grant, type refusedAs, type refusedWith } from '../schemas/oauth.ts'

/** How large the body of a batch may be. */
const batchBytes = 2_500_000
/** Who proves itself in the body is a stranger until that is read: it may not be as large. */
const strangersBytes = 524_288

/** Refuses as RFC 6749 §5.2. */
function refuse(
  c: Http,
  error: z.infer<typeof refusedAs>['error'],
  status: (typeof refusedWith)[number] = error === 'invalid_client' ? 401 : 400,
): Response {
  if (status === 401) c.header('www-authenticate', 'Basic realm="symbolon"')
  return c.json({ error }, status)
}

/** A route whose every refusal is one of OAuth: what cannot be read, or answered now, too. */
const said = (site: Site, route: (c: Http) => Promise<Response>) => async (c: Http) => {
  try {
    return await route(c)
  } catch (error) {
    if (!(error instanceof SymbolonError)) throw error
    if (error.status === 413) return refuse(c, 'invalid_request', 413)
    if (error.status < 500 && error.status !== 429) return refuse(c, 'invalid_request')
    if (error.status >= 500) site.parts.observe({ event: 'http.fault', code: error.code, detail: error.detail ?? '' })
    c.header('retry-after', String(Math.max(1, Math.ceil(error.retryAfter ?? 1))))
    return refuse(c, 'temporarily_unavailable', error.status === 429 ? 429 : 503)
  }
}

/** The client of a form, or the refusal. `undefined` where nobody proved anything. */
async function senderOf(c: Http, site: Site, form: ClientForm): Promise<Client | Response | undefined> {
  return isTwofold(c, form) ? refuse(c, 'invalid_request') : clientOf(c, site, form)
}

/** `POST /oauth/token` */
export const token = (site: Site) =>
  said(site, async (c) => {
    const form = await readForm(c, grant, { empty: 'omitted' })
    const client = await senderOf(c, site, form)
    if (client instanceof Response) return client
    if (client === undefined) return refuse(c, 'invalid_client')
    if (form.grant_type !== 'client_credentials') return refuse(c, 'unsupported_grant_type')
    if (form.audience !== undefined && form.resource !== undefined && form.audience !== form.resource) return refuse(c, 'invalid_target')
    const granted = await site.parts.core.oauth.grant(client, { scope: form.scope, audience: form.audience ?? form.resource })
    if (!granted.ok) return refuse(c, granted.error)
    c.header('cache-control', 'no-store')
    return c.json({
      access_token: granted.accessToken,
      token_type: 'Bearer',
      expires_in: granted.expiresIn,
      ...(granted.scope !== '' && { scope: granted.scope }),
    })
  })

/** `POST /oauth/introspect`: for an inactive token no reason is given (RFC 7662 §2.2). */
export const introspect = (site: Site) =>
  said(site, async (c) => {
    const form = await readForm(c, aboutToken, { empty: 'omitted' })
    const client = await senderOf(c, site, form)
    if (client instanceof Response) return client
    if (client === undefined) return refuse(c, 'invalid_client')
    const answer = await site.parts.core.tokens.introspect(form.token, client)
    return c.json(answer.active ? answer : { active: false })
  })

/** `POST /oauth/introspect/batch`: many at once, each looked up after the request arrived; with a reason for those the caller owns. */
export const introspectBatch = (site: Site) =>
  said(site, async (c) => {
    // Who it is comes first where its header says so: the body of a stranger is not looked into then.
    const named = c.req.header('authorization') === undefined ? undefined : await clientOf(c, site)
    if (named === undefined && c.req.header('authorization') !== undefined) return refuse(c, 'invalid_client')
    const { tokens, ...form } = await readJson(c, batch, named === undefined ? strangersBytes : batchBytes)
    const client = await senderOf(c, site, form)
    if (client instanceof Response) return client
    if (client === undefined) return refuse(c, 'invalid_client')
    const { core } = site.parts
    return c.json({ results: await Promise.all(tokens.map((one) => core.tokens.introspect(one, client))) })
  })

/** `POST /oauth/revoke`: a native client, which has no secret, names itself by `client_id` (RFC 7009 §5). */
export const revoke = (site: Site) =>
  said(site, async (c) => {
    const form = await readForm(c, aboutToken, { empty: 'omitted' })
    let client = await senderOf(c, site, form)
    if (client instanceof Response) return client
    const bare = form.client_secret === undefined && form.client_assertion === undefined && c.req.header('authorization') === undefined
    if (client === undefined && bare && form.client_id !== undefined) {
      const named = await site.parts.core.clients.find(form.client_id)
      if (named?.transport === 'native' && named.status === 'active') client = named
    }
    if (client === undefined) return refuse(c, 'invalid_client')
    const head = await site.parts.core.tokens.revoke(form.token, client, c.var.caller)
    c.header(positionHeader, formatPosition(head))
    return c.body(null, 200)
  })

const methods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt']
const algorithms = ['ES256', 'Ed25519', 'RS256', 'PS256']

/** `GET /.well-known/oauth-authorization-server` (RFC 8414 §2); `acr_values_supported` tells of step-up (RFC 9470 §7). */
export const metadata = (site: Site) => {
  const { issuer } = site.parts
  const authenticated = (name: string) => ({
    [`${name}_endpoint_auth_methods_supported`]: name === 'revocation' ? [...methods, 'none'] : methods,
    [`${name}_endpoint_auth_signing_alg_values_supported`]: algorithms,
  })
  const body = {
    issuer,
    token_endpoint: issuer + routes.token,
    introspection_endpoint: issuer + routes.introspect,
    revocation_endpoint: issuer + routes.revoke,
    jwks_uri: issuer + routes.jwks,
    grant_types_supported: ['client_credentials'],
    response_types_supported: [],
    acr_values_supported: acrValues({ passkeys: site.parts.core.passkeys.party !== undefined }),
    ...authenticated('token'),
    ...authenticated('introspection'),
    ...authenticated('revocation'),
  }
  return (c: Http) => {
    c.header('cache-control', 'public, max-age=300')
    letAnybodyRead(c)
    return c.json(body)
  }
}
