// The audit log: its lines as verbs write them, and as operators read it.

import type { Actor, Audit } from './api.ts'
import type { Session } from './model.ts'
import type { AuditDraft, Ports } from './ports.ts'

/** A line of what somebody did to a person; `at`: in which session, where it was the person. */
export const lineBy = (
  event: string,
  userId: string | null,
  { actor, caller }: Actor,
  at: Pick<Session, 'sid' | 'clientId'> | null,
  detail: AuditDraft['detail'] = {},
): AuditDraft => ({
  event,
  userId,
  sid: at?.sid ?? null,
  clientId: at?.clientId ?? null,
  ip: caller?.ip ?? null,
  detail: { by: actor, ...detail },
})

/** Creates the audit verbs. */
export function createAudit({ store }: Pick<Ports, 'store'>): Audit {
  return { list: async (filter, limit) => store.audit.list(filter, Math.max(1, Math.min(1000, limit))) }
}
