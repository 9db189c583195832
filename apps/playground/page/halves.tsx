// Both halves of one sign-in: the session's record, which the server keeps, and the access token, which this page holds.

import { Fragment } from 'preact'
import { Card, Ring } from './parts.tsx'
import { claimsOf, type RecordAnswer } from './state.ts'

const days = (ms: number) =>
  ms > 172_800_000
    ? `${Math.round(ms / 86_400_000)} d`
    : ms > 7_200_000
      ? `${Math.round(ms / 3_600_000)} h`
      : `${Math.max(0, Math.round(ms / 60_000))} min`

/** The server's half, and the user's other sessions. */
export function ServerHalf(props: {
  readonly record: RecordAnswer | null
  readonly sid: unknown
  readonly now: number
  readonly busy: boolean
  readonly onRefresh: () => void
  readonly onEnd: (sid: string) => void
}) {
  const { record, now } = props
  const own = record?.sessions.find((session) => session.sid === props.sid)
  const others = record?.sessions.filter((session) => session.sid !== props.sid) ?? []
  return (
    <Card shape="left-half" title="The server's half" sub="The session record: the truth, revocable at once.">
      <button type="button" class="small refresh" onClick={props.onRefresh}>
        Refresh
      </button>
      {own === undefined ? (
        <p class="sub">The record is gone: this session was ended.</p>
      ) : (
        <>
          <div class="rings">
            <Ring
              label="idle"
              part={(Date.parse(own.idle_expires_at) - now) / (own.idle_seconds * 1000)}
              text={days(Date.parse(own.idle_expires_at) - now)}
            />
            <Ring
              label="absolute"
              part={(Date.parse(own.expires_at) - now) / (Date.parse(own.expires_at) - Date.parse(own.created_at))}
              text={days(Date.parse(own.expires_at) - now)}
            />
          </div>
          <dl>
            <dt>device</dt>
            <dd>{own.device}</dd>
            <dt>since</dt>
            <dd>{new Date(own.created_at).toLocaleTimeString()}</dd>
            <dt>sid</dt>
            <dd>{own.sid}</dd>
            <dt>generation</dt>
            <dd>{own.generation}</dd>
            <dt>acr</dt>
            <dd>{own.acr}</dd>
            <dt>amr</dt>
            <dd>
              {own.amr.join(', ')}, {new Date(own.auth_time).toLocaleTimeString()}
            </dd>
            <dt>roles</dt>
            <dd>{record?.user.roles.join(', ') || 'none'}</dd>
            <dt>epoch</dt>
            <dd>{record?.user.epoch}</dd>
          </dl>
        </>
      )}
      <h2>Your other browsers</h2>
      {others.length === 0 ? (
        <p class="sub">None. Open a private window, sign in with the same address, and end it from here.</p>
      ) : (
        <div class="scrolls">
          <ul class="devices">
            {others.map((session) => (
              <li key={session.sid}>
                {session.device}, {new Date(session.created_at).toLocaleTimeString()}
                <button
                  type="button"
                  class="small"
                  aria-disabled={props.busy}
                  aria-label={`Sign out ${session.device}, ${new Date(session.created_at).toLocaleTimeString()}`}
                  onClick={() => props.onEnd(session.sid)}
                >
                  sign out
                </button>
              </li>
            ))}
          </ul>
        </div>
      )}
    </Card>
  )
}

/** The client's half. */
export function ClientHalf(props: { readonly token: string; readonly now: number; readonly checks: number; readonly lookups: number }) {
  const claims = claimsOf(props.token)
  const left = Math.max(0, Math.round(Number(claims.exp) - props.now / 1000))
  return (
    <Card shape="right-half" title="The client's half" sub="The access token: checked without asking.">
      <div>
        <span class="big" role="timer">
          {Math.floor(left / 60)}:{String(left % 60).padStart(2, '0')}
        </span>{' '}
        <span class="sub">until it expires</span>
      </div>
      <dl>
        {Object.entries(claims).map(([name, value]) => (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd>{Array.isArray(value) ? value.join(', ') : String(value)}</dd>
          </Fragment>
        ))}
      </dl>
      <p class="sub">
        It served <b class="num">{props.checks}</b> checks; <b class="num">{props.lookups}</b> of them asked the server.
      </p>
    </Card>
  )
}
