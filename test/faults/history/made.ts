// Events made by hand, for tests of the judge: each takes what matters and fills in the rest. A call begins when it says
// and its answer comes five milliseconds later, unless it says otherwise.

import type { TokenFacts } from '../history.ts'
import type {
  Answer,
  CheckEvent,
  EndSession,
  EndUser,
  HistoryEvent,
  Killed,
  Read,
  Refresh,
  RoleChange,
  SignIn,
  StatusChange,
} from './events.ts'

/** What came: `yes`, the code of a refusal, or nothing at all. */
export type Said = 'yes' | 'nothing' | (string & {})

const unavailable = new Set(['try_later', 'store_unavailable'])
const answerOf = (said: Said): Answer | null => {
  if (said === 'nothing') return null
  if (said === 'yes') return { status: 200, code: null }
  return { status: unavailable.has(said) ? 503 : said === 'unreachable' ? 0 : 401, code: said }
}
const times = (at: number, said: Said) => ({
  node: 'a',
  startedAt: at,
  endedAt: said === 'nothing' ? null : at + 5,
  answer: answerOf(said),
})

/** A token of a session of `u`, minted with a generation. */
export const token = (generation: number, epoch = 1, sid = 's'): TokenFacts => ({
  sid,
  sub: 'u',
  epoch,
  clientId: 'c',
  clientEpoch: 1,
  jti: `${generation}.j`,
  kid: 'k',
})
const received = (generation: number, sid = 's') => ({ sid, generation, hash: `${sid}-${generation}` })

/** Makes an event; the last parameter overrides. */
export const made = {
  signIn: (at: number, rest: Partial<SignIn> = {}): SignIn => ({
    kind: 'sign_in',
    ...times(at, 'yes'),
    sub: 'u',
    received: received(1),
    token: token(1),
    ...rest,
  }),
  /** `got`: the generation received, or what was said instead. */
  refresh: (at: number, presented: number, got: number | Said, rest: Partial<Refresh> = {}): Refresh => ({
    kind: 'refresh',
    ...times(at, typeof got === 'number' ? 'yes' : got),
    who: 'honest',
    sid: 's',
    presented,
    received: typeof got === 'number' ? received(got) : null,
    lost: false,
    final: false,
    ...rest,
  }),
  check: (at: number, level: CheckEvent['level'], said: Said, rest: Partial<CheckEvent> = {}): CheckEvent => ({
    kind: 'check',
    ...times(at, said),
    who: 'honest',
    level,
    bound: level === 'token' ? 1000 : 0,
    verifier: level === 'token',
    token: token(1),
    ...rest,
  }),
  signOut: (at: number, said: Said = 'yes', rest: Partial<EndSession> = {}): EndSession => ({
    kind: 'sign_out',
    ...times(at, said),
    sid: 's',
    ...rest,
  }),
  endUser: (at: number, said: Said = 'yes'): EndUser => ({ kind: 'revoke_user', ...times(at, said), sub: 'u' }),
  roles: (at: number, epoch: number | null, roles: readonly string[], said: Said = 'yes'): RoleChange => ({
    kind: 'role_change',
    ...times(at, said),
    sub: 'u',
    roles,
    epoch,
  }),
  status: (at: number, epoch: number | null, status: StatusChange['status'], said: Said = 'yes'): StatusChange => ({
    kind: 'status_change',
    ...times(at, said),
    sub: 'u',
    status,
    epoch,
  }),
  /** `generation` of session `s`; `null`: it is not listed. */
  read: (at: number, generation: number | null, state: Partial<NonNullable<Read['state']>> = {}): Read => ({
    kind: 'read',
    ...times(at, 'yes'),
    sub: 'u',
    state: { epoch: 1, status: 'active', roles: [], sessions: generation === null ? [] : [{ sid: 's', generation }], ...state },
  }),
  killed: (at: number): Killed => ({ kind: 'killed', node: 'a', startedAt: at, endedAt: at, answer: null }),
}

/** Where a history is judged in tests. */
export const terms = { window: 1000, seenWithin: 300, slack: 0 }

/** A history, and which rules it breaks. */
export type Row = readonly [name: string, history: readonly HistoryEvent[], broken: readonly string[]]
