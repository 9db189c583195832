// What the page knows: calls it made, what happened when, and the record as the operator's listener gives it.

/** The two API processes, each with a verifier of its own. */
export const apiNames = ['a', 'b'] as const
export type ApiName = (typeof apiNames)[number]

/** How a guard decided; `open` where it consulted nothing. */
export type Decision = 'live' | 'local' | 'open' | 'refused'

/** One call of a lane. */
export interface Call {
  readonly kind: Decision
  /** Microseconds in the guard. */
  readonly us: number
  readonly note: string
}

/** A moment on a verifier's row of the timeline: from here on it decided so. Milliseconds since the entry's zero. */
export interface Moment {
  readonly ms: number
  readonly kind: Decision
  readonly text: string
}

/** Something that happened; with rows when verifiers were watched. */
export interface Entry {
  readonly id: number
  readonly at: number
  readonly text: string
  readonly rows?: Readonly<Record<ApiName, readonly Moment[]>>
}

/** A session as the operator's listener tells it. */
export interface RecordView {
  readonly sid: string
  readonly device: string
  readonly created_at: string
  readonly last_seen_at: string
  readonly idle_expires_at: string
  readonly expires_at: string
  readonly generation: number
  readonly kind: string
  readonly acr: string
  readonly amr: readonly string[]
  readonly auth_time: string
  readonly idle_seconds: number
}

/** What `/play/record` answers. */
export interface RecordAnswer {
  readonly now: string
  readonly sessions: readonly RecordView[]
  readonly user: { readonly id: string; readonly roles: readonly string[]; readonly epoch: number }
}

/** The claims of a token, as anybody who holds it can read them. */
export function claimsOf(token: string): Readonly<Record<string, unknown>> {
  const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')
  return JSON.parse(atob(payload)) as Record<string, unknown>
}

/** The middle of the times, in words. */
export function median(calls: readonly Call[]): string {
  if (calls.length === 0) return '–'
  const sorted = calls.map((call) => call.us).sort((a, b) => a - b)
  return `${Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0)} µs`
}

/** Milliseconds in words: with a tenth where it matters. */
export const inMs = (ms: number): string => `${ms < 10 ? ms.toFixed(1) : Math.round(ms).toLocaleString('en')} ms`

/** Waits. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
