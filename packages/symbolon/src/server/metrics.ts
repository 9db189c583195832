// Metrics for Prometheus: counted from events, never labelled with ids.

import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import type { CoreEvent } from '#core'

/** Counts events and requests, and prints them. */
export interface Metrics {
  observe(event: CoreEvent): void
  request(listener: 'public' | 'admin', status: number, seconds: number): void
  print(): Promise<string>
}

/** Creates the metrics of one process. */
export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const counter = (name: string, help: string, labelNames: string[]) => new Counter({ name, help, labelNames, registers: [registry] })
  const events = counter('symbolon_events_total', 'Events by name.', ['event'])
  const refreshes = counter('symbolon_refreshes_total', 'Refreshes by outcome.', ['outcome'])
  const logins = counter('symbolon_logins_total', 'Steps of sign-ins.', ['step', 'method'])
  const ended = counter('symbolon_sessions_ended_total', 'Sessions ended, by reason.', ['reason'])
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
      if (event.event.startsWith('login.')) logins.inc({ step: event.event.slice(6), method: String(event.method) })
      if (event.event === 'session.revoked') ended.inc({ reason: String(event.reason) }, Number(event.count) || 0)
    },
    request: (listener, status, seconds) => requests.observe({ listener, status: `${Math.floor(status / 100)}xx` }, seconds),
    print: () => registry.metrics(),
  }
}
