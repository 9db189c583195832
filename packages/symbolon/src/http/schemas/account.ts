// What the routes for one's own account take and answer.

import { z } from '@hono/zod-openapi'
import { type EventName, events as table } from '@symbolon/protocol'
import { passkey } from './passkeys.ts'
import { session } from './session.ts'

/** An event as its owner sees it: as applications are told of it, with the device and the address it came from where they are known. */
export const event = z.object({
  type: z.enum(Object.keys(table) as [EventName, ...EventName[]]),
  timestamp: z.iso.datetime(),
  data: z.looseObject({ ip: z.string().nullable() }),
  device: z.string().nullable(),
})

/** What happened to an account, newest first. */
export const events = z.object({ events: z.array(event) })

/** Everything that is kept of a person. */
export const exported = z.object({
  exported_at: z.iso.datetime(),
  user: z.object({
    id: z.string(),
    email: z.string(),
    roles: z.array(z.string()),
    status: z.enum(['active', 'disabled']),
    created_at: z.iso.datetime(),
  }),
  /** Those that can still be put back. */
  earlier_addresses: z.array(z.object({ email: z.string(), until: z.iso.datetime() })),
  sessions: z.array(session),
  passkeys: z.array(passkey),
  events: z.array(event),
})

/** Of a client without cookies: the session itself, which no access token stands for here. It is not used up. */
const holder = { refresh_token: z.string().min(1).max(200).optional() }

/** The address that somebody wants to have. */
export const emailChange = z.strictObject({ email: z.string().max(320), ...holder })

/** Begun: a code is on its way, unless the address is another user's. */
export const emailChanging = z.object({ change_id: z.string(), expires_at: z.iso.datetime() })

/** The code that came there. */
export const emailVerify = z.strictObject({ change_id: z.string().max(128), code: z.string().max(64), ...holder })

/** The address from now on. */
export const emailChanged = z.object({ email: z.string() })
