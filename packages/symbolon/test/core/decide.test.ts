// The refresh table, row by row, and what holds for every input.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decide, type Generations, isCurrent } from '../../src/core/decide.ts'

const now = 1_000_000
const window = 10_000
const row = (change: Partial<Generations> = {}): Generations => ({
  kind: 'token',
  generation: 5,
  predecessor: 4,
  replaced: null,
  rotatedAt: now - 60_000,
  seen: false,
  recovered: 0,
  ...change,
})
const rules = { rotate: 'never' as const, window, recovery: 'allow' as const }

describe('decide', () => {
  it.each<[string, number, Partial<Generations>, object, string]>([
    ['g of a refresh token', 5, {}, {}, 'rotate'],
    ['g of a cookie', 5, { kind: 'cookie' }, {}, 'mint'],
    ['g of a cookie whose interval is over', 5, { kind: 'cookie' }, { rotate: 60_000 }, 'rotate'],
    ['g of a cookie whose interval is not', 5, { kind: 'cookie' }, { rotate: 60_001 }, 'mint'],
    ['p in the window', 4, { rotatedAt: now - 9_999 }, {}, 'replay'],
    ['p in the window although g was seen', 4, { rotatedAt: now - 9_999, seen: true }, {}, 'replay'],
    ['p at the end of the window, g unseen', 4, { rotatedAt: now - 10_000 }, {}, 'recover'],
    ['p after the window, g seen', 4, { seen: true }, {}, 'reused'],
    ['p after three recoveries', 4, { recovered: 3 }, {}, 'step_up'],
    ['p, recovery by step-up', 4, {}, { recovery: 'step_up' }, 'step_up'],
    ['p, no recovery', 4, {}, { recovery: 'revoke' }, 'reused'],
    ['a generation skipped by a recovery', 4, { predecessor: 3 }, {}, 'reused'],
    ['older', 3, {}, {}, 'reused'],
    ['no predecessor', 4, { predecessor: null }, {}, 'reused'],
    ['replaced by a step-up', 4, { predecessor: null, replaced: 4 }, {}, 'superseded'],
    ['the one before the replaced, which was current still', 3, { predecessor: null, replaced: 3 }, {}, 'superseded'],
    ['replaced by a step-up, and the one before it was not', 3, { predecessor: null, replaced: 4 }, {}, 'reused'],
    ['g after a step-up', 5, { predecessor: null, replaced: 4 }, {}, 'rotate'],
    ['g of a cookie after a step-up', 5, { kind: 'cookie', predecessor: null, replaced: 4 }, {}, 'mint'],
    ['newer than the store after a step-up', 6, { predecessor: null, replaced: 4 }, {}, 'rolled_back'],
    ['newer than the store', 6, {}, {}, 'rolled_back'],
  ])('%s', (_, n, change, policy, decision) => {
    expect(decide(n, row(change), now, { ...rules, ...policy })).toBe(decision)
  })

  it('rotates or mints for g alone, and never ends a session over g', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.record({
          generation: fc.integer({ min: 1, max: 10 }),
          gap: fc.integer({ min: 1, max: 4 }),
          rotatedAt: fc.integer({ min: 0, max: now }),
          seen: fc.boolean(),
          recovered: fc.nat(4),
          kind: fc.constantFrom('cookie' as const, 'token' as const),
        }),
        (n, { gap, ...rest }) => {
          const session = row({ ...rest, predecessor: rest.generation > gap ? rest.generation - gap : null })
          const decision = decide(n, session, now, rules)
          expect(decision === 'rotate' || decision === 'mint').toBe(n === session.generation)
          expect(decision === 'rolled_back').toBe(n > session.generation)
          // Whatever a live check accepts, no refresh treats as theft.
          if (isCurrent(n, session, now, window)) expect(['rotate', 'mint', 'replay', 'recover', 'step_up']).toContain(decision)
        },
      ),
    )
  })
})
