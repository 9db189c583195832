// The verbs that write, in one table: what the worker runs and the store calls, typed once for both sides.

import type { AuditDraft } from '#core'
import { chargeAttempt, resendAttempt, startAttempt, sweepAttempts } from './attempts.ts'
import { bumpClient, putClient } from './clients.ts'
import { changeKeys } from './keys.ts'
import { once, spend, sweepBudgets } from './limits.ts'
import * as sessions from './sessions.ts'
import { changeUser, createUser } from './users.ts'
import { headOf, isTokenRevoked, type Write, writeAudit, writeFeed } from './write.ts'

/** Each takes the transaction and what can be cloned into a worker. */
export const verbs = {
  'sessions.open': sessions.open,
  'sessions.rotate': sessions.rotate,
  'sessions.touch': sessions.touch,
  'sessions.revoke': sessions.revoke,
  'sessions.sweep': sessions.sweep,
  'users.create': createUser,
  'users.change': changeUser,
  'clients.put': putClient,
  'clients.bump': bumpClient,
  'keys.change': changeKeys,
  'attempts.start': startAttempt,
  'attempts.charge': chargeAttempt,
  'attempts.resend': resendAttempt,
  'attempts.sweep': sweepAttempts,
  'limits.spend': (write: Write, budgets: Parameters<typeof spend>[1]) => {
    spend(write, budgets)
    return { outcome: 'spent' } as const
  },
  'limits.once': once,
  'limits.sweep': sweepBudgets,
  'audit.write': writeAudit,
  'feed.compact': ({ db, now }: Write, limit: number) =>
    db.sql('DELETE FROM feed WHERE (tenant, seq) IN (SELECT tenant, seq FROM feed WHERE expires < ? LIMIT ?)').run(now, limit),
  'feed.revokeToken': (write: Write, jti: string, expires: number, audit: readonly AuditDraft[]) => {
    if (isTokenRevoked(write.db, jti)) return headOf(write.db)
    write.feed.push({ kind: 'token', id: jti, expires })
    writeAudit(write, audit)
    return writeFeed(write)
  },
  'feed.renew': ({ db }: Write, feedId: string) => {
    db.sql("UPDATE feed_head SET feed_id = lower(hex(randomblob(8))) WHERE tenant = 'main' AND feed_id = ?").run(feedId)
    return headOf(db)
  },
  /** Notes the time, so that it does not go back over a restart. */
  'clock.keep': () => undefined,
} as const

/** A verb's name. */
export type Verb = keyof typeof verbs

/** What a verb takes beside the transaction. */
export type VerbInput<V extends Verb> = Parameters<(typeof verbs)[V]> extends readonly [unknown, ...infer Rest] ? Rest : []

/** What a verb answers. */
export type VerbOutput<V extends Verb> = ReturnType<(typeof verbs)[V]>
