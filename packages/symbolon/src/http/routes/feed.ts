// The feed over HTTP: a stream of server-sent events, a long poll, and a snapshot. For clients that may follow; cookies are
// ignored. A follower that does not read what it is sent is cut: it comes back and catches up.

import { z } from '@hono/zod-openapi'
import {
  feedPage,
  followScope,
  parsePosition,
  type SnapshotEnd,
  type SnapshotEntry,
  type SnapshotStart,
  SymbolonError,
  toBase64url,
} from '@symbolon/protocol'
import type { Client, FeedMessage } from '#core'
import { readQuery } from '../body.ts'
import { clientOf } from '../client.ts'
import type { Http, Site } from '../context.ts'

/** `after`: a position; `wait`: seconds, for a long poll. */
export const feedQuery = z.strictObject({
  after: z.string().max(60).optional(),
  wait: z.coerce.number().int().min(0).max(30).optional(),
})

/** What may wait for a follower that does not read, in bytes. */
const backlog = 262_144
const encoder = new TextEncoder()
const encoded = new WeakMap<FeedMessage, Uint8Array>()

/** A message as bytes; made once, however many follow. */
function bytesOf(message: FeedMessage): Uint8Array {
  let bytes = encoded.get(message)
  if (bytes === undefined) {
    const id = message.position === undefined ? '' : `id: ${message.position}\n`
    bytes = encoder.encode(`event: ${message.event}\n${id}data: ${JSON.stringify(message.data)}\n\n`)
    encoded.set(message, bytes)
  }
  return bytes
}

/** The client that may follow; throws `invalid_client` or `insufficient_scope`. */
async function followerOf(c: Http, site: Site): Promise<Client> {
  const client = await clientOf(c, site)
  if (client === undefined) throw new SymbolonError('invalid_client')
  if (!client.scopes.includes(followScope)) throw new SymbolonError('insufficient_scope', { scope: followScope })
  return client
}

/** Whether a client may still follow: active, with the scope, and at least one of the secrets it had then. */
async function mayFollow(site: Site, then: Client): Promise<boolean> {
  const now = await site.parts.core.clients.find(then.id)
  return now?.status === 'active' && now.scopes.includes(followScope) && then.secretHashes.some((hash) => now.secretHashes.includes(hash))
}

/** `GET /v1/revocations` */
export const follow = (site: Site) => async (c: Http) => {
  const client = await followerOf(c, site)
  const { after = c.req.header('last-event-id'), wait } = readQuery(c, feedQuery)
  const from = after === undefined ? undefined : parsePosition(after)
  if (after !== undefined && from === undefined) throw new SymbolonError('invalid_request', { field: 'after' })
  const { feed } = site.parts.core
  if (wait !== undefined) {
    if (from === undefined) throw new SymbolonError('invalid_request', { field: 'after' })
    const page = await feed.poll(from, wait * 1000)
    if (page === 'snapshot_required') throw new SymbolonError('snapshot_required')
    return c.json(page)
  }

  let stop = () => {}
  let over = false
  const stream = new ReadableStream<Uint8Array>(
    {
      async start(controller) {
        const end = () => {
          if (over) return
          over = true
          stop()
          controller.close()
        }
        stop = await feed.follow(client.id, from, {
          write(message) {
            if (over) return
            controller.enqueue(bytesOf(message))
            if ((controller.desiredSize ?? 0) <= 0 && message.event !== 'open') {
              site.parts.observe({ event: 'feed.cut', clientId: client.id })
              over = true
              stop()
              controller.error(new Error('The follower does not read.'))
            }
            if (message.event === 'beat')
              mayFollow(site, client).then(
                (may) => may || end(),
                () => {},
              )
          },
          end,
        })
        if (over) stop()
      },
      cancel() {
        over = true
        stop()
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: backlog }),
  )
  return c.body(stream, 200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
}

/** `GET /v1/revocations/snapshot`: the log is only appended to, so what stands in it up to a head is what was true at that head. */
export const snapshot = (site: Site) => async (c: Http) => {
  await followerOf(c, site)
  const { core, crypto } = site.parts
  const { head, t0, t, now } = await core.feed.begin()
  const digests: Uint8Array[] = []
  const line = (value: SnapshotStart | readonly SnapshotEntry[]) => {
    const text = JSON.stringify(value)
    digests.push(crypto.hash(text))
    return encoder.encode(`${text}\n`)
  }
  let seq = 0
  let count = 0
  let done = false
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(line({ feed: head.feedId, head: head.seq, t0, t })),
    async pull(controller) {
      while (!done) {
        const entries = await core.feed.page(seq, head.seq)
        seq = entries.at(-1)?.seq ?? head.seq
        if (entries.length < feedPage) done = true
        const alive = entries.filter(({ expires }) => expires === null || expires > now)
        count += alive.length
        if (alive.length === 0) continue
        controller.enqueue(line(alive.map(({ kind, id, epoch, state, expires }) => [kind, id, epoch ?? state ?? null, expires])))
        // One page at a time: other requests come between.
        await new Promise<void>((resolve) => setTimeout(resolve))
        return
      }
      const { head: later } = await core.feed.begin()
      if (later.feedId !== head.feedId) return controller.error(new Error('The feed was renewed meanwhile.'))
      const all = new Uint8Array(digests.length * 32)
      for (const [i, digest] of digests.entries()) all.set(digest, i * 32)
      const end: SnapshotEnd = { count, sha256: toBase64url(crypto.hash(all)) }
      controller.enqueue(encoder.encode(`${JSON.stringify(end)}\n`))
      controller.close()
    },
  })
  site.parts.observe({ event: 'feed.snapshot' })
  return c.body(stream, 200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
}
