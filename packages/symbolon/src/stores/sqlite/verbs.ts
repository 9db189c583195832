// The verbs that write, in one table: what the worker runs and the store calls, typed once for both sides.

import { changeAddress, sweepUndos, undoAddress } from './addresses.ts'
import { advanceAttempt, chargeAttempt, consumeAttempt, resendAttempt, startAttempt, sweepAttempts } from './attempts.ts'
import { bumpClient, putClient } from './clients.ts'
import { closeStore, completeMove, openAgain, putRows } from './closing.ts'
import { compactFeed, renewFeed, revokeToken } from './feed.ts'
import { changeKeys } from './keys.ts'
import { releaseLease, takeLease } from './leases.ts'
import { once, spend, sweepBudgets } from './limits.ts'
import { enrolPasskey, removePasskey, renamePasskey, usePasskey, userHandle } from './passkeys.ts'
import { raise } from './raise.ts'
import { removeUser } from './removal.ts'
import { beginRestore, dropAttempts, endRestore, growEpochs } from './restores.ts'
import { forgetSecret, noteSecrets, replaceSealed } from './seals.ts'
import * as sessions from './sessions.ts'
import { changeUser, createUser } from './users.ts'
import { deliveryDone, deliveryFailed, nameTargets, retryDeliveries, sweepDeliveries } from './webhooks.ts'
import { type Write, writeAudit } from './write.ts'

/** Each takes the transaction and what can be cloned into a worker. */
export const verbs = {
  'sessions.open': sessions.open,
  'sessions.rotate': sessions.rotate,
  'sessions.raise': raise,
  'sessions.touch': sessions.touch,
  'sessions.revoke': sessions.revoke,
  'sessions.sweep': sessions.sweep,
  'users.create': createUser,
  'users.change': changeUser,
  'users.remove': removeUser,
  'addresses.change': changeAddress,
  'addresses.undo': undoAddress,
  'addresses.sweep': sweepUndos,
  'clients.put': putClient,
  'clients.bump': bumpClient,
  'keys.change': changeKeys,
  'attempts.start': startAttempt,
  'attempts.charge': chargeAttempt,
  'attempts.resend': resendAttempt,
  'attempts.advance': advanceAttempt,
  'attempts.consume': consumeAttempt,
  'attempts.sweep': sweepAttempts,
  'passkeys.handle': userHandle,
  'passkeys.add': enrolPasskey,
  'passkeys.use': usePasskey,
  'passkeys.rename': renamePasskey,
  'passkeys.remove': removePasskey,
  'limits.spend': (write: Write, budgets: Parameters<typeof spend>[1]) => {
    spend(write, budgets)
    return { outcome: 'spent' } as const
  },
  'limits.once': once,
  'limits.sweep': sweepBudgets,
  'leases.take': takeLease,
  'leases.release': releaseLease,
  'audit.write': writeAudit,
  'feed.compact': compactFeed,
  'feed.revokeToken': revokeToken,
  'feed.renew': renewFeed,
  'copy.close': closeStore,
  'copy.complete': completeMove,
  'copy.open': openAgain,
  'copy.put': putRows,
  'seals.note': noteSecrets,
  'seals.forget': forgetSecret,
  'seals.replace': replaceSealed,
  'restores.begin': beginRestore,
  'restores.grow': growEpochs,
  'restores.dropAttempts': dropAttempts,
  'restores.end': endRestore,
  'webhooks.name': nameTargets,
  'webhooks.done': deliveryDone,
  'webhooks.failed': deliveryFailed,
  'webhooks.retry': retryDeliveries,
  'webhooks.sweep': sweepDeliveries,
  /** Notes the time, so that it does not go back over a restart. */
  'clock.keep': () => undefined,
} as const

/** A verb's name. */
export type Verb = keyof typeof verbs

/** What a verb takes beside the transaction. */
export type VerbInput<V extends Verb> = Parameters<(typeof verbs)[V]> extends readonly [unknown, ...infer Rest] ? Rest : []

/** What a verb answers. */
export type VerbOutput<V extends Verb> = ReturnType<(typeof verbs)[V]>
