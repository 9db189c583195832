// How long a request may wait for the store, all its statements together: whoever called is refused in time to try
// elsewhere. What a process was held up itself counts little: nobody is refused for that. What an operator
// changes has none: whoever creates something waits a little longer rather than to lose the answer, and masses take their time.

import { SymbolonError } from '@symbolon/protocol'
import type { Env } from './context.ts'
import type { From, Waiting } from './parts.ts'

/** Milliseconds. Under two seconds in all. */
const tick = 100
const usual = 18
/** How much a tick counts at most, however late it comes. */
const most = 250

/** Deadlines of the requests of a process. `foreign`: milliseconds that an application's own code may take in a request. */
function createDeadlines(foreign: number) {
  const ticks = usual + Math.ceil(foreign / tick)
  /** Which requests are over at which of the next ticks. */
  const ring = Array.from({ length: ticks + 1 }, () => new Set<() => void>())
  let at = 0
  let open = 0
  let timer: ReturnType<typeof setInterval> | undefined
  let last = 0
  let passed = 0
  const go = () => {
    const now = performance.now()
    passed += Math.min(now - last, most)
    last = now
    for (; passed >= tick; passed -= tick) {
      at = (at + 1) % ring.length
      for (const late of ring[at] as Set<() => void>) late()
    }
    if (open > 0) return
    clearInterval(timer)
    timer = undefined
  }
  const run = () => {
    last = performance.now()
    passed = 0
    return setInterval(go, tick)
  }
  return {
    /** Waits; `late` is called once when it is over and was not ended. */
    start(late: () => void): Waiting {
      open++
      timer ??= run()
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
