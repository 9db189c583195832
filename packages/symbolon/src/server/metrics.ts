// Metrics for Prometheus: counted from events, never labelled with ids.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { CoreEvent } from '#core'

/** Counts events and requests, and prints them. */
export interface Metrics {
  observe(event: CoreEvent): void
  request(listener: 'public' | 'admin', status: number, seconds: number): void
  print(): Promise<string>
}

/** The revocation feed as it is when metrics are asked for. */
export interface FeedState {
  readonly followers: number
  readonly head: number
}

/** Scheduled work: when each job last came to its end, on whichever node. Milliseconds. */
export interface JobsState {
  readonly now: number
  readonly leases: readonly { readonly name: string; readonly ranAt: number | null }[]
}

/** Jobs that are always listed: an alarm on what is not there never comes. */
const always = ['keys', 'clean_up'] as const

/** A target of webhooks: what waits for it, and what was given up until an operator asks for it. */
export interface TargetState {
  readonly name: string
  readonly waiting: number
  readonly parked: number
}

/** Creates the metrics of one process. */
export function createMetrics(
  feed: () => Promise<FeedState>,
  jobs: () => Promise<JobsState>,
  targets: () => Promise<readonly TargetState[]>,
): Metrics {
  const registry = new Registry()
  const startedAt = performance.now()
  collectDefaultMetrics({ register: registry })
  const counter = (name: string, help: string, labelNames: string[]) => new Counter({ name, help, labelNames, registers: [registry] })
  const events = counter('symbolon_events_total', 'Events by name.', ['event'])
  const refreshes = counter('symbolon_refreshes_total', 'Refreshes by outcome.', ['outcome'])
  const logins = counter('symbolon_logins_total', 'Steps of sign-ins.', ['step', 'method'])
  const ended = counter('symbolon_sessions_ended_total', 'Sessions ended, by reason.', ['reason'])
  const told = counter('symbolon_feed_entries_told_total', 'Revocations told to followers, once for all of them.', [])
  const cut = counter('symbolon_feed_cut_total', 'Followers cut because they did not read.', [])
  const snapshots = counter('symbolon_feed_snapshots_total', 'Snapshots handed over whole.', [])
  const gauge = (name: string, help: string, read: (state: FeedState) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        // A store that cannot be read leaves the last value; readiness says so elsewhere.
        await feed().then(
          (state) => this.set(read(state)),
          () => {},
        )
      },
    })
  gauge('symbolon_feed_followers', 'Who follows revocations here now.', ({ followers }) => followers)
  gauge('symbolon_feed_head', 'The number of the newest revocation.', ({ head }) => head)
  new Gauge({
    name: 'symbolon_job_last_run_seconds',
    help: 'Seconds since each job last came to its end on any node, or since this one started; keys or clean_up over 600: something is wrong.',
    labelNames: ['job'],
    registers: [registry],
    async collect() {
      await jobs().then(
        ({ now, leases }) => {
          // What never ran anywhere has not run since this process started, at least.
          for (const job of always) this.set({ job }, (performance.now() - startedAt) / 1000)
          for (const { name, ranAt } of leases) if (ranAt !== null) this.set({ job: name }, (now - ranAt) / 1000)
        },
        () => {},
      )
    },
  })
  const deliveries = counter('symbolon_webhook_deliveries_total', 'Webhooks by target and outcome.', ['target', 'outcome'])
  new Gauge({
    name: 'symbolon_webhook_backlog',
    help: 'Webhooks that wait, or are parked, by target; counted to 10,000.',
    labelNames: ['target', 'state'],
    registers: [registry],
    async collect() {
      await targets().then(
        (all) => {
          this.reset()
          for (const { name, waiting, parked } of all) {
            this.set({ target: name, state: 'waiting' }, waiting)
            this.set({ target: name, state: 'parked' }, parked)
          }
        },
        () => {},
      )
    },
  })
  const reachable = new Gauge({ name: 'symbolon_store_reachable', help: '0 while the database cannot be reached.', registers: [registry] })
  reachable.set(1)
  const requests = new Histogram({
    name: 'symbolon_http_request_seconds',
    help: 'Requests by listener and class of status.',
    labelNames: ['listener', 'status'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2],
    registers: [registry],
  })
  return {
    observe(event) {
      events.inc({ event: event.event })
      if (event.event === 'refresh' || event.event === 'refresh.refused') refreshes.inc({ outcome: String(event.outcome) })
      if (event.event === 'store.down') reachable.set(0)
      if (event.event === 'store.up') reachable.set(1)
      if (event.event.startsWith('login.')) logins.inc({ step: event.event.slice(6), method: String(event.method) })
      if (event.event.startsWith('webhook.'))
        deliveries.inc({ target: String(event.target), outcome: event.event.slice(8) }, Number(event.count ?? 1))
      if (event.event === 'feed.told') told.inc(Number(event.entries) || 0)
      if (event.event === 'feed.cut') cut.inc()
      if (event.event === 'feed.snapshot') snapshots.inc()
      if (event.event === 'session.revoked') ended.inc({ reason: String(event.reason) }, Number(event.count) || 0)
    },
    request: (listener, status, seconds) => requests.observe({ listener, status: `${Math.floor(status / 100)}xx` }, seconds),
    print: () => registry.metrics(),
  }
}
