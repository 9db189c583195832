// The fetch that the playground hands to its verifiers: an ordinary one, with a switch that cuts what lies between them and
// the service. The verifiers are the published ones and do not know of it.

import type { Cut } from './ipc.ts'

/** A fetch and its switch. */
export interface Cuttable {
  readonly fetch: typeof fetch
  turn(cut: Cut): void
}

/**
 * Milliseconds that a request for the feed hangs while it is cut, as in a network that swallows packets. Failing at once
 * would use up the follower's budget of reconnects, and the wait for the next one would hide how fast it recovers.
 */
const hang = 4500

/** Creates one. */
export function createCuttable(first: Cut): Cuttable {
  let cut = first
  /** What is aborted by the next turn of the switch: feeds that flow, and requests for them that hang. */
  let turned = new AbortController()

  const hangs = (signals: readonly AbortSignal[]): Promise<never> =>
    new Promise((_, reject) => {
      const fail = () => {
        clearTimeout(timer)
        for (const signal of signals) signal.removeEventListener('abort', fail)
        reject(new TypeError('the playground cut this connection'))
      }
      const timer = setTimeout(fail, hang)
      for (const signal of signals) signal.addEventListener('abort', fail)
      if (signals.some((signal) => signal.aborted)) fail()
    })

  return {
    async fetch(input, init) {
      const { pathname } = new URL(input instanceof Request ? input.url : input)
      const given = init?.signal == null ? [] : [init.signal]
      if (pathname.includes('/oauth/introspect') && cut === 'feed_and_introspection')
        throw new TypeError('the playground cut this connection')
      if (!pathname.includes('/v1/revocations')) return fetch(input, init)
      const signals = [...given, turned.signal]
      // Not let through when the feed is back: a verifier counts its staleness from before it asked, and would count the wait.
      if (cut !== 'none') return hangs(signals)
      return fetch(input, { ...init, signal: AbortSignal.any(signals) })
    },
    turn(next) {
      if (next === cut) return
      const feedTurned = (next === 'none') !== (cut === 'none')
      cut = next
      if (!feedTurned) return
      turned.abort()
      turned = new AbortController()
    },
  }
}
