// Two verifiers and the switch between them and the service: how old the knowledge of each is, drawn against the route's
// bound, and how its token route answers meanwhile.

import { Card } from './parts.tsx'
import { apiNames } from './state.ts'
import { bound, type Cut, span, type VerifierState, type Verifiers } from './use-verifiers.ts'

const positions: readonly { readonly cut: Cut; readonly label: string }[] = [
  { cut: 'none', label: 'connected' },
  { cut: 'feed', label: 'feed cut' },
  { cut: 'feed_and_introspection', label: 'introspection cut too' },
]
/** The chart's top, in milliseconds. */
const top = 10_000

function Chart({ state, now }: { readonly state: VerifierState; readonly now: number }) {
  const x = (at: number) => 100 - ((now - at) / span) * 100
  const points = state.samples.map(
    ({ at, staleness }) => `${x(at).toFixed(2)},${(40 - (Math.min(staleness ?? top, top) / top) * 40).toFixed(2)}`,
  )
  // One mark for two answers, so that they stand apart: always the same ones, so that none flickers.
  const answers = state.samples.filter(({ kind, n }) => kind !== undefined && n % 2 === 0)
  return (
    <div class="chart" aria-hidden="true">
      <svg viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden="true">
        <line class="bound" x1="0" x2="100" y1={40 - (bound / top) * 40} y2={40 - (bound / top) * 40} />
        {points.length > 1 && <polyline class="age" points={points.join(' ')} />}
      </svg>
      <span class="bound-says">{bound / 1000} s</span>
      <span class="answers">
        {answers.map(({ at, kind }) => (
          <i key={at} class={`m ${kind}`} style={{ left: `${x(at).toFixed(2)}%` }}></i>
        ))}
      </span>
    </div>
  )
}

/** The card. */
export function VerifiersCard({ verifiers }: { readonly verifiers: Verifiers }) {
  return (
    <Card title="Two verifiers follow the feed">
      <fieldset class="switch">
        <legend>Between them and the service</legend>
        {positions.map(({ cut, label }) => (
          <label key={cut}>
            <input type="radio" name="cut" checked={verifiers.cut === cut} onChange={() => void verifiers.turn(cut)} />
            <span>{label}</span>
          </label>
        ))}
      </fieldset>
      {apiNames.map((api) => {
        const state = verifiers.states[api]
        const last = state.samples.at(-1)
        return (
          <section key={api} class="verifier" aria-label={`verifier ${api.toUpperCase()}`}>
            <b>{api.toUpperCase()}</b>
            <span class="says" role="status">
              <i class={`m ${state.kind}`} aria-hidden="true"></i>
              {state.does}
            </span>
            <span class="num stale">
              {last === undefined || last.staleness === null ? '–' : `${(last.staleness / 1000).toFixed(1)} s old`}
            </span>
            <Chart state={state} now={last?.at ?? 0} />
          </section>
        )
      })}
    </Card>
  )
}
