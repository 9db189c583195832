// The log in pages that are remembered: what was read of one time of the feed is never given for another, nor what comes
// after a head for what was there at it.

import type { FeedHead, Revocation } from '@symbolon/protocol'
import { expect, it } from 'vitest'
import { createLog } from '../../src/core/log.ts'

const feedId = '00000000000000aa'
const otherFeed = '00000000000000bb'
const head = (seq: number, id = feedId): FeedHead => ({ feedId: id, seq })

/** A log whose entries say which copy of the store they are of. */
const setting = () => {
  const state = { copy: 'first', length: 20, reads: 0 }
  const log = createLog({
    after: async (seq, limit) => {
      state.reads++
      const { copy, length } = state
      await Promise.resolve()
      return Array.from({ length: Math.min(limit, Math.max(0, length - seq)) }, (_, i): Revocation => {
        return { seq: seq + 1 + i, tenant: 'main', kind: 'session', id: `${copy} ${seq + 1 + i}`, at: 0, expires: null }
      })
    },
  })
  return { state, log }
}

it('is read once for all who are at the same place, and holds no tenant', async () => {
  const { state, log } = setting()
  const [one, two] = await Promise.all([log.page(head(10), head(20)), log.page(head(10), head(20))])
  expect(await log.page(head(10), head(20))).toBe(one)
  expect([two === one, state.reads, one.from, one.to, one.entries.length]).toEqual([true, 1, 10, 20, 10])
  expect(one.entries[0]).not.toHaveProperty('tenant')
})

it('is read again for another feed, whose numbers mean other entries', async () => {
  const { state, log } = setting()
  await log.page(head(10), head(20))
  state.copy = 'second'
  const page = await log.page(head(10, otherFeed), head(20, otherFeed))
  expect([page.feed, page.entries[0]?.id]).toEqual([otherFeed, 'second 11'])
})

it('is read again after it was forgotten', async () => {
  const { state, log } = setting()
  await log.page(head(10), head(20))
  state.copy = 'second'
  expect((await log.page(head(10), head(20))).entries[0]?.id).toBe('first 11')
  log.forget()
  expect((await log.page(head(10), head(20))).entries[0]?.id).toBe('second 11')
})

it('ends at the head that it is asked for, whatever is there by now or was read for others', async () => {
  const { log } = setting()
  expect((await log.page(head(10), head(20))).to).toBe(20)
  const page = await log.page(head(10), head(15))
  expect([page.to, page.entries.at(-1)?.seq]).toEqual([15, 15])
})
