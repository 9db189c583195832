// What makes tokens die, each button with what it does; and what the last one came to.

import { Card } from './parts.tsx'
import type { Action, Actions } from './use-actions.ts'

const choices: readonly { readonly action: Action; readonly label: string; readonly does: string }[] = [
  { action: 'sign-out', label: 'Sign out that browser', does: 'Ends your newest other session, or this one.' },
  { action: 'role', label: 'Change role', does: '“editor” comes or goes: the epoch grows.' },
  { action: 'disable', label: 'Disable user', does: 'Ends all your sessions; undone in 10 s.' },
  { action: 'key', label: 'Revoke key', does: 'All its tokens die; the next key signs.' },
]

/** The card. */
export function Revoking({ actions }: { readonly actions: Actions }) {
  return (
    <Card title="Make a token die">
      <ul class="choices">
        {choices.map(({ action, label, does }) => (
          <li key={action}>
            <button type="button" aria-disabled={actions.busy} aria-describedby={`does-${action}`} onClick={() => actions.act(action)}>
              {label}
            </button>
            <small id={`does-${action}`}>{does}</small>
          </li>
        ))}
      </ul>
      <p class="outcome" role="status">
        {actions.outcome}
      </p>
    </Card>
  )
}
