// Stepping up: what an API asks for (RFC 9470 §3), the way to the hosted page, and what is there when the person is back.
// What the page wants to go on with stays in this tab; nothing secret is kept.

import { routes } from '@symbolon/protocol'

/** What a step-up must reach. `maxAge` in seconds. */
export interface StepUpNeed {
  readonly acrValues?: readonly string[]
  readonly maxAge?: number
}

/** One act that the step-up is for; all of it is shown to the person. */
export interface StepUpAction {
  readonly type: string
  readonly text: string
  readonly parameters?: Readonly<Record<string, string>>
}

/** How the person comes back. */
export interface StepUpOptions {
  /** From the client's `returnTo`; this page unless said. */
  readonly returnTo?: string
  readonly action?: StepUpAction
  /** What to go on with, given back by `steppedUp`; JSON. */
  readonly resume?: unknown
}

/** What is there after a step-up. `confirmation`: for whoever carries out the act, once. */
export interface SteppedUp {
  readonly resume: unknown
  readonly confirmation: string | null
}

const kept = 'symbolon step-up'

/** What an answer asks for; `undefined` when it asks for no step-up. */
export function stepUpNeed(response: Response): StepUpNeed | undefined {
  const challenge = response.headers.get('www-authenticate') ?? ''
  if (response.status !== 401 || !challenge.includes('"insufficient_user_authentication"')) return undefined
  const acr = /\bacr_values="([^"]*)"/.exec(challenge)?.[1]
  const age = /\bmax_age="(\d+)"/.exec(challenge)?.[1]
  return { ...(acr && { acrValues: acr.split(' ') }), ...(age && { maxAge: Number(age) }) }
}

/** Leaves for the hosted page. */
export function leaveToStepUp(issuer: string, { acrValues = [], maxAge }: StepUpNeed, options: StepUpOptions): void {
  const { action, resume = null } = options
  const here = location.origin === new URL(issuer).origin ? location.pathname + location.search : location.href.replace(/#.*/, '')
  const back = options.returnTo ?? here
  sessionStorage.setItem(kept, JSON.stringify({ back: new URL(back, location.href).href, resume }))
  const query = new URLSearchParams({ step_up: '1', return_to: back })
  if (acrValues.length > 0) query.set('acr_values', acrValues.join(' '))
  if (maxAge !== undefined) query.set('max_age', String(maxAge))
  if (action !== undefined) query.set('action', JSON.stringify(action))
  location.assign(`${issuer}${routes.login}?${query}`)
}

/** What this tab left with, once and only where it was to come back; the confirmation is taken out of the address. */
export function backFromStepUp(): SteppedUp | undefined {
  const text = sessionStorage.getItem(kept)
  const here = location.href.replace(/#.*/, '')
  // An address that somebody made up is none that this tab waited for.
  const left = text === null ? undefined : (JSON.parse(text) as { back: string; resume: unknown })
  if (left === undefined || left.back.replace(/#.*/, '') !== here) return undefined
  sessionStorage.removeItem(kept)
  const confirmation = /^#confirmation=([\w.-]+)$/.exec(location.hash)?.[1] ?? null
  if (confirmation !== null) history.replaceState(history.state, '', here)
  return { resume: left.resume, confirmation }
}
