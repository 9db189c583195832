// How long a request may wait for the store, all its statements together: whoever called is refused in time to try
// elsewhere. Counted in ticks that really came, so that a process that was held up itself refuses nobody for it.

import { SymbolonError } from '@symbolon/protocol'
import type { Env } from './context.ts'
import type { From, Waiting } from './parts.ts'

/** Milliseconds. Under two seconds in all. */
const tick = 100
const usual = 18

/** Deadlines of the requests of a process. `foreign`: milliseconds that an application's own code may take in a request. */
export function createDeadlines(foreign: number) {
  const ticks = usual + Math.ceil(foreign / tick)
  /** Which requests are over at which of the next ticks. */
  const ring = Array.from({ length: ticks + 1 }, () => new Set<() => void>())
  let at = 0
  let open = 0
  let timer: ReturnType<typeof setInterval> | undefined
  const go = () => {
    at = (at + 1) % ring.length
    const over = ring[at] as Set<() => void>
    for (const late of over) late()
    if (open > 0) return
    clearInterval(timer)
    timer = undefined
  }
  return {
    /** Waits; `late` is called once when it is over and was not ended. */
    start(late: () => void): Waiting {
      open++
      timer ??= setInterval(go, tick)
      let mine: Set<() => void> | undefined
      let ended = false
      const end = () => {
        if (ended) return
        ended = true
        mine?.delete(over)
        open--
      }
      const over = () => {
        end()
        late()
      }
      const pause = () => mine?.delete(over)
      const begin = () => {
        if (ended) return
        pause()
        mine = ring[(at + ticks) % ring.length] as Set<() => void>
        mine.add(over)
      }
      begin()
      return { pause, begin, end }
    },
  }
}

/** What is said when it is over. */
export const tooLate = () => new SymbolonError('store_unavailable', { detail: 'the store is too slow', retryAfter: 2 })

/**
 * The same handler with a deadline: asked again with `late` when it is over. What its first run still does then has no answer,
 * as when one is lost on its way.
 */
export function answerInTime(
  foreign: number,
  handle: (request: Request, env: Env['Bindings']) => Response | Promise<Response>,
): (request: Request, from: From) => Promise<Response> {
  const deadlines = createDeadlines(foreign)
  return (request, from) =>
    new Promise((resolve, reject) => {
      let over = false
      const env: Env['Bindings'] = {
        ...from,
        waiting: deadlines.start(() => {
          over = true
          const { url, method, headers } = request
          resolve(handle(new Request(url, { method, headers }), { ...from, late: true, listed: env.listed }))
        }),
      }
      const done = (response: Response) => {
        env.waiting?.end()
        if (over) response.body?.cancel().catch(() => {})
        else resolve(response)
      }
      const failed = (error: unknown) => {
        env.waiting?.end()
        reject(error)
      }
      Promise.resolve(handle(request, env)).then(done, failed)
    })
}
