// Ending sessions: one, a user's, a client's. Very many end batch by batch, and whoever else has something to write, or
// something urgent to revoke, comes in between.

import { SymbolonError } from '@symbolon/protocol'
import type { Ended } from './api.ts'
import type { RevokeReason } from './model.ts'
import { pause } from './pause.ts'
import type { AuditDraft, Ports, RevokeTarget } from './ports.ts'

/** Ends what a target names; resolves when all of it is committed. */
export type Revoke = (target: RevokeTarget, reason: RevokeReason, audit: readonly AuditDraft[]) => Promise<Ended>

const mostNamed = 10_000
/** How often a batch of a walk is asked for in all, and how long after a refusal; milliseconds. A busy store refuses after ten seconds. */
const tries = 3
const again = 1000

/** Creates the verb. */
export function createRevoke({ store, clock, observe, crashPoint }: Pick<Ports, 'store' | 'clock' | 'observe' | 'crashPoint'>): Revoke {
  /**
   * Whoever walks through everything waits in line with clean-up, and may be refused. To stop midway would leave sessions alive.
   * Only what was never sent is asked for again: a commit that is in doubt must not be acknowledged by another look.
   */
  const end: typeof store.sessions.revoke = async (target, reason, audit) => {
    const walks = 'client' in target || 'before' in target
    for (let turn = 1; ; turn++) {
      try {
        return await store.sessions.revoke(target, reason, audit)
      } catch (error) {
        if (!walks || turn === tries || !(error instanceof SymbolonError && error.code === 'try_later')) throw error
        await pause(clock, again)
      }
    }
  }
  return async (target, reason, audit) => {
    const sids: string[] = []
    let count = 0
    let left: RevokeTarget | null = target
    for (;;) {
      const began = clock.now()
      // Told to the audit log once, with the first that end.
      const { rest, head, now, ...batch } = await end(left, reason, count === 0 ? audit : [])
      crashPoint('revoke.committed')
      observe({ event: 'session.revoked', reason, count: batch.sids.length })
      count += batch.sids.length
      if (sids.length + batch.sids.length <= mostNamed) sids.push(...batch.sids)
      if (rest === null) return { now, sids, head, count }
      left = rest
      // As long a pause as the batch took: half the store's time stays everybody's.
      await pause(clock, Math.min(1000, clock.now() - began))
    }
  }
}
