// Activity of sessions, gathered and written in batches: `last seen` when it moved by enough to matter, each second, and
// that a credential was presented, at once when it is the first time. Bounded; a refresh of a session writes what waits for
// it before it decides. What cannot be written of one session waits for the next turn, and keeps no other one.

import { SymbolonError } from '@symbolon/protocol'
import type { Caller } from './api.ts'
import type { Session } from './model.ts'
import type { Clock, SessionStore, Touch } from './ports.ts'

/** As much of a session as its activity hangs on. */
type Used = Pick<Session, 'sid' | 'seen' | 'generation' | 'predecessor' | 'lastSeenAt' | 'idle'>

/** Gathers activity. */
export interface Touches {
  /** Notes that a session was used at `now`. `active`: by its user; `generation`: of the credential or token presented. */
  note(session: Used, now: number, active: boolean, generation: number, caller: Caller | undefined): void
  /** The last activity known here, written or not. */
  lastSeen(session: Pick<Session, 'sid' | 'lastSeenAt'>): number
  /** Writes what waits for one session, and waits for whoever holds its row. Throws as the store does where that is not written. */
  flushOf(sid: string): Promise<void>
  /**
   * Writes all that waits but for rows that somebody holds; throws the first fault when it has come to its end. `last`: no other
   * turn comes, so each that is left is written by itself, and waits for whoever holds its row, within the store's own times.
   */
  flush(last?: 'last'): Promise<void>
}

/** A write under way, of this and perhaps of others. */
interface Writing {
  readonly touch: Touch
  readonly done: Promise<void>
}

/** `last seen` is written when it moves by a minute, or by a twentieth of a shorter idle limit. */
const step = (idle: number) => Math.min(60_000, idle / 20)
const most = 10_000
const perWrite = 1000

/** A check that read its row before a rotation may note it after: what a later credential has shown stays shown. */
const latest = (one: number | null, other: number | null) => (one === null || other === null ? (one ?? other) : Math.max(one, other))

const merge = (older: Touch | undefined, newer: Touch): Touch =>
  older === undefined
    ? newer
    : {
        ...older,
        ...newer,
        lastSeenAt: newer.lastSeenAt === null ? older.lastSeenAt : Math.max(newer.lastSeenAt, older.lastSeenAt ?? 0),
        seenGeneration: latest(older.seenGeneration, newer.seenGeneration),
      }

/** Tells the first showing of a generation from those whose row was read before that was written. Bounded: one forgotten is first again. */
function createShown(): (sid: string, generation: number) => boolean {
  let shown = new Map<string, number>()
  let older = new Map<string, number>()
  return (sid, generation) => {
    if ((shown.get(sid) ?? older.get(sid)) === generation) return false
    if (shown.size >= most) {
      older = shown
      shown = new Map()
    }
    shown.set(sid, generation)
    return true
  }
}

/** Creates the gatherer on a store. */
export function createTouches(store: Pick<SessionStore, 'touch'>, clock: Pick<Clock, 'after'>): Touches {
  const waiting = new Map<string, Touch>()
  const writing = new Map<string, Writing>()
  const isFirst = createShown()
  /** Presented for the first time; written in the next turn. */
  const fresh = new Set<string>()
  let hurrying = false
  let full = false

  /** Takes these from what waits and writes them; what was left out, or failed, waits again. */
  const write = (touches: readonly Touch[], patient: boolean): Promise<void> => {
    const run = async () => {
      let left: readonly string[] = touches.map(({ sid }) => sid)
      try {
        left = await store.touch(touches, patient)
      } finally {
        const again = new Set(left)
        for (const touch of touches) {
          const { sid } = touch
          writing.delete(sid)
          if (again.has(sid) && (waiting.size < most || waiting.has(sid))) waiting.set(sid, merge(touch, waiting.get(sid) ?? touch))
        }
      }
    }
    const written = Promise.resolve().then(run)
    // A fault is shared by those who asked for this very session; whoever meets a batch on its way writes again themselves.
    const done = patient ? written : written.catch(() => {})
    for (const touch of touches) {
      waiting.delete(touch.sid)
      writing.set(touch.sid, { touch, done })
    }
    return written
  }

  /** Batch by batch, each by itself; not those of which another write is under way. */
  const writeAll = async (sids: readonly string[]): Promise<void> => {
    const faults: unknown[] = []
    for (let from = 0; from < sids.length; from += perWrite) {
      const batch = sids.slice(from, from + perWrite).flatMap((sid) => (writing.has(sid) ? [] : (waiting.get(sid) ?? [])))
      if (batch.length > 0) await write(batch, false).catch((error) => void faults.push(error))
    }
    if (faults.length > 0) throw faults[0]
  }

  const settled = () => Promise.all([...writing.values()].map(({ done }) => done.catch(() => {})))
  const flushAll = async (): Promise<void> => {
    // Some of what is under way may wait again.
    if (writing.size > 0) await settled()
    const others = settled()
    await writeAll([...waiting.keys()])
    await others
  }

  const flushOf = async (sid: string): Promise<void> => {
    // A write under way may have begun before what waits was noted, or leave out a row that somebody holds.
    for (let under = writing.get(sid); under !== undefined; under = writing.get(sid)) await under.done
    const touch = waiting.get(sid)
    if (touch !== undefined) await write([touch], true)
  }
  const flushLast = async (): Promise<void> => {
    // What failed here may be written below, alone.
    await flushAll().catch(() => {})
    const faults: unknown[] = []
    const sids = new Set([...waiting.keys(), ...writing.keys()])
    await Promise.all([...sids].map((sid) => flushOf(sid).catch((error) => void faults.push(error))))
    const [first] = faults
    if (first === undefined) return
    const error = new SymbolonError('store_unavailable', { cause: first })
    const why = first instanceof Error ? first.message : String(first)
    error.message = `The last activity of ${faults.length} ${faults.length === 1 ? 'session' : 'sessions'} was not written: ${why}`
    throw error
  }

  const show = async () => {
    while (fresh.size > 0) {
      const sids = [...fresh]
      fresh.clear()
      // What is under way was noted before.
      for (const sid of sids)
        writing
          .get(sid)
          ?.done.then(() => hurry(sid))
          .catch(() => {})
      // What fails waits for the next second, or for a refresh.
      await writeAll(sids).catch(() => {})
    }
    hurrying = false
  }
  const hurry = (sid: string) => {
    if (!waiting.has(sid) || fresh.size >= most) return
    fresh.add(sid)
    if (hurrying) return
    hurrying = true
    // With whatever else is presented in this turn; one such write is under way at a time.
    clock.after(0, () => void show())
  }

  return {
    note(session, now, active, generation, caller) {
      const { sid } = session
      const seen = !session.seen && generation === session.generation
      const moved = active && now - session.lastSeenAt >= step(session.idle)
      if (!seen && !moved) return
      if (waiting.size >= most && !waiting.has(sid)) {
        // Full: what waits is written now. This one is noted at its next use; until then it only looks less recent.
        if (!full) {
          full = true
          flushAll()
            .catch(() => {})
            .finally(() => {
              full = false
            })
        }
        if (waiting.size >= most) return
      }
      waiting.set(
        sid,
        merge(waiting.get(sid), {
          sid,
          lastSeenAt: active ? now : null,
          seenGeneration: seen ? generation : null,
          ...(active && caller !== undefined && { ip: caller.ip, userAgent: caller.userAgent }),
        }),
      )
      // From then on its predecessor is an old copy, whichever node it is shown at. Without one, nothing hangs on it.
      if (seen && session.predecessor !== null && isFirst(sid, generation)) hurry(sid)
    },
    lastSeen({ sid, lastSeenAt }) {
      if (waiting.size === 0 && writing.size === 0) return lastSeenAt
      return Math.max(lastSeenAt, waiting.get(sid)?.lastSeenAt ?? writing.get(sid)?.touch.lastSeenAt ?? 0)
    },
    flushOf,
    flush: (last) => (last === undefined ? flushAll() : flushLast()),
  }
}
