// Bodies and answers of the routes for passkeys. What a browser answers is bounded here by the size of the body, and held
// to its shape by who judges it.

import { z } from '@hono/zod-openapi'

/** JSON as the browser's own functions take and give it (WebAuthn §5.1). */
export const publicKeyJson = z.looseObject({})

/** `POST /v1/account/passkeys/start`. */
export const passkeyStart = z.strictObject({})

/** Its answer: `public_key` is for `navigator.credentials.create`. */
export const passkeyStarted = z.object({ registration_id: z.string(), expires_at: z.iso.datetime(), public_key: publicKeyJson })

/** `POST /v1/account/passkeys/finish`. */
export const passkeyFinish = z.strictObject({
  registration_id: z.string().min(1).max(128),
  response: publicKeyJson,
  name: z.string().max(200).optional(),
})

/** `POST /v1/account/passkeys/{id}/name`. */
export const passkeyName = z.strictObject({ name: z.string().min(1).max(200) })

/** A passkey as its owner sees it. `synced`: it can be on several devices. */
export const passkey = z.object({
  id: z.string(),
  name: z.string(),
  synced: z.boolean(),
  created_at: z.iso.datetime(),
  last_used_at: z.iso.datetime().nullable(),
})

/** A person's passkeys, oldest first; `user_handle` is what keychains know the person by. */
export const passkeys = z.object({ rp_id: z.string().nullable(), user_handle: z.string().nullable(), passkeys: z.array(passkey) })

/** `GET /.well-known/webauthn` (WebAuthn §5.11). */
export const relatedOrigins = z.object({ origins: z.array(z.string()) })
