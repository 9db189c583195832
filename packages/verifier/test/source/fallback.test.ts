// Where no stream can be had: the long poll, the cached snapshot, and when a stream is tried again.

import { expect, it, onTestFinished } from 'vitest'
import { setFollower, until } from '../setting/follower.ts'
import { idOf, otherFeed } from '../setting/wire.ts'

const set = setFollower()

it('polls after two streams that never speak or die', async () => {
  set.feed.stream = (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(': nothing\n\n')
  }
  set.start()
  await until(() => set.verifier.status().transport).toBe('long_poll')
  expect(set.events).toContainEqual({ event: 'fallback', transport: 'long_poll' })
  set.feed.revoke({ kind: 'session', id: idOf(43) })
  await set.caughtUp()
  expect(await set.codeOf(43)).toBe('session_revoked')
  const polls = set.wire.count('/v1/revocations')
  await new Promise((resolve) => setTimeout(resolve, 1500))
  // This server does not wait: it is not asked faster for it.
  expect(set.wire.count('/v1/revocations') - polls).toBeLessThan(5)
})

it('goes on with a snapshot when what it asks for is no longer kept', async () => {
  set.start({ follow: 'long_poll' })
  await set.caughtUp()
  set.feed.id = otherFeed
  set.feed.revoke({ kind: 'session', id: idOf(44) })
  await until(() => set.verifier.status().feedId).toBe(otherFeed)
  await set.caughtUp()
  expect([await set.codeOf(44), set.verifier.status().snapshots]).toEqual(['session_revoked', 2])
})

it('keeps a cached snapshot up to date on demand, and is still between demands', async () => {
  let monotonic = 0
  set.start({ follow: 'snapshot', monotonic: () => monotonic + performance.now() })
  const guard = set.verifier.guard('token', { maxStaleness: '2s' })
  const pass = async (n: number) => {
    const token = await set.wire.mint({ sid: idOf(n) })
    const result = await guard({ method: 'GET', url: '/', header: (name) => (name === 'authorization' ? `Bearer ${token}` : undefined) })
    return result.ok ? result.auth?.checked : result.status
  }
  expect(set.wire.count('/v1/revocations/snapshot')).toBe(0)
  expect(await pass(50)).toBe('local')
  set.feed.revoke({ kind: 'session', id: idOf(50) })
  expect([await pass(51), set.wire.count('/v1/revocations')]).toEqual(['local', 0])
  monotonic += 3000
  expect([await pass(50), await pass(51)]).toEqual([401, 'local'])
  expect([set.wire.count('/v1/revocations'), set.wire.count('/v1/revocations/snapshot')]).toEqual([1, 1])
  // Nothing to be had: asked live, and refused when that fails too.
  monotonic += 3000
  await set.wire.close()
  expect(await pass(51)).toBe(503)
})

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
})
