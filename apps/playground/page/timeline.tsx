// The timeline: what happened, and, where verifiers were watched, when each of them decided otherwise. All rows share one
// axis, from a millisecond to ten seconds, so that a feed that flows and one that is cut can be compared.

import { Card } from './parts.tsx'
import { apiNames, type Entry, type Moment } from './state.ts'

const ticks = ['1 ms', '10 ms', '100 ms', '1 s', '10 s']
const placeOf = (ms: number): string => `${(Math.min(1, Math.max(0, Math.log10(ms) / (ticks.length - 1))) * 100).toFixed(1)}%`

function Row({ api, moments }: { readonly api: string; readonly moments: readonly Moment[] }) {
  const last = moments.at(-1)
  return (
    <div class="row">
      <b>{api.toUpperCase()}</b>
      <span class="track" aria-hidden="true">
        <i class="until" style={{ width: last === undefined ? '100%' : placeOf(last.ms) }}></i>
        {moments.map((moment) => (
          <i key={moment.ms} class={`m ${moment.kind}`} style={{ left: placeOf(moment.ms) }}></i>
        ))}
      </span>
      <span class="num">{last === undefined ? 'as before' : last.text}</span>
    </div>
  )
}

/** The card. */
export function TimelineCard({ entries }: { readonly entries: readonly Entry[] }) {
  return (
    <Card title="What happened, and how fast">
      <div class="row axis" aria-hidden="true">
        <b></b>
        <span class="ticks">
          {ticks.map((tick, i) => (
            <span key={tick} style={{ left: `${(i / (ticks.length - 1)) * 100}%` }}>
              {tick}
            </span>
          ))}
        </span>
        <span>since it was acknowledged</span>
      </div>
      <div class="scrolls">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and scrolling must work by keyboard. */}
        <ol class="timeline" tabIndex={0} aria-label="Timeline">
          {entries.map((entry) => (
            <li key={entry.id}>
              <time class="num">{new Date(entry.at).toLocaleTimeString()}</time> {entry.text}
              {entry.rows !== undefined && apiNames.map((api) => <Row key={api} api={api} moments={entry.rows?.[api] ?? []} />)}
            </li>
          ))}
        </ol>
      </div>
    </Card>
  )
}
