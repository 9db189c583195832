// The door of core: the rules, without a database, a network or a platform.

export type * from './api.ts'
export { publicKeysOf } from './client-keys.ts'
export { createCore } from './core.ts'
export { parseCredential } from './credential.ts'
export type { FeedEar, FeedHub, FeedMessage, FollowerView } from './feed.ts'
export { limitsOf } from './limits.ts'
export type * from './model.ts'
export { defaultStepNames } from './pipeline.ts'
export { createPolicies, defaultBudgets, defaultPolicy } from './policy.ts'
export type * from './ports.ts'
export type * from './upkeep-ports.ts'
