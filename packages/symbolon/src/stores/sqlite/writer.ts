// The writing thread as the store sees it: calls of one moment, and those that come while a commit is under way, go out
// as one group. Bounded in number and in time; a fault refuses, and never says that something was done.

import { Worker } from 'node:worker_threads'
import { type Revocation, SymbolonError } from '@symbolon/protocol'
import { closedError } from '#stores/rows'
import type { Committed } from './group.ts'
import type { Verb, VerbInput, VerbOutput } from './verbs.ts'
import type { Reply, Request, WorkerData } from './worker.ts'

/** Sends verbs to the writing thread. */
export interface Writer {
  call<V extends Verb>(verb: V, ...input: VerbInput<V>): Promise<VerbOutput<V>>
  /** Whether the thread still takes writes. */
  alive(): boolean
  /** Finishes what waits, then ends the thread. */
  close(): Promise<void>
}

/** What a writer stands on. `wall`: the clock; `committed`: hears of each commit before its callers do. */
export interface WriterParts extends WorkerData {
  readonly wall: () => number
  readonly committed: (now: number, logged: readonly Revocation[]) => void
}

interface Waiting {
  readonly verb: Verb
  readonly input: readonly unknown[]
  readonly until: number
  resolve(value: never): void
  reject(error: unknown): void
}

const most = 10_000
const perGroup = 256
/** How much longer the calls of a group take than their flush, where enough of them wait. */
const worth = 8
/** Of what waits a quarter goes together, and never fewer than these: a group costs something beside its flush. */
const share = 4
const atLeast = 16
/** How much of what was measured last counts. */
const newest = 0.2
const patience = 10_000

const unavailable = (detail: string) => new SymbolonError('store_unavailable', { detail, retryAfter: 2 })

/** Starts the writing thread. */
export function createWriter(parts: WriterParts): Writer {
  const { path, crashPoint } = parts
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData: { path, crashPoint } satisfies WorkerData,
    // The thread is the built file, whatever conditions this process was started with.
    execArgv: [],
  })
  let waiting: Waiting[] = []
  let group: Waiting[] | undefined
  let dead: unknown
  let closing = false
  let scheduled = false
  let idle = () => {}
  // What waits beyond `room` runs while the answers of those before it are read. The more a flush costs, the more calls share one.
  let room = perGroup
  const measured = { call: 0, flush: 0 }
  const measure = ({ ran, flushed, answers }: Committed) => {
    const counts = measured.call === 0 ? 1 : newest
    measured.call += counts * (ran / answers.length - measured.call)
    measured.flush += counts * (flushed - measured.flush)
    room = Math.max(atLeast, Math.ceil((worth * measured.flush) / Math.max(0.001, measured.call)))
  }

  /** Nothing is under way, and nothing waits. */
  const rest = () => {
    worker.unref()
    idle()
  }
  const send = () => {
    scheduled = false
    if (group !== undefined || waiting.length === 0 || dead !== undefined) return
    // Who has waited too long is refused before anything is tried, so that the refusal is the truth.
    const now = performance.now()
    for (const one of waiting.filter((each) => each.until < now)) one.reject(unavailable('the store is too slow'))
    waiting = waiting.filter((each) => each.until >= now)
    if (waiting.length === 0) return rest()
    group = waiting.splice(0, Math.min(perGroup, Math.max(room, Math.ceil(waiting.length / share))))
    worker.ref()
    worker.postMessage({ calls: group.map(({ verb, input }) => ({ verb, input })), wall: parts.wall() } satisfies Request)
  }
  const die = (error: unknown) => {
    if (dead !== undefined) return
    dead = error ?? unavailable('the writing thread ended')
    for (const one of [...(group ?? []), ...waiting]) one.reject(unavailable('the writing thread ended'))
    group = undefined
    waiting = []
    idle()
  }

  worker.on('message', (reply: Reply) => {
    const done = group ?? []
    group = undefined
    if ('failed' in reply) {
      const { code, sentence, closed } = reply.failed
      const error = closed ? closedError(sentence) : new SymbolonError(code, { detail: sentence, retryAfter: 2 })
      error.message = sentence
      for (const one of done) one.reject(error)
    } else {
      measure(reply)
      parts.committed(reply.now, reply.logged)
      done.forEach((one, i) => {
        const answer = reply.answers[i]
        if (answer !== undefined && 'value' in answer) one.resolve(answer.value as never)
        else one.reject(new SymbolonError('internal', { detail: answer?.fault ?? 'no answer' }))
      })
    }
    if (waiting.length > 0) send()
    else rest()
  })
  worker.on('error', die)
  worker.on('exit', () => die(undefined))
  worker.unref()

  return {
    alive: () => dead === undefined && !closing,
    call(verb, ...input) {
      return new Promise((resolve, reject) => {
        if (dead !== undefined || closing) return reject(unavailable('the store is closed'))
        if (waiting.length >= most) return reject(new SymbolonError('try_later', { detail: 'too many writes wait', retryAfter: 1 }))
        waiting.push({ verb, input, until: performance.now() + patience, resolve, reject })
        if (scheduled || group !== undefined) return
        // Calls of one turn share a commit.
        scheduled = true
        queueMicrotask(send)
      })
    },
    async close() {
      if (closing) return
      closing = true
      if (dead === undefined && (group !== undefined || waiting.length > 0))
        await new Promise<void>((resolve) => {
          idle = resolve
        })
      if (dead !== undefined) return
      const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
      worker.ref()
      worker.postMessage('end' satisfies Request)
      await ended
    },
  }
}
