// Where no stream can be had: the long poll, the cached snapshot, and when a stream is tried again.

import { expect, it, onTestFinished } from 'vitest'
import { setFollower, until } from '../setting/follower.ts'
import { idOf } from '../setting/wire.ts'

const set = setFollower()

it('tries a stream again after 30 s, then after twice as long each time, and after 30 s once more when one lived', async () => {
  let shift = 0
  /** A stream that is answered and says nothing: what a proxy makes of it that waits for its end. */
  set.feed.stream = (_, response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end(': nothing\n\n')
  const verifier = set.start({ monotonic: () => shift + performance.now() })
  const asked = () => set.wire.seen.filter(({ path }) => path === '/v1/revocations')
  const streams = () => asked().filter(({ query }) => !query.has('wait')).length
  const polls = () => asked().length - streams()
  const fallbacks = () => set.events.filter(({ event }) => event === 'fallback').length
  // What always has something to tell is polled without a pause.
  const telling = setInterval(() => set.feed.revoke({ kind: 'session', id: idOf(1) }), 20)
  onTestFinished(() => clearInterval(telling))
  /** Polls twice: a try that was due would have been made in between. */
  const twoPolls = async () => {
    const before = polls()
    await until(polls).toBeGreaterThan(before + 1)
  }
  await until(() => verifier.status().transport).toBe('long_poll')
  expect([streams(), fallbacks()]).toEqual([2, 1])
  for (const [turn, seconds] of [30, 60, 120, 240, 480, 600, 600].entries()) {
    shift += (seconds - 15) * 1000
    await twoPolls()
    expect(streams()).toBe(2 * (turn + 1))
    shift += 15_000
    await until(fallbacks).toBe(turn + 2)
    expect(streams()).toBe(2 * (turn + 2))
    await until(() => verifier.status().transport).toBe('long_poll')
  }
  // The proxy is gone, and comes back.
  const dumb = set.feed.stream
  set.feed.stream = undefined
  shift += 600_000
  await until(() => verifier.status().transport).toBe('stream')
  await until(() => verifier.status().stalenessMs).toBeLessThan(1000)
  const before = { fallbacks: fallbacks(), streams: streams() }
  set.feed.stream = dumb
  for (const stream of set.feed.streams) stream.destroy()
  await until(fallbacks).toBe(before.fallbacks + 1)
  const after = streams()
  shift += 15_000
  await twoPolls()
  expect(streams()).toBe(after)
  shift += 15_000
  await until(streams).toBeGreaterThan(after)
}, 120_000)
