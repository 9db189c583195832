// The door of the store for many nodes.

export { openPostgresStore, type PostgresOptions, type PostgresStore } from './store.ts'
