// What happened to an account, as its page lists it: newest first, a few in sight.

import { activityText, activityTexts } from '#messages'
import type { EventView } from '../views.ts'
import { type Look, When } from './frame.tsx'

const inSight = 5

/** The list. */
export function ActivityList({ look, events }: { readonly look: Look; readonly events: readonly EventView[] }) {
  const t = activityTexts(look.language)
  const items = (some: readonly EventView[]) => (
    <ul class="activity" aria-labelledby="activity">
      {some.map((one) => (
        <li key={`${one.type} ${one.timestamp}`}>
          <div>
            <b>{activityText(one, look.language)}</b>
            <span class="about">
              {one.device === null ? '' : `${one.device} · `}
              {typeof one.data.ip === 'string' ? `${one.data.ip} · ` : ''}
              <When at={one.timestamp} />
            </span>
          </div>
        </li>
      ))}
    </ul>
  )
  return (
    <section>
      <h2 id="activity">{t.title}</h2>
      <p class="hint">{t.about}</p>
      {events.length === 0 ? <p>{t.none}</p> : items(events.slice(0, inSight))}
      {events.length > inSight ? (
        <details>
          <summary>{t.more}</summary>
          {items(events.slice(inSight))}
        </details>
      ) : null}
    </section>
  )
}
