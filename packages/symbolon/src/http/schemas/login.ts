// Bodies of the sign-in routes. Lengths are bounded here; what the texts mean is core's.

import { z } from '@hono/zod-openapi'

const loginId = z.string().min(1).max(128)

/** `POST /v1/login/start`. */
export const loginStart = z.strictObject({
  method: z.string().min(1).max(40),
  identifier: z.string().min(1).max(320),
  client_id: z.string().min(1).max(60).default('app'),
})

/** `POST /v1/login/resend`. */
export const loginResend = z.strictObject({ login_id: loginId })

/** `POST /v1/login/verify`. */
export const loginVerify = z.strictObject({ login_id: loginId, code: z.string().min(1).max(64) })

/** The answer to a start or a resend. */
export const loginStarted = z.object({ login_id: z.string(), expires_at: z.iso.datetime(), resend_at: z.iso.datetime() })
