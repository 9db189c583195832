// What a visitor may do to their own account, and to the signing key, to see tokens die: each is one admin call, then a watch
// over both verifiers. An answer is lines of JSON, told as things happen.

import type { Request, Response } from 'express'
import type { Operator } from './operator.ts'
import type { Api } from './processes.ts'
import type { Undo } from './undo.ts'
import { watch, watchFor } from './watch.ts'

/** Who acts: a user with a token that was checked against the session's record. */
export interface Actor {
  readonly sub: string
  readonly sid: string
  readonly token: string
}

/** What is going to be done, once everything about it is known. */
interface Plan {
  /** What was done, in words, when it worked. */
  readonly text: string
  /** The token that should die; undefined when none was seen here. */
  readonly token: string | undefined
  act(): Promise<{ readonly status: number }>
  /** Takes it back. */
  readonly back?: () => Promise<void>
}

/** Thrown by a plan that cannot be made. */
class NoPlan extends Error {}

interface Session {
  readonly sid: string
  readonly device: string
  readonly created_at: string
}

/** What the actions stand on. */
export interface ActionsParts {
  readonly operator: Operator
  readonly apis: readonly Api[]
  readonly undo: Undo
}

/** Watches at the same time; tokens of browsers remembered. */
const mostWatches = 8
const mostTokens = 200

/** The key that signed a token which was verified before. */
function kidOf(token: string): string {
  const header = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid?: unknown }
  return String(header.kid)
}

/** Creates the actions. */
export function createActions({ operator, apis, undo }: ActionsParts) {
  let watches = 0
  let acted = 0
  /** The newest token that each browser showed, to see it refused when another browser ends its session. In memory only. */
  const tokens = new Map<string, string>()

  const plans: Readonly<Record<string, (actor: Actor, body: unknown) => Promise<Plan>>> = {
    async 'sign-out'({ sub, sid, token }, body) {
      const found = await operator.call<{ sessions: readonly Session[] }>('GET', `/users/${sub}/sessions`)
      const { sessions } = found.body
      const wished = (body as { sid?: unknown } | undefined)?.sid
      const others = sessions.filter((one) => one.sid !== sid).sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at))
      const target = wished === undefined ? (others[0] ?? sessions[0]) : sessions.find((one) => one.sid === wished)
      if (target === undefined) throw new NoPlan('There is no such session.')
      const own = target.sid === sid
      return {
        text: own ? 'this browser was signed out' : `the session on ${target.device} was ended`,
        token: own ? token : tokens.get(target.sid),
        async act() {
          tokens.delete(target.sid)
          return operator.call('DELETE', `/sessions/${target.sid}`)
        },
      }
    },
    async role({ sub, token }) {
      const user = await operator.call<{ roles: readonly string[] }>('GET', `/users/${sub}`)
      const had = user.body.roles.includes('editor')
      const roles = had ? user.body.roles.filter((role) => role !== 'editor') : [...user.body.roles, 'editor']
      return {
        text: `the role “editor” was ${had ? 'taken' : 'given'}`,
        token,
        act: () => operator.call('PUT', `/users/${sub}/roles`, { roles }),
      }
    },
    async disable({ sub, token }) {
      return {
        text: 'the user was disabled',
        token,
        act: () => operator.call('PUT', `/users/${sub}/status`, { status: 'disabled' }),
        back: async () => void (await operator.call('PUT', `/users/${sub}/status`, { status: 'active' })),
      }
    },
    async key({ token }) {
      // The service puts the next key in its place in the same transaction: nothing is to be rotated before.
      return { text: 'the signing key was revoked', token, act: () => operator.call('POST', `/keys/${kidOf(token)}/revoke`) }
    },
  }

  return {
    /** How many actions were done: whoever sees it grow looks whether their own token still lives. */
    acted: () => acted,

    /** Remembers a token that was checked. */
    seen({ sid, token }: Actor): void {
      tokens.delete(sid)
      tokens.set(sid, token)
      for (const oldest of tokens.keys()) if (tokens.size > mostTokens) tokens.delete(oldest)
    },

    /** Does it and tells: acknowledged, each verifier's first refusal, end. */
    async run(name: string, actor: Actor, request: Request, response: Response): Promise<void> {
      const make = Object.hasOwn(plans, name) ? plans[name] : undefined
      if (make === undefined) return void response.status(404).json({ code: 'not_found' })
      if (watches >= mostWatches) return void response.status(503).set('retry-after', '8').json({ code: 'try_later' })
      watches++
      const gone = new AbortController()
      response.once('close', () => gone.abort())
      try {
        const plan = await make(actor, request.body)
        const watching = plan.token === undefined ? undefined : await watch(apis, plan.token, gone.signal)
        // Before it is done: an answer that gets lost must not leave a user disabled.
        const kept = plan.back === undefined ? undefined : undo.keep(plan.back)
        const { status } = await plan.act()
        const acknowledged = performance.now()
        acted++
        if (status >= 400) throw new NoPlan(`The service answered ${status}.`)
        const line = (value: object) => response.writable && response.write(`${JSON.stringify(value)}\n`)
        response.status(200).set({ 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
        line({ event: 'acknowledged', text: plan.text, watched: watching !== undefined, ...(kept !== undefined && { undo: kept }) })
        await watching?.refusals(acknowledged, (refusal) => line({ event: 'refused', ...refusal }))
        line({ event: 'end', within: watchFor })
        response.end()
      } catch (error) {
        if (response.headersSent) response.destroy()
        else
          response.status(502).json({ code: 'try_later', detail: error instanceof NoPlan ? error.message : 'The service did not answer.' })
      } finally {
        watches--
      }
    },
  }
}
