// The door of the verifier: protects an API on any runtime.

export type { Auth, ClientAuth, GuardRequest, GuardResult, Level, Requirement, Rule, StepUp, UserAuth } from './auth.ts'
export { type Close, closeCodes, type Live, type LiveOptions, type LiveRegistration } from './live.ts'
export type { Observe, VerifierEvent } from './observe.ts'
export { createPolicyGuard, type Policy, type Route, uncovered } from './policy.ts'
export type { FollowMode } from './source/follow.ts'
export { createHttpSource, type HttpSourceOptions } from './source/http.ts'
export type { Feed, FeedStatus, LiveAnswer, LiveClient, LiveQuestion, LiveSession, MintAnswer, Source, SourceStatus } from './source.ts'
export { createVerifier, type Guard, type Verifier, type VerifierOptions, type VerifierStatus } from './verifier.ts'
