// How old the verifiers' knowledge is, and, while the feed is cut, how they answer: the page calls the token route of both
// again and again, with the token it holds.

import type { Client } from '@symbolon/client'
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { type ApiName, apiNames, type Decision, inMs, pause } from './state.ts'
import type { Timeline } from './use-timeline.ts'

/** What lies between the APIs and the service. */
export type Cut = 'none' | 'feed' | 'feed_and_introspection'

/** One look at a verifier, the `n`th. Times of `performance.now()`; staleness in milliseconds, null when nothing is known. */
export interface Sample {
  readonly n: number
  readonly at: number
  readonly staleness: number | null
  /** How its token route answered, when it was called. */
  readonly kind?: Decision
}

/** A verifier as it was in the last while. */
export interface VerifierState {
  readonly samples: readonly Sample[]
  /** What it does now, in words. */
  readonly does: string
  readonly kind: Decision
}

/** Both, and the switch. */
export interface Verifiers {
  readonly cut: Cut
  readonly states: Readonly<Record<ApiName, VerifierState>>
  turn(cut: Cut): Promise<void>
}

/** The route's bound, and what the chart shows, in milliseconds. */
export const bound = 5000
export const span = 20_000

const start: VerifierState = { samples: [], does: 'is asked how it is', kind: 'open' }
const turnedTo: Readonly<Record<Cut, string>> = {
  none: 'everything is connected again',
  feed: 'the feed was cut',
  feed_and_introspection: 'the feed and introspection were cut',
}
const does = (kind: Decision, code: string): string => (kind === 'local' ? 'decides locally' : kind === 'live' ? 'asks live' : code)

interface Answer {
  readonly at: number
  readonly kind: Decision
  readonly code: string
}

/** Calls a token route. */
async function probe(client: Client, api: ApiName): Promise<Answer | undefined> {
  try {
    const answer = await client.fetch(`/api/${api}/feed`)
    const at = performance.now()
    const body = (await answer.json()) as { checked?: 'local' | 'live'; code?: string }
    // A process that is being started again refuses nothing.
    if (body.code === 'try_later') return undefined
    return answer.ok ? { at, kind: body.checked ?? 'open', code: '' } : { at, kind: 'refused', code: body.code ?? String(answer.status) }
  } catch {
    return undefined
  }
}

/** Watches them for as long as `active`; calls `acted` when somebody, in whichever browser, made tokens die. */
export function useVerifiers(client: Client, timeline: Timeline, active: boolean, acted: () => Promise<void>): Verifiers {
  const [cut, setCut] = useState<Cut>('none')
  const [states, setStates] = useState<Readonly<Record<ApiName, VerifierState>>>({ a: start, b: start })
  /** The last turn of the switch: its entry in the timeline, when it was, and how each has decided since. */
  const turned = useRef<{ cut: Cut | undefined; entry: number; at: number; last: Record<ApiName, Decision> }>({
    cut: undefined,
    entry: 0,
    at: Number.NEGATIVE_INFINITY,
    last: { a: 'local', b: 'local' },
  })

  const actions = useRef<number | undefined>(undefined)

  const become = useCallback(
    (next: Cut) => {
      const before = turned.current
      // What it was when the page came is nothing that happened.
      const entry = before.cut === undefined ? 0 : timeline.say(turnedTo[next], true)
      turned.current = { cut: next, entry, at: performance.now(), last: before.last }
      setCut(next)
    },
    [timeline],
  )

  useEffect(() => {
    if (!active) return
    let over = false
    let looks = 0
    // For who wants no motion, the chart moves once a second.
    const pace = matchMedia('(prefers-reduced-motion: reduce)').matches ? 1000 : 250
    const look = async () => {
      const began = performance.now()
      const answer = await fetch('/play/verifiers', { cache: 'no-store' })
      const told = (await answer.json()) as { cut: Cut; acted: number; verifiers: { api: ApiName; stalenessMs?: number | null }[] }
      if (over || began < turned.current.at) return
      if (actions.current !== undefined && actions.current !== told.acted) void acted()
      actions.current = told.acted
      // Turned in another tab, or back by itself.
      if (told.cut !== turned.current.cut) become(told.cut)
      const { last } = turned.current
      const probing = told.cut !== 'none' || apiNames.some((api) => last[api] !== 'local')
      const answers = await Promise.all(apiNames.map((api) => (probing ? probe(client, api) : undefined)))
      const at = performance.now()
      const n = looks++
      for (const [i, api] of apiNames.entries()) {
        const answered = answers[i]
        if (answered !== undefined && answered.kind !== last[api]) {
          last[api] = answered.kind
          const ms = answered.at - turned.current.at
          if (ms >= 0)
            timeline.mark(turned.current.entry, api, {
              ms,
              kind: answered.kind,
              text: `${inMs(ms)} · ${does(answered.kind, answered.code)}`,
            })
        }
        const view = told.verifiers.find((one) => one.api === api)
        const staleness = view?.stalenessMs ?? null
        const kind = answered?.kind ?? (staleness !== null && staleness <= bound ? 'local' : 'open')
        const says = kind === 'refused' ? `refuses: ${answered?.code}` : kind === 'open' ? 'cannot decide locally' : does(kind, '')
        setStates((before) => ({
          ...before,
          [api]: {
            kind,
            does: view?.stalenessMs === undefined ? 'does not run; it is being started' : says,
            samples: [...before[api].samples, { n, at, staleness, ...(answered !== undefined && { kind }) }].filter(
              (one) => at - one.at < span,
            ),
          },
        }))
      }
    }
    const run = async () => {
      while (!over) {
        await look().catch(() => {})
        await pause(pace)
      }
    }
    void run()
    return () => {
      over = true
    }
  }, [client, timeline, active, become, acted])

  return {
    cut,
    states,
    async turn(next) {
      const answer = await client
        .fetch('/play/cut', { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ cut: next }) })
        .catch(() => undefined)
      if (answer?.ok === true) become(next)
      else timeline.say(`the switch was not turned (${answer?.status ?? 'no answer'})`)
    },
  }
}
