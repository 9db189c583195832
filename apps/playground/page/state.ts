// What the page knows: calls it made, events it saw, and the record as the operator's listener gives it.

/** One call of a lane. */
export interface Call {
  readonly kind: 'live' | 'local' | 'open' | 'refused'
  /** Microseconds in the guard. */
  readonly us: number
  readonly note: string
}

/** A line of the timeline. */
export interface Line {
  readonly at: number
  readonly text: string
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
