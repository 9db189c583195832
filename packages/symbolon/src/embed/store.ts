// The store that the options ask for: a file in the data directory, or a database for many nodes. The driver of the latter
// is loaded only when it is asked for; who keeps a file needs no other one installed.

import { join } from 'node:path'
import type { Revocation } from '@symbolon/protocol'
import type { Eventually, Store } from '#core'
import { openSqliteStore } from '#stores/sqlite'
import { refuseOption, type Settings } from './options.ts'

/** A store as a node uses it. */
export interface NodeStore extends Store {
  /** Called after each commit of this process that logs revocations, before its caller hears of it; returns the function that ends it. */
  onRevocations(listener: (entries: readonly Revocation[]) => void): () => void
  /** Called when another node may have logged something; returns the function that ends it. */
  onHint(listener: () => void): () => void
  /** Whether it is open to services now: not closed by a move of its data. */
  isOpen(): Eventually<boolean>
}

/** Where everything is kept, without name and password: for terminals and logs. */
export function storePlace({ database, data }: Pick<Settings, 'database' | 'data'>): string {
  if (database === undefined) return data
  const url = new URL(database.url)
  return `PostgreSQL ${url.host}${url.pathname}, schema ${database.schema}`
}

/** Opens it. Throws `store_corrupt` or `store_unavailable` with a sentence that says what to do. */
export async function openStore(settings: Settings, observe: (event: { readonly event: string }) => void): Promise<NodeStore> {
  const { database, data, crashPoint } = settings
  if (database === undefined) {
    const path = join(data, 'symbolon.db')
    const store = await openSqliteStore({ path, ...(crashPoint?.startsWith('commit.') && { crashPoint }) })
    return { ...store, onHint: () => () => {} }
  }
  const { openPostgresStore } = await loadPostgres()
  return openPostgresStore(postgresOptions(database, observe))
}

/** Loads the store for many nodes. Throws `invalid_option` when its driver is not installed. */
export async function loadPostgres(): Promise<typeof import('#stores/postgres')> {
  try {
    return await import('#stores/postgres')
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw refuseOption('A PostgreSQL database needs the package pg beside symbolon; run: npm install pg')
  }
}

/** The options of a database as its store takes them. */
export function postgresOptions(database: NonNullable<Settings['database']>, observe: (event: { readonly event: string }) => void) {
  const { url, schema, connections, timeout, migrate, tls } = database
  const ssl =
    tls === 'off' ? false : tls === undefined ? undefined : { rejectUnauthorized: true, ...(tls.ca !== undefined && { ca: tls.ca }) }
  return {
    url,
    schema,
    connections,
    patience: timeout,
    migrate: migrate === 'auto',
    observe: (event: 'store.down' | 'store.up') => observe({ event }),
    ...(ssl !== undefined && { ssl }),
  }
}
