// The small pieces of the screen.

import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'

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
export function Copy({ text }: { readonly text: string }) {
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

/** A card with a heading. `shape`: the half of the token that it is, or none. */
export function Card(props: {
  readonly title: string
  readonly sub?: string
  readonly shape?: 'left-half' | 'right-half'
  readonly children: ComponentChildren
}) {
  return (
    <section class={props.shape === undefined ? 'card' : `card ${props.shape}`} aria-label={props.title}>
      <h2>{props.title}</h2>
      {props.sub !== undefined && <p class="sub">{props.sub}</p>}
      {props.children}
    </section>
  )
}
