// What both stores keep of webhooks: columns, records, and how long what was not delivered is kept.

import type { WaitingDelivery, WebhookTarget } from '#core'
import { auditOf, type Row } from './rows.ts'

/** Parked deliveries are kept for 30 days; a target that no node names for a week is forgotten. Milliseconds. */
export const deliveryLife = { parked: 30 * 86_400_000, unnamed: 7 * 86_400_000, perBatch: 10_000 } as const

/** Backlogs are counted no further: beyond, how many there are tells nobody anything new. */
export const countedAtMost = 10_000

export const targetColumns = [
  'name',
  'tenant',
  'lines',
  'created_at',
  'named_at',
  'failures',
  'failing_since',
  'retry_at',
  'fault',
  'delivered_at',
] as const

export const deliveryColumns = ['target', 'audit_id', 'tenant', 'since', 'tries', 'due_at', 'parked_at', 'fault'] as const

/** What waits, from: target, id of the line, tries, failures of the target, and the line's columns. */
export function waitingOf(row: Row): WaitingDelivery {
  const r = row as readonly never[]
  return { target: r[0]!, id: r[1]!, tries: r[2]!, failures: r[3]!, line: r[4] === null ? null : auditOf(row.slice(4)) }
}

/** A target from: name, created, named, failures, failing since, retry at, fault, delivered at, how many wait, how many are parked. */
export function targetOf(row: Row): WebhookTarget {
  const r = row as readonly never[]
  return {
    name: r[0]!,
    createdAt: r[1]!,
    namedAt: r[2]!,
    failures: r[3]!,
    failingSince: r[4]!,
    retryAt: r[5]!,
    fault: r[6]!,
    deliveredAt: r[7]!,
    waiting: Number(r[8]!),
    parked: Number(r[9]!),
  }
}
