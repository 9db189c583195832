// The judge of whole histories: G1, G2, G3, G4 and G7, and how much of everything happened, so that a quiet run proves
// nothing by accident. It knows only what was promised, never how the service works.

import { judgeSignOuts } from './causes.ts'
import { judgeDurability } from './durability.ts'
import { type Broken, type HistoryEvent, isYes, type Terms } from './events.ts'
import { judgeGenerations, yesesOf } from './generations.ts'
import { judgeRevocations } from './revocations.ts'
import { type Sorted, sortHistory } from './sorted.ts'

/** How much happened. */
export interface Counts {
  readonly signIns: number
  readonly rotated: number
  readonly replayed: number
  readonly recovered: number
  readonly reused: number
  /** Answers that were dropped, and calls that none came to. */
  readonly lost: number
  readonly unanswered: number
  readonly refused: number
  readonly unavailable: number
  readonly revokes: number
  readonly roleChanges: number
  readonly statusChanges: number
  readonly accepted: Readonly<Record<'token' | 'session', number>>
  readonly reads: number
}

/** What a history shows. */
export interface Judgement {
  readonly broken: readonly Broken[]
  readonly longestMs: Readonly<Record<string, number>>
  readonly counts: Counts
}

function countAll(history: readonly HistoryEvent[], sorted: Sorted): Counts {
  const count = (holds: (event: HistoryEvent) => boolean) => history.filter(holds).length
  let [rotated, replayed, recovered] = [0, 0, 0]
  for (const session of sorted.sessions.values()) {
    const made = new Set<number>()
    for (const { presented, received } of yesesOf(session)) {
      if (made.has(received.generation)) replayed++
      else if (received.generation > presented + 1) recovered++
      else rotated++
      made.add(received.generation)
    }
  }
  return {
    signIns: count((one) => one.kind === 'sign_in' && isYes(one)),
    rotated,
    replayed,
    recovered,
    reused: count((one) => one.answer?.code === 'session_reused'),
    lost: count((one) => one.kind === 'refresh' && one.lost),
    unanswered: count((one) => one.endedAt === null),
    refused: count((one) => one.answer?.status === 401),
    unavailable: count((one) => (one.answer?.status ?? 0) >= 500),
    revokes: count((one) => ['sign_out', 'revoke_session', 'revoke_user'].includes(one.kind) && isYes(one)),
    roleChanges: count((one) => one.kind === 'role_change' && isYes(one)),
    statusChanges: count((one) => one.kind === 'status_change' && isYes(one)),
    accepted: {
      token: count((one) => one.kind === 'check' && one.level === 'token' && isYes(one)),
      session: count((one) => one.kind === 'check' && one.level === 'session' && isYes(one)),
    },
    reads: count((one) => one.kind === 'read' && isYes(one)),
  }
}

/** Judges a history. */
export function judgeHistory(history: readonly HistoryEvent[], terms: Terms): Judgement {
  const sorted = sortHistory(history, terms)
  const { broken, longestMs } = judgeRevocations(sorted)
  return {
    broken: [...broken, ...judgeGenerations(sorted), ...judgeDurability(sorted), ...judgeSignOuts(sorted)],
    longestMs,
    counts: countAll(history, sorted),
  }
}
