// The log in the process's own store, followed for the guards beside it: commits of this process are applied before they
// are acknowledged; those of other processes by a look every tenth of a second, or when the store hints at one. What cannot be read makes knowledge old.

import { type FeedHead, feedPage, type Revocation } from '@symbolon/protocol'
import type { Feed } from '@symbolon/verifier'
import type { Store } from '#core'

/** What is followed. `onRevoked`: the store's listener, called with entries after their commit; returns the function that ends it. */
export interface FollowingParts {
  readonly store: () => Pick<Store, 'feed'>
  readonly onRevoked: (apply: (entries: readonly Revocation[]) => void) => () => void
  /** The store's hints that it is worth looking; returns the function that ends it. */
  readonly onHint?: (look: () => void) => () => void
  readonly ready: () => Promise<void>
  readonly apply: (entries: readonly Revocation[]) => void
  /** Told when the log was given another id, since the store was behind what had come from it. */
  readonly renewed?: (head: FeedHead) => void
}

const look = 100
const mostWaiting = 100
/** A position beyond this can be nobody's. */
const ahead = 10_000

const breath = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Follows until `end`. */
export function followStore(parts: FollowingParts): Feed {
  let ended = false
  let position: FeedHead | undefined
  let heard = 0
  /** When the newest read began whose head is applied, by both clocks: a machine that slept has only one that says so. */
  let completeAt: { readonly monotonic: number; readonly wall: number } | undefined
  let last: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined
  let stopListening = () => {}
  let stopHints = () => {}
  let timer: NodeJS.Timeout | undefined
  const waiting = new Set<() => void>()
  let complete = () => {}
  let giveUp = (_: unknown) => {}
  const first = new Promise<void>((resolve, reject) => {
    complete = resolve
    giveUp = reject
  })
  first.catch(() => {})

  const read = async (): Promise<void> => {
    const began = { monotonic: performance.now(), wall: Date.now() }
    const { feed } = parts.store()
    // What is heard while the head is on its way may be newer than it.
    const known = position
    let head = await feed.head()
    // This process knew of more than its store does now: an older copy was put in its place.
    if (known?.feedId === head.feedId && head.seq < known.seq) {
      head = await feed.renew(head.feedId)
      parts.renewed?.(head)
    }
    // A log of another id is read from its beginning; what was known stays known.
    if (position?.feedId !== head.feedId) position = undefined
    let seq = position?.seq ?? 0
    heard = position === undefined ? head.seq : Math.max(heard, head.seq)
    while (seq < head.seq && !ended) {
      const entries = await feed.after(seq, feedPage)
      if (entries.length > 0) parts.apply(entries)
      const to = entries.at(-1)?.seq ?? 0
      seq = entries.length === feedPage ? to : Math.max(head.seq, to)
      if (seq < head.seq) await breath()
    }
    if (ended) return
    if (position === undefined || position.seq < seq) position = { feedId: head.feedId, seq }
    completeAt = began
    complete()
    for (const go of [...waiting]) go()
  }
  /** A read that begins after this call; calls that wait share the next one. */
  const lookNow = (): Promise<void> => {
    next ??= last.then(() => {
      next = undefined
      return ended ? undefined : read()
    })
    const turn = next
    last = turn.catch(() => {})
    return turn
  }
  /** What this process has just committed; told before the caller is. */
  const hear = (entries: readonly Revocation[]) => {
    parts.apply(entries)
    // Only what comes right after what is known makes it complete up to there.
    if (position === undefined || entries[0]?.seq !== position.seq + 1) return
    position = { feedId: position.feedId, seq: entries.at(-1)?.seq ?? position.seq }
    heard = Math.max(heard, position.seq)
    for (const go of [...waiting]) go()
  }
  const staleness = () =>
    completeAt === undefined ? Number.POSITIVE_INFINITY : Math.max(performance.now() - completeAt.monotonic, Date.now() - completeAt.wall)

  parts.ready().then(
    () => {
      if (ended) return
      stopListening = parts.onRevoked(hear)
      const again = () => void lookNow().catch(() => {})
      stopHints = parts.onHint?.(again) ?? stopHints
      timer = setInterval(again, look)
      timer.unref()
      again()
    },
    (error) => giveUp(error),
  )
  const has = (wanted: FeedHead) => position !== undefined && position.feedId === wanted.feedId && position.seq >= wanted.seq

  return {
    staleness,
    position: () => position,
    reached(wanted, ms) {
      if (has(wanted)) return true
      if (position?.feedId !== wanted.feedId || wanted.seq > position.seq + ahead || waiting.size >= mostWaiting) return false
      return new Promise((resolve) => {
        const settle = () => {
          clearTimeout(late)
          waiting.delete(check)
          resolve(has(wanted))
        }
        const check = () => {
          if (has(wanted) || ended) settle()
        }
        const late = setTimeout(settle, ms)
        waiting.add(check)
        lookNow().catch(() => {})
      })
    },
    ready: () => first,
    status: () => ({
      feedId: position?.feedId ?? null,
      head: Math.max(heard, position?.seq ?? 0),
      applied: position?.seq ?? 0,
      stalenessMs: staleness(),
      transport: 'in_process',
      reconnects: 0,
      snapshots: 0,
    }),
    end() {
      ended = true
      clearInterval(timer)
      stopListening()
      stopHints()
      giveUp(new Error('The feed was ended.'))
      for (const go of [...waiting]) go()
    },
  }
}
