// The register of live connections by itself, on clocks and answers moved by hand: what counts when a question takes its
// time, when a connection goes on with a fresh token meanwhile, and when the answer is yes but not for this token.

import type { AccessTokenClaims, Revocation } from '@symbolon/protocol'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { authOf } from '../src/identity.ts'
import type { Knowledge } from '../src/knowledge.ts'
import { createLive } from '../src/live.ts'
import { createPresentedMemory } from '../src/presented.ts'
import { createRevocations } from '../src/revocations.ts'
import type { LiveAnswer, LiveQuestion, LiveSession, Source } from '../src/source.ts'

const at = 1_800_000_000_000
const sid = 'AAECAwQFBgcICQoLDA0ODw'
let now: number
let staleness: number
let asked: { readonly question: LiveQuestion; answer(answer: LiveAnswer): void }[]
let set: ReturnType<typeof create>
let closed: [number, string][]

const create = () => {
  const counters = { fallbacks: 0, refusedUnknown: 0, positions: 0, positionsWaited: 0, closed: 0 }
  const knowledge = { followed: true, staleness: () => staleness, refusedUnknown: () => {}, counters } as unknown as Knowledge
  const check = (question: LiveQuestion) => new Promise<LiveAnswer>((resolve) => void asked.push({ question, answer: resolve }))
  const source = { check } as unknown as Source
  const presented = createPresentedMemory()
  const revocations = createRevocations(() => now)
  const live = createLive({ source, revocations, knowledge, presented, now: () => now, elapsed: () => now, observe: () => {}, most: 10 })
  return { live, presented, revocations }
}
/** What a guard hands out for a token; without `exp` it is one that nobody here can read. */
const authFor = (token: string, claims: Partial<AccessTokenClaims> = {}) => {
  const whole = {
    ...{ iss: 'i', aud: 'a', sub: `usr_${sid}`, client_id: 'app', jti: token, sid, epoch: 1, client_epoch: 1 },
    ...{ iat: at / 1000, exp: at / 1000 + 900, auth_time: 1, acr: 'a', amr: [], ...claims },
  } as AccessTokenClaims
  set.presented.note(whole, { question: { by: 'token', token, claims: whole }, kid: 'k' })
  return authOf(whole)
}
const hold = (auth: ReturnType<typeof authFor>) => set.live.register(auth, (code, reason) => void closed.push([code, reason]))
const yes = (change: Partial<LiveSession> = {}): LiveAnswer => ({
  active: true,
  session: {
    ...{ sub: `usr_${sid}`, sid, clientId: 'app', epoch: 1, clientEpoch: 1, roles: [], scope: [] },
    ...{ authTime: 1, acr: 'a', amr: [], ...change },
  },
})
const revoke = (entry: Pick<Revocation, 'kind' | 'id'> & { epoch?: number }) => {
  const entries = [{ seq: 0, tenant: 'main', at: 0, expires: at + 1e6, ...entry } as Revocation]
  set.revocations.apply(entries)
  set.live.applied(entries)
}
/** Passes time, over which the register looks twice a second. */
const pass = async (ms: number) => {
  for (let left = ms; left > 0; left -= 500) {
    now += 500
    await vi.advanceTimersByTimeAsync(500)
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  now = at
  staleness = 0
  asked = []
  closed = []
  set = create()
})
afterEach(() => {
  set.live.end()
  set.revocations.end()
  vi.useRealTimers()
})
const answer = async (how: LiveAnswer) => {
  asked.at(-1)?.answer(how)
  await vi.advanceTimersByTimeAsync(0)
}

describe('a question about a connection', () => {
  it('is as old as its beginning: a slow yes is asked again so much sooner', async () => {
    hold(authFor('one'))
    staleness = 60_000
    await pass(1000)
    expect(asked).toHaveLength(1)
    await pass(8000)
    await answer(yes())
    // Not for ten seconds from the answer: what was revoked after the question is not in it.
    await pass(1000)
    expect(asked).toHaveLength(1)
    await pass(1500)
    expect([asked.length, closed]).toEqual([2, []])
  })

  it('is asked each minute about what has no end here, however young the knowledge is', async () => {
    hold(authFor('unread', { exp: undefined as never }))
    hold(authFor('read'))
    await pass(1000)
    await answer(yes())
    expect(asked).toHaveLength(1)
    await pass(59_000)
    expect(asked).toHaveLength(1)
    await pass(2000)
    expect(asked.map(({ question }) => question.by === 'token' && question.token)).toEqual(['unread', 'unread'])
  })

  it.each([
    ['a user', {}, { epoch: 2 }, [[4403, 'claims_stale']]],
    ['a user, though nothing changed', {}, {}, []],
    ['a user, of a token that is ahead', { epoch: 3 }, { epoch: 2 }, []],
  ])('whose yes tells of a newer epoch than the token’s of %s closes it', async (_, claims, session, how) => {
    hold(authFor('one', claims))
    staleness = 60_000
    await pass(1000)
    await answer(yes(session))
    expect(closed).toEqual(how)
  })
})

describe('a connection that goes on with a fresh token', () => {
  it('is held against what is known of that at once', async () => {
    const held = hold(authFor('one'))
    revoke({ kind: 'token', id: 'two' })
    held.renew(authFor('three'))
    expect(closed).toEqual([])
    held.renew(authFor('two'))
    expect([closed, set.live.size()]).toEqual([[[4401, 'token_revoked']], 0])
  })

  it('is asked about by that', async () => {
    const held = hold(authFor('one'))
    held.renew(authFor('two'))
    staleness = 60_000
    await pass(1000)
    expect(asked.map(({ question }) => question.by === 'token' && question.token)).toEqual(['two'])
  })

  it('is not closed by the answer about the one before; that about its own closes it', async () => {
    const held = hold(authFor('one'))
    staleness = 60_000
    await pass(1000)
    held.renew(authFor('two'))
    await answer({ active: false, code: 'token_revoked' })
    expect(closed).toEqual([])
    await pass(1000)
    expect(asked).toHaveLength(2)
    await answer({ active: false, code: 'token_revoked' })
    expect(closed).toEqual([[4401, 'token_revoked']])
  })

  it('gains nothing from a yes about the one before', async () => {
    const held = hold(authFor('one'))
    staleness = 60_000
    await pass(1000)
    held.renew(authFor('two'))
    await answer(yes())
    await pass(1000)
    expect(asked.map(({ question }) => question.by === 'token' && question.token)).toEqual(['one', 'two'])
  })
})
