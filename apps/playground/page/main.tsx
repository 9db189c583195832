// The playground: both halves of one sign-in on one screen, and three lanes between them.

import { type Client, createClient } from '@symbolon/client'
import { render } from 'preact'
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { Control, Half, Lane, Mark, Ring } from './parts.tsx'
import { type Call, claimsOf, type Line, type RecordAnswer } from './state.ts'

type Level = 'public' | 'token' | 'session'

const routes: Readonly<
  Record<Level, { readonly method: string; readonly path: string; readonly label: string; readonly does: string; readonly code: string }>
> = {
  public: {
    method: 'GET',
    path: '/api/public',
    label: 'GET /public',
    does: 'Consults nothing: anybody may see it.',
    code: "app.get('/public', guard('public'), handler)",
  },
  token: {
    method: 'GET',
    path: '/api/feed',
    label: 'GET /feed',
    does: 'Decided locally from the access token: no look-up.',
    code: "app.get('/feed', guard('token'), handler)",
  },
  session: {
    method: 'POST',
    path: '/api/transfers',
    label: 'POST /transfers',
    does: 'Asks for the session record, in real time.',
    code: "app.post('/transfers', guard('session'), handler)",
  },
}

const days = (ms: number) =>
  ms > 172_800_000
    ? `${Math.round(ms / 86_400_000)} d`
    : ms > 7_200_000
      ? `${Math.round(ms / 3_600_000)} h`
      : `${Math.max(0, Math.round(ms / 60_000))} min`

function SignedOut({ issuer }: { readonly issuer: string }) {
  return (
    <main class="hero">
      <Mark apart={true} />
      <h2>Session truth at token speed</h2>
      <p>
        The server keeps one half of your sign-in, a session record; your browser holds the other, a token. Sign in and watch them work as
        one. Any e-mail address will do: in development the code appears in the{' '}
        <a href={`${issuer}/dev/mailbox`} target="_blank" rel="noreferrer">
          mailbox
        </a>
        .
      </p>
      <a class="primary" href={`${issuer}/login?return_to=${encodeURIComponent(`${location.origin}/`)}`}>
        Sign in
      </a>
    </main>
  )
}

function Playground({ client, issuer }: { readonly client: Client; readonly issuer: string }) {
  const [signedIn, setSignedIn] = useState<boolean | undefined>(undefined)
  const [token, setToken] = useState<string | null>(null)
  const [record, setRecord] = useState<RecordAnswer | null>(null)
  const [calls, setCalls] = useState<Readonly<Record<Level, readonly Call[]>>>({ public: [], token: [], session: [] })
  const [lines, setLines] = useState<readonly Line[]>([])
  const [now, setNow] = useState(Date.now())
  const held = useRef<string | null>(null)

  const say = useCallback((text: string) => setLines((before) => [{ at: Date.now(), text }, ...before].slice(0, 50)), [])
  const look = useCallback(async () => {
    try {
      const fresh = await client.getToken()
      if (held.current !== fresh) {
        say(
          held.current === null ? 'signed in: a token was minted from the session' : 'a new token was minted; the session was asked first',
        )
        held.current = fresh
      }
      setToken(fresh)
      setSignedIn(true)
      const answer = await client.fetch('/play/record')
      if (answer.ok) setRecord((await answer.json()) as RecordAnswer)
    } catch {
      const session = await client.session().catch(() => undefined)
      if (session === null) setSignedIn(false)
    }
  }, [client, say])

  useEffect(() => {
    void look()
    const ends = [
      client.onChange((state) => {
        if (state.signedIn) return void look()
        if (state.sid === null) {
          held.current = null
          setToken(null)
          setRecord(null)
          setSignedIn(false)
        }
      }),
    ]
    const timer = setInterval(() => setNow(Date.now()), 500)
    return () => {
      clearInterval(timer)
      for (const end of ends) end()
    }
  }, [client, look])

  const call = async (level: Level) => {
    const { method, path } = routes[level]
    let done: Call
    try {
      const answer = await client.fetch(path, { method })
      const us = Number(/dur=([\d.]+)/.exec(answer.headers.get('server-timing') ?? '')?.[1] ?? 0) * 1000
      const body = (await answer.json()) as { checked?: 'local' | 'live'; code?: string; title?: string }
      done = answer.ok
        ? {
            kind: body.checked ?? 'open',
            us,
            note:
              body.checked === undefined
                ? 'answered without asking'
                : body.checked === 'local'
                  ? 'decided locally'
                  : 'decided by the live session',
          }
        : { kind: 'refused', us, note: `refused: ${body.code ?? answer.status}` }
      if (!answer.ok) say(`${routes[level].label} was refused: ${body.code ?? answer.status}`)
    } catch {
      done = { kind: 'refused', us: 0, note: 'not answered; try again' }
    }
    setCalls((before) => ({ ...before, [level]: [...before[level], done].slice(-200) }))
  }
  const act = async (path: string, method: string, text: string) => {
    const began = performance.now()
    const answer = await client.fetch(path, { method }).catch(() => undefined)
    say(
      answer?.ok === true
        ? `${text} (${Math.round(performance.now() - began)} ms)`
        : `That was refused (${answer?.status ?? 'no answer'}).`,
    )
    await look()
  }

  if (signedIn === undefined) return <main class="hero" aria-busy="true"></main>
  if (!signedIn || token === null) return <SignedOut issuer={issuer} />

  const claims = claimsOf(token)
  const left = Math.max(0, Math.round(Number(claims.exp) - now / 1000))
  const own = record?.sessions.find((session) => session.sid === claims.sid)
  const others = record?.sessions.filter((session) => session.sid !== claims.sid) ?? []
  const checks = calls.token.length + calls.session.length
  const lookups = calls.session.length
  return (
    <div class="page">
      <header>
        <Mark apart={false} />
        <h1>Symbolon playground</h1>
        <p>One sign-in, two halves: the session record on the server, the access token here.</p>
        <button
          type="button"
          onClick={async () => {
            await client.signOut().catch(() => {})
            setSignedIn(false)
          }}
        >
          Sign out
        </button>
      </header>
      <main class="halves">
        <Half side="left" title="The server's half" sub="The session record: the truth, revocable at once.">
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
          ) : null}
          <ul class="devices">
            {others.map((session) => (
              <li key={session.sid}>
                {session.device}, {new Date(session.created_at).toLocaleTimeString()}
                <button
                  type="button"
                  class="small"
                  onClick={() => act(`/play/sessions/${session.sid}`, 'DELETE', `the session on ${session.device} was ended`)}
                >
                  sign out
                </button>
              </li>
            ))}
          </ul>
        </Half>
        <div class="lanes">
          {(Object.keys(routes) as Level[]).map((level) => (
            <Lane
              key={level}
              level={level}
              label={routes[level].label}
              does={routes[level].does}
              code={routes[level].code}
              calls={calls[level]}
              onCall={() => call(level)}
            />
          ))}
          <div class="legend" aria-hidden="true">
            <span>
              <i class="m live"></i>live
            </span>
            <span>
              <i class="m local"></i>local
            </span>
            <span>
              <i class="m refused"></i>refused
            </span>
          </div>
          <div class="controls">
            <Control
              label="Refresh"
              does="Read the record again; mint if it is time."
              onClick={() => void look().then(() => say('the record was read again'))}
            />
            <Control
              label="Change role"
              does="Add or take the role “editor”: the epoch grows, and live checks refuse older tokens."
              onClick={() => act('/play/role', 'PUT', 'the role was changed; the epoch grew')}
            />
          </div>
        </div>
        <Half side="right" title="The client's half" sub="The access token: minutes long, checked without asking.">
          <div>
            <span class="big" role="timer">
              {Math.floor(left / 60)}:{String(left % 60).padStart(2, '0')}
            </span>{' '}
            <span class="sub">until it expires</span>
          </div>
          <dl>
            {Object.entries(claims).map(([name, value]) => (
              <>
                <dt>{name}</dt>
                <dd>{Array.isArray(value) ? value.join(', ') : String(value)}</dd>
              </>
            ))}
          </dl>
          <p class="sub">
            It served <b class="num">{checks}</b> checks; <b class="num">{lookups}</b> of them asked the server.
          </p>
        </Half>
      </main>
      <section class="card" aria-label="What happened">
        <h2>What happened</h2>
        <p class="sub">
          This API runs in another process and follows the revocation feed: a sign-out or a change of roles reaches its token lane in
          milliseconds; its session lane asks the record every time.
        </p>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and scrolling must work by keyboard. */}
        <ol class="timeline" tabIndex={0} aria-label="Timeline">
          {lines.map((line) => (
            <li key={`${line.at}${line.text}`}>
              <time class="num">{new Date(line.at).toLocaleTimeString()}</time>
              {line.text}
            </li>
          ))}
        </ol>
      </section>
    </div>
  )
}

function Root() {
  const [issuer, setIssuer] = useState<string | null>(null)
  useEffect(() => {
    void fetch('/play/config')
      .then((answer) => answer.json())
      .then((config: { issuer: string }) => setIssuer(config.issuer))
  }, [])
  const client = useMemo(() => (issuer === null ? null : createClient({ issuer })), [issuer])
  return client === null || issuer === null ? null : <Playground client={client} issuer={issuer} />
}

const root = document.getElementById('app')
if (root !== null) render(<Root />, root)
