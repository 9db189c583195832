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
  const under = new Map<string, Promise<LogPage>>()

  const read = async (from: FeedHead, head: FeedHead): Promise<LogPage> => {
    const entries = await store.after(from.seq, feedPage)
    const within = entries.filter(({ seq }) => seq <= head.seq)
    // Fewer than a page: whatever compaction left out, nothing else is there up to the head.
    const to = within.length < feedPage ? Math.max(from.seq, head.seq) : (within.at(-1)?.seq ?? head.seq)
    return { feed: from.feedId, from: from.seq, to, entries: within.map(({ tenant: _, ...entry }) => entry) }
  }
  const remember = (page: LogPage) => {
    // Where nothing was, something may come.
    if (page.to === page.from) return
    pages.delete(page.from)
    pages.set(page.from, page)
    for (const oldest of pages.keys()) {
      if (pages.size <= remembered) return
      pages.delete(oldest)
    }
  }

  return {
    async page(from, head) {
      const known = pages.get(from.seq)
      if (known !== undefined && known.feed === from.feedId && known.to <= head.seq) return known
      const range = `${from.feedId} ${from.seq} ${head.seq}`
      let reading = under.get(range)
      if (reading === undefined) {
        reading = read(from, head).finally(() => under.delete(range))
        under.set(range, reading)
        reading.then(remember, () => {})
      }
      return reading
    },
    forget: () => pages.clear(),
  }
}
