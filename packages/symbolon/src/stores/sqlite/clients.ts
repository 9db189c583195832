// Clients: put and found. Their epoch grows with status, scopes, audiences and targets, since tokens carry those.

import type { FeedHead } from '@symbolon/protocol'
import type { AuditDraft, Client } from '#core'
import { clientColumns, clientOf, columns, weighty } from '#stores/rows'
import type { Driver } from './driver.ts'
import { feedLife, Refusal, type Write, writeAudit, writeFeed } from './write.ts'

const select = `SELECT ${columns(clientColumns)} FROM clients WHERE tenant = 'main'`

/** Finds a client by id. */
export function findClient(db: Driver, id: string): Client | undefined {
  const row = db.sql(`${select} AND id = ?`).get(id)
  return row === undefined ? undefined : clientOf(row)
}

/** Every client, in order of id. */
export function listClients(db: Driver): readonly Client[] {
  return db
    .sql(`${select} ORDER BY id`)
    .all()
    .map((row) => clientOf(row))
}

/** Creates or replaces a client. */
export function putClient(
  write: Write,
  client: Omit<Client, 'epoch' | 'createdAt' | 'tenant'>,
  seen: Client | null,
  audit: readonly AuditDraft[],
): { client: Client; head: FeedHead } {
  const { db, now } = write
  const before = findClient(db, client.id)
  // Whoever changes what somebody else just changed would undo it unseen.
  if (JSON.stringify(before ?? null) !== JSON.stringify(seen)) throw new Refusal('conflict')
  const grows = before !== undefined && weighty(before) !== weighty(client)
  const epoch = before === undefined ? 1 : before.epoch + (grows ? 1 : 0)
  db.sql(
    `INSERT INTO clients (${columns(clientColumns)}, revision) VALUES (?, 'main', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
     ON CONFLICT (tenant, id) DO UPDATE SET name = excluded.name, transport = excluded.transport, status = excluded.status, epoch = excluded.epoch,
     origins = excluded.origins, return_to = excluded.return_to, secret_hashes = excluded.secret_hashes, scopes = excluded.scopes,
     audiences = excluded.audiences, policy = excluded.policy,
     keys = excluded.keys, token_format = excluded.token_format, revision = revision + 1`,
  ).run(
    client.id,
    client.name,
    client.transport,
    client.status,
    epoch,
    JSON.stringify(client.origins),
    JSON.stringify(client.returnTo),
    JSON.stringify(client.secretHashes),
    JSON.stringify(client.scopes),
    JSON.stringify(client.audiences),
    JSON.stringify(client.policy),
    now,
    JSON.stringify(client.keys),
    client.accessTokenFormat,
  )
  if (grows) write.feed.push({ kind: 'client', id: client.id, epoch, expires: now + feedLife.client })
  writeAudit(write, audit)
  return { client: findClient(db, client.id) as Client, head: writeFeed(write) }
}

/** Grows a client's epoch: its older tokens, and its users', are stale. */
export function bumpClient(write: Write, id: string, audit: readonly AuditDraft[]): { client: Client; head: FeedHead } | undefined {
  const { db, now } = write
  if (db.sql("UPDATE clients SET epoch = epoch + 1, revision = revision + 1 WHERE tenant = 'main' AND id = ?").run(id) !== 1)
    return undefined
  const client = findClient(db, id) as Client
  write.feed.push({ kind: 'client', id, epoch: client.epoch, expires: now + feedLife.client })
  writeAudit(write, audit)
  return { client, head: writeFeed(write) }
}
