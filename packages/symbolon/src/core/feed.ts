// The revocation feed as followers hear it: one reader of the log for the whole process, whatever their number, which hands
// the same message to all. A beat is sent only after the store was read for it, and never before the entries it speaks of.

import { type FeedEvents, type FeedHead, type FeedPage, feedPage, formatPosition, type Revocation, SymbolonError } from '@symbolon/protocol'
import type { Ports } from './ports.ts'

/** One event of the stream; the same object for every follower, so that it is written out once. */
export type FeedMessage = {
  readonly [K in keyof FeedEvents]: { readonly event: K; readonly data: FeedEvents[K]; readonly position?: string }
}[keyof FeedEvents]

/** A follower's ear. Neither may throw. */
export interface FeedEar {
  write(message: FeedMessage): void
  /** Nothing more will come. */
  end(): void
}

/** Who follows, for operators. `since` in milliseconds since 1970 by the store's clock. */
export interface FollowerView {
  readonly clientId: string
  readonly since: number
}

/** The feed's verbs. */
export interface FeedHub {
  /** Follows from a position, or from now; resolves to the function that ends it. Throws `try_later` when there are too many, or the store cannot be read. */
  follow(clientId: string, from: FeedHead | undefined, ear: FeedEar): Promise<() => void>
  /** One page after a position; waits up to `wait` milliseconds for something to tell. */
  poll(from: FeedHead, wait: number): Promise<FeedPage | 'snapshot_required'>
  /** The head read now, with the times a snapshot begins with. */
  begin(): Promise<{ readonly head: FeedHead; readonly t0: number; readonly t: number; readonly now: number }>
  /** Entries after `seq`, up to `head`, at most a page. */
  page(seq: number, head: number): Promise<readonly Revocation[]>
  /** Something was committed: look now. */
  wake(): void
  followers(): readonly FollowerView[]
  /** Sends everybody away, to connect elsewhere. */
  close(): void
}

/** Milliseconds. Others' commits are noticed within `look`; a beat comes at least every second. */
const look = 100
const beat = 800
/** A follower farther behind takes a snapshot instead. */
const farthest = 10_000
const most = 5000
const mostOfClient = 2000
const mostWaiting = 1000

const wire = ({ tenant: _, ...entry }: Revocation) => entry

/** Creates the feed's hub. It reads nothing while nobody follows. */
export function createFeed({ store, clock, observe }: Pick<Ports, 'store' | 'clock' | 'observe'>): FeedHub {
  interface Follower extends FollowerView {
    readonly ear: FeedEar
  }
  const followers = new Set<Follower>()
  const waiting = new Set<() => void>()
  /** Up to where everybody who follows was told. */
  let tail: FeedHead | undefined
  let readAt = 0
  let beatAt = Number.NEGATIVE_INFINITY
  let under: Promise<void> | undefined
  let again = false
  let callOff: (() => void) | undefined
  let closed = false

  const send = (message: FeedMessage) => {
    for (const { ear } of followers) ear.write(message)
  }
  const sendAway = (message: FeedMessage) => {
    send(message)
    const all = [...followers]
    followers.clear()
    for (const { ear } of all) ear.end()
  }
  const released = () => {
    const all = [...waiting]
    waiting.clear()
    for (const go of all) go()
  }
  const restart = (head: FeedHead) => {
    tail = head
    sendAway({ event: 'snapshot', data: { feed: head.feedId, reason: 'renewed' } })
    released()
  }
  /** Somebody knows of more than this store does: it is an older copy, and its numbers must not be taken for the old ones. */
  const renew = async (feedId: string) => {
    const head = await store.feed.renew(feedId)
    observe({ event: 'feed.renewed', seq: head.seq })
    restart(head)
  }

  /** Reads the head and tells what is new up to it. What is read begins after the call. */
  const read = async (): Promise<void> => {
    const t = clock.now()
    const head = await store.feed.head()
    if (tail !== undefined && head.feedId !== tail.feedId) restart(head)
    else if (tail !== undefined && head.seq < tail.seq) await renew(head.feedId)
    tail ??= head
    while (tail.seq < head.seq && followers.size + waiting.size > 0) {
      const entries: readonly Revocation[] = (await store.feed.after(tail.seq, feedPage)).filter(({ seq }) => seq <= head.seq)
      const to: number = entries.length < feedPage ? head.seq : (entries.at(-1)?.seq ?? head.seq)
      const next = { feedId: head.feedId, seq: to }
      const data = { feed: head.feedId, from: tail.seq, to, entries: entries.map(wire) }
      tail = next
      send({ event: 'revocations', data, position: formatPosition(next) })
      released()
    }
    if (tail.feedId !== head.feedId) return
    tail = tail.seq < head.seq ? head : tail
    readAt = t
    if (t - beatAt >= beat) {
      beatAt = t
      send({ event: 'beat', data: { feed: head.feedId, head: head.seq, t } })
    }
  }
  /** A read that began after this call; calls that wait share the next one. */
  const fresh = (): Promise<void> => {
    if (under === undefined) {
      under = read().finally(() => {
        under = undefined
        if (again) {
          again = false
          fresh().catch(() => {})
        }
      })
      return under
    }
    return under.catch(() => {}).then(fresh)
  }
  const keep = () => {
    if (callOff !== undefined || closed || followers.size + waiting.size === 0) return
    callOff = clock.after(look, () => {
      callOff = undefined
      // A store that cannot be read gives no beat: followers know how old their knowledge gets.
      const round = under ?? fresh()
      round.catch(() => {}).finally(keep)
    })
  }
  const tooMany = () => new SymbolonError('try_later', { detail: 'too many follow the feed', retryAfter: 5 })
  const at = (): FeedHead => tail as FeedHead

  return {
    async follow(clientId, from, ear) {
      const own = [...followers].filter((one) => one.clientId === clientId).length
      if (closed || followers.size >= most || own >= mostOfClient) throw tooMany()
      const t0 = clock.now()
      await fresh()
      const since = await store.now()
      if (from !== undefined && from.feedId === at().feedId && from.seq > at().seq) await renew(from.feedId)
      ear.write({ event: 'open', data: { feed: at().feedId, head: at().seq, t0 } })
      if (from !== undefined && (from.feedId !== at().feedId || at().seq - from.seq > farthest)) {
        ear.write({ event: 'snapshot', data: { feed: at().feedId, reason: from.feedId === at().feedId ? 'behind' : 'renewed' } })
        ear.end()
        return () => {}
      }
      let seq = from?.seq ?? at().seq
      while (seq < at().seq) {
        const { feedId, seq: head } = at()
        const entries = (await store.feed.after(seq, feedPage)).filter((one) => one.seq <= head)
        const to = entries.length < feedPage ? head : (entries.at(-1)?.seq ?? head)
        if (feedId !== at().feedId) break
        ear.write({
          event: 'revocations',
          data: { feed: feedId, from: seq, to, entries: entries.map(wire) },
          position: formatPosition({ feedId, seq: to }),
        })
        seq = to
      }
      ear.write({ event: 'beat', data: { feed: at().feedId, head: at().seq, t: readAt } })
      const follower: Follower = { clientId, since, ear }
      followers.add(follower)
      keep()
      return () => void followers.delete(follower)
    },

    async poll(from, wait) {
      const t0 = clock.now()
      await fresh()
      if (from.feedId === at().feedId && from.seq > at().seq) await renew(from.feedId)
      const behind = () => from.feedId !== at().feedId || at().seq - from.seq > farthest
      if (behind()) return 'snapshot_required'
      if (from.seq === at().seq && wait > 0 && !closed) {
        if (waiting.size >= mostWaiting) throw tooMany()
        await new Promise<void>((resolve) => {
          const end = () => {
            waiting.delete(end)
            late()
            resolve()
          }
          const late = clock.after(wait, end)
          waiting.add(end)
          keep()
        })
        await fresh()
        if (behind()) return 'snapshot_required'
      }
      const { feedId, seq: head } = at()
      const t = readAt
      const entries = (await store.feed.after(from.seq, feedPage)).filter(({ seq }) => seq <= head)
      const to = entries.length < feedPage ? head : (entries.at(-1)?.seq ?? head)
      return { feed: feedId, from: from.seq, to, entries: entries.map(wire), head, t0, t }
    },

    async begin() {
      const t0 = clock.now()
      const head = await store.feed.head()
      return { head, t0, t: t0, now: await store.now() }
    },
    page: async (seq, head) => (await store.feed.after(seq, feedPage)).filter((one) => one.seq <= head),
    wake() {
      if (followers.size + waiting.size === 0) return
      if (under === undefined) fresh().catch(() => {})
      else again = true
    },
    followers: () => [...followers].map(({ clientId, since }) => ({ clientId, since })),
    close() {
      closed = true
      callOff?.()
      sendAway({ event: 'bye', data: { retry_ms: 500 } })
      released()
    },
  }
}
