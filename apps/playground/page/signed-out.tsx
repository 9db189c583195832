// The page without a session: what this is, the way in, and what the last action came to, if one ended the session.

import { Mark } from './parts.tsx'
import type { Entry } from './state.ts'
import { TimelineCard } from './timeline.tsx'
import type { Actions } from './use-actions.ts'

/** The page. */
export function SignedOut(props: {
  readonly issuer: string
  readonly actions: Actions
  readonly entries: readonly Entry[]
  readonly now: number
}) {
  const { issuer, actions, entries } = props
  const { kept } = actions
  return (
    <main class="hero">
      <Mark apart={true} />
      <h1>Session truth at token speed</h1>
      <p>
        The server keeps one half of your sign-in, a session record; your browser holds the other, a token. Sign in and watch them work as
        one. Any e-mail address will do: in development the code appears in the{' '}
        <a href={`${issuer}/dev/mailbox`} target="_blank" rel="noreferrer">
          mailbox
        </a>
        .
      </p>
      <div class="ways">
        <a class="primary" href={`${issuer}/login?return_to=${encodeURIComponent(`${location.origin}/`)}`}>
          Sign in
        </a>
        {kept !== null && (
          <button type="button" onClick={() => void actions.undo()}>
            Enable the user again <span class="num">({Math.max(0, Math.ceil((kept.until - props.now) / 1000))} s)</span>
          </button>
        )}
      </div>
      <p class="outcome" role="status">
        {actions.outcome}
      </p>
      {entries.length > 0 && <TimelineCard entries={entries} />}
    </main>
  )
}
