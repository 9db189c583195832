// The door of the store for many nodes.

export { openMigrations, openPostgresStore, type PostgresOptions, type PostgresStore } from './store.ts'
