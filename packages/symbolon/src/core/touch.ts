// Activity of sessions, gathered and written in batches: `last seen` when it moved by enough to matter, and that the
// current credential was presented. Bounded; a refresh of a session writes what waits for it before it decides.

import type { Caller } from './api.ts'
import type { Session } from './model.ts'
import type { SessionStore, Touch } from './ports.ts'

/** As much of a session as its activity hangs on. */
type Used = Pick<Session, 'sid' | 'seen' | 'generation' | 'lastSeenAt' | 'idle'>

/** Gathers activity. */
export interface Touches {
  /** Notes that a session was used at `now`. `active`: by its user; `generation`: of the credential or token presented. */
  note(session: Used, now: number, active: boolean, generation: number, caller: Caller | undefined): void
  /** The last activity known here, written or not. */
  lastSeen(session: Pick<Session, 'sid' | 'lastSeenAt'>): number
  /** Writes what waits for one session, and waits for a write under way. */
  flushOf(sid: string): Promise<void>
  flush(): Promise<void>
}

/** `last seen` is written when it moves by a minute, or by a twentieth of a shorter idle limit. */
const step = (idle: number) => Math.min(60_000, idle / 20)
const most = 10_000

/** Creates the gatherer on a store. */
export function createTouches(store: Pick<SessionStore, 'touch'>): Touches {
  let waiting = new Map<string, Touch>()
  let writing: { readonly touches: ReadonlyMap<string, Touch>; readonly done: Promise<void> } | undefined

  const merge = (older: Touch | undefined, newer: Touch): Touch =>
    older === undefined
      ? newer
      : {
          ...older,
          ...newer,
          lastSeenAt: newer.lastSeenAt === null ? older.lastSeenAt : Math.max(newer.lastSeenAt, older.lastSeenAt ?? 0),
          seenGeneration: newer.seenGeneration ?? older.seenGeneration,
        }

  const flush = async (): Promise<void> => {
    while (writing !== undefined) await writing.done
    if (waiting.size === 0) return
    const touches = waiting
    waiting = new Map()
    const done = store
      .touch([...touches.values()])
      .catch((error: unknown) => {
        for (const [sid, touch] of touches) if (waiting.size < most) waiting.set(sid, merge(touch, waiting.get(sid) ?? touch))
        throw error
      })
      .finally(() => {
        writing = undefined
      })
    // Those who wait for this write must not fall over its fault: they write again themselves.
    writing = { touches, done: done.catch(() => {}) }
    await done
  }

  return {
    note(session, now, active, generation, caller) {
      const seen = !session.seen && generation === session.generation
      const moved = active && now - session.lastSeenAt >= step(session.idle)
      if (!seen && !moved) return
      if (waiting.size >= most && !waiting.has(session.sid)) {
        // Full: what waits is written now. This one is noted at its next use; until then it only looks less recent.
        flush().catch(() => {})
        if (waiting.size >= most) return
      }
      waiting.set(
        session.sid,
        merge(waiting.get(session.sid), {
          sid: session.sid,
          lastSeenAt: active ? now : null,
          seenGeneration: seen ? generation : null,
          ...(active && caller !== undefined && { ip: caller.ip, userAgent: caller.userAgent }),
        }),
      )
    },
    lastSeen(session) {
      if (waiting.size === 0 && writing === undefined) return session.lastSeenAt
      const known = waiting.get(session.sid)?.lastSeenAt ?? writing?.touches.get(session.sid)?.lastSeenAt ?? 0
      return Math.max(session.lastSeenAt, known)
    },
    async flushOf(sid) {
      if (waiting.has(sid)) await flush()
      else if (writing?.touches.has(sid)) await writing.done
    },
    flush,
  }
}
