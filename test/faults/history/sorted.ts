// A history by session and by user, and the times between which things surely or possibly happened. It judges nothing.

import {
  type CheckEvent,
  type EndSession,
  type HistoryEvent,
  isRefused,
  isYes,
  type Killed,
  type Read,
  type Refresh,
  type RoleChange,
  type SignIn,
  type StatusChange,
  type Terms,
} from './events.ts'

/** All that a history says about one session. */
export interface SessionHistory {
  readonly sid: string
  readonly sub: string
  readonly opened: SignIn
  readonly refreshes: readonly Refresh[]
  readonly checks: readonly CheckEvent[]
  readonly ends: readonly EndSession[]
}

/** What may have ended a session, or shows that it ended; and from when it surely had. */
export interface Ending {
  readonly event: HistoryEvent
  /** `null`: it may have ended by this, and nothing was promised. */
  readonly ackAt: number | null
  /** `end`: it was asked for. `theft`: an old copy was answered so. `told`: somebody was told that it is over, by whatever. */
  readonly by: 'end' | 'theft' | 'told'
}

/** A history, sorted. */
export interface Sorted {
  readonly terms: Terms
  readonly sessions: ReadonlyMap<string, SessionHistory>
  readonly signIns: readonly SignIn[]
  readonly roleChanges: ReadonlyMap<string, readonly RoleChange[]>
  readonly statusChanges: ReadonlyMap<string, readonly StatusChange[]>
  readonly reads: ReadonlyMap<string, readonly Read[]>
  /** By when a call had surely done whatever it did: its answer, or its node's death; after no answer and a 5xx, never. */
  doneBy(call: HistoryEvent): number
  /** Everything that may have ended a session, but for its own refreshes. */
  endingsOf(session: SessionHistory): readonly Ending[]
  /** Whether a node was killed between two times. */
  killedBetween(node: string, from: number, to: number): boolean
}

/** Sorts a history. Events of sessions whose sign-in is not in it are left out. */
export function sortHistory(history: readonly HistoryEvent[], terms: Terms): Sorted {
  const of = <K extends HistoryEvent['kind']>(...kinds: K[]) =>
    history.filter((event) => (kinds as string[]).includes(event.kind)) as Extract<HistoryEvent, { kind: K }>[]
  const by = <T>(events: readonly T[], key: (event: T) => string | null) => {
    const groups = new Map<string, T[]>()
    for (const event of events) {
      const name = key(event)
      if (name === null) continue
      const group = groups.get(name)
      if (group === undefined) groups.set(name, [event])
      else group.push(event)
    }
    return groups
  }
  const signIns = of('sign_in')
  const refreshes = by(of('refresh'), (event) => event.sid)
  const checks = by(of('check'), (event) => event.token.sid)
  const ends = by(of('sign_out', 'revoke_session') as EndSession[], (event) => event.sid)
  const userEnds = by(of('revoke_user'), (event) => event.sub)
  const statusChanges = by(of('status_change'), (event) => event.sub)
  const killed: readonly Killed[] = of('killed')

  const sessions = new Map<string, SessionHistory>()
  for (const opened of signIns) {
    if (opened.received === null || opened.token === null) continue
    const { sid } = opened.received
    sessions.set(sid, {
      sid,
      sub: opened.token.sub,
      opened,
      refreshes: (refreshes.get(sid) ?? []).toSorted((a, b) => a.startedAt - b.startedAt),
      checks: checks.get(sid) ?? [],
      ends: ends.get(sid) ?? [],
    })
  }
  const known = new Map<string, readonly Ending[]>()
  const endingsOf = (session: SessionHistory): readonly Ending[] => {
    const found = known.get(session.sid)
    if (found !== undefined) return found
    const { opened } = session
    const endings: Ending[] = []
    for (const event of session.ends) {
      if (isRefused(event)) continue
      endings.push({ event, ackAt: isYes(event) ? event.endedAt : null, by: 'end' })
    }
    const disabled = (statusChanges.get(session.sub) ?? []).filter(({ status }) => status === 'disabled')
    for (const event of [...(userEnds.get(session.sub) ?? []), ...disabled]) {
      // What opened after the answer was not there to be ended; what opened meanwhile may have been.
      if (isRefused(event) || opened.startedAt > (event.endedAt ?? Number.POSITIVE_INFINITY)) continue
      const surely = isYes(event) && opened.endedAt !== null && opened.endedAt < event.startedAt
      endings.push({ event, ackAt: surely ? event.endedAt : null, by: 'end' })
    }
    for (const event of session.refreshes)
      if (event.answer?.code === 'session_reused') endings.push({ event, ackAt: event.endedAt, by: 'theft' })
    const told = [...session.refreshes, ...session.checks.filter(({ level }) => level === 'session')]
      .filter(({ answer }) => answer?.code === 'session_revoked')
      .toSorted((a, b) => (a.endedAt as number) - (b.endedAt as number))[0]
    if (told !== undefined) endings.push({ event: told, ackAt: told.endedAt, by: 'told' })
    known.set(session.sid, endings)
    return endings
  }
  const deathOf = (node: string, after: number) =>
    Math.min(...killed.filter((one) => one.node === node && one.startedAt >= after).map((one) => one.startedAt), Number.POSITIVE_INFINITY)
  return {
    terms,
    sessions,
    signIns,
    roleChanges: by(of('role_change'), (event) => event.sub),
    statusChanges,
    reads: by(of('read'), (event) => event.sub),
    doneBy: (call) => (isYes(call) || isRefused(call) ? (call.endedAt as number) : deathOf(call.node, call.startedAt)),
    endingsOf,
    killedBetween: (node, from, to) => killed.some((one) => one.node === node && one.startedAt >= from && one.startedAt <= to),
  }
}
