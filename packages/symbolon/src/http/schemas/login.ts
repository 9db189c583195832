// Bodies of the sign-in routes. Lengths are bounded here; what the texts mean is core's.

import { z } from '@hono/zod-openapi'

const loginId = z.string().min(1).max(128)

/** `POST /v1/login/start`. */
export const loginStart = z.strictObject({
  method: z.string().min(1).max(40),
  /** Left out for a method that tells by its answer who somebody is. */
  identifier: z.string().min(1).max(320).optional(),
  client_id: z.string().min(1).max(60).default('app'),
})

/** `POST /v1/login/resend`. */
export const loginResend = z.strictObject({ login_id: loginId })

/** `POST /v1/login/verify`: one of the four, whichever the step asks for. */
export const loginVerify = z.strictObject({
  login_id: loginId,
  code: z.string().min(1).max(64).optional(),
  /** What the browser made of a challenge. */
  response: z.looseObject({}).optional(),
  /** One of the methods to choose from. */
  method: z.string().min(1).max(40).optional(),
  /** The session to end for the new one. */
  end: z.string().min(1).max(60).optional(),
})

const challenge = z.unknown().optional()

/** The answer to a start or a resend. */
export const loginStarted = z.object({ login_id: z.string(), expires_at: z.iso.datetime(), resend_at: z.iso.datetime(), challenge })

/** The answer to a step after which more is wanted. */
export const loginStep = z.object({
  state: z.enum(['verify', 'challenge', 'choose', 'limit']),
  expires_at: z.iso.datetime(),
  methods: z.array(z.string()).optional(),
  challenge,
  sessions: z.array(z.object({ sid: z.string(), device: z.string(), last_seen_at: z.iso.datetime() })).optional(),
})
