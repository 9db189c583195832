// The actions, as the page does them: one at a time, told line by line while the verifiers are watched.

import type { Client } from '@symbolon/client'
import { useCallback, useRef, useState } from 'preact/hooks'
import { type ApiName, inMs } from './state.ts'
import type { Timeline } from './use-timeline.ts'

/** What can be done; the paths of `/play/actions/`. */
export type Action = 'sign-out' | 'role' | 'disable' | 'key'

/** A line of an action's answer. */
type Told =
  | {
      readonly event: 'acknowledged'
      readonly text: string
      readonly watched: boolean
      readonly undo?: { readonly id: string; readonly withinMs: number }
    }
  | { readonly event: 'refused'; readonly api: ApiName; readonly ms: number; readonly code: string; readonly before: boolean }
  | { readonly event: 'end'; readonly within: number }

/** What can be taken back, until when (of `Date.now()`). */
export interface Kept {
  readonly id: string
  readonly until: number
}

/** The actions of a page. */
export interface Actions {
  readonly busy: boolean
  /** What the last one came to, in a sentence. */
  readonly outcome: string
  readonly kept: Kept | null
  act(action: Action, body?: object): Promise<void>
  undo(): Promise<void>
}

/** Reads lines of JSON as they come. */
async function* linesOf(response: Response): AsyncGenerator<Told> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  for (let text = ''; reader !== undefined; ) {
    const { done, value } = await reader.read()
    if (done) return
    const lines = (text + value).split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) yield JSON.parse(line) as Told
  }
}

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

/** Creates them; `after` is called when one is over. */
export function useActions(client: Client, timeline: Timeline, after: () => Promise<void>): Actions {
  const [busy, setBusy] = useState(false)
  const under = useRef(false)
  const [outcome, setOutcome] = useState('')
  const [kept, setKept] = useState<Kept | null>(null)

  const follow = useCallback(
    async (answer: Response) => {
      let [entry, done, watched] = [0, '', false]
      const seen: string[] = []
      for await (const told of linesOf(answer)) {
        if (told.event === 'acknowledged') {
          done = told.text
          watched = told.watched
          entry = timeline.say(watched ? done : `${done}; no token of it was seen here, so there is none to watch`, watched)
          setOutcome(`${sentence(done)}.`)
          if (told.undo !== undefined) setKept({ id: told.undo.id, until: Date.now() + told.undo.withinMs })
        } else if (told.event === 'refused') {
          const text = told.before ? `refused it before: ${told.code}` : `${inMs(told.ms)} · ${told.code}`
          timeline.mark(entry, told.api, { ms: told.ms, kind: 'refused', text })
          seen.push(
            `${told.api.toUpperCase()} ${told.before ? 'refused the old token before' : `stopped accepting after ${inMs(told.ms)}`}`,
          )
          setOutcome(`${sentence(done)}: ${seen.join(', ')}.`)
        } else if (watched && seen.length < 2) setOutcome(`${sentence(done)}. Not every verifier refused within ${told.within / 1000} s.`)
      }
    },
    [timeline],
  )

  return {
    busy,
    outcome,
    kept: kept !== null && kept.until > Date.now() ? kept : null,
    async act(action, body = {}) {
      // A button that is only said to be disabled keeps the keyboard's focus.
      if (under.current) return
      under.current = true
      setBusy(true)
      try {
        const answer = await client.fetch(`/play/actions/${action}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
        if (answer.ok) await follow(answer)
        else {
          const { code, detail } = (await answer.json()) as { code?: string; detail?: string }
          setOutcome(detail ?? `That was refused: ${code ?? answer.status}.`)
        }
      } catch {
        setOutcome('That was not answered; try again.')
      }
      await after()
      under.current = false
      setBusy(false)
    },
    async undo() {
      const answer = await fetch('/play/undo', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id: kept?.id }),
      }).catch(() => undefined)
      setKept(null)
      const text = answer?.ok === true ? 'the user was enabled again' : 'the user had been enabled already'
      timeline.say(text)
      setOutcome(`${sentence(text)}: sign in.`)
    },
  }
}
