// Signing keys, sealed: listed, inserted and moved from state to state, all or nothing.

import type { KeyStore, SigningKey } from '#core'
import { columns, keyColumns, keyOf } from '#stores/rows'
import type { Driver } from './driver.ts'
import { Refusal, type Write, writeAudit } from './write.ts'

/** Every key, oldest first. */
export function listKeys(db: Driver): readonly SigningKey[] {
  return db
    .sql(`SELECT ${columns(keyColumns)} FROM keys WHERE tenant = 'main' ORDER BY created_at, kid`)
    .all()
    .map((row) => keyOf(row))
}

/** Inserts and moves keys, if each still is where the caller saw it. */
export function changeKeys(write: Write, input: Parameters<KeyStore['change']>[0]): 'changed' {
  const { db, now } = write
  if (input.whenNone !== undefined && db.sql("SELECT 1 FROM keys WHERE tenant = 'main' AND state = ?").get(input.whenNone) !== undefined)
    throw new Refusal('lost')
  for (const { kid, from, to } of input.move)
    if (db.sql('UPDATE keys SET state = ?, changed_at = ? WHERE kid = ? AND state = ?').run(to, now, kid, from) !== 1)
      throw new Refusal('lost')
  for (const key of input.insert)
    db.sql(`INSERT INTO keys (${columns(keyColumns)}) VALUES (?, 'main', ?, ?, ?, ?, ?, ?)`).run(
      key.kid,
      key.alg,
      key.state,
      JSON.stringify(key.publicJwk),
      key.sealedPrivate,
      now,
      now,
    )
  writeAudit(write, input.audit)
  return 'changed'
}
