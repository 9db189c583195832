// The pieces of the screen.

import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { type Call, median } from './state.ts'

/** The mark; apart without a session. */
export function Mark({ apart }: { readonly apart: boolean }) {
  return (
    <svg class={apart ? 'mark apart' : 'mark'} viewBox="0 0 44 44" aria-hidden="true">
      <path class="left" d="M22 3A19 19 0 0 0 22 41L19 33L24 26L18 19L23 11Z" />
      <path class="right" d="M22 3A19 19 0 0 1 22 41L19 33L24 26L18 19L23 11Z" />
    </svg>
  )
}

/** A limit as a ring: what is left of it. */
export function Ring({ label, part, text }: { readonly label: string; readonly part: number; readonly text: string }) {
  const round = 2 * Math.PI * 18
  return (
    <div class="ring">
      <svg viewBox="0 0 44 44" aria-hidden="true">
        <circle class="track" cx="22" cy="22" r="18" />
        <circle
          class="left-over"
          cx="22"
          cy="22"
          r="18"
          stroke-dasharray={`${round * Math.max(0, Math.min(1, part))} ${round}`}
          transform="rotate(-90 22 22)"
        />
      </svg>
      <span>
        {label}
        <br />
        <span class="num">{text}</span>
      </span>
    </div>
  )
}

/** Copies a line of code. */
function Copy({ text }: { readonly text: string }) {
  const [done, setDone] = useState(false)
  const copy = async () => {
    await navigator.clipboard?.writeText(text).catch(() => {})
    setDone(true)
    setTimeout(() => setDone(false), 1500)
  }
  return (
    <button type="button" class="small" onClick={copy} aria-label={`Copy ${text}`}>
      {done ? 'copied' : 'copy'}
    </button>
  )
}

/** One level: its button, its last answers, its line of code. */
export function Lane(props: {
  readonly level: string
  readonly label: string
  readonly does: string
  readonly code: string
  readonly calls: readonly Call[]
  readonly onCall: () => void
}) {
  const { calls } = props
  const last = calls.at(-1)
  return (
    <section class="lane" aria-label={`level ${props.level}`}>
      <button type="button" onClick={props.onCall}>
        {props.label}
      </button>
      <span class="marks" aria-hidden="true">
        {calls.slice(-24).map((call, i) => (
          <span key={i} class={`m ${call.kind}`} title={call.note}></span>
        ))}
      </span>
      <span class="num">{median(calls)}</span>
      <span class="does" role="status">
        {last === undefined ? props.does : `${last.note} · ${Math.round(last.us)} µs in the guard`}
      </span>
      <span class="code">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and scrolling must work by keyboard. */}
        <code tabIndex={0}>{props.code}</code>
        <Copy text={props.code} />
      </span>
    </section>
  )
}

/** A control that says what it does. */
export function Control({ label, does, onClick }: { readonly label: string; readonly does: string; readonly onClick: () => void }) {
  return (
    <div class="control">
      <button type="button" onClick={onClick}>
        {label}
      </button>
      <small>{does}</small>
    </div>
  )
}

/** A card of one half. */
export function Half({
  side,
  title,
  sub,
  children,
}: {
  readonly side: 'left' | 'right'
  readonly title: string
  readonly sub: string
  readonly children: ComponentChildren
}) {
  return (
    <section class={`card ${side}-half`} aria-label={title}>
      <h2>{title}</h2>
      <p class="sub">{sub}</p>
      {children}
    </section>
  )
}
