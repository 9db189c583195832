// What a verifier counts, and the text that Prometheus reads. No ids in labels.

/** How long revocations took from their time in the entry to their application here: upper ends in milliseconds. */
export const delayBuckets: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]

/** Counts, growing only. */
export interface Counters {
  /** Checks at a `token` route that asked live, being past their bound or shown a position. */
  fallbacks: number
  /** Refusals for want of knowledge. */
  refusedUnknown: number
  /** Requests that showed a position, and those of them that waited. */
  positions: number
  positionsWaited: number
  /** Live connections closed. */
  closed: number
}

/** The histogram of delays. Compares this machine's wall clock with the store's: only as good as the two agree. */
export interface Delays {
  note(milliseconds: number): void
  /** Counts by {@link delayBuckets}, and one more for what took longer. */
  readonly counts: readonly number[]
  /** Milliseconds altogether. */
  sum(): number
}

/** Creates a histogram. */
export function createDelays(): Delays {
  const counts = new Array<number>(delayBuckets.length + 1).fill(0)
  let sum = 0
  return {
    note(milliseconds) {
      // A clock that is ahead there would make a delay negative; it is none then.
      const delay = Math.max(0, milliseconds)
      sum += delay
      const bucket = delayBuckets.findIndex((end) => delay <= end)
      const at = bucket < 0 ? delayBuckets.length : bucket
      counts[at] = (counts[at] as number) + 1
    },
    counts,
    sum: () => sum,
  }
}

/** What is printed. */
export interface Measured extends Readonly<Counters> {
  readonly stalenessMs: number
  readonly entries: number
  readonly bytes: number
  readonly reconnects: number
  readonly snapshots: number
  readonly connections: number
}

/** Prints metrics in the text format of Prometheus. Staleness is `+Inf` before the knowledge was ever complete. */
export function printMetrics(measured: Measured, delays: Delays): string {
  const lines: string[] = []
  const print = (name: string, type: 'gauge' | 'counter', help: string, value: number): void => {
    const text = value === Number.POSITIVE_INFINITY ? '+Inf' : String(value)
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, `${name} ${text}`)
  }
  print(
    'revocation_staleness_seconds',
    'gauge',
    'Upper bound on how long ago revocations were known completely.',
    measured.stalenessMs / 1000,
  )
  print('revocation_entries', 'gauge', 'Revocations held.', measured.entries)
  print('revocation_memory_bytes', 'gauge', 'Memory held by revocations.', measured.bytes)
  print('revocation_live_connections', 'gauge', 'Live connections registered.', measured.connections)
  print('revocation_reconnects_total', 'counter', 'Connections to the feed that ended.', measured.reconnects)
  print('revocation_snapshots_total', 'counter', 'Snapshots taken.', measured.snapshots)
  print('revocation_fallbacks_total', 'counter', 'Checks at token routes that asked live.', measured.fallbacks)
  print('revocation_refused_unknown_total', 'counter', 'Refusals for want of knowledge.', measured.refusedUnknown)
  print('revocation_positions_total', 'counter', 'Requests that showed a position.', measured.positions)
  print('revocation_closed_connections_total', 'counter', 'Live connections closed.', measured.closed)
  const name = 'revocation_delay_seconds'
  lines.push(`# HELP ${name} From an entry's time to its application here; as good as the clocks agree.`, `# TYPE ${name} histogram`)
  let count = 0
  for (const [i, end] of delayBuckets.entries()) {
    count += delays.counts[i] as number
    lines.push(`${name}_bucket{le="${end / 1000}"} ${count}`)
  }
  count += delays.counts[delayBuckets.length] as number
  lines.push(`${name}_bucket{le="+Inf"} ${count}`, `${name}_sum ${delays.sum() / 1000}`, `${name}_count ${count}`, '')
  return lines.join('\n')
}
