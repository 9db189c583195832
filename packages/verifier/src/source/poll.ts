// One question of the long poll: what came after a position, and what a beat says of its end. Used where streams cannot
// be had, and, without a wait, to bring a cached snapshot up to date.

import { type FeedHead, formatPosition, routes } from '@symbolon/protocol'
import type { Elapsed } from './elapsed.ts'
import { readPage } from './messages.ts'
import type { Progress } from './progress.ts'
import { type Transport, unknown } from './transport.ts'

/** `more`: ask again at once; `done`: everything up to now is applied; `snapshot`: only a snapshot helps. */
export type Polled = 'more' | 'done' | 'snapshot'

/** A thousand entries take an eighth of it. */
const most = 1_048_576

/** Asks once; `wait` in whole seconds. Throws when there is no answer that makes sense. */
export async function poll(
  parts: { readonly transport: Transport; readonly elapsed: Elapsed; readonly progress: Progress },
  after: FeedHead,
  wait: number,
): Promise<Polled> {
  const { transport, elapsed, progress } = parts
  const sent = elapsed.read()
  const { status, body, retryAfter } = await transport.json(
    `${routes.revocations}?after=${formatPosition(after)}&wait=${wait}`,
    { headers: { accept: 'application/json', ...(transport.credential !== undefined && { authorization: transport.credential }) } },
    { deadline: wait * 1000 + 3000, most },
  )
  if (status === 410) return 'snapshot'
  if (status !== 200) throw unknown(`the feed answered ${status}`, undefined, retryAfter / 1000)
  const page = readPage(body)
  const connection = progress.opened({ feed: page.feed, head: page.head, t0: page.t0 }, sent, after)
  if (!progress.range(connection, page) || progress.needsSnapshot(connection)) return 'snapshot'
  if (page.to < page.head) return page.to > after.seq ? 'more' : 'snapshot'
  return progress.beat(connection, page) ? 'done' : 'snapshot'
}
