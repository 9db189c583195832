// The door of the client: the browser's half.

export { type Client, type ClientOptions, createClient } from './client.ts'
export { ClientError, type FailureCode } from './failure.ts'
export { type SteppedUp, type StepUpAction, type StepUpNeed, type StepUpOptions, stepUpNeed } from './step-up.ts'
export type { State } from './token.ts'
