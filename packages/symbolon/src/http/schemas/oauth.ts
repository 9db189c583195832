// Forms and answers of the routes that clients call in their own name.

import { z } from '@hono/zod-openapi'

const sender = {
  client_id: z.string().max(100).optional(),
  client_secret: z.string().max(200).optional(),
  client_assertion: z.string().max(4096).optional(),
  client_assertion_type: z.string().max(100).optional(),
}
/** The form of introspection (RFC 7662 §2.1) and of revocation (RFC 7009 §2.1). */
export const aboutToken = z.object({ token: z.string().max(8192), token_type_hint: z.string().max(60).optional(), ...sender })
/** The form of `POST /oauth/token`. */
export const grant = z.object({
  grant_type: z.string().max(100),
  scope: z.string().max(4000).optional(),
  audience: z.string().max(200).optional(),
  resource: z.string().max(200).optional(),
  ...sender,
})

/** How many tokens one batch may ask about. */
const batchMost = 256
/** The body of a batch; of its sender it says what the forms say. */
export const batch = z.strictObject({ tokens: z.array(z.string().max(8192)).min(1).max(batchMost), ...sender })

/** What a refusal says (RFC 6749 §5.2): a word, and no more, so that nothing is told to who guesses. */
export const refusedAs = z.object({
  error: z.enum([
    'invalid_request',
    'invalid_client',
    'unauthorized_client',
    'unsupported_grant_type',
    'invalid_scope',
    'invalid_target',
    'temporarily_unavailable',
  ]),
})
/** The statuses that it comes with. */
export const refusedWith = [400, 401, 413, 429, 503] as const

/** A token for a client in its own name (RFC 6749 §5.1); `expires_in` in seconds. */
export const granted = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int(),
  scope: z.string().optional(),
})

const told = z.looseObject({
  active: z.literal(true),
  token_type: z.enum(['Bearer', 'refresh_token']),
  iss: z.string(),
  sub: z.string(),
  client_id: z.string(),
  exp: z.int(),
  iat: z.int(),
  aud: z.string().optional(),
  jti: z.string().optional(),
  sid: z.string().optional(),
  scope: z.string().optional(),
  roles: z.array(z.string()).optional(),
  auth_time: z.int().optional(),
  acr: z.string().optional(),
  amr: z.array(z.string()).optional(),
})
/** What is told of a token (RFC 7662 §2.2): its claims as of now, times in seconds since 1970, or that it is not active. */
export const introspected = z.union([told, z.object({ active: z.literal(false) })])
/** The same of many, in their order; `code` says why one of the caller's own is refused. */
export const introspectedBatch = z.object({
  results: z.array(z.union([told, z.object({ active: z.literal(false), code: z.string().optional() })])),
})

const methods = z.array(z.string())
/** Where clients find all of this (RFC 8414 §2). */
export const metadata = z.object({
  issuer: z.string(),
  token_endpoint: z.string(),
  introspection_endpoint: z.string(),
  revocation_endpoint: z.string(),
  jwks_uri: z.string(),
  grant_types_supported: z.array(z.string()),
  response_types_supported: z.array(z.string()),
  acr_values_supported: z.array(z.string()),
  token_endpoint_auth_methods_supported: methods,
  token_endpoint_auth_signing_alg_values_supported: methods,
  introspection_endpoint_auth_methods_supported: methods,
  introspection_endpoint_auth_signing_alg_values_supported: methods,
  revocation_endpoint_auth_methods_supported: methods,
  revocation_endpoint_auth_signing_alg_values_supported: methods,
})
