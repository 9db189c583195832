// The playground: both halves of one sign-in on one screen, three lanes between them, and below what makes a token die and
// how fast two verifiers know.

import { type Client, createClient } from '@symbolon/client'
import { render } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { ClientHalf, ServerHalf } from './halves.tsx'
import { Lanes, useCalls } from './lanes.tsx'
import { Mark } from './parts.tsx'
import { Revoking } from './revoking.tsx'
import { SignedOut } from './signed-out.tsx'
import { claimsOf } from './state.ts'
import { TimelineCard } from './timeline.tsx'
import { useActions } from './use-actions.ts'
import { useSignIn } from './use-sign-in.ts'
import { useStepUps } from './use-step-ups.ts'
import { useTimeline } from './use-timeline.ts'
import { useVerifiers } from './use-verifiers.ts'
import { VerifiersCard } from './verifiers.tsx'

function Playground({ client, issuer }: { readonly client: Client; readonly issuer: string }) {
  const [entries, timeline] = useTimeline()
  const { signedIn, token, record, look, signOut } = useSignIn(client, timeline)
  const actions = useActions(client, timeline, look)
  const verifiers = useVerifiers(client, timeline, signedIn === true, look)
  const { calls, call, checks, lookups } = useCalls(client, timeline)
  const stepUps = useStepUps(client, timeline)
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500)
    return () => clearInterval(timer)
  }, [])

  if (signedIn === undefined) return <main class="hero" aria-busy="true"></main>
  if (!signedIn || token === null) return <SignedOut issuer={issuer} actions={actions} entries={entries} now={now} />
  return (
    <div class="page">
      <header>
        <Mark apart={false} />
        <h1>Symbolon playground</h1>
        <p>One sign-in, two halves, two verifiers. A development tool: it listens on this machine only.</p>
        <button type="button" onClick={() => void signOut()}>
          Sign out
        </button>
      </header>
      <main class="cards">
        <ServerHalf
          record={record}
          sid={claimsOf(token).sid}
          now={now}
          busy={actions.busy}
          onRefresh={() => void look().then(() => timeline.say('the record was read again'))}
          onEnd={(sid) => void actions.act('sign-out', { sid })}
        />
        <Lanes calls={calls} onCall={(level) => void call(level)} stepUps={stepUps} />
        <ClientHalf token={token} now={now} checks={checks} lookups={lookups} />
        <Revoking actions={actions} />
        <TimelineCard entries={entries} />
        <VerifiersCard verifiers={verifiers} />
      </main>
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
