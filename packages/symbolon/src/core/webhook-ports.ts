// What webhooks ask of the world: a store that keeps what is still to be told, and a sender that says how it went.

import type { AuditEntry } from './model.ts'

/** A target as configuration names it, with the lines of the audit log that it is told of. */
export interface NamedTarget {
  readonly name: string
  readonly lines: readonly string[]
}

/** What waits for a target. `line` is null when the audit log has it no more. `failures`: of the target, in a row. */
export interface WaitingDelivery {
  readonly target: string
  /** The number of the audit line. */
  readonly id: number
  readonly tries: number
  readonly failures: number
  readonly line: AuditEntry | null
}

/** How a delivery failed: in a word, and when it and its target are tried again; after `budget` it is parked. Milliseconds. */
export interface DeliveryFailure {
  readonly fault: string
  readonly wait: number
  readonly targetWait: number
  readonly budget: number
}

/** A target as the store knows it. Times in milliseconds since 1970 by the store's clock. */
export interface WebhookTarget {
  readonly name: string
  readonly createdAt: number
  /** When a node last had it in its configuration. */
  readonly namedAt: number
  /** Deliveries that failed in a row, and since when. */
  readonly failures: number
  readonly failingSince: number | null
  /** Not tried before. */
  readonly retryAt: number
  readonly fault: string | null
  readonly deliveredAt: number | null
  /** How many wait, and how many are parked; counted to 10,000. */
  readonly waiting: number
  readonly parked: number
}

/** Every line of the audit log waits, from the transaction that writes it, for each target that is told of it. */
export interface WebhookStore {
  /** Names targets; what is written from now on waits for them. To be called again now and then: one that nobody names for a week is forgotten. */
  name(targets: readonly NamedTarget[]): Promise<void>
  /** What is due for each of these targets, those that wait longest first, at most `limit` for one. */
  due(names: readonly string[], limit: number): Soon<readonly WaitingDelivery[]>
  /** It was delivered: it waits no more, and its target is well. */
  done(target: string, id: number): Promise<void>
  /** It was not. Parks it when its budget is over, and with it what waits as long already for a target that failed all the time; how many. */
  failed(target: string, id: number, failure: DeliveryFailure): Promise<number>
  /** Makes what is parked or put off due at once, with a whole budget, at most 10,000; how many. */
  retry(target: string): Promise<number>
  list(): Soon<readonly WebhookTarget[]>
  /** Deletes what was parked 30 days ago, and what nobody names any more; at most `limit`. */
  sweep(limit: number): Promise<number>
}

/** As `Eventually` in the ports, which stand on this file. */
type Soon<T> = T | Promise<T>

/** A message for a target. `id` is the same whenever it is sent again. */
export interface WebhookMessage {
  readonly id: string
  readonly body: string
}

/** Sends one, signed; `fault` in a word, of which nothing is a secret. `stopped`: it was given up, and nothing is known of it. Never throws, never takes longer than its time. */
export type SendWebhook = (
  target: string,
  message: WebhookMessage,
) => Promise<
  { readonly ok: true; readonly status: number } | { readonly ok: false; readonly fault: string; readonly retryAfter?: number } | 'stopped'
>
