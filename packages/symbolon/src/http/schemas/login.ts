// Bodies of the sign-in routes. Lengths are bounded here; what the texts mean is core's.

import { z } from '@hono/zod-openapi'

const loginId = z.string().min(1).max(128)

/** One act that a step-up is bound to; all of it is shown to the person. */
export const action = z.strictObject({
  type: z.string().min(1).max(60),
  text: z.string().min(1).max(200),
  parameters: z.record(z.string().max(40), z.string().max(200)).default({}),
})

/** `POST /v1/login/start`: a sign-in, or a step-up of the session behind the cookie or the refresh token. */
export const loginStart = z.strictObject({
  purpose: z.enum(['sign_in', 'step_up']).default('sign_in'),
  /** Left out in a step-up for the first way that reaches what is needed. */
  method: z.string().min(1).max(40).optional(),
  /** Left out for a method that tells by its answer who somebody is, and in a step-up. */
  identifier: z.string().min(1).max(320).optional(),
  /** The answer to what `captcha_required` asked. */
  captcha: z.string().min(1).max(2000).optional(),
  /** Of a sign-in; a step-up's is its session's. */
  client_id: z.string().min(1).max(60).optional(),
  /** Where the mail's link leads once it was pressed; on the client's list. */
  return_to: z.string().min(1).max(2000).optional(),
  /** The session of a client without cookies. It is not used up. */
  refresh_token: z.string().min(1).max(200).optional(),
  /** What a challenge asked for (RFC 9470 §3): classes, and seconds. */
  need: z
    .strictObject({
      acr_values: z.array(z.string().min(1).max(100)).max(10).optional(),
      max_age: z.int().min(0).max(34_560_000).optional(),
    })
    .optional(),
  action: action.optional(),
})

/** `POST /v1/session/confirmations/consume`, by a client of its own. */
export const confirmationConsume = z.strictObject({
  confirmation: z.string().min(1).max(300),
  sid: z.string().min(1).max(60),
  action,
})

/** What was confirmed, by whom, and at which level. */
export const confirmationConsumed = z.object({
  sid: z.string(),
  sub: z.string(),
  client_id: z.string(),
  acr: z.string(),
  action,
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
export const loginStarted = z.object({
  login_id: z.string(),
  expires_at: z.iso.datetime(),
  resend_at: z.iso.datetime(),
  challenge,
  /** Of a step-up: the way that was begun, and all there are. */
  method: z.string().optional(),
  methods: z.array(z.string()).optional(),
})

/** The answer to a step after which more is wanted. */
export const loginStep = z.object({
  state: z.enum(['verify', 'challenge', 'choose', 'enrol', 'limit']),
  expires_at: z.iso.datetime(),
  methods: z.array(z.string()).optional(),
  challenge,
  sessions: z.array(z.object({ sid: z.string(), device: z.string(), last_seen_at: z.iso.datetime() })).optional(),
})
