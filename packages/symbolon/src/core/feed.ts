// The revocation feed as followers hear it: one reader of the log for the whole process, whatever their number, which hands
// the same message to all. A beat is sent only after the store was read for it, and never before the entries it speaks of.

import { type FeedEvents, type FeedHead, type FeedPage, followScope, formatPosition, SymbolonError } from '@symbolon/protocol'
import { createLog } from './log.ts'
import type { Client } from './model.ts'
import type { Ports } from './ports.ts'
import { createSnapshots, type SnapshotLines } from './snapshot.ts'

/** One event of the stream; the same object for every follower, so that it is written out once. */
export type FeedMessage = {
  readonly [K in keyof FeedEvents]: { readonly event: K; readonly data: FeedEvents[K]; readonly position?: string }
}[keyof FeedEvents]

/** A follower's ear. None of these may throw. */
export interface FeedEar {
  /** Takes a message, or says `false` and takes nothing: too much waits for the follower already. */
  write(message: FeedMessage): boolean
  /** Resolves when there is room again; to `false` when the follower is gone. */
  room(): Promise<boolean>
  /** Nothing more will come; what waits may still be read. */
  end(): void
  /** Drops what waits: the follower does not read. */
  cut(): void
}

/** Who follows, for operators. `since` in milliseconds since 1970 by the store's clock; `position`: what was handed over so far. */
export interface FollowerView {
  readonly clientId: string
  readonly since: number
  readonly position: string
  readonly transport: 'stream' | 'long_poll'
}

/** The feed's verbs. */
export interface FeedHub {
  /**
   * Follows from a position, or from now; resolves, once it is let in, to the function that ends it. `expires`: when what the
   * client showed is over, in milliseconds since 1970. Throws `try_later` or `rate_limited` when there are too many,
   * `store_unavailable` when the store cannot be read.
   */
  follow(client: Client, from: FeedHead | undefined, ear: FeedEar, expires?: number): Promise<() => void>
  /** One page after a position; waits up to `wait` milliseconds for something to tell. Throws like `follow`, and `invalid_client`. */
  poll(client: Client, from: FeedHead, wait: number, expires?: number): Promise<FeedPage | 'snapshot_required'>
  /** What can still matter, complete up to a head; `return` it when it is not read to its end. Throws `try_later`. */
  snapshot(): SnapshotLines
  /** Something was committed: look now. */
  wake(): void
  /** The head, read now. */
  head(): Promise<FeedHead>
  followers(): readonly FollowerView[]
  /** Sends everybody away, to connect elsewhere, and lets nobody in. */
  close(): void
}

/** Milliseconds. Others' commits are noticed within `look`; a beat comes at least every second. */
const look = 100
const beat = 800
/** A stream is ended after this long, less up to a tenth; the follower opens another one. */
const longest = 600_000
/** Nobody hears anything beyond the time of the token they showed: they are sent away this much earlier. */
const ahead = 1000
/** A follower that has no room for this long does not read. */
const stall = 5000
/** A follower farther behind takes a snapshot instead. */
const farthest = 10_000
/** Who polls is listed for this long after an answer: the next question is on its way. */
const between = 3000
const most = 5000
const mostOfClient = 2000

interface Follower {
  readonly client: Client
  readonly transport: 'stream' | 'long_poll'
  readonly until: number
  /** When what the client showed is over, by the same clock. */
  expires: number
  since: number
  /** Entering hears nothing yet; catching up reads the log at its own pace; joined hears what all hear. */
  state: 'entering' | 'catching' | 'joined'
  /** While catching up; who joined is where the tail is. */
  position: FeedHead | undefined
  ear: FeedEar
}

const deaf: FeedEar = { write: () => true, room: async () => true, end: () => {}, cut: () => {} }

/** Whether a client may still follow as it did then: nothing about it changed that its credential stands on. */
const stands = (then: Client, now: Client | undefined) =>
  now?.status === 'active' &&
  now.epoch === then.epoch &&
  now.scopes.includes(followScope) &&
  then.secretHashes.every((hash) => now.secretHashes.includes(hash)) &&
  then.keys.every(({ kid }) => now.keys.some((key) => key.kid === kid))

/** Creates the feed's hub. It reads nothing while nobody follows. */
export function createFeed({ store, clock, crypto, observe }: Pick<Ports, 'store' | 'clock' | 'crypto' | 'observe'>): FeedHub {
  const log = createLog(store.feed)
  const followers = new Set<Follower>()
  /** Who polled last of each client, and until when that counts. */
  const polled = new Map<string, FollowerView & { readonly until: number }>()
  /** Up to where everybody who joined was told, and when the read began that everything up to then is known by. */
  let tail: FeedHead | undefined
  let readAt = 0
  let beatAt = Number.NEGATIVE_INFINITY
  let callOff: (() => void) | undefined
  let closed = false
  const at = (): FeedHead => tail as FeedHead

  const dismiss = (one: Follower) => {
    if (followers.delete(one)) one.ear.end()
  }
  const cut = (one: Follower) => {
    if (!followers.delete(one)) return
    observe({ event: 'feed.cut', clientId: one.client.id })
    one.ear.cut()
  }
  /** The last words to a follower. */
  const sendOff = (one: Follower, message: FeedMessage) => (one.ear.write(message) ? dismiss(one) : cut(one))
  const sendAway = (message: FeedMessage) => {
    for (const one of followers) if (one.state !== 'entering') sendOff(one, message)
  }
  /** Who cannot take it all goes on at its own pace, from where the message began. */
  const send = (message: FeedMessage, from: FeedHead) => {
    for (const one of followers)
      if (one.state === 'joined' && !one.ear.write(message)) {
        one.state = 'catching'
        one.position = from
        void catchUp(one)
      }
  }
  const restart = (head: FeedHead) => {
    tail = head
    log.forget()
    sendAway({ event: 'snapshot', data: { feed: head.feedId, reason: 'renewed' } })
  }
  /** Somebody knows of more than this store does: it is an older copy, and its numbers must not be taken for the old ones. */
  const renew = async (feedId: string) => {
    const head = await store.feed.renew(feedId)
    observe({ event: 'feed.renewed', seq: head.seq })
    restart(head)
  }

  // Reads and renewals come one after the other, so that none works on a log that another one has just left.
  let last: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined
  const alone = (run: () => Promise<void>): Promise<void> => {
    const turn = last.then(run)
    last = turn.catch(() => {})
    return turn
  }
  /** A read that begins after this call; calls that wait share the next one. */
  const fresh = (): Promise<void> => {
    next ??= alone(() => {
      next = undefined
      return read()
    })
    return next
  }
  /** Reads the head and tells what is new up to it. */
  const read = async (): Promise<void> => {
    const t = clock.now()
    const head = await store.feed.head()
    if (tail !== undefined && head.feedId !== tail.feedId) restart(head)
    else if (tail !== undefined && head.seq < tail.seq) return renew(head.feedId)
    tail ??= head
    while (tail.seq < head.seq && followers.size > 0) {
      const from: FeedHead = tail
      const data = await log.page(from, head)
      tail = { feedId: head.feedId, seq: data.to }
      observe({ event: 'feed.told', entries: data.entries.length, followers: followers.size })
      send({ event: 'revocations', data, position: formatPosition(tail) }, from)
      // What is long goes out before more comes.
      if (tail.seq < head.seq) await new Promise<void>((resolve) => clock.after(0, resolve))
    }
    if (tail.seq < head.seq) tail = head
    readAt = t
    if (t - beatAt < beat) return
    beatAt = t
    send({ event: 'beat', data: { feed: head.feedId, head: head.seq, t } }, tail)
    review(t).catch(() => {})
  }
  /** Ends the streams that are old enough, and of clients that may no longer follow. */
  const review = async (t: number) => {
    const clients = new Map<string, Client | undefined>()
    for (const one of [...followers]) {
      const { id } = one.client
      if (!clients.has(id)) clients.set(id, await store.clients.find(id))
      if (!stands(one.client, clients.get(id))) dismiss(one)
      else if (t > one.until && one.state === 'joined') sendOff(one, { event: 'bye', data: { retry_ms: 100 } })
    }
  }
  /** Sends those away whose token ends; they come again with another one. Needs no store, which may not answer. */
  const expire = () => {
    const t = clock.now() + ahead
    for (const one of followers)
      if (one.expires <= t && one.state !== 'entering' && one.transport === 'stream')
        sendOff(one, { event: 'bye', data: { retry_ms: 100 } })
  }
  const keep = () => {
    if (callOff !== undefined || closed || followers.size === 0) return
    callOff = clock.after(look, () => {
      callOff = undefined
      expire()
      // A store that cannot be read gives no beat: followers know how old their knowledge gets.
      fresh()
        .catch(() => {})
        .finally(keep)
    })
  }

  const enter = (client: Client, transport: Follower['transport'], ear: FeedEar): Follower => {
    const own = [...followers].filter((one) => one.client.id === client.id).length
    if (own >= mostOfClient) throw new SymbolonError('rate_limited', { retryAfter: 5 })
    if (closed || followers.size >= most) throw new SymbolonError('try_later', { detail: 'too many follow the feed', retryAfter: 5 })
    const [chance = 0] = crypto.random(1)
    const until = clock.now() + longest - (chance / 255) * (longest / 10)
    const expires = Number.POSITIVE_INFINITY
    const one: Follower = { client, transport, until, expires, since: 0, state: 'entering', position: undefined, ear }
    followers.add(one)
    return one
  }
  /** Reads the head for one who comes, and renews the feed when that is less than it knows of. */
  const face = async (one: Follower, from: FeedHead | undefined, expires = Number.POSITIVE_INFINITY) => {
    await fresh()
    const isAhead = () => from !== undefined && from.feedId === at().feedId && from.seq > at().seq
    if (isAhead()) await alone(async () => (isAhead() ? renew(at().feedId) : undefined))
    one.since = await store.now()
    one.expires = clock.now() + expires - one.since
    if (closed) throw new SymbolonError('try_later', { retryAfter: 1 })
  }
  const isTooFar = (from: FeedHead) => from.feedId !== at().feedId || at().seq - from.seq > farthest
  const tooFar = (from: FeedHead): FeedMessage => ({
    event: 'snapshot',
    data: { feed: at().feedId, reason: from.feedId === at().feedId ? 'behind' : 'renewed' },
  })

  const roomFor = (one: Follower) =>
    new Promise<boolean | 'late'>((resolve) => {
      const off = clock.after(stall, () => resolve('late'))
      void one.ear.room().then((room) => {
        off()
        resolve(room)
      })
    })
  /** Hands over the log page by page as there is room, until the follower is where all are. */
  const catchUp = async (one: Follower): Promise<void> => {
    try {
      while (followers.has(one)) {
        const from = one.position as FeedHead
        if (isTooFar(from)) return sendOff(one, tooFar(from))
        if (from.seq === at().seq && one.ear.write({ event: 'beat', data: { feed: from.feedId, head: from.seq, t: readAt } })) {
          one.state = 'joined'
          return
        }
        const room = await roomFor(one)
        if (room === 'late') return cut(one)
        if (!room) return void followers.delete(one)
        if (!followers.has(one) || isTooFar(from) || from.seq === at().seq) continue
        const data = await log.page(from, at())
        // A renewal meanwhile has sent it away.
        if (!followers.has(one)) return
        const to = { feedId: from.feedId, seq: data.to }
        if (one.ear.write({ event: 'revocations', data, position: formatPosition(to) })) one.position = to
      }
    } catch {
      // The log cannot be read: it comes back and goes on where it was.
      dismiss(one)
    }
  }

  return {
    async follow(client, from, ear, expires) {
      const t0 = clock.now()
      const one = enter(client, 'stream', ear)
      try {
        await face(one, from, expires)
      } catch (error) {
        followers.delete(one)
        throw error
      }
      one.state = 'catching'
      one.position = from ?? at()
      ear.write({ event: 'open', data: { feed: at().feedId, head: at().seq, t0 } })
      void catchUp(one)
      keep()
      return () => void followers.delete(one)
    },

    async poll(client, from, wished, expires) {
      const t0 = clock.now()
      const one = enter(client, 'long_poll', deaf)
      one.position = from
      try {
        await face(one, from, expires)
        if (isTooFar(from)) return 'snapshot_required'
        const wait = Math.min(wished, one.expires - clock.now() - ahead)
        if (from.seq === at().seq && wait > 0) {
          await new Promise<void>((resolve) => {
            const off = clock.after(wait, resolve)
            const told = () => {
              off()
              resolve()
            }
            const write: FeedEar['write'] = ({ event }) => {
              if (event !== 'beat') told()
              return true
            }
            one.ear = { ...deaf, write, end: told, cut: told }
            one.state = 'joined'
            keep()
          })
          one.state = 'entering'
          if (!followers.has(one) && !stands(client, await store.clients.find(client.id))) throw new SymbolonError('invalid_client')
          await fresh()
          if (isTooFar(from)) return 'snapshot_required'
        }
        const [head, t] = [at(), readAt]
        const view = { clientId: client.id, since: one.since, position: formatPosition(head), transport: one.transport }
        polled.set(client.id, { ...view, until: clock.now() + between })
        return { ...(await log.page(from, head)), head: head.seq, t0, t }
      } finally {
        followers.delete(one)
      }
    },

    snapshot: createSnapshots({ store, clock, observe }),
    wake() {
      if (followers.size > 0) fresh().catch(() => {})
    },
    head: async () => store.feed.head(),
    followers() {
      const views: FollowerView[] = [...followers]
        .filter(({ since }) => since > 0)
        .map(({ client, since, transport, state, position }) => ({
          clientId: client.id,
          since,
          position: formatPosition(state === 'joined' || position === undefined ? at() : position),
          transport,
        }))
      const polls = (id: string) => views.some((one) => one.clientId === id && one.transport === 'long_poll')
      for (const [id, { until, ...view }] of polled) {
        if (closed || clock.now() > until) polled.delete(id)
        else if (!polls(id)) views.push(view)
      }
      return views
    },
    close() {
      closed = true
      callOff?.()
      sendAway({ event: 'bye', data: { retry_ms: 500 } })
    },
  }
}
