// What can go wrong in the client, as one error. Never a token in it.

import type { StepUpNeed } from './step-up.ts'

/** Why a call failed: `signed_out` needs a sign-in; `step_up_required` a fresh one; `unreachable` is worth trying again. */
export type FailureCode = 'signed_out' | 'step_up_required' | 'unreachable'

/** A failure of the client. `retryAfter` in milliseconds. */
export class ClientError extends Error {
  readonly code: FailureCode
  readonly retryAfter: number | undefined
  /** With `step_up_required`: what must be reached. */
  readonly need: StepUpNeed | undefined
  constructor(code: FailureCode, retryAfter?: number, need?: StepUpNeed) {
    super(code)
    this.name = 'ClientError'
    this.code = code
    this.retryAfter = retryAfter
    this.need = need
  }
}
