// The browser's half: tokens when they are needed, requests that carry them, and news of signing in and out.

import type { SessionView } from '@symbolon/protocol'
import { codeOf, createIssuer } from './calls.ts'
import { ClientError } from './failure.ts'
import { backFromStepUp, leaveToStepUp, type SteppedUp, type StepUpNeed, type StepUpOptions, stepUpNeed } from './step-up.ts'
import { createTokenHolder, type State } from './token.ts'

/** What a client is made of. */
export interface ClientOptions {
  readonly issuer: string
  /** Origins that get the token, beside the page's own: exact, such as `https://api.example`. */
  readonly apis?: readonly string[]
  readonly fetch?: typeof fetch
}

/** The client of a page. */
export interface Client {
  /** An access token that can be used now. Rejects with a `ClientError`. */
  getToken(): Promise<string>
  /** `fetch` with the token, for the page's own origin and `apis`; others get a plain request. When the token went stale, mints anew and repeats: once, or twice if the token it shared with other requests was as old. */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>
  /** The session as the issuer knows it now; null when signed out. */
  session(): Promise<SessionView | null>
  signOut(): Promise<void>
  /**
   * Leaves for the hosted page when an answer asks for a step-up (or for the need given), and says whether it does; the person
   * comes back to `returnTo`.
   */
  stepUp(asked: Response | StepUpNeed, options?: StepUpOptions): boolean
  /** What this tab left with, once, when the person is back from a step-up; `undefined` when they are not. */
  steppedUp(): SteppedUp | undefined
  /** Calls `listener` when sign-in, sign-out or another session is noticed; returns the function that ends it. */
  onChange(listener: (state: State) => void): () => void
  close(): void
}

/** What a newer token may mend, or the issuer knows the truth about: one of before a step-up proves less than the session does. */
const stale = /^(?:claims_stale|credential_conflict|session_(?:expired|revoked|unknown)|step_up_required|token_(?:expired|revoked))$/

/** Whether a body can be sent a second time: that of a `Request` by a copy of it, a stream beside one not. */
const replays = (init: RequestInit | undefined): boolean => !(init?.body instanceof ReadableStream)

/**
 * Creates the client of a page.
 * @example
 * const client = createClient({ issuer: 'https://app.example/auth' })
 * const answer = await client.fetch('/feed')
 */
export function createClient(options: ClientOptions): Client {
  const { issuer } = options
  // Called as a plain function: a browser's fetch has no other receiver.
  const send: typeof fetch = options.fetch ?? ((input, init) => fetch(input, init))
  const origins = [location.origin, ...(options.apis ?? [])]
  const calls = createIssuer(issuer, send)
  const listeners = new Set<(state: State) => void>()
  let quiet = false
  const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(`symbolon ${issuer}`)

  const tokens = createTokenHolder(calls, (state) => {
    for (const listener of listeners) listener(state)
    if (!quiet) channel?.postMessage(state.sid ?? null)
  })
  channel?.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
    if (data === tokens.state().sid) return
    quiet = true
    tokens.forget(data === null ? null : undefined)
    quiet = false
    // What another tab says is a hint: the issuer is asked.
    if (data !== null && listeners.size > 0) tokens.get().catch(() => {})
  })

  const wake = () => document.visibilityState === 'visible' && tokens.check()
  const active = () => tokens.active()
  const heard: readonly (readonly [EventTarget, string, () => unknown])[] = [
    [document, 'visibilitychange', wake],
    [window, 'pageshow', wake],
    [window, 'online', wake],
    [window, 'pointerdown', active],
    [window, 'keydown', active],
  ]
  for (const [target, name, listener] of heard) target.addEventListener(name, listener, { passive: true })

  const withToken = (init: RequestInit | undefined, input: RequestInfo | URL, token: string): RequestInit => {
    const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined))
    headers.set('authorization', `Bearer ${token}`)
    return { ...init, headers }
  }

  return {
    getToken: () => tokens.get(),
    async fetch(input, init) {
      const target = new URL(input instanceof Request ? input.url : input, location.href)
      if (!origins.includes(target.origin)) return send(input, init)
      let token: string
      try {
        token = await tokens.get()
      } catch (error) {
        // Who is signed out may still see what is public.
        if (error instanceof ClientError && error.code === 'signed_out') return send(input, init)
        throw error
      }
      const again = replays(init)
      for (let surely = false, last = !again; ; surely = true) {
        // A Request gives its body once: what may be sent again is copied.
        const response = await send(input instanceof Request && again ? input.clone() : input, withToken(init, input, token))
        if (response.status !== 401 || !stale.test(await codeOf(response))) return response
        if (last) {
          // Whatever is asked next shall not carry it, too.
          if (!again) tokens.renew(token, false).catch(() => {})
          return response
        }
        try {
          const renewed = await tokens.renew(token, surely)
          token = renewed.token
          last = renewed.fresh
        } catch (error) {
          // The API's 401 speaks of an old token, not of the session; only who is signed out shall take it for that.
          if (error instanceof ClientError && error.code === 'signed_out') return response
          throw error
        }
        await response.body?.cancel()
      }
    },
    async session() {
      try {
        return await calls.session()
      } catch (error) {
        if (!(error instanceof ClientError && error.code === 'signed_out')) throw error
        tokens.forget(null)
        return null
      }
    },
    async signOut() {
      try {
        await calls.signOut()
      } catch (error) {
        if (!(error instanceof ClientError && error.code === 'signed_out')) throw error
      }
      tokens.forget(null)
    },
    stepUp(asked, options = {}) {
      const need = asked instanceof Response ? stepUpNeed(asked) : asked
      if (need === undefined) return false
      leaveToStepUp(issuer, need, options)
      return true
    },
    steppedUp: backFromStepUp,
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close() {
      for (const [target, name, listener] of heard) target.removeEventListener(name, listener)
      listeners.clear()
      tokens.close()
      channel?.close()
    },
  }
}
