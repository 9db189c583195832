// The access token of this tab: in memory only, one mint in flight, renewed before it expires by the server's clock.
// A network error or a 5xx leaves everything as it is; only the issuer's word signs out.

import type { TokenAnswer } from '@symbolon/protocol'
import type { Issuer } from './calls.ts'
import { ClientError } from './failure.ts'

/** What listeners are told. `sid` null: signed out; undefined: not known yet. */
export interface State {
  readonly signedIn: boolean
  readonly sid: string | null | undefined
}

/** The token of a tab. */
export interface TokenHolder {
  /** A token that can be used now; mints when there is none. */
  get(): Promise<string>
  /**
   * Another token than one that was refused: the one held or under way if it is another, else a new one. `fresh`: its mint
   * began after this call, so that it cannot carry what was refused. `surely`: only such a one.
   */
  renew(refused: string, surely: boolean): Promise<{ readonly token: string; readonly fresh: boolean }>
  /** The user did something: the next mint is theirs. */
  active(): void
  /** Looks whether it is time; for wake-up and coming online. */
  check(): void
  /** Forgets the token; answers under way are not listened to. */
  forget(sid: null | undefined): void
  state(): State
  close(): void
}

interface Held {
  readonly token: string
  readonly sid: string
  readonly serverTime: number
  readonly expiresAt: number
  readonly refreshAt: number
}

/** The larger progress of both clocks: one stands still while a machine sleeps, the other can be set back. */
function createClock() {
  let wall = Date.now()
  let steady = performance.now()
  let time = 0
  return () => {
    const [w, s] = [Date.now(), performance.now()]
    time += Math.max(0, w - wall, s - steady)
    wall = w
    steady = s
    return time
  }
}

/** Creates the holder; `changed` hears of sign-in, sign-out and another session. */
export function createTokenHolder(issuer: Issuer, changed: (state: State) => void): TokenHolder {
  const now = createClock()
  let held: Held | undefined
  let sid: string | null | undefined
  let minting: Promise<string> | undefined
  /** Whether the mint under way was asked for, or still waits its moment. */
  let asked = false
  let era = 0
  let failures = 0
  let userDidSomething = true
  let timer: ReturnType<typeof setTimeout> | undefined

  const become = (next: string | null | undefined) => {
    if (next === sid) return
    sid = next
    changed({ signedIn: typeof sid === 'string', sid })
  }
  const schedule = (ms: number) => {
    clearTimeout(timer)
    timer = setTimeout(check, Math.min(Math.max(ms, 250), 3_600_000))
  }
  const accept = (answer: TokenAnswer) => {
    const at = now()
    // An answer that was overtaken on its way does not replace a newer one.
    if (held !== undefined && answer.server_time < held.serverTime && held.expiresAt > at) return held.token
    const life = answer.expires_in * 1000
    held = {
      token: answer.access_token,
      sid: answer.sid,
      serverTime: answer.server_time,
      expiresAt: at + life - Math.min(5000, life / 10),
      refreshAt: at + answer.refresh_in * 1000,
    }
    failures = 0
    schedule(held.refreshAt - at)
    become(held.sid)
    return held.token
  }
  const mint = (pause = 0): Promise<string> => {
    if (minting !== undefined) return minting
    const mine = era
    asked = false
    const ask = () => {
      // Signed out while this waited: nothing is asked for any more.
      if (mine !== era) throw new ClientError('unreachable')
      asked = true
      const background = !userDidSomething
      userDidSomething = false
      return issuer.mint(background)
    }
    const one = (pause > 0 ? new Promise((go) => setTimeout(go, pause)).then(ask) : ask()).then(
      (answer) => {
        if (mine !== era) throw new ClientError('unreachable')
        return accept(answer)
      },
      (error: unknown) => {
        if (mine !== era) throw error
        if (error instanceof ClientError && error.code === 'signed_out') {
          forget(null)
          throw error
        }
        // Tries again with growing, jittered pauses; not at all when nobody held a token.
        failures = Math.min(failures + 1, 6)
        const pause = Math.max((error instanceof ClientError ? error.retryAfter : undefined) ?? 0, 1000 * 2 ** failures)
        if (held !== undefined) schedule(pause * (0.75 + Math.random() / 2))
        throw error
      },
    )
    const settled = one.finally(() => {
      if (minting === settled) minting = undefined
    })
    minting = settled
    return settled
  }
  const usable = () => (held !== undefined && now() < held.expiresAt ? held.token : undefined)
  const check = () => {
    if (held === undefined || sid === null) return
    const left = held.refreshAt - now()
    if (left > 0) schedule(left)
    else mint().catch(() => {})
  }
  const forget = (next: null | undefined) => {
    era++
    minting = undefined
    held = undefined
    clearTimeout(timer)
    become(next)
  }

  return {
    get: async () => usable() ?? mint(),
    async renew(refused, surely) {
      const token = usable()
      if (!surely && token !== undefined && token !== refused) return { token, fresh: false }
      // A mint that was asked for before this call may carry claims from before, too.
      if (minting !== undefined && asked) {
        if (!surely) return { token: await minting, fresh: false }
        await minting.catch(() => {})
      }
      // What made this token stale may have made every tab's: those in front come soon, those behind spread out.
      return { token: await mint(Math.random() * (document.hidden ? 200 : 50)), fresh: true }
    },
    active: () => {
      userDidSomething = true
    },
    check,
    forget,
    state: () => ({ signedIn: typeof sid === 'string', sid }),
    close: () => {
      era++
      clearTimeout(timer)
    },
  }
}
