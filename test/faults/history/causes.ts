// Why a session may have ended (G7): only what a history can explain is a cause. Three things end a session unasked: a copy
// in other hands, a credential that is neither current nor its predecessor, and a predecessor that came too late.

import {
  type Broken,
  type CheckEvent,
  endings,
  generationOf,
  type HistoryEvent,
  isRefused,
  mostRecoveries,
  type Refresh,
} from './events.ts'
import type { SessionHistory, Sorted } from './sorted.ts'

/** When a generation was first presented to refresh: its successor was not made before. */
export function firstPresented(session: SessionHistory, generation: number): number {
  return Math.min(...session.refreshes.filter((one) => one.presented === generation).map((one) => one.startedAt), Number.POSITIVE_INFINITY)
}

/** Whether a refresh may have come when its credential was old already, by its caller's own doing: it was slow, or not the only one. */
export function mayBeOld(sorted: Sorted, session: SessionHistory, call: Refresh): boolean {
  const n = call.presented
  const latest = sorted.doneBy(call)
  const { window, slack } = sorted.terms
  const others = session.refreshes.filter((one) => one !== call && one.startedAt < latest && !isRefused(one))
  // Neither current nor predecessor: somebody went on from a later one, or the one before was recovered past it.
  if (others.some((one) => one.presented > n)) return true
  const recovers = (one: Refresh) =>
    one.received !== null ? one.received.generation > n : sorted.doneBy(one) - firstPresented(session, one.presented) >= window - slack
  if (others.some((one) => one.presented < n && recovers(one))) return true
  // The predecessor: the window is closed, and the successor was seen.
  if (latest - firstPresented(session, n) < window - slack) return false
  return session.checks.some((check) => check.startedAt < latest && !isRefused(check) && generationOf(check.token) > n)
}

/** What may have ended a session unasked by a time: thefts, and callers that came too late. */
export function mishaps(sorted: Sorted, session: SessionHistory, by: number): readonly Refresh[] {
  return session.refreshes.filter((one) => one.startedAt <= by && (one.who === 'thief' || mayBeOld(sorted, session, one)))
}

/** Whether something in the history may have ended a session by a time. */
export function mayHaveEnded(sorted: Sorted, session: SessionHistory, by: number): boolean {
  return sorted.endingsOf(session).some((one) => one.by === 'end' && one.event.startedAt <= by) || mishaps(sorted, session, by).length > 0
}

/** Whether an answer that ends a session for its caller has a cause. */
export function hasCause(sorted: Sorted, session: SessionHistory, event: Refresh | CheckEvent): boolean {
  const by = event.endedAt ?? Number.POSITIVE_INFINITY
  const code = event.answer?.code ?? ''
  // Nothing in a history makes a session unknown, and none lives long enough to expire.
  if (code === 'session_unknown' || code === 'session_expired') return false
  // Who is told that their credential was old presented an old one, or somebody else did before them.
  if (code === 'session_reused' && event.kind === 'refresh')
    return (
      mayBeOld(sorted, session, event) ||
      session.refreshes.some((one) => one.who === 'thief' && one.startedAt <= by && one.presented <= event.presented)
    )
  if (code === 'step_up_required' && event.kind === 'refresh')
    return session.refreshes.filter((one) => one.presented === event.presented && one.startedAt <= by).length > mostRecoveries
  return mayHaveEnded(sorted, session, by)
}

const tells = ({ answer }: HistoryEvent) => answer?.status === 401 && (endings.has(answer.code ?? '') || answer.code === 'step_up_required')

/** G7: nobody honest is signed out without a cause. No answer, and a 5xx, sign nobody out. */
export function judgeSignOuts(sorted: Sorted): readonly Broken[] {
  const broken: Broken[] = []
  for (const session of sorted.sessions.values())
    for (const event of [...session.refreshes, ...session.checks]) {
      if (event.who !== 'honest' || !tells(event) || hasCause(sorted, session, event)) continue
      const sentence = `An honest caller was told ${event.answer?.code} by a ${event.kind}, and nothing in the history ended the session.`
      broken.push({ rule: 'G7', events: [event], sentence })
    }
  return broken
}
