// When one stream is ended, and why: by its silence, by a clock that jumped, by its age, by what it says. Clocks and timers
// are moved by hand; each case stands beside the same stream a moment earlier, which goes on.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createElapsed } from '../../src/source/elapsed.ts'
import { createProgress } from '../../src/source/progress.ts'
import { type Ending, followStream, needsSnapshot } from '../../src/source/stream.ts'
import type { Transport } from '../../src/source/transport.ts'

const feed = '00000000000000aa'
let time: number
let wall: number
let ending: Ending | undefined
let say: (name: string, data?: object) => Promise<void>
const stop = new AbortController()
const settle = () => vi.advanceTimersByTimeAsync(0)

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  time = 0
  wall = 0
  ending = undefined
  const elapsed = createElapsed({ monotonic: () => time, now: () => wall })
  const progress = createProgress(elapsed, () => {})
  progress.snapshot(feed, 10, { sent: 0, t0: 0 }, 0, undefined)
  let writer: ReadableStreamDefaultController<Uint8Array> | undefined
  const transport = {
    async open(_: string, __: unknown, signal: AbortSignal) {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          writer = controller
        },
      })
      signal.addEventListener('abort', () => {
        if (ending === undefined) writer?.error(new TypeError('aborted'))
      })
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    },
  } as unknown as Transport
  say = async (name, data = {}) => {
    const text = `event: ${name}\ndata: ${JSON.stringify({ feed, head: 10, ...data })}\n\n`
    writer?.enqueue(new TextEncoder().encode(text))
    await settle()
  }
  const after = { feedId: feed, seq: 10 }
  void followStream({ transport, elapsed, progress, changed: () => {} }, after, stop.signal).then((how) => {
    ending = how
  })
  await settle()
})
afterEach(() => void vi.useRealTimers())

/** Passes time on both clocks, in the steps in which a stream is looked after. */
const pass = async (ms: number) => {
  for (let left = ms; left > 0; left -= 250) {
    time += 250
    wall += 250
    await vi.advanceTimersByTimeAsync(250)
  }
}
const beat = () => say('beat', { t: time })

describe('a stream is ended', () => {
  it('without a first event in five seconds', async () => {
    await pass(5000)
    expect(ending).toBeUndefined()
    await pass(250)
    expect(ending).toMatchObject({ reason: 'no event came', lived: false })
  })

  it('without a beat in three seconds', async () => {
    await say('open', { t0: 0 })
    for (let i = 0; i < 10; i++) {
      await pass(3000)
      await beat()
    }
    await pass(3000)
    expect(ending).toBeUndefined()
    await pass(250)
    expect(ending).toMatchObject({ reason: 'no beat came', lived: true })
  })

  it('when the wall clock went on by half a second more than the other: this machine slept, and nobody knows what was missed', async () => {
    await say('open', { t0: 0 })
    await beat()
    wall += 400
    await pass(250)
    expect(ending).toBeUndefined()
    wall += 200
    await pass(250)
    expect(ending).toMatchObject({ reason: 'the clock jumped', lived: true })
  })

  it('after ten minutes, whatever it says: its zero point is worth less and less', async () => {
    await say('open', { t0: 0 })
    for (let i = 0; i < 600; i++) {
      await pass(1000)
      await beat()
    }
    expect(ending).toBeUndefined()
    await pass(250)
    expect(ending).toMatchObject({ reason: 'reopened', lived: true })
  })

  it('when it says that only a snapshot helps', async () => {
    await say('open', { t0: 0 })
    await beat()
    expect(ending).toBeUndefined()
    await say('snapshot', { reason: 'behind' })
    expect(ending).toMatchObject({ reason: needsSnapshot })
  })

  it('by its farewell, with the time that it names', async () => {
    await say('open', { t0: 0 })
    await say('bye', { retry_ms: 300 })
    expect(ending).toMatchObject({ reason: 'bye', retryAfter: 300 })
  })
})
