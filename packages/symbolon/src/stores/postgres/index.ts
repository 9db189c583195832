// The door of the store for many nodes.

export { placeOf } from './closing.ts'
export { openPostgresCopy } from './copy.ts'
export { openMigrations, openPostgresStore, type PostgresOptions, type PostgresStore } from './store.ts'
