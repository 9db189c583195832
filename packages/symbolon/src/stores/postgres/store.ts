// The store for many nodes: a schema of its own in a PostgreSQL database. Every verb is one statement, its times are the
// database's, and what was acknowledged is committed there. A node holds nothing that another one would have to know.

import type { Revocation } from '@symbolon/protocol'
import type { Store } from '#core'
import { auditColumns, auditOf, type Row } from '#stores/rows'
import { createAddresses } from './addresses.ts'
import { createAttempts } from './attempts.ts'
import { createClients } from './clients.ts'
import { checkOpen, createIsOpen, placeOf } from './closing.ts'
import { type Driver, type DriverOptions, openDriver } from './driver.ts'
import { examine } from './examine.ts'
import { createFeed } from './feed.ts'
import { createKeys } from './keys.ts'
import { createLeases } from './leases.ts'
import { createLimits } from './limits.ts'
import { createPasskeys } from './passkeys.ts'
import { createRestores } from './restores.ts'
import { checkStanding, known, migrate, migrationSql, standing } from './schema.ts'
import { createSeals } from './seals.ts'
import { createSessions } from './sessions.ts'
import { createUsers } from './users.ts'
import { createWebhooks } from './webhooks.ts'
import { auditJson, createVerbs, selection } from './write.ts'

/** How a store is opened. */
export interface PostgresOptions extends Pick<DriverOptions, 'url' | 'ssl'> {
  /** `symbolon` unless said. */
  readonly schema?: string
  /** Connections of this process, 10 unless said. */
  readonly connections?: number
  /** How long a statement may take, in milliseconds; 900 unless said. */
  readonly patience?: number
  /** Whether a database that is behind is brought up to date at the start; so unless said. */
  readonly migrate?: boolean
  readonly observe?: DriverOptions['observe']
}

/** A store on PostgreSQL, with a listener for what its own commits log to the feed, and one for hints of others'. */
export interface PostgresStore extends Store {
  /** Called after each commit of this process that logs revocations, before its caller hears of it; returns the function that ends it. */
  onRevocations(listener: (entries: readonly Revocation[]) => void): () => void
  /** Called when some process has logged something, or may have: a reason to look, no more. */
  onHint(listener: () => void): () => void
  /** Whether it is open to services now: not closed by a move of its data. */
  isOpen(): Promise<boolean>
}

/** How often the time is noted, and how old a note is that another node does not have to write anew. Milliseconds. */
const keepEvery = 1000
const noteAfter = 900

/** The driver's options with what is not said filled in. */
export function driverOptions({
  url,
  ssl,
  schema = 'symbolon',
  connections = 10,
  patience = 900,
  observe = () => {},
}: PostgresOptions): DriverOptions {
  return { url, schema, connections, patience, observe, ...(ssl !== undefined && { ssl }) }
}

/** Opens the store; brings its tables up to date when told so. Throws `store_unavailable` or `store_corrupt` with a sentence that says what to do. */
export async function openPostgresStore(options: PostgresOptions): Promise<PostgresStore> {
  const driver = openDriver(driverOptions(options))
  try {
    if (options.migrate !== false) await migrate(driver)
    checkStanding(await standing(driver))
    await checkOpen(driver, placeOf(options.url, driver.schema))
  } catch (error) {
    await driver.close()
    throw error
  }
  return storeOn(driver)
}

/** Opens what an operator needs to bring a database up to date by hand. */
export async function openMigrations(options: PostgresOptions) {
  const driver = openDriver(driverOptions(options))
  return {
    async status() {
      const at = await standing(driver)
      return { seen: at.steps, known, fits: at.steps >= known && at.needs <= known }
    },
    sql: async () => migrationSql(driver, await standing(driver)),
    up: (say?: (text: string) => void) => migrate(driver, say),
    close: () => driver.close(),
  }
}

function storeOn(driver: Driver): PostgresStore {
  const listeners = new Set<(entries: readonly Revocation[]) => void>()
  const hints = new Set<() => void>()
  const verbs = createVerbs(driver, (entries) => {
    for (const listener of listeners) listener(entries)
  })
  const endListening = driver.listen(`"${driver.schema}.channel"`, () => {
    for (const hint of hints) hint()
  })
  // The time is noted, so that it goes back by no more than two seconds when a server with a slower clock takes over. By one
  // node for all: each note is a version of a row that every check reads, and a long dump keeps them all.
  const noteTime = { name: 'note_time', text: `UPDATE @clock SET at = @wall() WHERE at < @wall() - ${noteAfter}` }
  const keeper = setInterval(() => void driver.write(noteTime, []).catch(() => {}), keepEvery)
  keeper.unref()
  let last = 0
  const listed = `SELECT json_build_array(${selection(auditColumns, 'a')}) FROM @audit a`

  return {
    sessions: createSessions(driver, verbs),
    users: createUsers(driver, verbs),
    clients: createClients(driver, verbs),
    keys: createKeys(driver, verbs),
    addresses: createAddresses(driver, verbs),
    attempts: createAttempts(driver, verbs),
    passkeys: createPasskeys(driver, verbs),
    limits: createLimits(verbs),
    feed: createFeed(driver, verbs),
    leases: createLeases(driver, verbs),
    seals: createSeals(driver, verbs),
    restores: createRestores(driver, verbs),
    webhooks: createWebhooks(driver, verbs),
    audit: {
      write: async (entries) =>
        void (await verbs.call({ name: 'audit', text: 'SELECT @write_audit($1, @time(), NULL)' }, [auditJson(entries)])),
      async list({ userId }, limit) {
        const rows =
          userId === undefined
            ? await driver.read({ name: 'audit_all', text: `${listed} ORDER BY id DESC LIMIT $1` }, [limit])
            : await driver.read({ name: 'audit_user', text: `${listed} WHERE a.user_id = $2 ORDER BY id DESC LIMIT $1` }, [limit, userId])
        return rows.map((row) => auditOf(row[0] as Row))
      },
      async page({ userId, names, before }, limit) {
        const text = `SELECT a.id::float8, json_build_array(${selection(auditColumns, 'a')}) FROM @audit a
          WHERE a.user_id = $1 AND a.id < $2 AND a.event = ANY($3::text[]) ORDER BY a.id DESC LIMIT $4`
        const rows = await driver.read({ name: 'audit_page', text }, [userId, before ?? Number.MAX_SAFE_INTEGER, names, limit])
        return rows.map((row) => ({ id: row[0] as number, line: auditOf(row[1] as Row) }))
      },
    },
    async now() {
      const [row] = await driver.read({ name: 'now', text: 'SELECT @time()::float8' }, [])
      last = Math.max(last, row?.[0] as number)
      return last
    },
    examine: () => examine(driver),
    isOpen: createIsOpen(driver),
    onRevocations(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    onHint(listener) {
      hints.add(listener)
      return () => void hints.delete(listener)
    },
    async close() {
      clearInterval(keeper)
      endListening()
      // To the last: whoever opens it next may be the only one, with a slower clock.
      await verbs.call({ name: 'keep_time', text: 'SELECT @keep_time()' }, []).catch(() => {})
      await driver.close()
    },
  }
}
