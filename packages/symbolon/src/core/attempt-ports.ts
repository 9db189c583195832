// What core asks of a store for sign-ins under way: begun, guessed at, sent again, taken on, used up. Each verb is atomic, and
// a guess is charged by a commit of its own before anybody compares anything.

import type { Attempt, AuditEntry, Budget } from './model.ts'

/** As `Eventually` and `AuditDraft` in the ports, which stand on this file. */
type Soon<T> = T | Promise<T>
type Draft = Omit<AuditEntry, 'at' | 'tenant'>

/** An attempt to be stored; the store adds the times from these lengths (milliseconds). */
export interface NewAttempt
  extends Pick<Attempt, 'idHash' | 'clientId' | 'purpose' | 'method' | 'sealedIdentifier' | 'bindingHash' | 'codeHash' | 'maxTries'>,
    Partial<Pick<Attempt, 'state' | 'linkHash' | 'userAgent' | 'returnTo' | 'userId' | 'sid' | 'need' | 'action'>> {
  readonly lifetime: number
  readonly resendAfter: number
  /** How long it lives at all; as long as its code unless said. */
  readonly ends?: number
}

/** An attempt's next state, decided at step `from`. Lengths in milliseconds; `ends` counts from the attempt's creation. */
export interface AttemptChange
  extends Pick<
    Attempt,
    'state' | 'method' | 'sealedIdentifier' | 'bindingHash' | 'codeHash' | 'linkHash' | 'userId' | 'proven' | 'tries' | 'maxTries' | 'sends'
  > {
  readonly from: number
  readonly lifetime: number
  readonly resendAfter: number
  readonly ends: number
}

export type Limited = { readonly outcome: 'limited'; readonly retryAfterMs: number }

export interface AttemptStore {
  /** Spends the budgets and inserts, in one transaction. */
  start(
    attempt: NewAttempt,
    budgets: readonly Budget[],
    audit: readonly Draft[],
  ): Promise<{ readonly outcome: 'started'; readonly attempt: Attempt } | Limited>
  find(idHash: string): Soon<{ readonly now: number; readonly attempt: Attempt } | undefined>
  /** Charges one guess, committed before anything is compared. `gone`: unknown, expired, consumed or out of tries. */
  charge(
    idHash: string,
    budgets: readonly Budget[],
  ): Promise<{ readonly outcome: 'charged'; readonly now: number; readonly attempt: Attempt } | { readonly outcome: 'gone' } | Limited>
  /** Replaces code and link if `resendAt` has come; tries are not given back; the expiry stays. */
  resend(
    idHash: string,
    change: { readonly codeHash: Uint8Array; readonly linkHash?: string | null; readonly resendAfter: number; readonly maxSends: number },
    budgets: readonly Budget[],
  ): Promise<{ readonly outcome: 'resent'; readonly attempt: Attempt } | { readonly outcome: 'gone' } | Limited>
  /** Moves an attempt that lives on to its next state, if it still stands at that step. Both ends stay before the attempt's own. */
  advance(
    idHash: string,
    change: AttemptChange,
    audit: readonly Draft[],
  ): Promise<{ readonly outcome: 'advanced'; readonly now: number; readonly attempt: Attempt } | { readonly outcome: 'gone' }>
  /** Uses up an attempt that opens no session: once, while it lives. */
  consume(idHash: string): Promise<boolean>
  sweep(limit: number): Promise<number>
}
