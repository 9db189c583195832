// The door of the verifier: protects an API on any runtime.

export type { Auth, ClientAuth, GuardRequest, GuardResult, Level, Requirement, Rule, UserAuth } from './auth.ts'
export { createHttpSource, type HttpSourceOptions } from './http-source.ts'
export { createPolicyGuard, type Policy, type Route, uncovered } from './policy.ts'
export type { Feed, FeedStatus, LiveAnswer, LiveClient, LiveQuestion, LiveSession, MintAnswer, Source } from './source.ts'
export { createVerifier, type Guard, type Verifier, type VerifierOptions } from './verifier.ts'
