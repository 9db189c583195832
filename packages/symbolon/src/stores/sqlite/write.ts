// What every verb that writes stands on: the transaction's connection and time, audit lines, and the feed, whose head
// row is taken last. A verb that returns a refusal has changed nothing: it throws `Refusal`, and its savepoint is undone.

import type { FeedHead, Revocation } from '@symbolon/protocol'
import type { AuditDraft } from '#core'
import type { Driver } from './driver.ts'
import { writeDeliveries } from './webhooks.ts'

/** One verb's place in a transaction. */
export interface Write {
  readonly db: Driver
  /** The store's time: one for the whole transaction. */
  readonly now: number
  /** What is to be logged to the feed; numbered when the verb ends. */
  readonly feed: Omit<Revocation, 'seq' | 'tenant' | 'at'>[]
  /** What was logged: told to listeners after the commit. */
  readonly logged: Revocation[]
}

/** Ends a verb without a trace; its `outcome` is the answer. */
export class Refusal extends Error {
  readonly outcome: unknown
  constructor(outcome: unknown) {
    super('refused')
    this.outcome = outcome
  }
}

/** Access tokens of sessions and users live 900 s at most, clients' own 3,600 s; 120 s of room. A new key is news for a day. Milliseconds. */
export const feedLife = { user: 1_020_000, client: 3_720_000, published: 86_400_000 } as const

/** Writes audit lines with the transaction's time. */
export function writeAudit(write: Write, entries: readonly AuditDraft[], filled: Partial<AuditDraft> = {}): void {
  const { db, now } = write
  for (const one of entries) {
    const { event, userId, sid, clientId, ip, detail } = { ...one, ...filled }
    db.sql("INSERT INTO audit (at, tenant, event, user_id, sid, client_id, ip, detail) VALUES (?, 'main', ?, ?, ?, ?, ?, ?)").run(
      now,
      event,
      userId,
      sid,
      clientId,
      ip,
      JSON.stringify(detail),
    )
    writeDeliveries(write, event)
  }
}

/** The feed's head. */
export function headOf(db: Driver): FeedHead {
  const row = db.sql("SELECT feed_id, seq FROM feed_head WHERE tenant = 'main'").get()
  return { feedId: row?.[0] as string, seq: row?.[1] as number }
}

/** Gives the verb's feed entries their numbers, in commit order, and writes them; the head after them. */
export function writeFeed(write: Write): FeedHead {
  const { db, now, feed, logged } = write
  if (feed.length === 0) return headOf(db)
  db.sql("UPDATE feed_head SET seq = seq + ? WHERE tenant = 'main'").run(feed.length)
  const head = headOf(db)
  let seq = head.seq - feed.length
  for (const one of feed.splice(0)) {
    seq++
    logged.push({ ...one, seq, tenant: 'main', at: now })
    db.sql("INSERT INTO feed (tenant, seq, kind, id, epoch, state, at, expires) VALUES ('main', ?, ?, ?, ?, ?, ?, ?)").run(
      seq,
      one.kind,
      one.id,
      one.epoch ?? null,
      one.state ?? null,
      now,
      one.expires,
    )
  }
  return head
}
