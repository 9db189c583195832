// A service that speaks the wire of the feed and of introspection as a script tells it: real HTTP, no service behind it.

import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { SnapshotEntry, WireRevocation } from '@symbolon/protocol'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

/** What answers a request; the body is read already. */
export type Handler = (request: IncomingMessage & { readonly text: string }, response: ServerResponse) => unknown

/** The service. */
export interface Wire {
  readonly issuer: string
  /** Requests so far, by path without its query. */
  readonly seen: {
    readonly path: string
    readonly query: URLSearchParams
    readonly headers: IncomingMessage['headers']
    readonly text: string
  }[]
  on(path: string, handler: Handler): void
  count(path: string): number
  /** A user's access token; claims on top. */
  mint(claims?: Record<string, unknown>): Promise<string>
  /** A client's own. */
  mintClient(claims?: Record<string, unknown>): Promise<string>
  close(): Promise<void>
}

const { privateKey, publicKey } = await generateKeyPair('ES256')
export const feed = '00000000000000aa'
export const otherFeed = '00000000000000bb'
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** The n-th sid, and random part of a jti. */
export const idOf = (n: number): string => `${(letters[n % 52] as string).repeat(20)}${letters[Math.floor(n / 52) % 52]}A`
export const userOf = (n: number): string => `usr_${idOf(n)}`

/** Starts it. */
export async function startWire(): Promise<Wire> {
  const handlers = new Map<string, Handler>()
  const seen: Wire['seen'] = []
  const server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => {
      text += chunk
    })
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://a')
      seen.push({ path: url.pathname, query: url.searchParams, headers: request.headers, text })
      const handler = handlers.get(url.pathname)
      if (handler === undefined) response.writeHead(404).end('{}')
      else handler(Object.assign(request, { text }), response)
    })
  })
  const port = await new Promise<number>((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))
  const issuer = `http://127.0.0.1:${port}`
  const key = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }
  handlers.set('/.well-known/jwks.json', (_, response) => response.end(JSON.stringify({ keys: [key] })))
  const sign = (claims: Record<string, unknown>) => {
    const iat = Math.floor(Date.now() / 1000)
    return new SignJWT({ iss: issuer, aud: issuer, client_id: 'app', client_epoch: 1, iat, exp: iat + 300, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'at+jwt' })
      .sign(privateKey)
  }
  return {
    issuer,
    seen,
    on: (path, handler) => void handlers.set(path, handler),
    count: (path) => seen.filter((one) => one.path === path).length,
    mint: (claims = {}) =>
      sign({ sub: userOf(1), sid: idOf(1), jti: `1.${idOf(1)}`, epoch: 1, auth_time: 1, acr: 'a', amr: ['otp'], scope: '', ...claims }),
    mintClient: (claims = {}) => sign({ sub: 'app', jti: idOf(2), scope: 'jobs', ...claims }),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

const monotonic = () => performance.now() + 1e6

/** A feed that a script drives. Streams, long poll and snapshot, all of one log. */
export interface ScriptedFeed {
  id: string
  head: number
  readonly entries: (readonly [from: number, entry: WireRevocation])[]
  /** Streams that are open. */
  readonly streams: Set<ServerResponse>
  /** Sends an event to every stream. */
  send(event: string, data: unknown): void
  sendRaw(text: string): void
  /** Appends a revocation and tells of it. */
  revoke(entry: Partial<WireRevocation> & Pick<WireRevocation, 'kind' | 'id'>): number
  beat(): void
  /** Beats every 200 ms. */
  beating: boolean
  /** Changes the snapshot's text before it is sent. */
  spoil: (text: string) => string
  /** Answers the snapshot itself when set. */
  snapshot: Handler | undefined
  /** Answers the stream itself when set. */
  stream: Handler | undefined
  end(): void
}

/** A snapshot's text. */
export function snapshotText(id: string, head: number, entries: readonly SnapshotEntry[], page = 1000): string {
  const t = monotonic()
  const lines = [JSON.stringify({ feed: id, head, t0: t, t })]
  for (let i = 0; i < entries.length; i += page) lines.push(JSON.stringify(entries.slice(i, i + page)))
  const digests = lines.map((line) => createHash('sha256').update(line).digest())
  const sha256 = createHash('sha256').update(Buffer.concat(digests)).digest('base64url')
  return `${[...lines, JSON.stringify({ count: entries.length, sha256 })].join('\n')}\n`
}

/** Serves a feed at the wire. */
export function serveFeed(wire: Wire): ScriptedFeed {
  const write = (response: ServerResponse, event: string, data: unknown) =>
    response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  const one: ScriptedFeed = {
    id: feed,
    head: 10,
    entries: [],
    streams: new Set(),
    beating: true,
    spoil: (text) => text,
    snapshot: undefined,
    stream: undefined,
    send(event, data) {
      for (const response of one.streams) write(response, event, data)
    },
    sendRaw(text) {
      for (const response of one.streams) response.write(text)
    },
    revoke(given) {
      const seq = ++one.head
      const entry = { seq, at: Date.now(), expires: Date.now() + 900_000, ...given } as WireRevocation
      one.entries.push([seq - 1, entry])
      one.send('revocations', { feed: one.id, from: seq - 1, to: seq, entries: [entry] })
      return seq
    },
    beat: () => one.send('beat', { feed: one.id, head: one.head, t: monotonic() }),
    end() {
      clearInterval(timer)
      for (const response of one.streams) response.destroy()
    },
  }
  const timer = setInterval(() => one.beating && one.beat(), 200)
  const after = (position: string | undefined | null) => {
    const [id, seq] = (position ?? '').split('.')
    return id === one.id ? Number(seq) : undefined
  }
  wire.on('/v1/revocations', (request, response) => {
    const url = new URL(request.url ?? '/', 'http://a')
    const t0 = monotonic()
    const from = after(url.searchParams.get('after') ?? (request.headers['last-event-id'] as string | undefined))
    const entries = one.entries.filter(([before]) => from !== undefined && before >= from).map(([, entry]) => entry)
    if (url.searchParams.has('wait')) {
      if (from === undefined) return response.writeHead(410).end('{}')
      const page = { feed: one.id, from, to: one.head, entries, head: one.head, t0, t: monotonic() }
      return response.end(JSON.stringify(page))
    }
    if (one.stream !== undefined) return one.stream(request, response)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    write(response, 'open', { feed: one.id, head: one.head, t0 })
    if (request.headers['last-event-id'] !== undefined && from === undefined) {
      write(response, 'snapshot', { feed: one.id, reason: 'renewed' })
      return response.end()
    }
    if (from !== undefined && from < one.head) write(response, 'revocations', { feed: one.id, from, to: one.head, entries })
    if (one.beating) write(response, 'beat', { feed: one.id, head: one.head, t: monotonic() })
    one.streams.add(response)
    response.on('close', () => one.streams.delete(response))
    return undefined
  })
  wire.on('/v1/revocations/snapshot', (request, response) => {
    if (one.snapshot !== undefined) return one.snapshot(request, response)
    const entries = one.entries.map(([, { kind, id, epoch, state, expires }]): SnapshotEntry => [kind, id, epoch ?? state ?? null, expires])
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    return response.end(one.spoil(snapshotText(one.id, one.head, entries)))
  })
  return one
}
