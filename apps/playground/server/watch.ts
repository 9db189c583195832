// Watches verifiers stop accepting a token: asks each API directly with it, again and again, until it is refused. One clock,
// that of this process, both for the service's acknowledgement and for the refusals.

import type { ApiName } from './ipc.ts'
import type { Api } from './processes.ts'

/** How an API answered once. */
export type Seen = { readonly kind: 'accepted' } | { readonly kind: 'refused'; readonly code: string } | { readonly kind: 'silent' }

/** The first refusal of one API. */
export interface Refusal {
  readonly api: ApiName
  /** Milliseconds since the acknowledgement, at which the refusal was here: the true time is no later. */
  readonly ms: number
  readonly code: string
  /** It did not accept the token before, either. */
  readonly before: boolean
}

/** Milliseconds: between two asks, for one, and for all. */
const pace = 5
const askWithin = 2000
export const watchFor = 8000

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Asks the token route once. */
async function ask(api: Api, token: string, signal: AbortSignal): Promise<Seen> {
  const port = api.port()
  if (port === undefined) return { kind: 'silent' }
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/feed`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.any([signal, AbortSignal.timeout(askWithin)]),
    })
    const body = (await answer.json()) as { code?: unknown }
    if (answer.ok) return { kind: 'accepted' }
    return { kind: 'refused', code: typeof body.code === 'string' ? body.code.slice(0, 60) : String(answer.status) }
  } catch {
    return { kind: 'silent' }
  }
}

/** A watch over several APIs: begun before what is going to revoke the token, so that it is known who accepted it. */
export async function watch(apis: readonly Api[], token: string, signal: AbortSignal) {
  const before = await Promise.all(apis.map((api) => ask(api, token, signal)))
  return {
    /** Tells of each first refusal since `acknowledged`, a reading of `performance.now()`; ends with the last, or when time is up. */
    async refusals(acknowledged: number, told: (refusal: Refusal) => void): Promise<void> {
      const one = async (api: Api, i: number) => {
        const already = before[i]
        if (already?.kind === 'refused') return told({ api: api.name, ms: 0, code: already.code, before: true })
        while (!signal.aborted && performance.now() - acknowledged < watchFor) {
          const seen = await ask(api, token, signal)
          const ms = Math.round((performance.now() - acknowledged) * 10) / 10
          if (seen.kind === 'refused') return told({ api: api.name, ms, code: seen.code, before: false })
          await pause(pace)
        }
      }
      await Promise.all(apis.map(one))
    },
  }
}
