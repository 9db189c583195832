// What core offers for a person's e-mail address.

import type { FeedHead } from '@symbolon/protocol'
import type { Caller, Refused } from './answers.ts'
import type { SessionSnapshot } from './ports.ts'

/** A person's e-mail address, changed and put back. Whether somebody has just signed in is asked by the door. */
export interface Addresses {
  /**
   * Sends a code to an address that this person wants to have: `invalid_identifier` for what is none, or theirs already;
   * `rate_limited`. Answers the same when it is another one's, who is told by mail, and gets no code.
   */
  start(
    who: Pick<SessionSnapshot, 'session' | 'user'>,
    input: { readonly email: string; readonly caller: Caller },
  ): Promise<{ readonly ok: true; readonly changeId: string; readonly expiresAt: number } | Refused>
  /**
   * Takes the code, in the session that asked: every other session ends, and the old address is told, with a way back of seven
   * days. `login_failed`; `conflict` when the address became another one's meanwhile; `denied` when the application's hook says so. `ended`: the other sessions.
   */
  finish(
    who: Pick<SessionSnapshot, 'session' | 'user'>,
    input: { readonly changeId: string; readonly code: string; readonly device: string | null; readonly caller: Caller },
  ): Promise<
    | {
        readonly ok: true
        readonly email: string
        readonly ended: readonly string[]
        readonly head: FeedHead
        /** The device cookie, known to the new address. */
        readonly device: string
      }
    | Refused
  >
  /** Earlier addresses that can still be put back, the newest first. */
  earlier(userId: string): Promise<readonly { readonly email: string; readonly expiresAt: number }[]>
  /** What a mail's token would put back; undefined when it is used or too old. Changes nothing. */
  findUndo(token: string): Promise<{ readonly email: string; readonly expiresAt: number } | undefined>
  /**
   * Puts an address back, once: every session ends, and passkeys added since the day before the change are removed. `not_found`;
   * `conflict` when somebody else has the address.
   */
  undo(
    token: string,
    caller: Caller,
  ): Promise<{ readonly ok: true; readonly email: string; readonly ended: readonly string[]; readonly head: FeedHead } | Refused>
}
