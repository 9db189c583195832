// G4: what was acknowledged is there ever after, whatever was killed: sign-ins, generations, ends of sessions, changes of
// users. Every operator's read in the history must show what was acknowledged before it began; nothing goes back.

import { mayHaveEnded } from './causes.ts'
import { type Broken, type HistoryEvent, isYes, type Read, type RoleChange, type StatusChange } from './events.ts'
import { yesesOf } from './generations.ts'
import type { SessionHistory, Sorted } from './sorted.ts'

const g4 = (sentence: string, ...events: readonly HistoryEvent[]): Broken => ({ rule: 'G4', events, sentence })

/** Refreshes one after another never name a smaller generation. */
function backwards(session: SessionHistory): readonly Broken[] {
  const yeses = yesesOf(session)
  return yeses.flatMap((later) => {
    const earlier = yeses.find((one) => one.endedAt < later.startedAt && one.received.generation > later.received.generation)
    if (earlier === undefined) return []
    return [g4(`Generation ${earlier.received.generation} was acknowledged, and then ${later.received.generation} given.`, earlier, later)]
  })
}

type SeenRead = Read & { readonly state: NonNullable<Read['state']>; readonly endedAt: number }

/** A session in what an operator read. */
function readSession(sorted: Sorted, session: SessionHistory, read: SeenRead): readonly Broken[] {
  const { opened } = session
  if (opened.endedAt === null || opened.endedAt >= read.startedAt) return []
  const listed = read.state.sessions.find(({ sid }) => sid === session.sid)
  if (listed === undefined)
    return mayHaveEnded(sorted, session, read.endedAt) ? [] : [g4('A session that was acknowledged and never ended is gone.', opened, read)]
  const ended = sorted.endingsOf(session).find(({ ackAt }) => ackAt !== null && ackAt < read.startedAt)
  if (ended !== undefined) return [g4('A session whose end was acknowledged is alive.', ended.event, read)]
  const newer = yesesOf(session).find((one) => one.endedAt < read.startedAt && one.received.generation > listed.generation)
  if (newer === undefined) return []
  return [g4(`Generation ${newer.received.generation} was acknowledged, and then ${listed.generation} read.`, newer, read)]
}

type Change = (RoleChange | StatusChange) & { readonly epoch: number; readonly endedAt: number }

/** The epoch of a user grows with each change, and stays grown. */
function readUser(changes: readonly Change[], reads: readonly SeenRead[]): readonly Broken[] {
  const broken: Broken[] = []
  for (const later of changes)
    for (const earlier of changes) {
      if (earlier.endedAt >= later.startedAt) continue
      const differ = earlier.kind === 'role_change' && later.kind === 'role_change' && earlier.roles.join() !== later.roles.join()
      if (later.epoch < earlier.epoch || (differ && later.epoch === earlier.epoch))
        broken.push(g4(`A user's epoch was ${earlier.epoch} after one change and ${later.epoch} after the next.`, earlier, later))
    }
  for (const read of reads) {
    const { epoch, roles, status } = read.state
    const lost = changes.find((one) => one.endedAt < read.startedAt && one.epoch > epoch)
    if (lost !== undefined) broken.push(g4(`A change made a user's epoch ${lost.epoch}, and then ${epoch} was read.`, lost, read))
    const same = changes.find(
      (one) => one.epoch === epoch && (one.kind === 'role_change' ? one.roles.join() !== roles.join() : one.status !== status),
    )
    if (same !== undefined) broken.push(g4('What was read of a user is not what the change to that epoch had made.', same, read))
  }
  return broken
}

/** G4 on everything. */
export function judgeDurability(sorted: Sorted): readonly Broken[] {
  const readsOf = (sub: string) => (sorted.reads.get(sub) ?? []).filter((read) => isYes(read) && read.state !== null) as SeenRead[]
  const broken: Broken[] = []
  for (const session of sorted.sessions.values()) {
    broken.push(...backwards(session))
    for (const read of readsOf(session.sub)) broken.push(...readSession(sorted, session, read))
  }
  for (const sub of new Set([...sorted.roleChanges.keys(), ...sorted.statusChanges.keys()])) {
    const all = [...(sorted.roleChanges.get(sub) ?? []), ...(sorted.statusChanges.get(sub) ?? [])]
    broken.push(...readUser(all.filter((one) => isYes(one) && one.epoch !== null) as Change[], readsOf(sub)))
  }
  return broken
}
