// The log in pages, as they go over the wire. Pages just read are remembered: followers who are behind are mostly behind at
// the same places, and then share one reading and one writing out.

import { type FeedEvents, type FeedHead, feedPage } from '@symbolon/protocol'
import type { FeedStore } from './ports.ts'

/** A range of the log and its entries, without their tenant. */
export type LogPage = FeedEvents['revocations']

/** Reads pages. */
export interface Log {
  /** What comes after a position, at most a page and not beyond `head`, which must be of the same feed. */
  page(from: FeedHead, head: FeedHead): Promise<LogPage>
  forget(): void
}

const remembered = 16

/** Creates the reader. */
export function createLog(store: Pick<FeedStore, 'after'>): Log {
  const pages = new Map<number, LogPage>()
  return {
    async page(from, head) {
      const known = pages.get(from.seq)
      if (known !== undefined && known.feed === from.feedId && known.to <= head.seq) return known
      const entries = await store.after(from.seq, feedPage)
      const within = entries.filter(({ seq }) => seq <= head.seq)
      // Fewer than a page: whatever compaction left out, nothing else is there up to the head.
      const to = within.length < feedPage ? Math.max(from.seq, head.seq) : (within.at(-1)?.seq ?? head.seq)
      const page: LogPage = { feed: from.feedId, from: from.seq, to, entries: within.map(({ tenant: _, ...entry }) => entry) }
      if (to > from.seq) {
        pages.delete(from.seq)
        pages.set(from.seq, page)
        for (const oldest of pages.keys()) {
          if (pages.size <= remembered) break
          pages.delete(oldest)
        }
      }
      return page
    },
    forget: () => pages.clear(),
  }
}
