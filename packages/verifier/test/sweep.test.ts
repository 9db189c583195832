// What is held of revocations when the sweep comes by: to the last second of each, whatever came about it since, and not
// beyond. A table that forgot one early would let its token in again.

import type { AccessTokenClaims, Revocation } from '@symbolon/protocol'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createKnowledge } from '../src/knowledge.ts'
import { createRevocations } from '../src/revocations.ts'
import type { Feed } from '../src/source.ts'

const at = 1_800_000_000_000
let now = at
beforeEach(() => {
  now = at
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => void vi.useRealTimers())
/** Every shard is looked at within 64 s; the clock by which entries end stands still meanwhile. */
const sweep = () => vi.advanceTimersByTime(256 * 250)

const id = 'AAECAwQFBgcICQoLDA0ODw'
const claims = {
  ...{ iss: 'i', aud: 'a', iat: 0, exp: 0, client_id: 'app', client_epoch: 1, epoch: 1 },
  ...{ sub: `usr_${id}`, sid: id, jti: `1.${id}` },
} as AccessTokenClaims
const odd = { ...claims, sub: 'ada', sid: 'odd', jti: 'odd' }
const entry = (kind: 'session' | 'token' | 'user' | 'client', name: string, life: number): Revocation => {
  const common = { seq: 0, tenant: 'main', id: name, at: 0, expires: at + life }
  return kind === 'user' || kind === 'client' ? { ...common, kind, epoch: 2 } : { ...common, kind }
}

describe('the sweep', () => {
  it.each([
    ['session', id, claims, 'session_revoked'],
    ['token', `1.${id}`, claims, 'token_revoked'],
    ['user', `usr_${id}`, claims, 'claims_stale'],
    ['client', 'app', claims, 'claims_stale'],
    ['session', 'odd', odd, 'session_revoked'],
    ['token', 'odd', odd, 'token_revoked'],
    ['user', 'ada', odd, 'claims_stale'],
  ] as const)('keeps a %s (%s) to its last second, though a shorter life is told of it later, and no longer', (kind, name, of, code) => {
    const known = createRevocations(() => now)
    known.apply([entry(kind, name, 60_000), entry(kind, name, 2000)])
    for (const seconds of [3, 59, 60]) {
      now = at + seconds * 1000
      sweep()
      expect([seconds, known.revoked(of, 'k'), known.size()]).toEqual([seconds, code, 1])
    }
    now = at + 61_000
    sweep()
    expect([known.revoked(of, 'k'), known.size()]).toEqual([undefined, 0])
    known.end()
  })

  it('takes the ended from among the others, which stay', () => {
    const known = createRevocations(() => now)
    const ids = Array.from({ length: 3000 }, (_, n) => `${String(n).padStart(20, 'A')}AA`)
    known.apply(ids.map((one, n) => entry('session', one, n % 3 === 0 ? 60_000 : 5000)))
    now = at + 6000
    sweep()
    expect(known.size()).toBe(1000)
    for (const [n, sid] of ids.entries()) expect(known.revoked({ ...claims, sid }, 'k')).toBe(n % 3 === 0 ? 'session_revoked' : undefined)
    known.end()
  })
})

it('never forgets a revoked key, whatever end came with it', () => {
  const known = createRevocations(() => now)
  for (const expires of [null, at - 1000, at + 1000])
    known.apply([{ seq: 0, tenant: 'main', kind: 'key', id: `k${expires}`, state: 'revoked', at: 0, expires }])
  now = at + 1e10
  sweep()
  for (const kid of ['knull', `k${at - 1000}`, `k${at + 1000}`])
    expect([known.keyRevoked(kid), known.revoked(claims, kid)]).toEqual([true, 'token_revoked'])
  expect(known.keyRevoked('another')).toBe(false)
  known.end()
})

describe('what guards are told of the age of their knowledge', () => {
  it('is the feed’s, but without end while something that can matter did not fit', () => {
    const revocations = createRevocations(() => now, { ids: 1, names: 1 })
    const feed = { staleness: () => 40 } as unknown as Feed
    const knowledge = createKnowledge({ feed, revocations, now: () => now, observe: () => {} })
    revocations.apply([entry('session', id, 20_000)])
    expect(knowledge.staleness(claims)).toBe(40)
    revocations.apply([entry('session', `B${id.slice(1)}`, 20_000)])
    // Which one did not fit is not known: no token is let in unasked until it is over.
    expect(knowledge.staleness(claims)).toBe(Number.POSITIVE_INFINITY)
    now = at + 20_000
    expect(knowledge.staleness(claims)).toBe(Number.POSITIVE_INFINITY)
    now = at + 21_000
    expect(knowledge.staleness(claims)).toBe(40)
    revocations.end()
  })
})
