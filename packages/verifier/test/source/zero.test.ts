// Where a connection's time begins: when its request left, not when an answer to it came. Between the two lie delays that
// nobody here can see, and knowledge that came through them is as old as they are long. By hand: no network, no waiting.

import { expect, it } from 'vitest'
import { createElapsed } from '../../src/source/elapsed.ts'
import { poll } from '../../src/source/poll.ts'
import { createProgress } from '../../src/source/progress.ts'
import { followStream } from '../../src/source/stream.ts'
import type { Transport } from '../../src/source/transport.ts'

const feed = '00000000000000aa'
const after = { feedId: feed, seq: 10 }
/** Somebody who knew everything long ago, and a service whose answers take `delay`. */
const setting = (delay: number) => {
  let time = 0
  const elapsed = createElapsed({ monotonic: () => time, now: () => time })
  const progress = createProgress(elapsed, () => {})
  progress.snapshot(feed, 10, { sent: 0, t0: 0 }, 0, undefined)
  time = 1_000_000
  const slow = <T>(answer: T) => {
    time += delay
    return Promise.resolve(answer)
  }
  return { elapsed, progress, slow }
}

it.each([0, 2000, 30_000])('of a stream whose opening takes %i ms: a beat read before that is so old', async (delay) => {
  const { elapsed, progress, slow } = setting(delay)
  const event = (name: string, data: object) => `event: ${name}\ndata: ${JSON.stringify({ feed, head: 10, ...data })}\n\n`
  // Read there when the request had just arrived.
  const text = event('open', { t0: 500 }) + event('beat', { t: 500 })
  const response = new Response(text, { headers: { 'content-type': 'text/event-stream' } })
  const transport = { open: () => slow(response) } as unknown as Transport
  const ending = await followStream({ transport, elapsed, progress, changed: () => {} }, after, new AbortController().signal)
  expect(ending).toMatchObject({ reason: 'the stream ended', lived: true })
  expect(progress.staleness()).toBeCloseTo(delay * 1.001, 6)
})

it.each([0, 2000, 30_000])('of a page that takes %i ms: what was read at its beginning is so old', async (delay) => {
  const { elapsed, progress, slow } = setting(delay)
  const body = { feed, from: 10, to: 10, entries: [], head: 10, t0: 500, t: 500 }
  const transport = { json: () => slow({ status: 200, body, retryAfter: 0 }) } as unknown as Transport
  expect(await poll({ transport, elapsed, progress }, after, 1)).toBe('done')
  expect(progress.staleness()).toBeCloseTo(delay * 1.001, 6)
})
