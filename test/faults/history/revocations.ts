// G1 and G2 on a history: every acknowledged end of a session, every grown epoch, and every theft that was told, against
// every check and refresh that began later. The judge of checks is the one that faults without a load use.

import { type Check, judge, type Revoke } from '../history.ts'
import { mishaps } from './causes.ts'
import { type Broken, type CheckEvent, type HistoryEvent, isRefused, isYes } from './events.ts'
import { yesesOf } from './generations.ts'
import type { SessionHistory, Sorted } from './sorted.ts'

/** What checks showed. */
export interface Revocations {
  readonly broken: readonly Broken[]
  /** For each verifier: the longest time after an acknowledgement at which a check of a dead token began that was accepted. */
  readonly longestMs: Readonly<Record<string, number>>
}

interface Cause extends Revoke {
  readonly event: HistoryEvent
  readonly by: 'end' | 'theft' | 'told' | 'change'
}

const said = ({ by, event }: Cause) =>
  by === 'theft' ? 'the theft was told' : by === 'told' ? 'it was told that the session is over' : `the ${event.kind} was acknowledged`

/** All that may kill a session's tokens. */
function causesOf(sorted: Sorted, session: SessionHistory): readonly Cause[] {
  const causes: Cause[] = []
  // Who is told of an end is not what ended it.
  for (const { event, ackAt, by } of sorted.endingsOf(session))
    causes.push({
      kind: 'session',
      id: session.sid,
      startedAt: by === 'told' ? Number.POSITIVE_INFINITY : event.startedAt,
      ackAt,
      event,
      by,
    })
  for (const event of mishaps(sorted, session, Number.POSITIVE_INFINITY))
    causes.push({ kind: 'session', id: session.sid, startedAt: event.startedAt, ackAt: null, event, by: 'theft' })
  for (const event of [...(sorted.roleChanges.get(session.sub) ?? []), ...(sorted.statusChanges.get(session.sub) ?? [])]) {
    if (isRefused(event)) continue
    const known = isYes(event) && event.epoch !== null ? { epoch: event.epoch, ackAt: event.endedAt } : { ackAt: null }
    causes.push({ kind: 'user', id: session.sub, startedAt: event.startedAt, ...known, event, by: 'change' })
  }
  return causes
}

const rules = { G1: 'G1', G2: 'G2', 'refused without cause': 'G7' } as const

/** G1 and G2. A refusal that nothing explains is a broken G7. */
export function judgeRevocations(sorted: Sorted): Revocations {
  const broken: Broken[] = []
  const longestMs: Record<string, number> = {}
  for (const session of sorted.sessions.values()) {
    const causes = causesOf(sorted, session)
    const events = new Map<Check, CheckEvent>()
    for (const event of session.checks) {
      const { status } = event.answer ?? { status: 0 }
      const result = isYes(event) ? 'accepted' : status === 401 ? 'refused' : 'unknown'
      const { level, bound, token, startedAt } = event
      events.set({ verifier: event.node, level, bound, token, startedAt, endedAt: event.endedAt ?? startedAt, result }, event)
    }
    const verdict = judge(causes, [...events.keys()])
    for (const [name, ms] of Object.entries(verdict.longestMs)) longestMs[name] = Math.max(longestMs[name] ?? 0, ms)
    for (const { rule, check, revoke, after } of verdict.violations) {
      if (rule === 'answer before the question') continue
      const event = events.get(check) as CheckEvent
      const cause = revoke as Cause | null
      const sentence =
        cause === null
          ? `A ${check.level} check refused a token (${event.answer?.code}) that nothing in the history had made bad.`
          : `A ${check.level} check accepted a token ${Math.round(after)} ms after ${said(cause)}.`
      // What ends a session for theft is the other half of G3.
      broken.push({
        rule: cause?.by === 'theft' && rule === 'G1' ? 'G3' : rules[rule],
        events: cause === null ? [event] : [cause.event, event],
        sentence,
      })
    }
    for (const one of yesesOf(session)) {
      const cause = causes.find(({ kind, ackAt }) => kind === 'session' && ackAt !== null && ackAt < one.startedAt)
      if (cause === undefined) continue
      const sentence = `A refresh was answered with a credential after ${said(cause)}.`
      broken.push({ rule: cause.by === 'theft' ? 'G3' : 'G1', events: [cause.event, one], sentence })
    }
  }
  return { broken: [...broken, ...disabledSignIns(sorted)], longestMs }
}

/** Nobody signs in who was disabled, from the answer to that until somebody enables them. */
function disabledSignIns(sorted: Sorted): readonly Broken[] {
  return sorted.signIns.flatMap((opened) => {
    if (!isYes(opened) || opened.token === null) return []
    const changes = sorted.statusChanges.get(opened.token.sub) ?? []
    const disabled = changes.find(
      (one) =>
        one.status === 'disabled' &&
        isYes(one) &&
        (one.endedAt as number) < opened.startedAt &&
        !changes.some(
          (other) =>
            other.status === 'active' &&
            !isRefused(other) &&
            (other.endedAt ?? Number.POSITIVE_INFINITY) > one.startedAt &&
            other.startedAt < (opened.endedAt as number),
        ),
    )
    return disabled === undefined
      ? []
      : [{ rule: 'G1' as const, events: [disabled, opened], sentence: 'Somebody signed in who was disabled.' }]
  })
}
