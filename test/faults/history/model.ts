// A service in a few lines, as it was promised to be, for tests of the judge: it does one thing after another, each at a
// moment within its call, and writes the history that its callers would have seen. Such a history breaks nothing.

import { type HistoryEvent, mostRecoveries, type Refresh, type Who } from './events.ts'
import { made, type Said, terms, token } from './made.ts'

/** What is done next, how long after the last thing, and how far its call reaches to both sides. */
export interface Step {
  readonly act: (typeof acts)[number]
  readonly gap: number
  readonly before: number
  readonly after: number
  /** Chooses among what there is. */
  readonly choice: number
}

/** What can be done. */
export const acts = [
  'refresh',
  'lost',
  'hung up',
  'tabs',
  'look',
  'read',
  'roles',
  'old copy',
  'end',
  'end user',
  'disable',
  'kill',
] as const

/** Plays steps on one user, who signs in again whenever their session is over. */
export function playSteps(steps: readonly Step[]): readonly HistoryEvent[] {
  const history: HistoryEvent[] = []
  let now = 0
  let count = 0
  let epoch = 1
  let roles: readonly string[] = []
  let session = { sid: '', g: 0, p: 0, rotatedAt: 0, seen: false, recovered: 0, over: true }
  let held = 0
  /** When each generation was first received by somebody: nobody can present it earlier. */
  let had = new Map<number, number>()
  const hashOf = (generation: number) => ({ sid: session.sid, generation, hash: `${session.sid}-${generation}` })

  const decide = (n: number): number | Said => {
    const s = session
    if (s.over) return 'session_revoked'
    if (n === s.g) {
      session = { ...s, p: n, g: n + 1, rotatedAt: now, seen: false, recovered: 0 }
      return n + 1
    }
    if (n === s.p && now - s.rotatedAt < terms.window) return s.g
    if (n === s.p && !s.seen) {
      if (s.recovered >= mostRecoveries) return 'step_up_required'
      session = { ...s, g: s.g + 1, rotatedAt: now, recovered: s.recovered + 1 }
      return s.g + 1
    }
    session = { ...s, over: true }
    return 'session_reused'
  }
  /** When a call that does its work now began: not before its caller had what it shows. */
  const began = (generation: number, before: number) => Math.max(now - before, (had.get(generation) ?? now) + 0.5)
  const refresh = (n: number, step: Step, rest: Partial<Refresh> & { readonly who?: Who } = {}): number | Said => {
    const startedAt = Math.min(now, began(n, step.before))
    const got = decide(n)
    const endedAt = rest.endedAt === null ? null : now + step.after
    const event = made.refresh(startedAt, n, endedAt === null ? 'nothing' : got, { ...rest, sid: session.sid, startedAt, endedAt })
    const received = typeof got === 'number' && endedAt !== null ? hashOf(got) : null
    if (received !== null && !had.has(received.generation)) had.set(received.generation, endedAt as number)
    history.push({ ...event, received })
    return got
  }
  const signIn = () => {
    now += 10
    session = { sid: `s${++count}`, g: 1, p: 0, rotatedAt: now, seen: false, recovered: 0, over: false }
    held = 1
    had = new Map([[1, now + 1]])
    history.push(made.signIn(now - 1, { endedAt: now + 1, received: hashOf(1), token: token(1, epoch, session.sid) }))
    now += 2
  }
  /** The owner takes what came, and waits for the end of the call. */
  const own = (got: number | Said, step: Step) => {
    now += step.after + 1
    if (typeof got === 'number') held = got
  }
  const dead: { sid: string; generation: number; epoch: number }[] = []

  for (const step of steps) {
    if (session.over) {
      if (count > 0) dead.push({ sid: session.sid, generation: held, epoch })
      signIn()
    }
    now += step.gap + step.before
    const times = { startedAt: now - step.before, endedAt: now + step.after }
    switch (step.act) {
      case 'refresh':
        own(refresh(held, step), step)
        break
      case 'lost': {
        refresh(held, step, { lost: true })
        now += step.after + (step.choice % 2 === 0 ? 1 : terms.window + 1)
        own(refresh(held, step), step)
        break
      }
      case 'hung up':
        refresh(held, step, { endedAt: null })
        now += 1
        own(refresh(held, step), step)
        break
      case 'tabs': {
        const tab = refresh(held, step)
        now += 1
        refresh(held, step)
        own(tab, step)
        break
      }
      case 'look': {
        const shown = step.choice % 3 === 0 ? dead.at(-1) : { sid: session.sid, generation: held, epoch }
        if (shown === undefined) break
        const over = shown.sid !== session.sid
        if (!over && shown.generation === session.g) session = { ...session, seen: true }
        const startedAt = over ? times.startedAt : Math.min(now, began(held, step.before))
        const facts = { token: token(shown.generation, shown.epoch, shown.sid) }
        history.push(made.check(now, 'session', over ? 'session_revoked' : 'yes', { ...facts, startedAt, endedAt: times.endedAt }))
        break
      }
      case 'read': {
        const sessions = [{ sid: session.sid, generation: session.g }]
        history.push({ ...made.read(now, null, { epoch, roles, sessions }), ...times })
        break
      }
      case 'roles':
        epoch++
        roles = [`r${epoch}`]
        history.push({ ...made.roles(now, epoch, roles), ...times })
        break
      case 'old copy':
        if (session.g > 1) {
          const copies = [...had.keys()].filter((one) => (had.get(one) as number) < now)
          refresh(copies[step.choice % copies.length] as number, step, { who: 'thief' })
        }
        break
      case 'end':
        session = { ...session, over: true }
        history.push(made.signOut(now, 'yes', { sid: session.sid, ...times }))
        break
      case 'end user':
        session = { ...session, over: true }
        history.push({ ...made.endUser(now), ...times })
        break
      case 'disable':
        session = { ...session, over: true }
        history.push({ ...made.status(now, ++epoch, 'disabled'), ...times })
        now += step.after + 1
        history.push({ ...made.status(now, ++epoch, 'active'), startedAt: now, endedAt: now + 1 })
        break
      case 'kill':
        history.push(made.killed(now))
        break
    }
    now += step.after + 1
  }
  return history
}
