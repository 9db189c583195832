// Calls to the issuer: by cookie, with a deadline. An answer that is not one of ours counts as none.

import { backgroundHeader, routes, type SessionView, type TokenAnswer } from '@symbolon/protocol'
import { ClientError } from './failure.ts'
import { stepUpNeed } from './step-up.ts'

const deadline = 10_000
const dead = /^(?:missing_credential|session_(?:unknown|expired|revoked|reused|superseded))$/
/** What a session may be called that another sign-in of this browser has replaced. */
const replaced = /^session_(?:unknown|expired|revoked|superseded)$/

/** The issuer, as the client calls it. */
export interface Issuer {
  mint(background: boolean): Promise<TokenAnswer>
  session(): Promise<SessionView>
  signOut(): Promise<void>
}

/** The `code` of a problem, without using up the answer. */
export async function codeOf(response: Response): Promise<string> {
  try {
    const body = (await response.clone().json()) as { code?: unknown }
    return String(body.code)
  } catch {
    return ''
  }
}

/** Creates the calls. */
export function createIssuer(issuer: string, send: typeof fetch): Issuer {
  const call = async (path: string, init: RequestInit, again = false): Promise<Response> => {
    let response: Response
    try {
      response = await send(issuer + path, { credentials: 'include', cache: 'no-store', ...init, signal: AbortSignal.timeout(deadline) })
    } catch {
      throw new ClientError('unreachable')
    }
    if (response.ok) return response
    const code = await codeOf(response)
    // Replaced by a step-up or another sign-in while this was on its way: the next request carries the new cookie, or this browser has none.
    if (response.status === 401 && replaced.test(code) && !again) return call(path, init, true)
    if (response.status === 401 && dead.test(code)) throw new ClientError('signed_out')
    if (code === 'step_up_required') throw new ClientError('step_up_required', undefined, stepUpNeed(response))
    throw new ClientError('unreachable', Number(response.headers.get('retry-after')) * 1000 || undefined)
  }
  const read = async <T>(response: Response, name: keyof T): Promise<T> => {
    const body = (await response.json().catch(() => undefined)) as T | undefined
    if (body?.[name] === undefined) throw new ClientError('unreachable')
    return body
  }
  return {
    mint: async (background) => {
      const headers = { 'content-type': 'application/json', ...(background && { [backgroundHeader]: '1' }) }
      return read<TokenAnswer>(await call(routes.sessionToken, { method: 'POST', headers, body: '{}' }), 'access_token')
    },
    session: async () => read<SessionView>(await call(routes.session, {}), 'sid'),
    signOut: async () => void (await call(routes.session, { method: 'DELETE' })),
  }
}
