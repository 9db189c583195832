// The feed over HTTP: a stream of server-sent events, a long poll, and a snapshot. For clients that may follow; cookies are
// ignored. A follower that does not read what it is sent is cut: it comes back and catches up.

import { z } from '@hono/zod-openapi'
import {
  followScope,
  parsePosition,
  type SnapshotEnd,
  type SnapshotEntry,
  type SnapshotStart,
  SymbolonError,
  toBase64url,
} from '@symbolon/protocol'
import type { Client } from '#core'
import { readQuery } from '../body.ts'
import { clientOf } from '../client.ts'
import { bearerOf, type Http, refusal, type Site } from '../context.ts'
import { openEar } from '../ear.ts'

/** `after`: a position; `wait`: seconds, for a long poll. */
export const feedQuery = z.strictObject({
  after: z.string().max(60).optional(),
  wait: z.coerce.number().int().min(0).max(30).optional(),
})

/** How long a snapshot may take to be read, in milliseconds. */
const patience = 300_000
const encoder = new TextEncoder()

/** Who follows, and until when what it showed lasts, in milliseconds since 1970. */
interface Admitted {
  readonly client: Client
  readonly expires?: number
}

/**
 * Of an answer in pieces. `no-transform`: a proxy or middleware that compressed it would hold them back. A HEAD gets no more
 * than these: nobody would read, or end, what was opened for it.
 */
const streamed = (type: string) => ({ 'content-type': type, 'cache-control': 'no-store, no-transform', 'x-accel-buffering': 'no' })

/** The client behind an access token of its own, made for this service or for an audience that the client is itself. */
async function bearerClient(site: Site, token: string): Promise<Admitted> {
  const { core, issuer } = site.parts
  const plain = token.length > 8192 ? undefined : core.tokens.open(token)
  const verified = plain === undefined ? undefined : await core.tokens.verify(plain)
  if (verified?.ok !== true) throw new SymbolonError(verified?.code ?? 'invalid_token')
  const checked = await core.tokens.checkClient(verified.claims)
  if (!checked.ok) throw refusal(checked)
  const { aud, exp, scope = '' } = verified.claims
  // Whoever was only called with it must not follow in the caller's name.
  if (aud !== issuer && !checked.client.audiences.includes(aud)) throw new SymbolonError('invalid_token')
  if (!scope.split(' ').includes(followScope)) throw new SymbolonError('insufficient_scope', { scope: followScope })
  return { client: checked.client, expires: exp * 1000 }
}

/** The client that may follow; throws `invalid_client`, the refusal of its token, or `insufficient_scope`. */
async function followerOf(c: Http, site: Site): Promise<Admitted> {
  const bearer = bearerOf(c)
  const client = bearer === undefined ? await clientOf(c, site) : undefined
  const admitted = bearer === undefined ? client && { client } : await bearerClient(site, bearer)
  if (admitted === undefined) throw new SymbolonError('invalid_client')
  if (!admitted.client.scopes.includes(followScope)) throw new SymbolonError('insufficient_scope', { scope: followScope })
  return admitted
}

/** `GET /v1/revocations` */
export const follow = (site: Site) => async (c: Http) => {
  const { client, expires } = await followerOf(c, site)
  const query = readQuery(c, feedQuery)
  const { wait } = query
  // A stream that is opened again names where it was in the header, and its first address as ever.
  const after = c.req.header('last-event-id') ?? query.after
  const from = after === undefined ? undefined : parsePosition(after)
  if (after !== undefined && from === undefined) throw new SymbolonError('invalid_request', { field: 'after' })
  const { feed } = site.parts.core
  if (wait !== undefined) {
    if (from === undefined) throw new SymbolonError('invalid_request', { field: 'after' })
    // It waits for what happens, not for the store.
    c.env.waiting?.end()
    const page = await feed.poll(client, from, wait * 1000, expires)
    if (page === 'snapshot_required') throw new SymbolonError('snapshot_required')
    return c.json(page)
  }

  const headers = streamed('text/event-stream')
  if (c.req.method === 'HEAD') return c.body(null, 200, headers)
  const { ear, stream, onLeave } = openEar()
  onLeave(await feed.follow(client, from, ear, expires))
  return c.body(stream, 200, headers)
}

/** `GET /v1/revocations/snapshot`: counted and hashed, so that it is taken whole or not at all. */
export const snapshot = (site: Site) => async (c: Http) => {
  await followerOf(c, site)
  const headers = streamed('application/x-ndjson')
  if (c.req.method === 'HEAD') return c.body(null, 200, headers)
  const { core, crypto } = site.parts
  const lines = core.feed.snapshot()
  const first = await lines.next()
  const digests: Uint8Array[] = []
  let count = 0
  const line = (value: SnapshotStart | readonly SnapshotEntry[]) => {
    const text = JSON.stringify(value)
    digests.push(crypto.hash(text))
    if ('length' in value) count += value.length
    return encoder.encode(`${text}\n`)
  }
  const last = (): Uint8Array => {
    const all = new Uint8Array(digests.length * 32)
    for (const [i, digest] of digests.entries()) all.set(digest, i * 32)
    const end: SnapshotEnd = { count, sha256: toBase64url(crypto.hash(all)) }
    return encoder.encode(`${JSON.stringify(end)}\n`)
  }
  let late: ReturnType<typeof setTimeout>
  const over = async () => {
    clearTimeout(late)
    await lines.return()
  }
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      late = setTimeout(() => {
        controller.error(new Error('The snapshot is not read.'))
        over().catch(() => {})
      }, patience)
      if (!first.done) controller.enqueue(line(first.value))
    },
    async pull(controller) {
      try {
        const { done, value } = await lines.next()
        controller.enqueue(done === true || value === undefined ? last() : line(value))
        if (done !== true) return
        controller.close()
      } catch (error) {
        controller.error(error)
      }
      await over()
    },
    cancel: over,
  })
  return c.body(stream, 200, headers)
}
