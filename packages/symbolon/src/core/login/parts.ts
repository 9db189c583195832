// What sign-in stands on, and what each of its files is given.

import type { Caller, Minted, Refused } from '../answers.ts'
import type { Checked, Clients, CoreOptions } from '../api.ts'
import type { createConfirmations } from '../confirmation.ts'
import type { NewCredential } from '../credential.ts'
import type { CorePorts } from '../factors/factor.ts'
import type { Hooks } from '../hooks.ts'
import type { Client, ClientPolicy, SessionKind } from '../model.ts'
import type { Limited, SessionSnapshot } from '../ports.ts'
import type { LoginAnswer, LoginCaller, Press } from './api.ts'

type Confirmations = ReturnType<typeof createConfirmations>

/** What sign-in stands on. */
export interface LoginParts {
  readonly ports: CorePorts
  readonly options: Pick<CoreOptions, 'budgets' | 'issuer'>
  readonly clients: Pick<Clients, 'find'>
  readonly policyOf: (client: Client) => ClientPolicy
  readonly hooks: Hooks
  readonly credential: (kind: SessionKind) => NewCredential
  readonly mint: (snapshot: SessionSnapshot) => Promise<Minted>
  /** A live check of a session's credential at its door; a refresh token's is not noted. */
  readonly check: (credential: string, kind: 'cookie' | 'token', caller: Caller) => Promise<Checked<SessionSnapshot>>
  /** Writes what activity of a session waits. */
  readonly flushOf: (sid: string) => Promise<void>
  readonly confirm: Confirmations['make']
  /** The sid of a session credential that was really ours. */
  readonly genuine: (credential: string) => Promise<string | undefined>
}

/** Who takes a step, and the session that a new one replaces. */
export type Taker = LoginCaller & { readonly replaces: string | null }

/** An answer, and who gives it. */
export type Given = Taker & (LoginAnswer | Press)

/** A budget that is used up, as a refusal. */
export const limited = ({ retryAfterMs }: Limited): Refused => ({
  ok: false,
  code: 'rate_limited',
  options: { retryAfter: retryAfterMs / 1000 },
})
