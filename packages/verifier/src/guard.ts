// A guard's way through a request: credentials, cross-site rule, token, live check, requirement. Written to decide
// without waiting and without building anything when a known token arrives.

import {
  type AccessTokenClaims,
  type ErrorCode,
  type ErrorOptions,
  isOpaque,
  isSafeMethod,
  isSameSite,
  milliseconds,
  positionHeader,
  problemHeaders,
  problemOf,
  readCookies,
  SymbolonError,
  setCookie,
} from '@symbolon/protocol'
import type { Auth, GuardRequest, GuardResult, Level, Requirement, StepUp } from './auth.ts'
import { authOf, clientClaims, liveClient, liveUser, sessionClaims, sidOf, withStaleness } from './identity.ts'
import { type Knowledge, type Shown, usualBound } from './knowledge.ts'
import type { PresentedMemory } from './presented.ts'
import { createCheck } from './requirements.ts'
import type { LiveAnswer, LiveQuestion, Source } from './source.ts'
import type { TokenAccepted, TokenResult, TokenVerifier } from './token/verify.ts'

/** What guards stand on. */
export interface GuardParts {
  readonly tokens: TokenVerifier
  readonly source: Source
  readonly now: () => number
  /** Milliseconds of a clock that never runs slow. */
  readonly elapsed: () => number
  readonly cookies: boolean
  readonly secure: boolean
  readonly origin: string
  readonly origins: readonly string[] | (() => Promise<readonly string[]>)
  readonly loginUrl: string | undefined
  readonly knowledge: Knowledge
  readonly presented: PresentedMemory
}

type Answer = GuardResult | Promise<GuardResult>
const none: readonly string[] = Object.freeze([])
const open: GuardResult = Object.freeze({ ok: true, auth: undefined, setCookies: none })

/** A refusal as it goes out. */
export function refuse(code: ErrorCode, options: ErrorOptions = {}): GuardResult {
  const problem = problemOf(code, options)
  const refused = { ok: false as const, status: problem.status, headers: problemHeaders(code, options), body: JSON.stringify(problem) }
  if (code !== 'step_up_required') return refused
  const { acrValues, maxAge } = options
  return { ...refused, stepUp: { ...(acrValues !== undefined && { acrValues }), ...(maxAge !== undefined && { maxAge }) } }
}

function faultOf(error: unknown): GuardResult {
  if (error instanceof SymbolonError && error.status >= 500) return refuse(error.code, { retryAfter: error.retryAfter ?? 1 })
  return refuse('try_later', { retryAfter: 1 })
}

/** The Bearer token of an Authorization header (RFC 6750 §2.1); the scheme in any case. */
function bearerOf(header: string | undefined): string | undefined {
  if (header === undefined || header.length < 8 || header.charCodeAt(6) !== 32) return undefined
  return header.startsWith('Bearer') || header.slice(0, 6).toLowerCase() === 'bearer' ? header.slice(7) : undefined
}

function isNavigation(request: GuardRequest): boolean {
  if (request.method !== 'GET') return false
  const mode = request.header('sec-fetch-mode')
  return mode === undefined ? (request.header('accept') ?? '').includes('text/html') : mode === 'navigate'
}

/** Where a navigation signs in, or steps up, and comes back from: the address as it came in, never another host. */
function loginAt(loginUrl: string, url: string, stepUp: StepUp | undefined): string {
  const back = /^\/(?![/\\])[\x21-\x7e]*$/.test(url) && !url.includes('\\') ? url : '/'
  const to = `${loginUrl}${loginUrl.includes('?') ? '&' : '?'}return_to=${encodeURIComponent(back)}`
  if (stepUp === undefined) return to
  const { acrValues = [], maxAge } = stepUp
  const acr = acrValues.length === 0 ? '' : `&acr_values=${encodeURIComponent(acrValues.join(' '))}`
  return `${to}&step_up=1${acr}${maxAge === undefined ? '' : `&max_age=${maxAge}`}`
}

/** What an issuer makes is no longer, as it must fit into a cookie. */
const longestOpaque = 4096

/** Creates the maker of guards. */
export function createGuardFactory(parts: GuardParts) {
  const { tokens, source, now, elapsed, knowledge, presented } = parts
  const auths = new WeakMap<AccessTokenClaims, Auth>()

  const localAuth = (token: string, { claims, kid }: TokenAccepted, staleness: number): Auth => {
    let auth = auths.get(claims)
    if (auth === undefined) {
      auth = authOf(claims)
      auths.set(claims, auth)
      presented.note(claims, { question: { by: 'token', token, claims }, kid })
    }
    return withStaleness(auth, Math.ceil(staleness))
  }

  return (level: Level, requirement: Requirement): ((request: GuardRequest) => Answer) => {
    if (level === 'public') return () => open
    const check = createCheck(requirement)
    const ownBound = requirement.maxStaleness === undefined ? undefined : milliseconds(requirement.maxStaleness)
    const bound = ownBound ?? (knowledge.followed ? usualBound : Number.POSITIVE_INFINITY)
    const subject = requirement.subject ?? 'user'
    const takesBearer = requirement.credential !== 'cookie'
    const takesCookie = parts.cookies && requirement.credential !== 'bearer'
    const loginUrl = requirement.loginUrl ?? parts.loginUrl

    const pass = (auth: Auth, setCookies: readonly string[] = none): GuardResult => {
      const missing = check(auth, now())
      return missing === undefined ? { ok: true, auth, setCookies } : refuse(missing.code, missing.options)
    }
    /** At a `token` route, not to be able to ask means not to know whether the token was revoked. */
    const fault = (error: unknown): GuardResult => {
      if (level === 'session') return faultOf(error)
      knowledge.refusedUnknown()
      return refuse('revocation_unknown', { retryAfter: (error instanceof SymbolonError && error.retryAfter) || 1 })
    }

    const live = (question: LiveQuestion, kid = '', sessionCookie?: string): Answer => {
      const askedAt = elapsed()
      const decide = (answer: LiveAnswer): GuardResult => {
        if (!answer.active) return refuse(answer.code, answer.options)
        const given = question.by === 'token' ? question.claims : answer.claims
        if ('client' in answer) {
          if (level === 'session') return refuse('session_required')
          if (given !== undefined && answer.client.clientEpoch > given.client_epoch) return refuse('claims_stale')
          const claims = given ?? clientClaims(answer.client)
          presented.note(claims, { question, kid, askedAt })
          return pass(liveClient(answer.client, claims))
        }
        const { session } = answer
        if (sessionCookie !== undefined && sidOf(sessionCookie) !== session.sid) return refuse('credential_conflict')
        // A token's epoch decides at a \`token\` route, however well the source knows what the user may do now.
        if (level === 'token' && given !== undefined && (session.epoch > (given.epoch ?? 0) || session.clientEpoch > given.client_epoch))
          return refuse('claims_stale')
        const claims = given ?? sessionClaims(session)
        presented.note(claims, { question, kid, askedAt })
        return pass(liveUser(session, claims))
      }
      try {
        const answer = source.check(question)
        return answer instanceof Promise ? answer.then(decide, fault) : decide(answer)
      } catch (error) {
        return fault(error)
      }
    }

    /** Decides by what is known here, if that is young enough and reaches as far as the request says; else \`otherwise\`. */
    const locally = (token: string, result: TokenAccepted, request: GuardRequest, otherwise: () => Answer): Answer => {
      const shown = knowledge.followed ? request.header(positionHeader) : undefined
      if (shown !== undefined) {
        const go = (seen: Shown): Answer => {
          if (seen === 'unknown') return fault(undefined)
          return seen === 'seen' ? afresh(token, otherwise) : otherwise()
        }
        const seen = knowledge.shows(shown)
        return typeof seen === 'string' ? go(seen) : seen.then(go)
      }
      const staleness = knowledge.staleness(result.claims)
      if (staleness <= bound) return pass(localAuth(token, result, staleness))
      return knowledge.refresh === undefined ? otherwise() : knowledge.refresh().then(() => afresh(token, otherwise))
    }
    /** The same after something may have been applied: the token is held against it again. */
    const afresh = (token: string, otherwise: () => Answer): Answer => {
      const decide = (result: TokenResult): Answer => {
        if (!result.ok) return refuseToken(result)
        const staleness = knowledge.staleness(result.claims)
        return staleness <= bound ? pass(localAuth(token, result, staleness)) : otherwise()
      }
      const result = tokens.verify(token)
      return result instanceof Promise ? result.then(decide) : decide(result)
    }

    const byToken = (token: string, result: TokenResult, request: GuardRequest, sessionCookie: string | undefined): Answer => {
      if (!result.ok) return refuseToken(result)
      const { claims, kid } = result
      if (sessionCookie !== undefined && claims.sid !== undefined && sidOf(sessionCookie) !== claims.sid)
        return refuse('credential_conflict')
      if (level === 'session') {
        if (claims.sid === undefined) return refuse('session_required')
        return live({ by: 'token', token, claims }, kid)
      }
      // Whoever is not taken here anyway is not worth a question.
      if (subject !== 'any' && subject !== (claims.sid === undefined ? 'client' : 'user'))
        return refuse(claims.sid === undefined ? 'session_required' : 'invalid_token')
      return locally(token, result, request, () => {
        knowledge.counters.fallbacks++
        return live({ by: 'token', token, claims }, kid)
      })
    }

    /** A page rendered on the server: one minted on the fly, for a session cookie without a good token. */
    const mint = (session: string): Answer => {
      if (source.mint === undefined) return live({ by: 'cookie', credential: session })
      const askedAt = elapsed()
      return source.mint(session).then((answer): GuardResult => {
        if (!answer.minted) return refuse(answer.code, answer.options)
        const { claims, accessToken } = answer
        presented.note(claims, { question: { by: 'cookie', credential: session }, kid: '', askedAt })
        // An opaque one would be asked about at every request, as the session is: it saves nothing.
        if (isOpaque(accessToken)) return pass(liveUser(answer.session, claims))
        const cookie = setCookie('token', accessToken, { secure: parts.secure, maxAge: Math.max(1, claims.exp - claims.iat) })
        return pass(liveUser(answer.session, claims), [cookie])
      }, faultOf)
    }
    const byTokenCookie = (session: string, token: string, result: TokenResult, request: GuardRequest): Answer => {
      if (!result.ok || result.claims.sid !== sidOf(session)) return mint(session)
      const answer = locally(token, result, request, () => mint(session))
      // A token of before a step-up proves less than the session does.
      const anew = (one: GuardResult): Answer => (one.ok || one.stepUp === undefined ? one : mint(session))
      return answer instanceof Promise ? answer.then(anew) : anew(answer)
    }

    const byBearer = (bearer: string, request: GuardRequest, session: string | undefined): Answer => {
      if (isOpaque(bearer)) {
        if (bearer.length > longestOpaque) return refuse('invalid_token')
        return live({ by: 'opaque', token: bearer }, '', session)
      }
      const result = tokens.verify(bearer)
      return result instanceof Promise
        ? result.then((one) => byToken(bearer, one, request, session)).catch(faultOf)
        : byToken(bearer, result, request, session)
    }

    const answerTo = (request: GuardRequest): Answer => {
      const authorization = request.header('authorization')
      const bearer = takesBearer ? bearerOf(authorization) : undefined
      let session: string | undefined
      let token: string | undefined
      if (parts.cookies) {
        const cookies = readCookies(request.header('cookie'), parts.secure)
        if (cookies === 'conflict') return refuse('cookie_conflict')
        const carries =
          cookies.session !== undefined || cookies.token !== undefined || cookies.login !== undefined || cookies.device !== undefined
        if (takesCookie) {
          session = cookies.session
          token = cookies.token
        }
        if (carries && !isSafeMethod(request.method)) {
          const { method } = request
          const origin = request.header('origin')
          const question = { method, origin, fetchSite: request.header('sec-fetch-site'), own: parts.origin }
          const ours = origin === undefined || origin === parts.origin
          const from = (listed: readonly string[]): Answer =>
            isSameSite({ ...question, listed })
              ? byCredential(request, authorization, bearer, session, token)
              : refuse('cross_site_request')
          if (typeof parts.origins !== 'function') return from(parts.origins)
          // Who may be asked for is asked only about a strange one.
          return ours || origin === 'null' ? from([]) : Promise.resolve().then(parts.origins).then(from).catch(faultOf)
        }
      }
      return byCredential(request, authorization, bearer, session, token)
    }

    const byCredential = (
      request: GuardRequest,
      authorization: string | undefined,
      bearer: string | undefined,
      session: string | undefined,
      token: string | undefined,
    ): Answer => {
      if (bearer !== undefined) return byBearer(bearer, request, session)
      if (session === undefined) return refuse(authorization === undefined || !takesBearer ? 'missing_credential' : 'invalid_token')
      if (level === 'session') return live({ by: 'cookie', credential: session })
      if (token === undefined) return mint(session)
      const held = session
      const cookie = token
      const result = tokens.verify(cookie)
      return result instanceof Promise
        ? result.then((one) => byTokenCookie(held, cookie, one, request)).catch(faultOf)
        : byTokenCookie(held, cookie, result, request)
    }
    if (loginUrl === undefined) return answerTo
    return (request) => {
      const answer = answerTo(request)
      if (!isNavigation(request)) return answer
      // Whoever must sign in, for the first time or again, is shown where.
      const showIn = (result: GuardResult): GuardResult =>
        result.ok || result.status !== 401
          ? result
          : {
              ok: false,
              status: 303,
              headers: { location: loginAt(loginUrl, request.url, result.stepUp), 'cache-control': 'no-store' },
              body: '',
            }
      return answer instanceof Promise ? answer.then(showIn) : showIn(answer)
    }
  }
}

const refuseToken = (result: Extract<TokenResult, { ok: false }>): GuardResult =>
  refuse(result.code, result.code === 'keys_unavailable' ? { retryAfter: 5 } : {})
