// Signing keys, sealed: listed, inserted and moved from state to state, all or nothing, and told to the feed with it.
// A revoked key keeps its row, so that nobody can put it back, but not its private half: nothing may sign with it again.

import type { FeedHead } from '@symbolon/protocol'
import type { KeyStore, SigningKey } from '#core'
import { columns, keyColumns, keyOf } from '#stores/rows'
import type { Driver } from './driver.ts'
import { feedLife, Refusal, type Write, writeAudit, writeFeed } from './write.ts'

/** Every key, oldest first. */
export function listKeys(db: Driver): readonly SigningKey[] {
  return db
    .sql(`SELECT ${columns(keyColumns)} FROM keys WHERE tenant = 'main' ORDER BY created_at, kid`)
    .all()
    .map((row) => keyOf(row))
}

/** Inserts and moves keys, if each still is where the caller saw it. */
export function changeKeys(write: Write, input: Parameters<KeyStore['change']>[0]): { outcome: 'changed'; head: FeedHead } {
  const { db, now } = write
  if (input.whenNone !== undefined && db.sql("SELECT 1 FROM keys WHERE tenant = 'main' AND state = ?").get(input.whenNone) !== undefined)
    throw new Refusal({ outcome: 'lost' })
  for (const { kid, from, to } of input.move)
    if (db.sql('UPDATE keys SET state = ?, changed_at = ? WHERE kid = ? AND state = ?').run(to, now, kid, from) !== 1)
      throw new Refusal({ outcome: 'lost' })
  for (const key of input.insert) {
    db.sql(`INSERT INTO keys (${columns(keyColumns)}) VALUES (?, 'main', ?, ?, ?, ?, ?, ?)`).run(
      key.kid,
      key.alg,
      key.state,
      JSON.stringify(key.publicJwk),
      key.sealedPrivate,
      now,
      now,
    )
    write.feed.push({ kind: 'key', id: key.kid, state: 'published', expires: now + feedLife.published })
  }
  for (const { kid, to } of input.move) {
    if (to !== 'revoked') continue
    db.sql("UPDATE keys SET sealed_private = x'' WHERE kid = ?").run(kid)
    write.feed.push({ kind: 'key', id: kid, state: 'revoked', expires: null })
  }
  writeAudit(write, input.audit)
  return { outcome: 'changed', head: writeFeed(write) }
}
