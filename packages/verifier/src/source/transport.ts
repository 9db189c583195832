// Calls to the issuer: credentials, deadlines, bounded bodies. Redirects are not followed, since they would
// carry the credential elsewhere ('manual': some runtimes know no 'error'). Must never put a body or a credential into an
// error, nor take the answer to one call for the answer to another.

import { nonceHeader, SymbolonError } from '@symbolon/protocol'
import { later } from '../timers.ts'

/** An answer whose body was JSON. */
export interface JsonAnswer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
  /** `Retry-After` in milliseconds; 0 when there is none. */
  readonly retryAfter: number
}

/** How the issuer is called. */
export interface Transport {
  /** `Basic` credentials of this API's client; `undefined` without a secret. */
  readonly credential: string | undefined
  /**
   * Calls and reads a bounded JSON object. Throws `try_later` when there is none within the deadline (milliseconds).
   * `cached`: what a cache on the way has kept is good enough.
   */
  json(
    path: string,
    init: { readonly method?: string; readonly headers?: Readonly<Record<string, string>>; readonly body?: string },
    options?: { readonly deadline?: number; readonly most?: number; readonly cached?: boolean },
  ): Promise<JsonAnswer>
  /** Calls with this API's credential; the body is the caller's to read, and `signal` ends it. Throws `try_later` for an answer to another call. */
  open(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Response>
  /** Ends the calls of `json` that are under way. */
  end(): void
}

/** What calls need. `deadline` in milliseconds. */
export interface TransportParts {
  readonly issuer: string
  readonly clientId: string | undefined
  readonly clientSecret: string | undefined
  readonly deadline: number
  readonly fetch: typeof fetch
}

/** That something cannot be known right now. `retryAfter` in seconds. */
export const unknown = (detail: string, cause?: unknown, retryAfter = 1): SymbolonError =>
  new SymbolonError('try_later', { detail, retryAfter, ...(cause !== undefined && { cause }) })

/** `Retry-After` (RFC 9110 §10.2.3, in seconds; a date is not read) in milliseconds, at most five minutes. */
export function retryAfterOf(response: Response): number {
  const value = response.headers.get('retry-after') ?? ''
  return /^\d{1,6}$/.test(value) ? Math.min(300, Number(value)) * 1000 : 0
}

/** Reads a bounded body. */
async function textOf(response: Response, most: number): Promise<string> {
  const reader = response.body?.getReader()
  if (reader === undefined) return response.text()
  const decoder = new TextDecoder()
  let text = ''
  for (let bytes = 0; ; ) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    bytes += value.length
    if (bytes > most) {
      await reader.cancel()
      throw unknown('the answer is too large')
    }
    text += decoder.decode(value, { stream: true })
  }
}

/** Creates the transport. */
export function createTransport(parts: TransportParts): Transport {
  const { issuer, clientId, clientSecret } = parts
  const send = parts.fetch
  // RFC 6749 §2.3.1: both are form-encoded before they are joined.
  const credential =
    clientId === undefined || clientSecret === undefined
      ? undefined
      : `Basic ${btoa(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`)}`
  const underWay = new Set<AbortController>()
  const sendFresh = async (
    path: string,
    init: RequestInit & { readonly headers?: Readonly<Record<string, string>> },
  ): Promise<Response> => {
    const nonce = crypto.randomUUID()
    const response = await send(issuer + path, { ...init, headers: { ...init.headers, [nonceHeader]: nonce } })
    const given = response.headers.get(nonceHeader)
    if (given === null || given === nonce) return response
    // What stands between keeps answers that it must not keep, or has them out of step: an old yes, or an old beat.
    response.body?.cancel().catch(() => {})
    throw unknown('the answer is one to an earlier request')
  }
  return {
    credential,
    async json(path, init, { deadline = parts.deadline, most = 65_536, cached = false } = {}) {
      const controller = new AbortController()
      const cancel = later(deadline, () => controller.abort())
      underWay.add(controller)
      try {
        const asked = { ...init, redirect: 'manual' as const, signal: controller.signal }
        const response = await (cached ? send(issuer + path, asked) : sendFresh(path, asked))
        const text = await textOf(response, most)
        let body: unknown = {}
        try {
          if (text !== '') body = JSON.parse(text)
        } catch (cause) {
          if (response.ok) throw cause
        }
        if (typeof body !== 'object' || body === null) throw unknown('the answer is not an object')
        return { status: response.status, body: body as Record<string, unknown>, retryAfter: retryAfterOf(response) }
      } catch (cause) {
        throw cause instanceof SymbolonError ? cause : unknown('the issuer cannot be reached', cause)
      } finally {
        cancel()
        underWay.delete(controller)
      }
    },
    open: (path, headers, signal) =>
      sendFresh(path, {
        headers: { ...headers, ...(credential !== undefined && { authorization: credential }) },
        redirect: 'manual',
        signal,
      }),
    end() {
      for (const one of underWay) one.abort()
    },
  }
}
