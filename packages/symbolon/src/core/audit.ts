// The audit log as operators read it.

import type { Audit } from './api.ts'
import type { Ports } from './ports.ts'

/** Creates the audit verbs. */
export function createAudit({ store }: Pick<Ports, 'store'>): Audit {
  return { list: async (filter, limit) => store.audit.list(filter, Math.max(1, Math.min(1000, limit))) }
}
