// The embedded store: one SQLite file. Reads are synchronous and see every acknowledged commit; writes go to a thread
// that commits them in groups. Its clock never goes back, not even over a restart after the machine's clock was set back.

import { type Revocation, SymbolonError } from '@symbolon/protocol'
import type { Store } from '#core'
import { auditColumns, auditOf, columns } from '#stores/rows'
import { findAttempt } from './attempts.ts'
import { findClient, listClients } from './clients.ts'
import { closingIn } from './closing.ts'
import { checkOpen } from './copy.ts'
import { type Driver, openDriver, storeError } from './driver.ts'
import { entriesAfter, isTokenRevoked } from './feed.ts'
import { createFinder, prepareSnapshot } from './finder.ts'
import { listKeys } from './keys.ts'
import { listLeases } from './leases.ts'
import { findPasskey, listPasskeys } from './passkeys.ts'
import { hadFeed, pendingRestore } from './restores.ts'
import { migrate } from './schema.ts'
import { countSealed, notedSecrets, pageSealed } from './seals.ts'
import { listSessions } from './sessions.ts'
import { findUndo, isTaken, leftAt, listUndos } from './undos.ts'
import { findUser, listUsers } from './users.ts'
import { dueDeliveries, listTargets } from './webhooks.ts'
import { headOf } from './write.ts'
import { createWriter } from './writer.ts'

/** How a store is opened. */
export interface SqliteOptions {
  readonly path: string
  /** The wall clock in milliseconds; `Date.now` unless said. */
  readonly clock?: () => number
  /** A step at which the process kills itself (`commit.before`, `commit.after`); for tests. */
  readonly crashPoint?: string
}

/** A store on SQLite, with a listener for what its own commits log to the feed. */
export interface SqliteStore extends Store {
  /** Called after each commit that logs revocations, before its caller hears of it; returns the function that ends it. */
  onRevocations(listener: (entries: readonly Revocation[]) => void): () => void
  /** Whether it is open to services now: not closed by a move of its data. */
  isOpen(): boolean
}

/** Opens the store and brings its tables up to date. Throws `store_corrupt` or `store_unavailable` with a sentence that says what to do. */
export async function openSqliteStore(options: SqliteOptions): Promise<SqliteStore> {
  const { path, clock = Date.now } = options
  const db = openDriver(path)
  try {
    migrate(db, path)
    checkOpen(db, path)
  } catch (error) {
    db.close()
    throw storeError(error, path)
  }

  let time = Number(db.sql("SELECT value FROM meta WHERE name = 'clock'").get()?.[0] ?? 0)
  const now = () => {
    const wall = clock()
    if (wall > time) time = wall
    return time
  }
  const listeners = new Set<(entries: readonly Revocation[]) => void>()
  let kept = time
  const writer = createWriter({
    path,
    crashPoint: options.crashPoint ?? null,
    wall: now,
    committed: (at, logged) => {
      kept = at
      if (at > time) time = at
      if (logged.length > 0) for (const listener of listeners) listener(logged)
    },
  })
  // A store that is only read notes the time too: what was seen to expire must not come back.
  const keeper = setInterval(() => {
    if (time - kept >= 5000) writer.call('clock.keep').catch(() => {})
  }, 5000)
  keeper.unref()

  const find = createFinder(prepareSnapshot(db), now, (error) => storeError(error, path))
  return {
    ...reads(db, path, () => {
      if (!writer.alive())
        throw new SymbolonError('store_unavailable', { detail: 'the writing thread ended; restart the process', retryAfter: 5 })
      return now()
    }),
    sessions: {
      find,
      // Of a row that is remembered all is there.
      glance: find,
      list: (userId) => guarded(path, () => listSessions(db, userId, now())),
      open: (input) => writer.call('sessions.open', input),
      rotate: (input) => writer.call('sessions.rotate', input),
      raise: (input) => writer.call('sessions.raise', input),
      touch: (touches) => writer.call('sessions.touch', touches),
      revoke: (target, reason, audit) => writer.call('sessions.revoke', target, reason, audit),
      sweep: (limit) => writer.call('sessions.sweep', limit),
    },
    users: {
      find: (by) => guarded(path, () => findUser(db, by)),
      list: (after, limit) => guarded(path, () => listUsers(db, after, limit)),
      create: (user, audit) => writer.call('users.create', user, audit),
      change: (id, change, audit) => writer.call('users.change', id, change, audit),
      remove: (id, audit) => writer.call('users.remove', id, audit),
    },
    clients: {
      find: (id) => guarded(path, () => findClient(db, id)),
      list: () => guarded(path, () => listClients(db)),
      put: (client, before, audit) => writer.call('clients.put', client, before, audit),
      bump: (id, audit) => writer.call('clients.bump', id, audit),
    },
    keys: {
      list: () => guarded(path, () => ({ now: now(), keys: listKeys(db) })),
      change: (input) => writer.call('keys.change', input),
    },
    addresses: {
      isTaken: (email, userId) => guarded(path, () => isTaken(db, email, userId, now())),
      leftAt: (email) => guarded(path, () => leftAt(db, email, now()) ?? undefined),
      undos: (userId) => guarded(path, () => listUndos(db, userId, now())),
      findUndo: (idHash) => guarded(path, () => findUndo(db, idHash, now())),
      change: (input) => writer.call('addresses.change', input),
      undo: (input) => writer.call('addresses.undo', input),
      sweep: (limit) => writer.call('addresses.sweep', limit),
    },
    attempts: {
      find: (idHash) =>
        guarded(path, () => {
          const attempt = findAttempt(db, idHash)
          return attempt === undefined ? undefined : { now: now(), attempt }
        }),
      start: (attempt, budgets, audit) => writer.call('attempts.start', attempt, budgets, audit),
      charge: (idHash, budgets) => writer.call('attempts.charge', idHash, budgets),
      resend: (idHash, change, budgets) => writer.call('attempts.resend', idHash, change, budgets),
      advance: (idHash, change, audit) => writer.call('attempts.advance', idHash, change, audit),
      consume: (idHash) => writer.call('attempts.consume', idHash),
      sweep: (limit) => writer.call('attempts.sweep', limit),
    },
    passkeys: {
      find: (id) => guarded(path, () => findPasskey(db, id, now())),
      list: (userId) => guarded(path, () => listPasskeys(db, userId)),
      handle: (userId, fresh) => writer.call('passkeys.handle', userId, fresh),
      add: (passkey, most, audit, proof) => writer.call('passkeys.add', passkey, most, audit, proof),
      use: (id, seen, whenBack) => writer.call('passkeys.use', id, seen, whenBack),
      rename: (userId, id, name, audit) => writer.call('passkeys.rename', userId, id, name, audit),
      remove: (userId, id, keepOne, audit) => writer.call('passkeys.remove', userId, id, keepOne, audit),
    },
    limits: {
      once: (key, expires) => writer.call('limits.once', key, expires),
      spend: (budgets) => writer.call('limits.spend', budgets),
      sweep: (limit) => writer.call('limits.sweep', limit),
    },
    leases: {
      list: () => guarded(path, () => ({ now: now(), leases: listLeases(db) })),
      take: (name, holder, lasts) => writer.call('leases.take', name, holder, lasts),
      release: (name, holder, ran) => writer.call('leases.release', name, holder, ran),
    },
    audit: {
      write: (entries) => writer.call('audit.write', entries),
      list: ({ userId }, limit) =>
        guarded(path, () =>
          db
            .sql(`SELECT ${columns(auditColumns)} FROM audit${userId === undefined ? '' : ' WHERE user_id = ?'} ORDER BY id DESC LIMIT ?`)
            .all(...(userId === undefined ? [] : [userId]), limit)
            .map((row) => auditOf(row)),
        ),
      page: ({ userId, names, before }, limit) =>
        guarded(path, () =>
          db
            .sql(
              `SELECT ${columns(auditColumns)}, id FROM audit WHERE user_id = ? AND id < ? AND event IN (SELECT value FROM json_each(?)) ORDER BY id DESC LIMIT ?`,
            )
            .all(userId, before ?? Number.MAX_SAFE_INTEGER, JSON.stringify(names), limit)
            .map((row) => ({ id: row[auditColumns.length] as number, line: auditOf(row) })),
        ),
    },
    feed: {
      head: () => guarded(path, () => headOf(db)),
      after: (seq, limit) => guarded(path, () => entriesAfter(db, seq, limit)),
      revokeToken: (jti, expires, audit) => writer.call('feed.revokeToken', jti, expires, audit),
      hasToken: (jti) => guarded(path, () => isTokenRevoked(db, jti)),
      renew: (feedId) => writer.call('feed.renew', feedId),
      compact: (limit) => writer.call('feed.compact', limit),
    },
    seals: {
      noted: () => guarded(path, () => notedSecrets(db)),
      note: (secrets) => writer.call('seals.note', secrets),
      forget: (secret) => writer.call('seals.forget', secret),
      page: (kind, which, after, limit) => guarded(path, () => pageSealed(db, kind, which, after, limit)),
      count: (kind, after) => guarded(path, () => countSealed(db, kind, after, now())),
      replace: (kind, changes) => writer.call('seals.replace', kind, changes),
    },
    restores: {
      pending: () => guarded(path, () => pendingRestore(db)),
      had: (feedId) => guarded(path, () => hadFeed(db, feedId)),
      begin: (input) => writer.call('restores.begin', input),
      grow: (what, after) => writer.call('restores.grow', what, after),
      dropAttempts: (limit) => writer.call('restores.dropAttempts', limit),
      end: (audit) => writer.call('restores.end', audit),
    },
    webhooks: {
      name: (targets) => writer.call('webhooks.name', targets),
      due: (names, limit) => guarded(path, () => dueDeliveries(db, names, limit, now())),
      done: (target, id) => writer.call('webhooks.done', target, id),
      failed: (target, id, failure) => writer.call('webhooks.failed', target, id, failure),
      retry: (target) => writer.call('webhooks.retry', target),
      list: () => guarded(path, () => listTargets(db)),
      sweep: (limit) => writer.call('webhooks.sweep', limit),
    },
    isOpen: () => guarded(path, () => closingIn(db) === undefined),
    onRevocations(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    async close() {
      clearInterval(keeper)
      if (time > kept) await writer.call('clock.keep').catch(() => {})
      await writer.close()
      db.close()
    },
  }
}

/** A read whose faults are ours. */
function guarded<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw storeError(error, path)
  }
}

function reads(db: Driver, path: string, now: () => number): Pick<Store, 'now' | 'examine'> {
  return {
    now,
    async examine() {
      return guarded(path, () => {
        const findings: string[] = []
        const ask = (pragma: string) => String(db.sql(`PRAGMA ${pragma}`).get()?.[0])
        if (ask('journal_mode') !== 'wal') findings.push(`${path}: journal_mode is not WAL; writers would block readers.`)
        if (ask('synchronous') !== '2') findings.push(`${path}: synchronous is not FULL; a power cut could lose what was acknowledged.`)
        const check = ask('quick_check')
        if (check !== 'ok') findings.push(`${path}: ${check.slice(0, 200)}; restore it from a backup.`)
        return findings
      })
    },
  }
}
