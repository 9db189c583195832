// Live checks of session cookies over HTTP: the issuer mints a token for one, which says whose it is. What cannot be a
// credential is refused here; calls are bounded in number and behind the breaker. Every failure to know is thrown, never an answer.

import { type AccessTokenClaims, backgroundHeader, cookieName, issuerPath, routes } from '@symbolon/protocol'
import { sidOf } from '../identity.ts'
import type { MintAnswer } from '../source.ts'
import { sessionOf } from './answers.ts'
import { type Breaker, shed } from './breaker.ts'
import { type JsonAnswer, type Transport, unknown } from './transport.ts'

/** What it stands on. */
export interface CookieParts {
  readonly issuer: string
  readonly transport: Transport
  readonly breaker: Breaker
  /** What a token fresh from the mint says; `undefined` when that cannot be told. */
  readonly read: (token: string) => Promise<Record<string, unknown> | undefined>
}

/** A session's credential in a cookie, in its one canonical spelling. */
const shape = /^syc_[\w-]{22}\.[1-9]\d{0,8}\.[\w-]{32}$/
/** Calls under way; beyond, callers are refused at once. */
const most = 512

const refusals = ['session_unknown', 'session_expired', 'session_revoked', 'session_superseded', 'step_up_required', 'denied'] as const
const isRefusal = (code: unknown): code is (typeof refusals)[number] => refusals.some((one) => one === code)

/** Creates it: asks about one credential. */
export function createCookieChecks({
  issuer,
  transport,
  breaker,
  read,
}: CookieParts): (credential: string, background?: boolean) => Promise<MintAnswer> {
  const name = cookieName('session', issuer.startsWith('https:'))
  const origin = issuer.slice(0, issuer.length - issuerPath(issuer).length)
  let underWay = 0

  const ask = async (credential: string, background: boolean): Promise<JsonAnswer> => {
    if (underWay >= most) throw unknown('too many checks wait for the issuer')
    if (!breaker.allows()) throw shed(breaker)
    underWay++
    try {
      const answer = await transport.json(routes.sessionToken, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          cookie: `${name}=${credential}`,
          origin,
          ...(background && { [backgroundHeader]: '1' }),
        },
        // A guard reads: nobody would receive the next credential.
        body: '{"rotate":false}',
      })
      // Whatever it says of this credential, it answers: nobody can open the breaker with a session of their own, nor by a step
      // of the refresh that fails for them.
      if (answer.status >= 500 && answer.body.code !== 'try_later') breaker.failed(answer.retryAfter)
      else breaker.succeeded()
      return answer
    } catch (error) {
      breaker.failed()
      throw error
    } finally {
      underWay--
    }
  }

  return async (credential, background = false) => {
    if (!shape.test(credential)) return { minted: false, code: 'session_unknown' }
    const { status, body, retryAfter } = await ask(credential, background)
    if (status === 403 && body.code === 'denied') return { minted: false, code: 'denied' }
    if (status === 401) return { minted: false, code: isRefusal(body.code) ? body.code : 'session_unknown' }
    const { access_token: accessToken } = body
    const claims = status === 200 && typeof accessToken === 'string' ? await read(accessToken) : undefined
    const session = claims === undefined ? undefined : sessionOf(claims)
    if (typeof accessToken !== 'string' || claims === undefined || session === undefined)
      throw unknown(`mint answered ${status}`, undefined, Math.max(1, retryAfter / 1000))
    if (session.sid !== sidOf(credential)) throw unknown('mint answered about another session')
    return { minted: true, accessToken, claims: claims as AccessTokenClaims, session }
  }
}
