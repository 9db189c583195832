// Sessions: opened, rotated, touched, ended. Each verb runs inside one transaction, which holds the database's write lock.

import type {
  AuditDraft,
  OpenOutcome,
  OpenSession,
  RevokedBatch,
  RevokeReason,
  RevokeTarget,
  Rotation,
  SessionSnapshot,
  Touch,
} from '#core'
import { columns, sessionColumns, sessionOf, sessionSelection } from '#stores/rows'
import { consumeAttempt } from './attempts.ts'
import type { Driver } from './driver.ts'
import { readSnapshot } from './finder.ts'
import { addPasskey, listPasskeys, userHandle } from './passkeys.ts'
import { isTaken } from './undos.ts'
import { feedLife, Refusal, type Write, writeAudit, writeFeed } from './write.ts'

const live = 'revoked_at IS NULL AND expires_at > ? AND last_seen_at + idle > ?'
/** Live sessions of a user, newest first, at most 1,000. */
export function listSessions(db: Driver, userId: string, now: number) {
  const rows = db
    .sql(`SELECT ${sessionSelection.join(', ')} FROM sessions s WHERE user_id = ? AND ${live} ORDER BY created_at DESC, sid LIMIT 1000`)
    .all(userId, now, now)
  return { now, sessions: rows.map((row) => sessionOf(row)) }
}

/** Ends sessions and, with reason `parent`, their children; logs each to the feed. Returns the sids that ended now. */
export function endSessions(write: Write, sids: readonly string[], reason: RevokeReason): readonly string[] {
  const { db, now } = write
  const ended: string[] = []
  let generation: readonly string[] = sids
  for (let why = reason; generation.length > 0; why = 'parent') {
    const children: string[] = []
    for (const sid of generation) {
      if (
        db
          .sql('UPDATE sessions SET revision = revision + 1, revoked_at = ?, revoked_reason = ? WHERE sid = ? AND revoked_at IS NULL')
          .run(now, why, sid) === 1
      ) {
        ended.push(sid)
        write.feed.push({ kind: 'session', id: sid, expires: now + feedLife.user })
      }
      for (const row of db.sql('SELECT sid FROM sessions WHERE parent = ? AND revoked_at IS NULL').all(sid)) children.push(row[0] as string)
    }
    generation = children
  }
  return ended
}

/** Ends every session of a user, but for one. */
export function endSessionsOf(write: Write, userId: string, reason: RevokeReason, except = ''): readonly string[] {
  const rows = write.db.sql('SELECT sid FROM sessions WHERE user_id = ? AND sid <> ? AND revoked_at IS NULL').all(userId, except)
  return endSessions(
    write,
    rows.map((row) => row[0] as string),
    reason,
  )
}

function holdUser({ db, now }: Write, wanted: OpenSession['user']): { id: string; created: boolean } {
  const by = 'id' in wanted ? { where: 'id = ?', value: wanted.id } : { where: "tenant = 'main' AND email = ?", value: wanted.email }
  const row = db.sql(`SELECT id, status FROM users WHERE ${by.where}`).get(by.value)
  if (row !== undefined) {
    if (row[1] !== 'active') throw new Refusal({ outcome: 'user_disabled' })
    return { id: row[0] as string, created: false }
  }
  if ('id' in wanted || wanted.create === null || isTaken(db, wanted.email, null, now)) throw new Refusal({ outcome: 'user_unknown' })
  db.sql("INSERT INTO users (id, tenant, email, roles, status, epoch, created_at) VALUES (?, 'main', ?, ?, 'active', 1, ?)").run(
    wanted.create.id,
    wanted.email,
    JSON.stringify(wanted.create.roles),
    now,
  )
  return { id: wanted.create.id, created: true }
}

/** Ends what the person gives up for the new session, if it is theirs, of this client, and alive. */
function giveUp(write: Write, { ends, session }: OpenSession, userId: string): readonly string[] {
  if (ends === undefined || ends === null) return []
  const { db, now } = write
  const found = db
    .sql(`SELECT 1 FROM sessions WHERE sid = ? AND user_id = ? AND client_id = ? AND parent IS NULL AND ${live}`)
    .get(ends, userId, session.clientId, now, now)
  return found === undefined ? [] : endSessions(write, [ends], 'evicted')
}

/** Stores the key that the person made while signing in, who must have none: else an e-mail's code would get past theirs. */
function storeKey(write: Write, { enrols }: OpenSession, userId: string): void {
  if (enrols === undefined || enrols === null) return
  const { handle, passkey, audit } = enrols
  const own = userHandle(write, userId, handle)
  if (own !== handle || listPasskeys(write.db, userId).passkeys.length > 0) throw new Refusal({ outcome: 'enrolled' })
  const lines = audit.map((line) => ({ ...line, userId }))
  if (addPasskey(write, { ...passkey, userId }, 1, lines).outcome !== 'added') throw new Refusal({ outcome: 'key_taken' })
}

/** Keeps the limit of sessions: refuses, or ends those not seen for longest. A session about to be replaced is not counted. */
function keepLimit(write: Write, input: OpenSession, userId: string): readonly string[] {
  if (input.maxSessions <= 0) return []
  const { db, now } = write
  const rows = db
    .sql(
      `SELECT sid FROM sessions WHERE user_id = ? AND client_id = ? AND parent IS NULL AND ${live} AND last_seen_at + ? > ? AND created_at + ? > ?
       AND sid <> ? ORDER BY last_seen_at, created_at`,
    )
    // Under what this one gets, too: a client's policy may be stricter by now than when they were opened.
    .all(userId, input.session.clientId, now, now, input.session.idle, now, input.session.absolute, now, input.replaces ?? '')
  const over = rows.length - input.maxSessions + 1
  if (over <= 0) return []
  if (input.onLimit !== 'evict_oldest') throw new Refusal({ outcome: 'limit' })
  return endSessions(
    write,
    rows.slice(0, over).map((row) => row[0] as string),
    'evicted',
  )
}

/** Opens a session: consumes the attempt, holds the user, keeps the limit, ends what it replaces, inserts. */
export function open(write: Write, input: OpenSession): OpenOutcome {
  const { db, now } = write
  if (input.attempt !== null && !consumeAttempt(write, input.attempt)) throw new Refusal({ outcome: 'attempt_gone' })
  const user = holdUser(write, input.user)
  const client = db.sql("SELECT status, epoch FROM clients WHERE tenant = 'main' AND id = ?").get(input.session.clientId)
  if (client?.[0] !== 'active') throw new Refusal({ outcome: 'client_disabled' })
  const { parent } = input.session
  if (parent !== null && db.sql('SELECT 1 FROM sessions WHERE sid = ? AND revoked_at IS NULL').get(parent) === undefined)
    throw new Refusal({ outcome: 'parent_gone' })
  const given = giveUp(write, input, user.id)
  storeKey(write, input, user.id)
  const evicted = keepLimit(write, input, user.id)
  const replaced = input.replaces === null ? [] : endSessions(write, [input.replaces], 'replaced')

  const s = input.session
  db.sql(
    `INSERT INTO sessions (${columns(sessionColumns)}) VALUES (?, 'main', ?, ?, ?, ?, (SELECT epoch FROM users WHERE id = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, NULL, NULL, ?, 0, 0, ?, ?, NULL, NULL, NULL, NULL, NULL)`,
  ).run(
    s.sid,
    s.kind,
    s.parent,
    s.clientId,
    user.id,
    user.id,
    client[1] as number,
    now,
    now,
    s.acr,
    JSON.stringify(s.amr),
    now + s.absolute,
    s.idle,
    now,
    s.ip,
    s.userAgent,
    s.binding,
    now,
    s.credentialHash,
    s.sealedKey,
  )
  if (user.created && 'email' in input.user) writeAudit(write, input.user.create?.audit ?? [])
  writeAudit(write, input.audit, { userId: user.id })
  const snapshot = readSnapshot(db, s.sid, now) as SessionSnapshot
  return { outcome: 'opened', snapshot, created: user.created, ended: [...given, ...evicted, ...replaced] }
}

/** The compare-and-set of a refresh: generation, not revoked, both epochs; a recovery only while nobody saw the current one. */
export function rotate(write: Write, input: Rotation) {
  const { db, now } = write
  const change = input.as === 'rotated' ? 'predecessor = generation, replaced = NULL, recovered = 0' : 'recovered = recovered + 1'
  const changed = db
    .sql(
      `UPDATE sessions SET revision = revision + 1, ${change}, generation = generation + 1, seen = 0, rotated_at = ?, credential_hash = ?, last_seen_at = max(last_seen_at, ?)
       WHERE sid = ? AND generation = ? AND revoked_at IS NULL ${input.as === 'recovered' ? 'AND seen = 0' : ''}
       AND (SELECT epoch FROM users WHERE id = user_id) = ? AND (SELECT epoch FROM clients c WHERE c.tenant = sessions.tenant AND c.id = client_id) = ?`,
    )
    .run(now, input.credentialHash, input.active ? now : 0, input.sid, input.from, input.userEpoch, input.clientEpoch)
  if (changed !== 1) throw new Refusal({ outcome: 'lost' })
  writeAudit(write, input.audit)
  return { outcome: 'rotated', now } as const
}

/** Activity in one batch. Times never go back; `seen` only while the generation is still the current one. Nobody else holds a row meanwhile: none is left out. */
export function touch({ db, now }: Write, touches: readonly Touch[]): readonly string[] {
  for (const one of touches) {
    if (one.lastSeenAt !== null)
      db.sql(
        'UPDATE sessions SET revision = revision + 1, last_seen_at = max(last_seen_at, ?), ip = coalesce(?, ip), user_agent = coalesce(?, user_agent) WHERE sid = ? AND revoked_at IS NULL',
      ).run(Math.min(one.lastSeenAt, now), one.ip ?? null, one.userAgent ?? null, one.sid)
    if (one.seenGeneration !== null)
      db.sql('UPDATE sessions SET revision = revision + 1, seen = 1 WHERE sid = ? AND generation = ?').run(one.sid, one.seenGeneration)
  }
  return []
}

/** Sessions ended in one transaction, and rows walked by for them; both so that it stays short. */
const perBatch = 1000
const walkedBy = 10_000

/** The next sessions of a target, oldest places first, and what is left when those are ended. */
function candidates(db: Driver, target: RevokeTarget): { readonly sids: readonly string[]; readonly rest: RevokeTarget | null } {
  const sidsOf = (rows: readonly (readonly unknown[])[]) => rows.map((row) => row[0] as string)
  if ('sid' in target) {
    const rows = db
      .sql('SELECT sid FROM sessions WHERE sid = ? AND user_id = coalesce(?, user_id) AND revoked_at IS NULL')
      .all(target.sid, target.ofUser ?? null)
    return { sids: sidsOf(rows), rest: null }
  }
  if ('user' in target) {
    const rows = db
      .sql('SELECT sid FROM sessions WHERE user_id = ? AND sid <> ? AND revoked_at IS NULL LIMIT ?')
      .all(target.user, target.except ?? '', perBatch + 1)
    return { sids: sidsOf(rows.slice(0, perBatch)), rest: rows.length > perBatch ? target : null }
  }
  // By walking on through the table: an index by client would cost every sign-in a page, for what happens hardly ever.
  const after = target.after ?? ''
  const end = db.sql('SELECT sid FROM sessions WHERE sid > ? ORDER BY sid LIMIT 1 OFFSET ?').get(after, walkedBy - 1)?.[0]
  const [condition, value] = 'client' in target ? ['client_id = ?', target.client] : ['created_at <= ?', target.before]
  const rows = db
    .sql(`SELECT sid FROM sessions WHERE sid > ? AND (? IS NULL OR sid <= ?) AND ${condition} AND revoked_at IS NULL ORDER BY sid LIMIT ?`)
    .all(after, (end as string | undefined) ?? null, (end as string | undefined) ?? null, value, perBatch + 1)
  const sids = sidsOf(rows.slice(0, perBatch))
  const next = rows.length > perBatch ? sids.at(-1) : (end as string | undefined)
  return { sids, rest: next === undefined ? null : { ...target, after: next } }
}

/** Ends one session, or the next of a user's or client's, children with them. */
export function revoke(write: Write, target: RevokeTarget, reason: RevokeReason, audit: readonly AuditDraft[]): RevokedBatch {
  const { sids: found, rest } = candidates(write.db, target)
  const sids = endSessions(write, found, reason)
  if (sids.length > 0) writeAudit(write, audit)
  return { now: write.now, sids, head: writeFeed(write), rest }
}

const walked = 5000

/**
 * Deletes sessions that ended over a day ago. Those revoked or past their absolute end are found by index; those left idle
 * by walking on through the table, a part each time: an index on `last seen` would cost every refresh another page.
 */
export function sweep({ db, now }: Write, limit: number): number {
  const before = now - 86_400_000
  let deleted = 0
  for (const condition of ['revoked_at < ?', 'expires_at < ?']) {
    if (deleted >= limit) return deleted
    deleted += db
      .sql(`DELETE FROM sessions WHERE sid IN (SELECT sid FROM sessions WHERE ${condition} LIMIT ?)`)
      .run(before, limit - deleted)
  }
  const from = String(db.sql("SELECT value FROM meta WHERE name = 'swept'").get()?.[0] ?? '')
  const to = db.sql('SELECT sid FROM sessions WHERE sid > ? ORDER BY sid LIMIT 1 OFFSET ?').get(from, walked - 1)?.[0] as string | undefined
  const part = `sid > ? AND (? IS NULL OR sid <= ?) AND last_seen_at + idle < ?`
  const gone = db
    .sql(`DELETE FROM sessions WHERE sid IN (SELECT sid FROM sessions WHERE ${part} ORDER BY sid LIMIT ?)`)
    .run(from, to ?? null, to ?? null, before, limit - deleted)
  // A part that had more than fits is walked again.
  if (gone < limit - deleted)
    db.sql("INSERT INTO meta VALUES ('swept', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value").run(to ?? '')
  return deleted + gone
}
