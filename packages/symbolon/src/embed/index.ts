// The door of `symbolon`: the authentication service in your own process.

export { SymbolonError } from '@symbolon/protocol'
export type { Auth, ClientAuth, Level, Policy, Requirement, Route, Rule, UserAuth, Verifier } from '@symbolon/verifier'
export { uncovered } from '@symbolon/verifier'
export type { RefreshContext, RefreshStep, User } from '#core'
export { createAdminKey, listAdminKeys, removeAdminKey } from './admin-keys.ts'
export { type AuthObject, createAuth, type RequestInfo } from './auth.ts'
export { sentenceOf } from './clients.ts'
export { type Copied, type CopyProgress, copyStore, reopenStore } from './copy.ts'
export { ownSecret, prepareData, readSecretFile, writeSecretFile } from './data.ts'
export { createMigrations, type Migrations } from './migrations.ts'
export { type AuthOptions, after, issuerFault } from './options.ts'
export { storePlace } from './store.ts'
