// What can still matter of the log, page by page. The log is only appended to: what stands in it up to a head is what was
// true at that head, however long the reading takes. Other work comes between pages.

import { type FeedHead, feedPage, type SnapshotEntry, type SnapshotStart, SymbolonError } from '@symbolon/protocol'
import type { Ports } from './ports.ts'

/** A snapshot's lines but its last: its start, then entries. Ends with `try_later` when the feed's id changed under it. */
export type SnapshotLines = AsyncGenerator<SnapshotStart | readonly SnapshotEntry[], void, void>

/** How many are read at the same time. */
const most = 50
/** Milliseconds of work before other work comes between. */
const slice = 8

/** Creates the reader of snapshots, each to be read to its end or given up by `return`; one too many throws `try_later` when it begins. */
export function createSnapshots({ store, clock, observe }: Pick<Ports, 'store' | 'clock' | 'observe'>): () => SnapshotLines {
  let under = 0
  const busy = (detail: string) => new SymbolonError('try_later', { detail, retryAfter: 2 })
  const breath = () => new Promise<void>((resolve) => void clock.after(0, resolve))
  /** Several snapshots take turns with each other as with everything else: what one has worked is counted by all. */
  let worked = 0

  async function* lines(): SnapshotLines {
    const began = clock.now()
    if (under >= most) throw busy('too many snapshots at once')
    under++
    try {
      const head: FeedHead = await store.feed.head()
      const now = await store.now()
      yield { feed: head.feedId, head: head.seq, t0: began, t: began }
      let count = 0
      for (let seq = 0; seq < head.seq; ) {
        const t = clock.now()
        const read = await store.feed.after(seq, feedPage)
        const page = read.filter((one) => one.seq <= head.seq && (one.expires === null || one.expires > now))
        if (page.length > 0) yield page.map(({ kind, id, epoch, state, expires }) => [kind, id, epoch ?? state ?? null, expires])
        count += page.length
        seq = read.length < feedPage ? head.seq : (read.at(-1)?.seq ?? head.seq)
        worked += clock.now() - t
        if (worked < slice) continue
        await breath()
        worked = 0
      }
      if ((await store.feed.head()).feedId !== head.feedId) throw busy('the feed was renewed under a snapshot')
      observe({ event: 'feed.snapshot', entries: count })
    } finally {
      under--
    }
  }

  return lines
}
