// What a presented generation means: the refresh table, and what a live check accepts. Pure, so that every row can be
// tested as it is written. The caller has proved before that the credential is genuine and the session alive.

import type { ClientPolicy, Session } from './model.ts'

/** Which row of the refresh table applies. */
export type Decision = 'rotate' | 'mint' | 'replay' | 'recover' | 'step_up' | 'superseded' | 'reused' | 'rolled_back'

/** As much of a session as the table looks at. */
export type Generations = Pick<Session, 'kind' | 'generation' | 'predecessor' | 'replaced' | 'rotatedAt' | 'seen' | 'recovered'>

type Rules = Pick<ClientPolicy, 'rotate' | 'window' | 'recovery'>

/** Lost answers recovered in a row before the user must prove who they are. */
const recoveries = 3

/** Whether the predecessor is still answered with its successor. */
function windowOpen(session: Pick<Session, 'rotatedAt'>, now: number, window: number): boolean {
  return now - session.rotatedAt < window
}

function rotationDue(session: Generations, now: number, rotate: ClientPolicy['rotate']): boolean {
  if (session.kind !== 'cookie') return true
  return typeof rotate === 'number' && now - session.rotatedAt >= rotate
}

/** Decides one refresh with generation `n`. `now` in milliseconds by the store's clock. */
export function decide(n: number, session: Generations, now: number, rules: Rules): Decision {
  const g = session.generation
  if (n === g) return rotationDue(session, now, rules.rotate) ? 'rotate' : 'mint'
  if (n > g) return 'rolled_back'
  // Whatever was current when a step-up came: the one before may have been on its way still.
  if (session.replaced !== null && n >= session.replaced) return 'superseded'
  if (n !== session.predecessor) return 'reused'
  if (windowOpen(session, now, rules.window)) return 'replay'
  // The successor reached somebody: whoever comes with the predecessor now holds a copy.
  if (session.seen) return 'reused'
  if (rules.recovery === 'revoke') return 'reused'
  if (rules.recovery === 'step_up' || session.recovered >= recoveries) return 'step_up'
  return 'recover'
}

/** Whether a replaced credential is answered with its successor, to who shows what the step-up was bound to. */
export function isAnsweredAgain(session: Pick<Session, 'rotatedAt' | 'predecessor'>, now: number, window: number): boolean {
  return session.predecessor === null && windowOpen(session, now, window)
}

/** Whether a live check accepts generation `n`: the current one, or its predecessor while the answer may be on its way. */
export function isCurrent(
  n: number,
  session: Pick<Generations, 'generation' | 'predecessor' | 'rotatedAt' | 'seen'>,
  now: number,
  window: number,
): boolean {
  if (n === session.generation) return true
  return n === session.predecessor && (windowOpen(session, now, window) || !session.seen)
}
