// The timeline's entries, newest first, and the ways to add to them.

import { useMemo, useState } from 'preact/hooks'
import type { ApiName, Entry, Moment } from './state.ts'

/** What may be written into the timeline. */
export interface Timeline {
  /** Something happened. `watched`: with a row for each verifier, which {@link mark} fills. */
  say(text: string, watched?: boolean): number
  mark(id: number, api: ApiName, moment: Moment): void
}

const most = 50

/** Creates the timeline. */
export function useTimeline(): readonly [readonly Entry[], Timeline] {
  const [entries, setEntries] = useState<readonly Entry[]>([])
  const timeline = useMemo<Timeline>(() => {
    let last = 0
    return {
      say(text, watched = false) {
        const entry: Entry = { id: ++last, at: Date.now(), text, ...(watched && { rows: { a: [], b: [] } }) }
        setEntries((before) => [entry, ...before].slice(0, most))
        return entry.id
      },
      mark(id, api, moment) {
        setEntries((before) =>
          before.map((entry) =>
            entry.id === id && entry.rows !== undefined
              ? { ...entry, rows: { ...entry.rows, [api]: [...entry.rows[api], moment].slice(-20) } }
              : entry,
          ),
        )
      },
    }
  }, [])
  return [entries, timeline]
}
