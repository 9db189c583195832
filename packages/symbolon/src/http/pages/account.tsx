// The account page: where one is signed in, as sentences, and signing out where it stands.

import type { SessionView } from '@symbolon/protocol'
import { accountTexts, pageTexts } from '#messages'
import type { EventView } from '../views.ts'
import { ActivityList } from './activity.tsx'
import { AddressSection } from './address.tsx'
import { type Look, Page, Token, When } from './frame.tsx'
import { type OwnPasskeys, PasskeyList } from './passkeys.tsx'

/** The account page. `now` in milliseconds since 1970. */
export function AccountPage(props: {
  readonly look: Look
  readonly email: string
  readonly sessions: readonly SessionView[]
  readonly formToken: string
  /** Null where there can be none. */
  readonly passkeys: OwnPasskeys | null
  readonly events: readonly EventView[]
  readonly now: number
}) {
  const { look, sessions, formToken } = props
  const t = pageTexts(look)
  const own = accountTexts(look)
  const action = `${look.mount}/account/sign-out`
  const others = sessions.some((session) => !session.current)
  return (
    <Page look={look} title={t.account} apart={false} wide={true} passkeys={props.passkeys !== null}>
      <h1>{t.account}</h1>
      <p class="lead who">{props.email}</p>
      <h2 id="devices">{t.devices}</h2>
      <ul class="devices" aria-labelledby="devices">
        {sessions.map((session) => (
          <li key={session.sid}>
            <div>
              <b>
                <span class={session.current ? 'dot' : 'dot open'} aria-hidden="true"></span>
                {session.device}
                {session.current ? ` · ${t.thisDevice}` : ''}
                {props.now - Date.parse(session.last_seen_at) < 120_000 ? ` · ${t.activeNow}` : ''}
              </b>
              <span class="about">
                {session.ip === null ? '' : `${session.ip} · `}
                {t.lastActive('').trim()} <When at={session.last_seen_at} /> · {t.since('').trim()} <When at={session.created_at} />
              </span>
            </div>
            <form method="post" action={action}>
              <Token value={formToken} />
              <input type="hidden" name="sid" value={session.sid} />
              <button class="outline" type="submit" aria-label={`${session.current ? t.signOutHere : t.signOut}: ${session.device}`}>
                {session.current ? t.signOutHere : t.signOut}
              </button>
            </form>
          </li>
        ))}
      </ul>
      {others ? (
        <details>
          <summary>{t.signOutOthers}</summary>
          <p>{t.signOutOthersSure}</p>
          <form method="post" action={action}>
            <Token value={formToken} />
            <input type="hidden" name="scope" value="others" />
            <button class="outline danger" type="submit">
              {t.yes}
            </button>
          </form>
        </details>
      ) : null}
      <AddressSection look={look} email={props.email} formToken={formToken} />
      {props.passkeys === null ? null : <PasskeyList look={look} email={props.email} own={props.passkeys} formToken={formToken} />}
      <ActivityList look={look} events={props.events} />
      <h2>{own.data}</h2>
      <p class="hint">{own.exportHint}</p>
      <p class="plain">
        <a href={`${look.mount}/account/export`}>{own.exportLink}</a>
      </p>
      <details>
        <summary>{own.remove}</summary>
        <p>{own.removeSure}</p>
        <form method="post" action={`${look.mount}/account/delete`}>
          <Token value={formToken} />
          <button class="outline danger" type="submit">
            {own.removeYes}
          </button>
        </form>
      </details>
    </Page>
  )
}

/** A sentence, and the way on. */
export function NoticePage(props: {
  readonly look: Look
  readonly title: string
  readonly text: string
  readonly href: string
  readonly link: string
}) {
  return (
    <Page look={props.look} title={props.title} apart={true}>
      <h1>{props.title}</h1>
      <p class="lead">{props.text}</p>
      <p class="plain">
        <a href={props.href}>{props.link}</a>
      </p>
    </Page>
  )
}
