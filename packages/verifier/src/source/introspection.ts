// Live checks of tokens over HTTP (RFC 7662): what is asked at the same time goes out together, at most two batches at
// once. A check never joins a batch that was sent before it: its answer could be older than the check. Bounded and with a
// deadline; behind a breaker. Every failure to know is thrown, never an answer.

import { routes, type SymbolonError } from '@symbolon/protocol'
import type { Keep } from '../keep.ts'
import { later } from '../timers.ts'
import { type Breaker, shed } from './breaker.ts'
import { type JsonAnswer, type Transport, unknown } from './transport.ts'

/** An answer about one token, as it came. */
export type Introspected = Readonly<Record<string, unknown>>

/** Asks about tokens. */
export interface Introspection {
  ask(token: string): Promise<Introspected>
  /** Tokens that wait or are under way. */
  waiting(): number
  end(): void
}

/** What it stands on. `deadline` in milliseconds, from the call of `ask`. */
export interface IntrospectionParts {
  readonly transport: Transport
  readonly breaker: Breaker
  readonly deadline: number
  readonly now: () => number
  readonly keep: Keep
}

interface Ask {
  readonly token: string
  readonly waiters: { done(answer: Introspected): void; failed(error: SymbolonError): void }[]
}

const mostInBatch = 256
const mostBatches = 2
/** Requests at once where the service has no batch form, and how long until it is asked for it again. */
const mostSingles = 32
const singlesFor = 600_000
/** Tokens that may wait; beyond, callers are refused at once. */
const mostWaiting = 4096
const mostBytes = 4_194_304

/** Creates it. */
export function createIntrospection(parts: IntrospectionParts): Introspection {
  const { transport, breaker, deadline, now, keep } = parts
  /** Asked and not sent. Equal tokens share a place only here. */
  let unsent = new Map<string, Ask>()
  let ended = false
  let underWay = 0
  let waiting = 0
  let planned = false
  let singlesUntil = Number.NEGATIVE_INFINITY

  const headers = (type: string) => ({ 'content-type': type, accept: 'application/json', authorization: transport.credential ?? '' })
  const batch = (tokens: readonly string[]): Promise<JsonAnswer> =>
    transport.json(
      routes.introspectBatch,
      { method: 'POST', headers: headers('application/json'), body: JSON.stringify({ tokens }) },
      { deadline, most: mostBytes },
    )
  const single = (token: string): Promise<JsonAnswer> =>
    transport.json(
      routes.introspect,
      {
        method: 'POST',
        headers: headers('application/x-www-form-urlencoded'),
        body: new URLSearchParams({ token }).toString(),
      },
      { deadline },
    )

  /** Sends what is asked now; resolves to one answer for each, or throws for all. */
  const send = async (asks: readonly Ask[], inSingles: boolean): Promise<readonly Introspected[]> => {
    const check = ({ status, retryAfter }: JsonAnswer): void => {
      if (status !== 200) throw unknown(`introspection answered ${status}`, undefined, Math.max(1, retryAfter / 1000))
    }
    if (inSingles) {
      const answer = await single((asks[0] as Ask).token)
      check(answer)
      return [answer.body]
    }
    const answer = await batch(asks.map((ask) => ask.token))
    if (answer.status === 404 || answer.status === 405) {
      // A service without the batch form: another read for each, all after the checks began.
      singlesUntil = now() + singlesFor
      return Promise.all(
        asks.map(async (ask) => {
          const one = await single(ask.token)
          check(one)
          return one.body
        }),
      )
    }
    check(answer)
    const { results } = answer.body
    if (!Array.isArray(results) || results.length !== asks.length) throw unknown('introspection answered about other tokens')
    return results.map((one: unknown) => {
      if (typeof one !== 'object' || one === null) throw unknown('introspection answered no object')
      return one as Introspected
    })
  }

  const go = (): void => {
    planned = false
    while (unsent.size > 0) {
      const inSingles = now() < singlesUntil
      if (underWay >= (inSingles ? mostSingles : mostBatches)) return
      if (!breaker.allows()) {
        const error = shed(breaker)
        for (const ask of unsent.values()) for (const one of [...ask.waiters]) one.failed(error)
        unsent = new Map()
        return
      }
      const most = inSingles ? 1 : mostInBatch
      const asks: Ask[] = []
      for (const ask of unsent.values()) {
        // Those whose callers were refused for the deadline meanwhile need no answer.
        if (ask.waiters.length > 0) asks.push(ask)
        unsent.delete(ask.token)
        if (asks.length === most) break
      }
      if (asks.length === 0) {
        if (breaker.state() === 'half_open') breaker.failed()
        return
      }
      underWay++
      void keep(send(asks, inSingles))
        .then(
          (answers) => {
            breaker.succeeded()
            for (const [i, ask] of asks.entries()) for (const one of [...ask.waiters]) one.done(answers[i] as Introspected)
          },
          (error: SymbolonError) => {
            if (!ended) breaker.failed((error.retryAfter ?? 0) > 1 ? (error.retryAfter as number) * 1000 : 0)
            for (const ask of asks) for (const one of [...ask.waiters]) one.failed(error)
          },
        )
        .finally(() => {
          underWay--
          go()
        })
    }
  }

  return {
    ask(token) {
      if (ended) return Promise.reject(unknown('the verifier was closed'))
      if (breaker.state() !== 'closed' && (breaker.state() === 'half_open' || breaker.opensIn() > 0)) return Promise.reject(shed(breaker))
      if (waiting >= mostWaiting) return Promise.reject(unknown('too many checks wait for the issuer'))
      return new Promise((resolve, reject) => {
        const ask = unsent.get(token) ?? { token, waiters: [] }
        unsent.set(token, ask)
        waiting++
        const settle = () => {
          waiting--
          cancel()
          ask.waiters.splice(ask.waiters.indexOf(waiter), 1)
        }
        const waiter = {
          done(answer: Introspected) {
            settle()
            resolve(answer)
          },
          failed(error: SymbolonError) {
            settle()
            reject(error)
          },
        }
        const cancel = later(deadline, () => waiter.failed(unknown('the issuer did not answer in time')))
        ask.waiters.push(waiter)
        if (planned) return
        planned = true
        // What is asked in this turn goes out together.
        queueMicrotask(go)
      })
    },
    waiting: () => waiting,
    end() {
      ended = true
      const error = unknown('the verifier was closed')
      for (const ask of unsent.values()) for (const one of [...ask.waiters]) one.failed(error)
      unsent = new Map()
    },
  }
}
