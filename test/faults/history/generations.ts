// G3: the generations of each session form one chain, whatever ran at once and whatever was lost. Every answer names the
// generation presented and the one given: the same successor for all who present the same one, one more only for a lost
// answer recovered after the window. Who comes with a copy that neither explains ends the session.

import { firstPresented, hasCause, mayHaveEnded } from './causes.ts'
import {
  type Broken,
  endings,
  generationOf,
  type HistoryEvent,
  isRefused,
  isYes,
  mostRecoveries,
  type Received,
  type Refresh,
} from './events.ts'
import type { SessionHistory, Sorted } from './sorted.ts'

/** A refresh that was answered with the next credential. */
export type Yes = Refresh & { readonly received: Received; readonly endedAt: number }

/** The refreshes of a session that were answered with a credential. */
export const yesesOf = (session: SessionHistory): readonly Yes[] =>
  session.refreshes.filter((one) => isYes(one) && one.received !== null) as Yes[]

const g3 = (sentence: string, ...events: readonly HistoryEvent[]): Broken => ({ rule: 'G3', events, sentence })

/** One successor for each generation, by one credential. */
function forks(session: SessionHistory): readonly Broken[] {
  const broken: Broken[] = []
  const hashes = new Map<number, { readonly hash: string; readonly event: HistoryEvent }>()
  const parents = new Map<number, Yes>()
  const { received } = session.opened
  if (received !== null) hashes.set(received.generation, { hash: received.hash, event: session.opened })
  for (const one of yesesOf(session)) {
    const { sid, generation, hash } = one.received
    if (sid !== session.sid) broken.push(g3('A refresh answered with the credential of another session.', one))
    if (generation <= one.presented) broken.push(g3('A refresh answered with a credential that is not newer than the one presented.', one))
    const known = hashes.get(generation)
    if (known === undefined) hashes.set(generation, { hash, event: one })
    else if (known.hash !== hash) broken.push(g3(`There are two credentials of generation ${generation}.`, known.event, one))
    const parent = parents.get(generation)
    if (parent === undefined) parents.set(generation, one)
    else if (parent.presented !== one.presented)
      broken.push(
        g3(`Generation ${generation} was given for ${parent.presented} and for ${one.presented}: the chain has a fork.`, parent, one),
      )
  }
  return broken
}

/** A generation is skipped only by recovering a lost answer: after the window, and when nobody showed what was skipped. */
function skips(sorted: Sorted, session: SessionHistory): readonly Broken[] {
  const { window, slack, seenWithin } = sorted.terms
  const broken: Broken[] = []
  for (const one of yesesOf(session)) {
    const { presented, received } = one
    const skipped = received.generation - presented - 1
    if (skipped < 1) continue
    const between = (generation: number) => generation > presented && generation < received.generation
    if (skipped > mostRecoveries) broken.push(g3(`${skipped} lost answers were recovered in a row.`, one))
    if (one.endedAt - firstPresented(session, presented) < skipped * window - slack)
      broken.push(g3(`Generation ${presented} was followed by ${received.generation} before the window was closed.`, one))
    const went = yesesOf(session).find((other) => between(other.presented))
    if (went !== undefined) broken.push(g3(`Generation ${went.presented} was skipped, and was refreshed as well.`, went, one))
    // Whoever may have made this generation came when it was known that the skipped one had arrived.
    const makers = session.refreshes.filter(
      (other) =>
        other.presented === presented && !isRefused(other) && (other.received?.generation ?? received.generation) === received.generation,
    )
    const seen = session.checks.find(
      (check) =>
        isYes(check) &&
        !check.verifier &&
        generationOf(check.token) === received.generation - 1 &&
        makers.every((maker) => maker.startedAt > (check.endedAt as number) + seenWithin) &&
        !sorted.killedBetween(check.node, check.startedAt, (check.endedAt as number) + seenWithin),
    )
    if (seen !== undefined) broken.push(g3(`Generation ${received.generation - 1} was skipped though its token had been shown.`, seen, one))
  }
  return broken
}

/** Every generation has a maker of its own: no refresh adds two, answered or not. */
function unexplained(sorted: Sorted, session: SessionHistory): readonly Broken[] {
  const { window, slack } = sorted.terms
  const reads = (sorted.reads.get(session.sub) ?? []).flatMap((event) =>
    (event.state?.sessions ?? []).filter(({ sid }) => sid === session.sid).map(({ generation }) => ({ generation, event })),
  )
  const observed = [...yesesOf(session).map((event) => ({ generation: event.received.generation, event })), ...reads]
  const makers = new Map<Refresh, number>()
  const mayHaveMade = (one: Refresh, generation: number, by: number) => {
    if (isRefused(one) || one.presented >= generation || one.startedAt > by) return false
    if (one.received !== null) return one.received.generation === generation
    const skipped = generation - one.presented - 1
    if (skipped > mostRecoveries) return false
    return skipped === 0 || sorted.doneBy(one) - firstPresented(session, one.presented) >= skipped * window - slack
  }
  /** Finds a maker that is free, or whose generation can have another. */
  const place = (generation: number, by: ReadonlyMap<number, number>, tried: Set<Refresh>): boolean =>
    session.refreshes.some((one) => {
      if (tried.has(one) || !mayHaveMade(one, generation, by.get(generation) as number)) return false
      tried.add(one)
      const made = makers.get(one)
      if (made !== undefined && !place(made, by, tried)) return false
      makers.set(one, generation)
      return true
    })
  // By when each generation was there: seen by itself, or one after it.
  const highest = Math.max(1, ...observed.map(({ generation }) => generation))
  const by = new Map<number, number>()
  let earliest = Number.POSITIVE_INFINITY
  for (let generation = highest; generation > 1; generation--) {
    for (const one of observed) if (one.generation === generation) earliest = Math.min(earliest, one.event.endedAt ?? earliest)
    by.set(generation, earliest)
  }
  for (let generation = 2; generation <= highest; generation++) {
    if (place(generation, by, new Set())) continue
    const seen = observed.find((one) => one.generation >= generation)?.event as HistoryEvent
    return [g3(`Nobody's refresh can have made generation ${generation}, and ${highest} was reached.`, seen)]
  }
  return []
}

/** Whether a refresh surely presented an old copy, whatever was slow or lost. */
function surelyOld(sorted: Sorted, session: SessionHistory, call: Refresh): Yes | undefined {
  const { window, slack, seenWithin } = sorted.terms
  const n = call.presented
  const before = yesesOf(session).filter((one) => one !== call && one.endedAt < call.startedAt)
  const past = before.find((one) => one.presented > n || (one.presented < n && one.received.generation > n))
  if (past !== undefined) return past
  // The predecessor, its window surely closed, its successor surely seen, and no answer of it that might have been lost.
  const own = session.refreshes.filter((one) => one !== call && one.presented === n)
  if (!own.every((one) => isYes(one) && one.received?.generation === n + 1)) return undefined
  const made = before.find((one) => one.presented === n && one.endedAt + window + slack < call.startedAt)
  const seen = session.checks.some(
    (check) =>
      isYes(check) &&
      !check.verifier &&
      generationOf(check.token) === n + 1 &&
      (check.endedAt as number) + seenWithin < call.startedAt &&
      !sorted.killedBetween(check.node, check.startedAt, (check.endedAt as number) + seenWithin),
  )
  return seen ? made : undefined
}

/** Who surely comes with an old copy ends the session, unless it had ended. */
function thefts(sorted: Sorted, session: SessionHistory): readonly Broken[] {
  const broken: Broken[] = []
  for (const call of session.refreshes) {
    if (!isYes(call) && !isRefused(call)) continue
    // Nobody listened, or it was turned away before anything was looked at.
    if ([0, 429].includes(call.answer?.status ?? 0)) continue
    const proof = surelyOld(sorted, session, call)
    if (proof === undefined) continue
    const { code } = call.answer ?? {}
    if (isYes(call)) broken.push(g3(`An old copy of generation ${call.presented} was accepted.`, proof, call))
    else if (
      code !== 'session_reused' &&
      !mayHaveEnded(sorted, { ...session, refreshes: session.refreshes.filter((one) => one !== call) }, call.endedAt as number)
    )
      broken.push(g3(`An old copy of generation ${call.presented} was answered ${code}, and the session was not ended.`, proof, call))
  }
  return broken
}

/** Every honest caller ends with a credential that can be used: told that theirs is none, or left with none at the end, they are lost. */
function lostCallers(sorted: Sorted, session: SessionHistory): readonly Broken[] {
  const isLost = (one: Refresh) => !isYes(one) && (one.final || (one.answer?.status === 401 && endings.has(one.answer.code ?? '')))
  return session.refreshes
    .filter((one) => one.who === 'honest' && isLost(one) && !hasCause(sorted, session, one))
    .map((one) => g3(`An honest caller was left without a usable credential: ${one.answer?.code ?? 'no answer'}.`, one))
}

/** G3 on every session. */
export function judgeGenerations(sorted: Sorted): readonly Broken[] {
  return [...sorted.sessions.values()].flatMap((session) => [
    ...forks(session),
    ...skips(sorted, session),
    ...unexplained(sorted, session),
    ...thefts(sorted, session),
    ...lostCallers(sorted, session),
  ])
}
