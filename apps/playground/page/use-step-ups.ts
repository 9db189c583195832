// Calls that ask for more than a session: a fresh proof, a passkey, a confirmation of one act. The person leaves for the hosted
// page and comes back to a new page: what is told here goes with them and back.

import { type Client, stepUpNeed } from '@symbolon/client'
import { useCallback, useEffect, useState } from 'preact/hooks'
import type { Timeline } from './use-timeline.ts'

const action = { type: 'transfer', text: 'Transfer 42 € to Ada', parameters: { to: 'Ada', amount: '42.00 EUR' } }

/** What can be asked for. */
export const asks = {
  fresh: {
    label: 'fresh proof',
    does: 'A proof of who you are, of the last 30 seconds.',
    path: '/fresh',
    code: "app.post('/fresh', guard('session', { maxAuthAge: '30s' }), handler)",
  },
  passkey: {
    label: 'passkey',
    does: 'A session at the level of a passkey.',
    path: '/strong',
    code: "app.post('/strong', guard('session', { acr: 'urn:symbolon:acr:passkey' }), handler)",
  },
  transfer: {
    label: 'Transfer 42 € to Ada',
    does: 'A confirmation of exactly this, used once.',
    path: '/payments',
    code: 'const taken = await auth.confirmations.consume({ confirmation, sid, action })',
  },
} as const
export type Ask = keyof typeof asks

/** What is taken to the hosted page and back. */
interface Left {
  readonly ask: Ask
  readonly challenge: string
}

/** The last of them, and the way to make one. */
export interface StepUps {
  readonly last: { readonly ask: Ask; readonly note: string } | null
  call(ask: Ask): Promise<void>
  /** Something else was called since. */
  clear(): void
}

/** Creates them; goes on with what a step-up was for. */
export function useStepUps(client: Client, timeline: Timeline): StepUps {
  const [last, setLast] = useState<StepUps['last']>(null)
  const send = useCallback(
    async (ask: Ask, confirmation: string | null, back: boolean) => {
      const { path } = asks[ask]
      let note = 'not answered; try again'
      try {
        const answer = await client.fetch(`/api/a${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(confirmation === null ? {} : { confirmation }),
        })
        const challenge = answer.headers.get('www-authenticate') ?? ''
        // Who comes back with less than was asked for is not sent away again.
        if (!back && stepUpNeed(answer) !== undefined) {
          client.stepUp(answer, { resume: { ask, challenge } satisfies Left, ...(ask === 'transfer' && { action }) })
          return
        }
        const body = (await answer.json()) as { acr?: string; code?: string }
        note = answer.ok ? `passed at ${body.acr?.split(':').at(-1)}` : `refused: ${body.code ?? answer.status}`
      } catch {}
      setLast({ ask, note: `API A: ${note}` })
      timeline.say(`POST ${path} ${note}`)
    },
    [client, timeline],
  )
  useEffect(() => {
    const back = client.steppedUp()
    if (back === undefined) return
    const { ask, challenge } = back.resume as Left
    timeline.say(`POST ${asks[ask].path} was answered 401: ${challenge}`)
    timeline.say(`back from the hosted page, ${back.confirmation === null ? 'with the same session' : 'with a confirmation of the act'}`)
    void send(ask, back.confirmation, true)
  }, [client, timeline, send])
  return { last, call: (ask) => send(ask, null, false), clear: () => setLast(null) }
}
