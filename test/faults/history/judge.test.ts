// The judge of whole histories is judged by recorded ones: each way to break a promise, beside its nearest kin that keeps it.

import { describe, expect, it } from 'vitest'
import { judgeHistory } from './judge.ts'
import { made, type Row, terms, token } from './made.ts'

const { signIn, refresh, check, signOut, endUser, roles, status, read, killed } = made
const thief = { who: 'thief' } as const
const lost = { lost: true } as const
const verifier = { verifier: true } as const
const broken = (history: Row[1]) => [...new Set(judgeHistory(history, terms).broken.map((one) => one.rule))].toSorted()

const ended: readonly Row[] = [
  ['a session check after a sign-out', [signIn(0), signOut(10), check(20, 'session', 'yes')], ['G1']],
  ['refused after a sign-out', [signIn(0), signOut(10), check(20, 'session', 'session_revoked')], []],
  ['a check that began before the answer', [signIn(0), signOut(10), check(14, 'session', 'yes')], []],
  ['a sign-out that was never answered', [signIn(0), signOut(10, 'nothing'), check(20, 'session', 'yes')], []],
  [
    'accepted after it was told that the session is over',
    [signIn(0), signOut(10, 'nothing'), check(20, 'session', 'session_revoked'), check(30, 'session', 'yes')],
    ['G1'],
  ],
  [
    'accepted before it was told',
    [signIn(0), signOut(10, 'nothing'), check(20, 'session', 'yes'), check(30, 'session', 'session_revoked')],
    [],
  ],
  ['refreshed after it was told', [signIn(0), signOut(10, 'nothing'), check(20, 'session', 'session_revoked'), refresh(30, 1, 2)], ['G1']],
  ['a sign-out that was refused', [signIn(0), signOut(10, 'claims_stale'), check(20, 'session', 'yes')], []],
  ['a refresh after a sign-out', [signIn(0), signOut(10), refresh(20, 1, 2)], ['G1']],
  ['a check by a verifier after a sign-out', [signIn(0), signOut(10), check(20, 'session', 'yes', verifier)], ['G1']],
  ['every session of a user ended', [signIn(0), endUser(10), check(20, 'session', 'yes')], ['G1']],
  ['a session opened after that', [endUser(10), signIn(20), check(30, 'session', 'yes')], []],
  ['a session opened meanwhile', [endUser(10), signIn(8), check(30, 'session', 'yes')], []],
  ['disabled', [signIn(0), status(10, 2, 'disabled'), check(20, 'session', 'yes')], ['G1']],
  ['a sign-in of somebody disabled', [status(10, 2, 'disabled'), signIn(20)], ['G1']],
  ['a sign-in of somebody enabled again', [status(10, 2, 'disabled'), status(20, 3, 'active'), signIn(30)], []],
  ['a sign-in while they are enabled', [status(10, 2, 'disabled'), status(20, 3, 'active', 'nothing'), signIn(30)], []],
  ['a session check with an old epoch', [signIn(0), roles(10, 2, ['a']), check(20, 'session', 'yes')], ['G1']],
  ['a session check with the new epoch', [signIn(0), roles(10, 2, ['a']), check(20, 'session', 'yes', { token: token(1, 2) })], []],
  ['a token check within the bound', [signIn(0), signOut(10), check(1015, 'token', 'yes')], []],
  ['a token check past the bound', [signIn(0), signOut(10), check(1016, 'token', 'yes')], ['G2']],
  ['unknown past the bound', [signIn(0), signOut(10), check(1016, 'token', 'try_later')], []],
  ['an old epoch past the bound', [signIn(0), roles(10, 2, ['a']), check(1016, 'token', 'yes')], ['G2']],
  ['stale after a change of roles', [signIn(0), roles(10, 2, ['a']), check(20, 'token', 'claims_stale')], []],
  ['stale before any', [signIn(0), check(20, 'token', 'claims_stale')], ['G7']],
]

const chained: readonly Row[] = [
  ['one after the other', [signIn(0), refresh(10, 1, 2), refresh(20, 2, 3), refresh(30, 3, 4)], []],
  ['two tabs', [signIn(0), refresh(10, 1, 2), refresh(11, 1, 2)], []],
  ['two tabs with two successors', [signIn(0), refresh(10, 1, 2), refresh(11, 1, 3)], ['G3']],
  [
    'two credentials of one generation',
    [signIn(0), refresh(10, 1, 2), refresh(11, 1, 2, { received: { sid: 's', generation: 2, hash: 'other' } })],
    ['G3'],
  ],
  ['the credential of another session', [signIn(0), refresh(10, 1, 2, { received: { sid: 't', generation: 2, hash: 's-2' } })], ['G3']],
  [
    'a refresh that gives what it was given',
    [signIn(0), refresh(10, 1, 1, { received: { sid: 's', generation: 1, hash: 's-1' } })],
    ['G3'],
  ],
  ['lost, tried again in the window', [signIn(0), refresh(10, 1, 2, lost), refresh(500, 1, 2), refresh(600, 2, 3)], []],
  ['lost, recovered after the window', [signIn(0), refresh(10, 1, 2, lost), refresh(1011, 1, 3), refresh(1100, 3, 4)], []],
  ['recovered in the window', [signIn(0), refresh(10, 1, 2, lost), refresh(900, 1, 3)], ['G3']],
  ['no answer, recovered after the window', [signIn(0), refresh(10, 1, 'nothing'), refresh(1011, 1, 3)], []],
  ['no answer, two added in the window', [signIn(0), refresh(10, 1, 'nothing'), refresh(500, 1, 3)], ['G3']],
  ['two added by one', [signIn(0), refresh(10, 1, 3)], ['G3']],
  ['added by nobody', [signIn(0), refresh(10, 1, 2), read(20, 3)], ['G3']],
  ['added by somebody without an answer', [signIn(0), refresh(10, 1, 2), refresh(12, 2, 'nothing'), read(20, 3)], []],
  ['two added by one without an answer', [signIn(0), refresh(10, 1, 'nothing'), read(2500, 3)], ['G3']],
  ['two added by two without an answer', [signIn(0), refresh(10, 1, 'nothing'), refresh(1500, 1, 'nothing'), read(2500, 3)], []],
  ['not added by who was refused', [signIn(0), refresh(10, 1, 2), refresh(12, 2, 'unreachable'), read(20, 3)], ['G3']],
  ['what was skipped is used after all', [signIn(0), refresh(10, 1, 2, lost), refresh(1011, 1, 3), refresh(1020, 2, 4, thief)], ['G3']],
  [
    'what was skipped ends the session',
    [
      signIn(0),
      refresh(10, 1, 2, lost),
      refresh(1011, 1, 3),
      refresh(1020, 2, 'session_reused', thief),
      refresh(1030, 3, 'session_revoked'),
    ],
    [],
  ],
  [
    'three recovered in a row',
    [signIn(0), refresh(10, 1, 2, lost), refresh(1100, 1, 3, lost), refresh(2200, 1, 4, lost), refresh(3300, 1, 5)],
    [],
  ],
  [
    'four recovered in a row',
    [signIn(0), refresh(10, 1, 2, lost), ...[1100, 2200, 3300, 4400].map((at, i) => refresh(at, 1, 3 + i, lost))],
    ['G3'],
  ],
  [
    'skipped though its token was shown',
    [signIn(0), refresh(10, 1, 2), check(20, 'session', 'yes', { token: token(2) }), refresh(1100, 1, 3, thief)],
    ['G3'],
  ],
  [
    'skipped, its token shown only just now',
    [signIn(0), refresh(10, 1, 2), check(1000, 'session', 'yes', { token: token(2) }), refresh(1100, 1, 3, thief)],
    [],
  ],
  [
    'skipped, its token shown to a node that died with it',
    [signIn(0), refresh(10, 1, 2), check(20, 'session', 'yes', { token: token(2) }), killed(30), refresh(1100, 1, 3, thief)],
    [],
  ],
]

const stolen: readonly Row[] = [
  ['an old copy that is accepted', [signIn(0), refresh(10, 1, 2), refresh(20, 2, 3), refresh(30, 1, 2, thief)], ['G3', 'G4']],
  ['an old copy that forks', [signIn(0), refresh(10, 1, 2), refresh(20, 2, 3), refresh(30, 1, 4, thief)], ['G3']],
  ['an old copy that ends the session', [signIn(0), refresh(10, 1, 2), refresh(20, 2, 3), refresh(30, 1, 'session_reused', thief)], []],
  [
    'an old copy that is only turned away',
    [signIn(0), refresh(10, 1, 2), refresh(20, 2, 3), refresh(30, 1, 'session_superseded', thief)],
    ['G3'],
  ],
  [
    'an old copy of a session that was over',
    [signIn(0), refresh(10, 1, 2), refresh(20, 2, 3), signOut(25), refresh(31, 1, 'session_revoked', thief)],
    [],
  ],
  [
    'refreshed after a theft was told',
    [signIn(0), refresh(10, 1, 2), refresh(20, 2, 3), refresh(30, 1, 'session_reused', thief), refresh(40, 3, 4)],
    ['G3'],
  ],
  [
    'checked after a theft was told',
    [signIn(0), refresh(10, 1, 2), refresh(20, 2, 3), refresh(30, 1, 'session_reused', thief), check(40, 'session', 'yes')],
    ['G3'],
  ],
  [
    'ended for the owner too',
    [signIn(0), refresh(10, 1, 2), refresh(20, 2, 3), refresh(30, 1, 'session_reused', thief), check(40, 'session', 'session_revoked')],
    [],
  ],
  [
    'a token long after a theft was told',
    [signIn(0), refresh(10, 1, 2), refresh(20, 2, 3), refresh(30, 1, 'session_reused', thief), check(1100, 'token', 'yes')],
    ['G2'],
  ],
  ['the predecessor in its window', [signIn(0), refresh(10, 1, 2), refresh(900, 1, 2, thief)], []],
  [
    'the predecessor after its window, its successor known',
    [signIn(0), refresh(10, 1, 2), check(20, 'session', 'yes', { token: token(2) }), refresh(1100, 1, 'session_superseded', thief)],
    ['G3'],
  ],
  ['the owner after a thief', [signIn(0), refresh(10, 1, 2, thief), refresh(20, 2, 3, thief), refresh(30, 1, 'session_reused')], []],
]

const kept: readonly Row[] = [
  ['one generation after another', [signIn(0), refresh(10, 1, 2), refresh(20, 2, 3), refresh(30, 2, 3)], []],
  ['a generation that went back', [signIn(0), refresh(10, 1, 2), refresh(20, 2, 3), refresh(30, 1, 2)], ['G3', 'G4']],
  ['read as acknowledged', [signIn(0), refresh(10, 1, 2), read(20, 2)], []],
  ['read as it was before', [signIn(0), refresh(10, 1, 2), read(20, 1)], ['G4']],
  ['read while it is added', [signIn(0), refresh(10, 1, 2), read(14, 1)], []],
  ['a session that is gone', [signIn(0), read(20, null)], ['G4']],
  ['a session that may have been ended', [signIn(0), signOut(10, 'nothing'), read(20, null)], []],
  ['an end that is gone', [signIn(0), signOut(10), read(20, 1)], ['G4']],
  ['an end that may not have come', [signIn(0), signOut(10, 'nothing'), read(20, 1)], []],
  ['an epoch as acknowledged', [signIn(0), roles(10, 2, ['a']), read(20, 1, { epoch: 2, roles: ['a'] })], []],
  ['an epoch that went back', [signIn(0), roles(10, 2, ['a']), read(20, 1, { epoch: 1 })], ['G4']],
  ['an epoch with other roles', [signIn(0), roles(10, 2, ['a']), read(20, 1, { epoch: 2, roles: ['b'] })], ['G4']],
  ['an epoch with another status', [signIn(0), status(10, 2, 'disabled'), read(20, null, { epoch: 2 })], ['G4']],
  ['changes that each grow it', [roles(10, 2, ['a']), roles(20, 3, ['b'])], []],
  ['a change that grows nothing', [roles(10, 2, ['a']), roles(20, 2, ['b'])], ['G4']],
  ['a change after which it is smaller', [roles(10, 3, ['a']), status(20, 2, 'active')], ['G4']],
]

const honest: readonly Row[] = [
  ...['session_unknown', 'session_expired', 'session_revoked', 'session_reused'].map(
    (code): Row => [`told ${code} out of nothing`, [signIn(0), refresh(10, 1, code)], ['G3', 'G7']],
  ),
  ['told so by a check', [signIn(0), check(10, 'session', 'session_revoked')], ['G7']],
  ['told to come later', [signIn(0), refresh(10, 1, 'try_later'), refresh(20, 1, 'store_unavailable'), refresh(30, 1, 2)], []],
  ['told nothing', [signIn(0), refresh(10, 1, 'nothing'), refresh(20, 1, 'unreachable'), refresh(30, 1, 2)], []],
  ['told by a sign-out without an answer', [signIn(0), signOut(10, 'nothing'), refresh(20, 1, 'session_revoked')], []],
  ['told before the sign-out', [signIn(0), refresh(10, 1, 'session_revoked'), signOut(30)], ['G3', 'G7']],
  ['unknown, though it was ended', [signIn(0), signOut(10), refresh(20, 1, 'session_unknown')], ['G3', 'G7']],
  ['a change of roles ends nothing', [signIn(0), roles(10, 2, ['a']), refresh(20, 1, 'session_revoked')], ['G3', 'G7']],
  ['a race of two tabs', [signIn(0), refresh(10, 1, 2), refresh(11, 1, 'session_reused')], ['G3', 'G7']],
  [
    'a tab that came after the window, its successor shown',
    [signIn(0), refresh(10, 1, 2), check(20, 'session', 'yes', { token: token(2) }), refresh(11, 1, 'session_reused', { endedAt: 1500 })],
    [],
  ],
  [
    'a tab that came after the next one',
    [signIn(0), refresh(10, 1, 2), refresh(20, 2, 3), refresh(11, 1, 'session_reused', { endedAt: 50 })],
    [],
  ],
  [
    'who hung up, and whose call came after the next one',
    [signIn(0), refresh(10, 1, 'nothing'), refresh(20, 1, 2), refresh(30, 2, 3), refresh(40, 3, 'session_revoked')],
    [],
  ],
  [
    'who hung up on a node that died before the next one',
    [signIn(0), refresh(10, 1, 'nothing'), killed(12), refresh(20, 1, 2), refresh(30, 2, 3), refresh(40, 3, 'session_revoked')],
    ['G3', 'G7'],
  ],
  ['a step-up out of nothing', [signIn(0), refresh(10, 1, 'step_up_required')], ['G7']],
  [
    'a step-up after three recovered',
    [
      signIn(0),
      refresh(10, 1, 2, lost),
      ...[1100, 2200, 3300].map((at, i) => refresh(at, 1, 3 + i, lost)),
      refresh(4400, 1, 'step_up_required'),
    ],
    [],
  ],
  ['left without a credential', [signIn(0), refresh(10, 1, 'session_superseded', { final: true })], ['G3']],
  ['left with one', [signIn(0), refresh(10, 1, 2, { final: true })], []],
  ['left by a sign-out', [signIn(0), signOut(5), refresh(20, 1, 'session_revoked', { final: true })], []],
]

describe('the judge of whole histories', () => {
  it.each([...ended, ...chained, ...stolen, ...kept, ...honest])('%s', (_, history, expected) => {
    expect(broken(history)).toEqual(expected)
  })

  it('counts what happened', () => {
    const { counts } = judgeHistory(
      [signIn(0), refresh(10, 1, 2, lost), refresh(20, 1, 2), refresh(30, 2, 3, lost), refresh(1100, 2, 4), refresh(1200, 4, 'nothing')],
      terms,
    )
    expect(counts).toMatchObject({ signIns: 1, rotated: 2, replayed: 1, recovered: 1, lost: 2, unanswered: 1, reused: 0 })
  })

  it('names what broke it, and says it in a sentence', () => {
    const history = [signIn(0), signOut(10), check(20, 'session', 'yes')]
    expect(judgeHistory(history, terms).broken).toEqual([
      { rule: 'G1', events: history.slice(1), sentence: 'A session check accepted a token 5 ms after the sign_out was acknowledged.' },
    ])
  })
})
