// Three lanes, one for each level: a call, its last answers, what it cost, and the line of code that protects it.

import type { Client } from '@symbolon/client'
import type { ComponentChildren } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { Copy } from './parts.tsx'
import { type Call, type Decision, median } from './state.ts'
import { type Ask, asks, type StepUps } from './use-step-ups.ts'
import type { Timeline } from './use-timeline.ts'

const levels = ['public', 'token', 'session'] as const
type Level = (typeof levels)[number]

interface Route {
  readonly method: string
  readonly path: string
  readonly does: string
  readonly code: string
}

const routes: Readonly<Record<Level, Route>> = {
  public: {
    method: 'GET',
    path: '/public',
    does: 'Consults nothing: anybody may see it.',
    code: "app.get('/public', guard('public'), handler)",
  },
  token: {
    method: 'GET',
    path: '/feed',
    does: 'Decided locally from the access token: no look-up.',
    code: "app.get('/feed', guard('token', { maxStaleness: '5s' }), handler)",
  },
  session: {
    method: 'POST',
    path: '/transfers',
    does: 'Asks for the session record, in real time.',
    code: "app.post('/transfers', guard('session'), handler)",
  },
}
const how: Readonly<Record<Exclude<Decision, 'refused'>, string>> = {
  open: 'answered without asking',
  local: 'decided locally',
  live: 'decided by the live session',
}

/** The calls made so far, and the way to make one. */
export function useCalls(client: Client, timeline: Timeline) {
  const [calls, setCalls] = useState<Readonly<Record<Level, readonly Call[]>>>({ public: [], token: [], session: [] })
  const turns = useRef(0)
  const call = async (level: Level) => {
    const { method, path } = routes[level]
    // Both APIs take turns: they are two processes behind one name.
    const api = turns.current++ % 2 === 0 ? 'a' : 'b'
    let done: Call
    try {
      const answer = await client.fetch(`/api/${api}${path}`, { method })
      const us = Number(/dur=([\d.]+)/.exec(answer.headers.get('server-timing') ?? '')?.[1] ?? 0) * 1000
      const body = (await answer.json()) as { checked?: 'local' | 'live'; code?: string }
      const kind = answer.ok ? (body.checked ?? 'open') : 'refused'
      const note = kind === 'refused' ? `refused: ${body.code ?? answer.status}` : how[kind]
      done = { kind, us, note: `API ${api.toUpperCase()}: ${note}` }
      if (kind === 'refused') timeline.say(`${method} ${path} was ${note}`)
    } catch {
      done = { kind: 'refused', us: 0, note: 'not answered; try again' }
    }
    setCalls((before) => ({ ...before, [level]: [...before[level], done].slice(-200) }))
  }
  const asked = [...calls.token, ...calls.session]
  return { calls, call, checks: asked.length, lookups: asked.filter(({ kind }) => kind !== 'local').length }
}

function Lane(props: {
  readonly level: Level
  readonly calls: readonly Call[]
  readonly onCall: () => void
  /** In place of what the last call came to, and of the line of code. */
  readonly told?: { readonly note: string; readonly code: string } | null
  readonly children?: ComponentChildren
}) {
  const { calls, told = null } = props
  const { method, path, does } = routes[props.level]
  const code = told?.code ?? routes[props.level].code
  const last = calls.at(-1)
  return (
    <section class="lane" aria-label={`level ${props.level}`}>
      <button type="button" onClick={props.onCall}>
        {method} {path}
      </button>
      <span class="marks" aria-hidden="true">
        {calls.slice(-16).map((call, i) => (
          <span key={i} class={`m ${call.kind}`} title={call.note}></span>
        ))}
      </span>
      <span class="num">{median(calls)}</span>
      <span class="does" role="status">
        {told !== null ? told.note : last === undefined ? does : `${last.note} · ${Math.round(last.us)} µs in the guard`}
      </span>
      <span class="code">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and scrolling must work by keyboard. */}
        <code tabIndex={0}>{code}</code>
        <Copy text={code} />
      </span>
      {props.children}
    </section>
  )
}

/** The lanes. */
export function Lanes(props: {
  readonly calls: Readonly<Record<Level, readonly Call[]>>
  readonly onCall: (level: Level) => void
  readonly stepUps: StepUps
}) {
  const { last, call, clear } = props.stepUps
  return (
    <div class="lanes">
      {levels.map((level) => (
        <Lane
          key={level}
          level={level}
          calls={props.calls[level]}
          onCall={() => {
            if (level === 'session') clear()
            props.onCall(level)
          }}
          told={level === 'session' && last !== null ? { note: last.note, code: asks[last.ask].code } : null}
        >
          {level === 'session' && (
            <span class="more">
              asking for:
              {(Object.keys(asks) as Ask[]).map((ask) => (
                <button key={ask} type="button" class="small" title={asks[ask].does} onClick={() => void call(ask)}>
                  {asks[ask].label}
                </button>
              ))}
            </span>
          )}
        </Lane>
      ))}
      <div class="legend" aria-hidden="true">
        <span>
          <i class="m live"></i>asked live
        </span>
        <span>
          <i class="m local"></i>decided locally
        </span>
        <span>
          <i class="m refused"></i>refused
        </span>
      </div>
    </div>
  )
}
