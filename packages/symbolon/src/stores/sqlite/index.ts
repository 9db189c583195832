// The door of the embedded store.

export { openSqliteStore, type SqliteOptions, type SqliteStore } from './store.ts'
