// A guard at `token` level on a core's own log: keys and entries as an API in the same process gets them.

import { createVerifier } from '@symbolon/verifier'
import type { Setting } from './service.ts'

/** Asks whether a token is accepted at this moment: `ok`, or the code of the refusal. */
export function createTokenDoor(setting: Setting): (token: string) => Promise<string> {
  const verifier = createVerifier({
    issuer: setting.options.issuer,
    now: () => setting.time,
    source: {
      keys: () => setting.core.tokens.keys(),
      check: () => ({ active: false, code: 'revocation_unknown' }),
      follow: (apply) => {
        const end = setting.store.onRevocations(apply)
        const known = Promise.resolve(setting.store.feed.after(0, 1000)).then(apply)
        return {
          staleness: () => 0,
          position: () => undefined,
          reached: () => true,
          ready: () => known,
          status: () => ({ feedId: null, head: 0, applied: 0, stalenessMs: 0, transport: 'in_process', reconnects: 0, snapshots: 0 }),
          end,
        }
      },
      close: async () => {},
    },
  })
  const guard = verifier.guard('token', { credential: 'bearer' })
  return async (token) => {
    const header = (name: string) => (name === 'authorization' ? `Bearer ${token}` : undefined)
    const result = await guard({ method: 'GET', url: '/', header })
    return result.ok ? 'ok' : (JSON.parse(result.body) as { code: string }).code
  }
}

/** A place where one runner waits until it is let on. */
export function createGate() {
  let arrive = () => {}
  let open = () => {}
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve
  })
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return {
    arrived,
    open,
    async pass() {
      arrive()
      await opened
    },
  }
}
