// The door of the embedded store.

export { openSqliteCopy, placeOf } from './copy.ts'
export { openSqliteStore, type SqliteOptions, type SqliteStore } from './store.ts'
