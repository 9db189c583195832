// The door of core: the rules of sessions, tokens, refresh, sign-in and keys, on ports.

export type * from './api.ts'
export type * from './model.ts'
export type * from './ports.ts'
