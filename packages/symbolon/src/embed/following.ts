// The log in the process's own store, followed for the guards beside it: commits of this process are applied before they
// are acknowledged; those of other processes by a look every tenth of a second. What cannot be read makes knowledge old.

import { type FeedHead, feedPage, type Revocation } from '@symbolon/protocol'
import type { Feed } from '@symbolon/verifier'
import type { Store } from '#core'

/** What is followed. `onRevoked`: the store's listener, called with entries after their commit; returns the function that ends it. */
export interface FollowingParts {
  readonly store: () => Store
  readonly onRevoked: (apply: (entries: readonly Revocation[]) => void) => () => void
  readonly ready: () => Promise<void>
  readonly apply: (entries: readonly Revocation[]) => void
}

const look = 100
const mostWaiting = 100
/** A position beyond this can be nobody's. */
const ahead = 10_000

/** Follows until `end`. */
export function followStore(parts: FollowingParts): Feed {
  let ended = false
  let position: FeedHead | undefined
  let completeAt = Number.NEGATIVE_INFINITY
  let under: Promise<void> | undefined
  let stopListening = () => {}
  let timer: NodeJS.Timeout | undefined
  const waiting = new Set<() => void>()

  const read = async (): Promise<void> => {
    const began = performance.now()
    const head = await parts.store().feed.head()
    // A log of another id is read from its beginning; what was known stays known.
    let seq = position?.feedId === head.feedId && position.seq <= head.seq ? position.seq : 0
    while (seq < head.seq && !ended) {
      const entries = await parts.store().feed.after(seq, feedPage)
      if (entries.length > 0) parts.apply(entries)
      const last = entries.at(-1)?.seq ?? 0
      seq = entries.length === feedPage ? last : Math.max(head.seq, last)
    }
    position = { feedId: head.feedId, seq }
    completeAt = began
    for (const go of [...waiting]) go()
  }
  /** Looks; who comes while a look is under way shares it. */
  const lookNow = (): Promise<void> => {
    under ??= read().finally(() => {
      under = undefined
    })
    return under
  }
  const staleness = () => performance.now() - completeAt
  const ready = parts.ready().then(async () => {
    if (ended) throw new Error('The feed was ended.')
    stopListening = parts.onRevoked(parts.apply)
    timer = setInterval(() => void lookNow().catch(() => {}), look)
    timer.unref()
    await lookNow()
  })
  ready.catch(() => {})
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
        const check = () => has(wanted) && settle()
        const late = setTimeout(settle, ms)
        waiting.add(check)
        lookNow().catch(() => {})
      })
    },
    ready: () => ready,
    status: () => ({
      feedId: position?.feedId ?? null,
      head: position?.seq ?? 0,
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
      for (const go of [...waiting]) go()
    },
  }
}
