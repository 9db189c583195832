// The source over HTTP, for APIs that do not run inside the service: keys from JWKS, live answers by introspection
// (RFC 7662). Every call has a deadline and a size limit; a failure to know is a 503, never an answer.

import { type AccessTokenClaims, backgroundHeader, cookieName, fromBase64url, issuerPath, routes, SymbolonError } from '@symbolon/protocol'
import { createKeySet } from './keys.ts'
import type { LiveAnswer, LiveSession, MintAnswer, Source } from './source.ts'

/** What the source over HTTP stands on. `deadline` in milliseconds; 1,000 unless said. */
export interface HttpSourceOptions {
  readonly issuer: string
  readonly clientId?: string
  readonly clientSecret?: string
  readonly deadline?: number
  readonly fetch?: typeof fetch
}

const most = 65_536

const unknown = (detail: string, cause?: unknown) =>
  new SymbolonError('try_later', { detail, retryAfter: 1, ...(cause !== undefined && { cause }) })

/** Reads a bounded body. */
async function textOf(response: Response): Promise<string> {
  const reader = response.body?.getReader()
  if (reader === undefined) return ''
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

const strings = (value: unknown): readonly string[] => (Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [])
const words = (value: unknown): readonly string[] => (typeof value === 'string' && value !== '' ? value.split(' ') : [])

function sessionOf(claims: Readonly<Record<string, unknown>>): LiveSession | undefined {
  const { sub, sid, client_id, epoch, client_epoch, auth_time, acr } = claims
  if (typeof sub !== 'string' || typeof sid !== 'string' || typeof client_id !== 'string' || typeof epoch !== 'number') return undefined
  return {
    sub,
    sid,
    clientId: client_id,
    epoch,
    clientEpoch: Number(client_epoch),
    roles: strings(claims.roles),
    scope: words(claims.scope),
    authTime: Number(auth_time),
    acr: String(acr ?? ''),
    amr: strings(claims.amr),
  }
}

/** Creates the source. */
export function createHttpSource(options: HttpSourceOptions): Source {
  const { issuer, clientId, clientSecret, deadline = 1000 } = options
  const send = options.fetch ?? fetch
  const secure = issuer.startsWith('https:')
  const origin = issuer.slice(0, issuer.length - issuerPath(issuer).length)
  // RFC 6749 §2.3.1: both are form-encoded before they are joined.
  const basic =
    clientId === undefined || clientSecret === undefined
      ? undefined
      : `Basic ${btoa(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`)}`

  const call = async (path: string, init: RequestInit): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> => {
    try {
      const response = await send(issuer + path, { ...init, redirect: 'error', signal: AbortSignal.timeout(deadline) })
      const text = await textOf(response)
      const body: unknown = text === '' ? {} : JSON.parse(text)
      if (typeof body !== 'object' || body === null) throw unknown('the answer is not an object')
      return { status: response.status, body: body as Record<string, unknown> }
    } catch (cause) {
      throw cause instanceof SymbolonError ? cause : unknown('the issuer cannot be reached', cause)
    }
  }

  const byCookie = async (credential: string): Promise<MintAnswer> => {
    const { status, body } = await call(routes.sessionToken, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        cookie: `${cookieName('session', secure)}=${credential}`,
        origin,
        [backgroundHeader]: '1',
      },
      // A guard reads: nobody would receive the next credential.
      body: '{"rotate":false}',
    })
    if (status === 401) return { minted: false, code: isRefusal(body.code) ? body.code : 'session_unknown' }
    const { access_token: accessToken } = body
    const claims = typeof accessToken === 'string' ? payloadOf(accessToken) : undefined
    const session = claims === undefined ? undefined : sessionOf(claims)
    if (status !== 200 || typeof accessToken !== 'string' || claims === undefined || session === undefined)
      throw unknown(`mint answered ${status}`)
    return { minted: true, accessToken, claims: claims as AccessTokenClaims, session }
  }

  return {
    keys: createKeySet({
      now: () => performance.now(),
      fetchJson: async () => {
        const { status, body } = await call(routes.jwks, { method: 'GET' })
        if (status !== 200) throw unknown(`the key set answered ${status}`)
        return body
      },
    }),
    async check(question): Promise<LiveAnswer> {
      if (question.by === 'cookie') {
        const minted = await byCookie(question.credential)
        return minted.minted ? { active: true, session: minted.session } : { active: false, code: minted.code }
      }
      if (basic === undefined)
        throw new SymbolonError('try_later', {
          retryAfter: 60,
          detail: 'session routes need clientId and clientSecret: register this API with `symbolon clients create`',
        })
      const { status, body } = await call(routes.introspect, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: basic, accept: 'application/json' },
        body: new URLSearchParams({ token: question.token }).toString(),
      })
      if (status !== 200) throw unknown(`introspection answered ${status}`)
      // RFC 7662 §2.2 gives no reason: a token that is only stale is minted anew, one whose session ended is not.
      if (body.active !== true) return { active: false, code: 'token_revoked' }
      const session = sessionOf(body)
      // The answer must be about the session that was asked for.
      if (
        session === undefined ||
        (question.by === 'token' && (session.sid !== question.claims.sid || session.sub !== question.claims.sub))
      )
        throw unknown('introspection answered about another session')
      return { active: true, session }
    },
    mint: byCookie,
    close: async () => {},
  }
}

const refusals = ['session_unknown', 'session_expired', 'session_revoked', 'session_superseded', 'step_up_required'] as const
const isRefusal = (code: unknown): code is (typeof refusals)[number] => refusals.some((one) => one === code)

function payloadOf(token: string): Record<string, unknown> | undefined {
  const bytes = fromBase64url(token.split('.')[1] ?? '')
  if (bytes === undefined) return undefined
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}
