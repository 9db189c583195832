// The judge is judged: recorded violations of each kind must be found, and a history that keeps every promise must pass.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Check, judge, kills, type Revoke, type TokenFacts } from './history.ts'

const token: TokenFacts = { sid: 's1', sub: 'usr_1', epoch: 3, clientId: 'app', clientEpoch: 1, jti: '1.j', kid: 'k1' }
const revoke: Revoke = { kind: 'session', id: 's1', startedAt: 90, ackAt: 100 }
const check = (startedAt: number, result: Check['result'], rest: Partial<Check> = {}): Check => ({
  verifier: 'a',
  level: 'token',
  bound: 1000,
  token,
  startedAt,
  endedAt: startedAt + 5,
  result,
  ...rest,
})
const rules = (...checks: Check[]) => judge([revoke], checks).violations.map((one) => one.rule)

describe('the judge of histories', () => {
  it.each<[string, Check, string[]]>([
    ['an acceptance within the bound', check(1100, 'accepted'), []],
    ['an acceptance past the bound', check(1101, 'accepted'), ['G2']],
    ['a refusal past the bound', check(1101, 'refused'), []],
    ['not knowing, past the bound', check(1101, 'unknown'), []],
    ['an acceptance before the acknowledgement', check(99, 'accepted', { endedAt: 5000 }), []],
    ['a session route just after the acknowledgement', check(101, 'accepted', { level: 'session' }), ['G1']],
    ['a session route before it', check(99, 'accepted', { level: 'session' }), []],
    ['a refusal before anything was revoked', check(10, 'refused'), ['refused without cause']],
    ['a refusal while the revocation is under way', check(91, 'refused'), []],
    ['a refusal of somebody else', check(500, 'refused', { token: { ...token, sid: 's2' } }), ['refused without cause']],
    ['an acceptance of somebody else', check(5000, 'accepted', { token: { ...token, sid: 's2' } }), []],
    ['an answer that ended before it began', check(500, 'unknown', { endedAt: 400 }), ['answer before the question']],
  ])('%s', (_, one, expected) => {
    expect(rules(one)).toEqual(expected)
  })

  it('promises nothing for what was never acknowledged, and takes it as a cause all the same', () => {
    const lost = { ...revoke, ackAt: null }
    expect(judge([lost], [check(9000, 'accepted'), check(9000, 'refused')]).violations).toEqual([])
  })

  it.each<[Pick<Revoke, 'kind' | 'id' | 'epoch'>, boolean]>([
    [{ kind: 'user', id: 'usr_1', epoch: 4 }, true],
    [{ kind: 'user', id: 'usr_1', epoch: 3 }, false],
    [{ kind: 'user', id: 'usr_2', epoch: 9 }, false],
    [{ kind: 'client', id: 'app', epoch: 2 }, true],
    [{ kind: 'client', id: 'app', epoch: 1 }, false],
    [{ kind: 'token', id: '1.j' }, true],
    [{ kind: 'token', id: '2.j' }, false],
    [{ kind: 'key', id: 'k1' }, true],
    [{ kind: 'key', id: 'k2' }, false],
  ])('%o kills the token: %s', (one, expected) => {
    expect(kills(one, token)).toBe(expected)
  })

  it('finds one broken promise among any number of kept ones', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(3000), fc.constantFrom('refused', 'unknown') as fc.Arbitrary<Check['result']>), { maxLength: 50 }),
        fc.nat(50),
        (kept, at) => {
          const checks = kept.filter(([time]) => time >= 90).map(([time, result]) => check(time, result))
          expect(judge([revoke], checks).violations).toEqual([])
          const broken = [...checks.slice(0, at), check(1500, 'accepted'), ...checks.slice(at)]
          const verdict = judge([revoke], broken)
          expect(verdict.violations.map((one) => one.rule)).toEqual(['G2'])
          expect(verdict.longestMs).toEqual({ a: 1400 })
        },
      ),
    )
  })
})
