// The judge by property: whatever a service that keeps its promises does, no promise is found broken; and one lie in such a
// history, wherever it can be told, is found.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { HistoryEvent } from './events.ts'
import { isYes } from './events.ts'
import { judgeHistory } from './judge.ts'
import { terms } from './made.ts'
import { acts, playSteps, type Step } from './model.ts'

const step: fc.Arbitrary<Step> = fc.record({
  // A session must grow before an old copy of it is about.
  act: fc.oneof(
    { arbitrary: fc.constantFrom(...acts), weight: 1 },
    { arbitrary: fc.constantFrom('refresh', 'old copy', 'look'), weight: 1 },
  ),
  gap: fc.constantFrom(1, 20, 400, 1200),
  before: fc.nat(15),
  after: fc.nat(15),
  choice: fc.nat(11),
})
const steps = fc.array(step, { minLength: 1, maxLength: 40, size: 'max' })
const rules = (history: readonly HistoryEvent[]) => [...new Set(judgeHistory(history, terms).broken.map((one) => one.rule))]

/** A lie: an event told otherwise, where it can be; and the rule that it must be found to break. */
const lies: readonly (readonly [string, RegExp, (event: HistoryEvent) => HistoryEvent | undefined])[] = [
  [
    'a check of a dead token was accepted',
    // Where it was theft that ended the session, it is G3 that says so.
    /G[13]/,
    (one) => (one.kind === 'check' && one.answer?.code === 'session_revoked' ? { ...one, answer: { status: 200, code: null } } : undefined),
  ],
  [
    'an honest caller was told that there is no such session',
    /G7/,
    (one) =>
      one.kind === 'refresh' && one.who === 'honest' && isYes(one)
        ? { ...one, received: null, answer: { status: 401, code: 'session_unknown' } }
        : undefined,
  ],
  [
    'a refresh gave a credential far ahead',
    /G3/,
    (one) =>
      one.kind === 'refresh' && one.received !== null
        ? { ...one, received: { ...one.received, generation: one.received.generation + 40, hash: 'ahead' } }
        : undefined,
  ],
  [
    'a refresh gave the credential of another session',
    /G3/,
    (one) => (one.kind === 'refresh' && one.received !== null ? { ...one, received: { ...one.received, sid: 'other' } } : undefined),
  ],
  [
    'a refresh gave back what it was given',
    /G3/,
    (one) =>
      one.kind === 'refresh' && one.received !== null ? { ...one, received: { ...one.received, generation: one.presented } } : undefined,
  ],
  [
    'a session was ahead of every refresh',
    /G3/,
    (one) =>
      one.kind === 'read' && one.state !== null
        ? { ...one, state: { ...one.state, sessions: one.state.sessions.map((s) => ({ ...s, generation: s.generation + 40 })) } }
        : undefined,
  ],
  [
    'a read showed no epoch',
    /G4/,
    (one) => (one.kind === 'read' && one.state !== null && one.state.epoch > 1 ? { ...one, state: { ...one.state, epoch: 1 } } : undefined),
  ],
  [
    'a change was answered with an older epoch',
    /G4/,
    (one) => (one.kind === 'role_change' && (one.epoch ?? 0) > 2 ? { ...one, epoch: 1 } : undefined),
  ],
]

describe('the judge of whole histories, by property', () => {
  it('finds nothing where every promise is kept', () => {
    fc.assert(
      fc.property(steps, (played) => {
        expect(judgeHistory(playSteps(played), terms).broken).toEqual([])
      }),
      { numRuns: 1000 },
    )
  })

  it('is given histories in which everything happens', () => {
    const sample = fc.sample(steps, { numRuns: 300, seed: 7 }).map((played) => judgeHistory(playSteps(played), terms).counts)
    const sum = (name: keyof (typeof sample)[number]) => sample.reduce((all, one) => all + Number(one[name]), 0)
    for (const name of [
      'rotated',
      'replayed',
      'recovered',
      'reused',
      'lost',
      'unanswered',
      'refused',
      'revokes',
      'roleChanges',
      'reads',
    ] as const)
      expect([name, sum(name) > 20]).toEqual([name, true])
  })

  it.each(lies)('finds a lie: %s', (_, rule, lie) => {
    let told = 0
    fc.assert(
      fc.property(steps, fc.nat(), (played, at) => {
        const history = playSteps(played)
        const places = history.flatMap((one, place) => (lie(one) === undefined ? [] : [place]))
        if (places.length === 0) return
        told++
        const place = places[at % places.length] as number
        expect(rules(history.with(place, lie(history[place] as HistoryEvent) as HistoryEvent)).join()).toMatch(rule)
      }),
      { numRuns: 300 },
    )
    expect(told).toBeGreaterThan(20)
  })
})
