// Deleting a person, for themselves or by an operator: whether somebody has just signed in is asked by the door. What they
// leave are ids in the audit log; they are told by mail, the last one to their address.

import { isUserId } from '@symbolon/protocol'
import type { Users } from './api.ts'
import type { Hooks } from './hooks.ts'
import { createNotices } from './notice.ts'
import type { Ports } from './ports.ts'
import { refuse } from './session.ts'

/** Creates the verb. */
export const createRemoval =
  ({ store, observe }: Pick<Ports, 'store' | 'observe'>, hooks: Pick<Hooks, 'send'>): Users['remove'] =>
  async (id, { actor, caller }, at) => {
    if (!isUserId(id)) return refuse('not_found')
    // Without the place that it came from: that is personal, too.
    const line = { event: 'user.deleted', userId: id, sid: null, clientId: at?.id ?? null, ip: null, detail: { by: actor } }
    const removed = await store.users.remove(id, [line])
    if (removed === undefined) return refuse('not_found')
    const { user, ended, head } = removed
    observe({ event: 'user.deleted', userId: id, ended: ended.length })
    await createNotices({ store, observe }, hooks)({ kind: 'deleted', to: user.email }, { userId: id, clientId: at?.id ?? '', caller })
    return { ok: true, ended, head }
  }
