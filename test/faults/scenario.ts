// A scenario of the fault suite: two nodes on a real PostgreSQL, each with its own way there, a verifier behind each, and a
// load at work while something is done to them. Afterwards everything must be as before within ten seconds, without a hand
// on a node, and the whole history is judged.

import { type Origin, type Postgres, startPostgres } from '../postgres.ts'
import { type Build, type Cluster, startCluster } from './cluster.ts'
import type { Broken, HistoryEvent } from './history/events.ts'
import { type Counts, judgeHistory } from './history/judge.ts'
import { pause } from './load/people.ts'
import { type Load, startLoad } from './load.ts'
import { type Pulse, startPulse } from './pulse.ts'
import { until } from './service-process.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** Where it happens. */
export interface Stage {
  /** The primary, as it is now. */
  readonly server: Postgres
  readonly database: string
  /** From each node to the database. */
  readonly ways: readonly TcpProxy[]
  /** From each verifier to its node. */
  readonly links: readonly TcpProxy[]
  readonly cluster: Cluster
  readonly load: Load
  readonly pulse: Pulse
  /** How long one fault lasts: short in a short run. Milliseconds. */
  readonly spell: number
  /** Something that must be undone, whatever happens. */
  later(undo: () => Promise<void> | void): void
  /** Puts another server in the primary's place; the one before is its caller's to stop. */
  take(server: Postgres): void
}

/** One scenario. */
export interface Scenario {
  readonly name: string
  /** Left to the long run: what it does is near to what another one does. */
  readonly long?: boolean
  /** Lines for postgresql.conf. */
  readonly settings?: readonly string[]
  /** A small disk for the database; the scenario is left out where none can be mounted. */
  readonly disk?: Origin['disk']
  /** What is done is what operators are told not to do: this must be found broken. */
  readonly breaks?: Broken['rule']
  readonly env?: (at: number) => Readonly<Record<string, string>>
  /** More words for `serve`. */
  readonly words?: readonly string[]
  /** Nobody hangs up: a call without an answer is one that was lost. */
  readonly patient?: true
  /** Does something, and undoes it; returns when it is over. */
  act(stage: Stage): Promise<void>
}

/** How a scenario is run. Milliseconds. */
export interface Run {
  readonly seed: number
  /** Acts are repeated until this is over, counted from the beginning. */
  readonly lasts: number
  readonly spell: number
  readonly build?: Build
  readonly people?: number
  /** At most between two things that one caller does; 80 unless said. */
  readonly pace?: number
}

/** What came of it. */
export interface Outcome {
  readonly broken: readonly { readonly rule: string; readonly sentence: string }[]
  readonly counts: Counts
  readonly longestMs: Readonly<Record<string, number>>
  /** Refusals because of the store that took two seconds or more. */
  readonly late: readonly string[]
  readonly acts: number
  readonly calls: number
}

const window = 1000
export const bound = 2000
const terms = { window, seenWithin: 20_000, slack: 25 }
const recovers = 10_000
/** What a machine that runs all of this on two cores may add to the two seconds; and twice what this process was kept from running. */
const burden = 400

const isLate = (pulse: Pulse, from: number, to: number) => to - from > 2000 + burden + 2 * pulse.lost(from, to)

/** What was answered to what since a moment, for who reads of a violation. */
function answersSince(history: readonly HistoryEvent[], since: number): string {
  const counts = new Map<string, number>()
  for (const { kind, node, startedAt, answer, endedAt } of history) {
    if (startedAt <= since) continue
    const name = `${kind} at ${node}: ${answer?.code ?? answer?.status ?? (endedAt === null ? 'under way' : 'lost')}`
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return [...counts].map(([name, count]) => `${count} × ${name}`).join(', ')
}

/** A node has answered an honest caller after a moment. */
const serves = (history: readonly HistoryEvent[], node: string, since: number) =>
  history.some((event) => event.kind === 'refresh' && event.node === node && event.startedAt > since && event.answer?.status === 200)

/** Runs a scenario. Throws when anything does not come back by itself. */
export async function runScenario(scenario: Scenario, run: Run): Promise<Outcome> {
  const { words = [], patient } = scenario
  const ends: (() => Promise<void> | void)[] = []
  const began = performance.now()
  try {
    const pulse = startPulse()
    ends.push(() => pulse.stop())
    let server = await startPostgres(scenario.settings ?? [], scenario.disk && { disk: scenario.disk })
    ends.push(() => server.stop())
    const database = await server.create()
    const ways: TcpProxy[] = []
    for (let at = 0; at < 2; at++) {
      const way = await startTcpProxy(server.port)
      ends.push(() => way.close())
      ways.push(way)
    }
    const env = (at: number) => ({
      SYMBOLON_DATABASE_URL: server.url(database, (ways[at] as TcpProxy).port),
      SYMBOLON_DATABASE_CONNECTIONS: '8',
      ...scenario.env?.(at),
    })
    const links: TcpProxy[] = []
    const link = async (port: number) => {
      const made = await startTcpProxy(port)
      ends.push(() => made.close())
      links.push(made)
      return made.port
    }
    const cluster = await startCluster({ count: 2, window, bound, env, link, words, ...(run.build !== undefined && { build: run.build }) })
    ends.push(() => cluster.close())
    const { nodes, verifiers, clientId } = cluster
    const load = startLoad({
      nodes,
      verifiers,
      clientId,
      window,
      seed: run.seed,
      people: run.people ?? 8,
      pace: run.pace ?? 80,
      hangUps: patient !== true,
    })
    const undo: (() => Promise<void> | void)[] = []
    const stage: Stage = {
      get server() {
        return server
      },
      ...{ database, ways, links, cluster, load, pulse, spell: run.spell },
      later: (one) => void undo.push(one),
      take(next) {
        server = next
      },
    }
    ends.push(async () => {
      for (const one of undo.splice(0).reverse()) await one()
    })
    let acts = 0
    do {
      await pause(1500)
      await scenario.act(stage)
      acts++
      const over = performance.now()
      if (scenario.breaks !== undefined) {
        const found = () => judgeHistory(load.history, terms).broken.some(({ rule }) => rule === scenario.breaks)
        await until(`${scenario.name}: ${scenario.breaks} is found broken`, found, 60_000)
        break
      }
      const back = async (what: string, holds: () => boolean) => {
        while (!holds()) {
          if (performance.now() - over > recovers + 2 * pulse.lost(over, performance.now()))
            throw new Error(`Not within ${recovers} ms: ${what}; since then ${answersSince(load.history, over)}`)
          await pause(20)
        }
      }
      for (const { name } of nodes) await back(`${name} serves again`, () => serves(load.history, name, over))
      for (const { name } of verifiers) await back(`${name} accepts again`, () => accepts(load.history, name, over))
    } while (performance.now() - began < run.lasts)
    await until(`${scenario.name}: enough has happened`, () => isEnough(load.history), 60_000)
    const { broken, counts, longestMs } = judgeHistory(await load.stop(), terms)
    const late = load.history
      .filter(({ answer, startedAt, endedAt }) => answer?.status === 503 && endedAt !== null && isLate(pulse, startedAt, endedAt))
      .map(
        ({ kind, node, startedAt, endedAt, answer }) =>
          `${kind} at ${node}: ${answer?.code} after ${Math.round((endedAt ?? 0) - startedAt)} ms`,
      )
    return { broken: broken.map(({ rule, sentence }) => ({ rule, sentence })), counts, longestMs, late, acts, calls: load.history.length }
  } finally {
    for (const end of ends.reverse()) await end()
  }
}

/** A quiet history proves nothing. */
function isEnough(history: readonly HistoryEvent[]): boolean {
  const yes = (holds: (event: HistoryEvent) => boolean) => history.filter((event) => event.answer?.status === 200 && holds(event)).length
  const accepted = (level: 'token' | 'session') => yes((event) => event.kind === 'check' && event.level === level)
  return yes(({ kind }) => kind === 'refresh') > 40 && accepted('token') > 10 && accepted('session') > 10
}

const accepts = (history: readonly HistoryEvent[], verifier: string, since: number) =>
  history.some(
    (event) =>
      event.kind === 'check' &&
      event.node === verifier &&
      event.level === 'token' &&
      event.startedAt > since &&
      event.answer?.status === 200,
  )
