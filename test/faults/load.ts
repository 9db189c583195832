// The load of the fault suite: people, thieves, an operator and watchers at work on any number of nodes, everything
// recorded. It is told origins and nothing else; what it records is judged by `history/judge.ts`, never here.

import type { HistoryEvent } from './history/events.ts'
import { createLanes } from './lanes.ts'
import { createCalls, type Held, type LoadNode, type LoadVerifier } from './load/calls.ts'
import { runOperator, runSentry, runThief, runWatcher } from './load/others.ts'
import { createPerson, type Person, pause } from './load/people.ts'
import { createChance } from './load/random.ts'

export type { LoadNode, LoadVerifier } from './load/calls.ts'

/** How a load is made. Lengths in milliseconds. */
export interface LoadOptions {
  readonly nodes: readonly LoadNode[]
  readonly verifiers?: readonly LoadVerifier[]
  /** The native client that people sign in with, and its window. */
  readonly clientId: string
  readonly window: number
  /** Printed when a run fails, so that its draws can be repeated. */
  readonly seed: number
  readonly people?: number
  /** How many of them have copies of what they hold in other hands. */
  readonly victims?: number
  /** At most between two things that one caller does. */
  readonly pace?: number
  /** Whether some callers hang up at times, so unless said: else a call without an answer is one that was lost. */
  readonly hangUps?: boolean
}

/** A load at work. */
export interface Load {
  readonly history: readonly HistoryEvent[]
  /** Notes that a node is dead: what it had not done by now it never does. */
  killed(node: string): void
  /** Sends nobody to a node any more, as a balancer does, until it is back. */
  leave(node: string): void
  back(node: string): void
  /** Ends the work, then asks for the last time about everybody and everything that was acknowledged. */
  stop(): Promise<readonly HistoryEvent[]>
}

/** Starts a load. Tokens of ended sessions are shown for a minute, as long as the shortest token lives. */
export function startLoad(options: LoadOptions): Load {
  const { verifiers = [], clientId, window, seed, victims = 2, pace = 60, hangUps = true } = options
  const nodes = [...options.nodes]
  const history: HistoryEvent[] = []
  const calls = createCalls((event) => history.push(event), clientId)
  let on = true
  const running = () => on
  let dead: { readonly held: Held; readonly at: number }[] = []
  const buried = (held: Held) => {
    dead = [...dead.filter(({ at }) => performance.now() - at < 50_000), { held, at: performance.now() }]
  }
  const chance = (name: string) => createChance(seed, name)
  const people: readonly Person[] = Array.from({ length: options.people ?? 10 }, (_, at) => {
    const name = `person${at}-${seed}`
    return createPerson({
      name,
      calls,
      chance: chance(name),
      nodes,
      verifiers,
      window,
      pace,
      hangsUp: hangUps && at % 3 === 0,
      running,
      buried,
    })
  })
  const parts = (name: string) => ({ calls, chance: chance(name), nodes, running })
  const work = [
    ...people.map((person) => person.run()),
    ...(victims > 0 ? [runThief({ ...parts('thief'), victims: people.slice(0, victims), window })] : []),
    runOperator({ ...parts('operator'), people, pace: 3 * pace }),
    runSentry({ ...parts('sentry'), name: `sentry-${seed}`, pace }),
    ...['watcher1', 'watcher2'].map((name) =>
      runWatcher({ ...parts(name), verifiers, people, dead: () => dead.map(({ held }) => held), pace }),
    ),
  ]
  // Whoever falls must not be noticed only at the end: it ends everybody's work.
  let fault: unknown
  const ended = Promise.all(
    work.map((one) =>
      one.catch((error: unknown) => {
        fault ??= error
        on = false
      }),
    ),
  )
  return {
    history,
    killed(node) {
      const at = performance.now()
      history.push({ kind: 'killed', node, startedAt: at, endedAt: at, answer: null })
    },
    leave: (node) => void nodes.splice(0, nodes.length, ...nodes.filter(({ name }) => name !== node)),
    back: (node) => void nodes.push(...options.nodes.filter(({ name }) => name === node)),
    async stop() {
      on = false
      await ended
      if (fault !== undefined) throw fault
      await Promise.all(people.map((person) => person.finish()))
      const last = createLanes(10)
      await Promise.all(dead.flatMap(({ held }) => nodes.map((node) => last(() => calls.check(node, 'session', held)))))
      const subs = new Set(history.flatMap((event) => (event.kind === 'sign_in' && event.token !== null ? [event.token.sub] : [])))
      const read = async (node: LoadNode, sub: string) => {
        for (let turn = 0; turn < 20 && (await calls.read(node, sub)) === 'nothing'; turn++) await pause(100)
      }
      await Promise.all([...subs].flatMap((sub) => nodes.map((node) => last(() => read(node, sub)))))
      return history
    },
  }
}
