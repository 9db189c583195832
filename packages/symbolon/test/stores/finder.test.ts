// Checks of one turn share a read, and it begins after the last of them: what was committed before a check began is in
// its answer, whoever asked first.

import { expect, it } from 'vitest'
import type { SessionSnapshot } from '#core'
import { createFinder, type SnapshotReader } from '../../src/stores/sqlite/finder.ts'

/** A reader that tells at which commit each read began. */
const setting = () => {
  const state = { commits: 0, reads: 0, broken: false }
  const snapshot = (sid: string) => ({ sid, commits: state.commits }) as unknown as SessionSnapshot
  const begin = () => {
    state.reads++
    if (state.broken) throw new Error('disk')
  }
  const reader: SnapshotReader = {
    read(sid) {
      begin()
      return snapshot(sid)
    },
    readMany(sids) {
      begin()
      return new Map(sids.map((sid) => [sid, snapshot(sid)]))
    },
  }
  const find = createFinder(
    reader,
    () => 0,
    () => new Error('ours'),
  )
  return { state, find: async (sid: string) => (await find(sid)) as unknown as { sid: string; commits: number } }
}

it.each([
  ['one session', ['a', 'a', 'a']],
  ['several', ['a', 'b', 'a', 'c', 'b']],
])('of %s', async (_, sids) => {
  const { state, find } = setting()
  const asked = sids.map((sid) => {
    const began = ++state.commits
    return { sid, began, answer: find(sid) }
  })
  for (const { sid, began, answer } of asked) {
    const found = await answer
    expect(found.sid).toBe(sid)
    expect(found.commits).toBeGreaterThanOrEqual(began)
  }
  expect(state.reads).toBe(1)
})

it.each([
  ['one session', ['a']],
  ['several', ['a', 'b']],
])('of %s, and never a read that began before', async (_, sids) => {
  const { state, find } = setting()
  const now = async () => (await Promise.all(sids.map(find))).map(({ commits }) => commits)
  expect(await now()).toEqual(sids.map(() => 0))
  state.commits++
  // In the very turn in which the ones before were answered.
  expect(await now()).toEqual(sids.map(() => 1))
  expect(state.reads).toBe(2)
})

it('and a read that fails fails all of them, and none after', async () => {
  const { state, find } = setting()
  state.broken = true
  const outcomes = await Promise.allSettled([find('a'), find('b'), find('a')])
  expect(outcomes.map((one) => one.status === 'rejected' && (one.reason as Error).message)).toEqual(['ours', 'ours', 'ours'])
  state.broken = false
  expect((await find('a')).sid).toBe('a')
})
