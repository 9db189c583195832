// Deleting a person, for themselves or by an operator: whether somebody has just signed in is asked by the door. What they
// leave are ids in the audit log; they are told by mail, the last one to their address. While an earlier address can still be
// put back only an operator may: whoever took an account over must not take the way back to it away.

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
    // The address first: one that is given up after that is told, or stands among the earlier ones.
    const before = await store.users.find({ id })
    const earlier = await store.addresses.undos(id)
    if (actor === id && earlier.length > 0)
      return { ...refuse('conflict'), options: { detail: 'an earlier address can still be put back; an operator may delete' } }
    // Without the place that it came from: that is personal, too.
    const line = { event: 'user.deleted', userId: id, sid: null, clientId: at?.id ?? null, ip: null, detail: { by: actor } }
    const removed = await store.users.remove(id, [line])
    if (removed === undefined) return refuse('not_found')
    const { user, ended, head } = removed
    observe({ event: 'user.deleted', userId: id, ended: ended.length })
    const tell = createNotices({ store, observe }, hooks)
    const addresses = new Set([user.email, before?.email ?? user.email, ...earlier.map(({ email }) => email)])
    for (const to of addresses) await tell({ kind: 'deleted', to }, { userId: id, clientId: at?.id ?? '', caller })
    return { ok: true, ended, head }
  }
