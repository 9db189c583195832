// What people are told of their own account: the audit log's lines about them, as the events that applications are told of.
// It never says who else took part, and nothing of the place that an operator or a client called from.

import type { AuthEvent } from '@symbolon/protocol'
import type { Account, OwnEvent } from './api.ts'
import { auditNamesOf, eventOf } from './events.ts'
import type { AuditEntry } from './model.ts'
import type { Ports } from './ports.ts'

/** Words that say of somebody only what they are. */
const plain: ReadonlySet<string> = new Set(['cli', 'configuration', 'system', 'sign_in', 'service', 'mail'])
/** Lines whose `by` is a client, which the owner dealt with. */
const ofClients: ReadonlySet<string> = new Set(['session.confirmed', 'token.revoked'])

/** An event for its owner; `undefined` for what is told to nobody. */
export function ownEventOf(line: AuditEntry, userId: string): AuthEvent | undefined {
  const told = eventOf(line)
  if (told === undefined) return undefined
  const data: Readonly<Record<string, unknown>> = told.data
  const { by } = data
  const known = typeof by !== 'string' || by === userId || plain.has(by) || ofClients.has(told.type)
  // Who did it for the owner called from a place of their own; whoever came with the owner's credential is the owner's business.
  const ip = by === undefined || by === userId || by === 'sign_in' ? line.ip : null
  return { ...told, data: { ...data, ...(by !== undefined && { by: known ? by : 'admin' }), ip } } as AuthEvent
}

/** Creates the verbs. */
export function createAccount({ store }: Pick<Ports, 'store'>): Account {
  const names = auditNamesOf([])
  return {
    async events(userId, before, limit) {
      const page = await store.audit.page({ userId, names, before }, limit)
      const sids = [...new Set(page.flatMap(({ line }) => line.sid ?? []))]
      const found = await Promise.all(sids.map((sid) => store.sessions.find(sid)))
      const agents = new Map(found.flatMap((one) => (one?.user.id === userId ? [[one.session.sid, one.session.userAgent]] : [])))
      const events = page.flatMap(({ line }): OwnEvent[] => {
        const event = ownEventOf(line, userId)
        return event === undefined ? [] : [{ event, userAgent: agents.get(line.sid ?? '') ?? null }]
      })
      return { events, next: page.length < limit ? null : (page.at(-1)?.id ?? null) }
    },
  }
}
