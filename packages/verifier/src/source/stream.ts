// One stream of the feed, from its request to its end: server-sent events over fetch, watched for beats. A connection
// that looks open and says nothing is worth nothing.

import { type FeedHead, formatPosition, routes } from '@symbolon/protocol'
import { later } from '../timers.ts'
import type { Elapsed } from './elapsed.ts'
import { eventsOf } from './events.ts'
import { nonsense } from './lines.ts'
import { readEvent } from './messages.ts'
import type { Connection, Progress } from './progress.ts'
import { retryAfterOf, type Transport } from './transport.ts'

/** How a connection ended. `lived`: a beat came; `answered`: the issuer did; `retryAfter` in milliseconds. */
export interface Ending {
  readonly reason: string
  readonly lived: boolean
  readonly answered: boolean
  readonly retryAfter: number
}

/** Why a stream ends that cannot be resumed: the next one starts from now, and a snapshot closes what lies between. */
export const needsSnapshot = 'a snapshot is needed'

/** Milliseconds: without a first event, without a beat, of the wall clock's jump, and of a connection's life. */
const openWithin = 5000
const beatWithin = 3000
const jump = 500
const reopenAfter = 600_000
const look = 250

/** What a stream reports to. */
export interface StreamParts {
  readonly transport: Transport
  readonly elapsed: Elapsed
  readonly progress: Progress
  /** Called after each event that changed something, with the connection as it is now. */
  changed(connection: Connection): void
}

/** Follows one stream until it ends, for whatever reason; never throws. */
export async function followStream(parts: StreamParts, after: FeedHead | undefined, ended: AbortSignal): Promise<Ending> {
  const { transport, elapsed, progress } = parts
  const controller = new AbortController()
  let reason: string | undefined
  const stop = (why: string) => {
    reason ??= why
    controller.abort()
  }
  const onEnd = () => stop('ended')
  ended.addEventListener('abort', onEnd)
  // L0: read before the request leaves.
  const sent = elapsed.read()
  const gained = elapsed.gained()
  let heard = sent
  let connection: Connection | undefined
  let lived = false
  let answered = false
  let retryAfter = 0
  const watch = () => {
    const now = elapsed.read()
    if (connection === undefined && now - sent > openWithin) stop('no event came')
    else if (connection !== undefined && now - heard > beatWithin) stop('no beat came')
    else if (elapsed.gained() - gained > jump) stop('the clock jumped')
    else if (now - sent > reopenAfter) stop('reopened')
    cancel = later(look, watch)
  }
  let cancel = later(look, watch)
  try {
    const headers = {
      accept: 'text/event-stream',
      ...(after !== undefined && { 'last-event-id': formatPosition(after) }),
    }
    const response = await transport.open(routes.revocations, headers, controller.signal)
    answered = true
    if (response.status !== 200 || response.body === null || !/^text\/event-stream\b/i.test(response.headers.get('content-type') ?? '')) {
      retryAfter = retryAfterOf(response)
      response.body?.cancel().catch(() => {})
      const why = response.status === 200 ? 'no stream came' : `the feed answered ${response.status}`
      return { reason: why, lived, answered: response.status === 200, retryAfter }
    }
    for await (const { name, data } of eventsOf(response.body)) {
      const message = readEvent(name, data)
      if (message === undefined) continue
      if (connection === undefined) {
        if (message.event !== 'open') throw nonsense('the stream does not open with its position')
        heard = elapsed.read()
        connection = progress.opened(message.data, sent, after)
      } else if (message.event === 'revocations') {
        if (!progress.range(connection, message.data)) return { reason: 'a gap', lived, answered, retryAfter }
      } else if (message.event === 'beat') {
        if (!progress.beat(connection, message.data)) return { reason: 'a gap', lived, answered, retryAfter }
        heard = elapsed.read()
        lived = true
      } else if (message.event === 'snapshot') return { reason: needsSnapshot, lived, answered, retryAfter }
      else if (message.event === 'bye') return { reason: 'bye', lived, answered, retryAfter: Math.min(10_000, message.data.retry_ms) }
      parts.changed(connection)
    }
    return { reason: reason ?? 'the stream ended', lived, answered, retryAfter }
  } catch (error) {
    const said = error instanceof Error && error.constructor === Error ? error.message : 'the connection failed'
    return { reason: reason ?? said, lived, answered, retryAfter }
  } finally {
    cancel()
    ended.removeEventListener('abort', onEnd)
    controller.abort()
  }
}
