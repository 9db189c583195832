// The login machine: where a sign-in can stand, and what can be done there. Whatever is not in the table is refused
// before anything is read of the answer. `start` has no record yet; `done` has none any more.

import type { LoginAnswer, LoginState, Press } from './api.ts'

/** What can be done with a sign-in. */
export type LoginAction = 'start' | 'resend' | 'link' | 'verify' | 'respond' | 'choose' | 'end'

type Place = 'start' | LoginState | 'done'

/**
 * The table: from a place, by an action, to one of these places. A proof (`verify`, `respond`, `link`) leads to `done` when
 * it is enough for the client, to `limit` when the person must end a session first, and else to what is still missing.
 */
export const machine: Readonly<Record<Place, Readonly<Partial<Record<LoginAction, readonly Place[]>>>>> = {
  // Nothing is known but a client, and for some methods an identifier.
  start: { start: ['verify', 'challenge'] },
  // Something was sent: a code, or a code and a link in one mail.
  verify: {
    verify: ['done', 'limit', 'choose', 'challenge', 'enrol', 'verify'],
    link: ['done', 'limit', 'choose', 'challenge', 'enrol', 'verify'],
    resend: ['verify'],
    choose: ['challenge', 'verify'],
  },
  // The browser was asked something (`respond`), or a secret that the person keeps (`verify`).
  challenge: {
    respond: ['done', 'limit', 'choose', 'challenge', 'enrol', 'verify'],
    verify: ['done', 'limit', 'choose', 'challenge', 'enrol', 'verify'],
    choose: ['challenge', 'verify'],
  },
  // Something was proven, and there are several ways to prove what is missing.
  choose: { choose: ['challenge', 'verify'] },
  // Something was proven, and the person has nothing yet that could prove the rest: they set it up, and that is the proof.
  enrol: { respond: ['done', 'limit'] },
  // Everything was proven, and there is no room for one more session.
  limit: { end: ['limit', 'done'] },
  done: {},
}

/** Whether a sign-in that stands there can be taken on in this way. */
export const allows = (place: Place, action: LoginAction): boolean => machine[place][action] !== undefined

/** What an answer does. */
export const actionOf = (answer: LoginAnswer | Press): LoginAction =>
  'press' in answer ? 'link' : 'code' in answer ? 'verify' : 'response' in answer ? 'respond' : 'method' in answer ? 'choose' : 'end'
