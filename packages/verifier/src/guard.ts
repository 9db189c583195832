// A guard's way through a request: credentials, cross-site rule, token, live check, requirement. Written to decide
// without waiting and without building anything when a known token arrives.

import {
  type AccessTokenClaims,
  type ErrorCode,
  type ErrorOptions,
  isSafeMethod,
  isSameSite,
  milliseconds,
  problemHeaders,
  problemOf,
  readCookies,
  SymbolonError,
  setCookie,
} from '@symbolon/protocol'
import type { Auth, GuardRequest, GuardResult, Level, Requirement, UserAuth } from './auth.ts'
import { createCheck } from './requirements.ts'
import type { Feed, LiveAnswer, LiveSession, Source } from './source.ts'
import type { TokenResult, TokenVerifier } from './token/verify.ts'

/** What guards stand on. */
export interface GuardParts {
  readonly tokens: TokenVerifier
  readonly source: Source
  readonly now: () => number
  readonly cookies: boolean
  readonly secure: boolean
  readonly origin: string
  readonly origins: readonly string[]
  readonly loginUrl: string | undefined
  /** The feed that is followed; `undefined` where revocations are not known. */
  readonly feed: Feed | undefined
}

type Answer = GuardResult | Promise<GuardResult>
const none: readonly string[] = Object.freeze([])
const open: GuardResult = Object.freeze({ ok: true, auth: undefined, setCookies: none })

/** A refusal as it goes out. */
export function refuse(code: ErrorCode, options: ErrorOptions = {}): GuardResult {
  const problem = problemOf(code, options)
  return { ok: false, status: problem.status, headers: problemHeaders(code, options), body: JSON.stringify(problem) }
}

function faultOf(error: unknown): GuardResult {
  if (error instanceof SymbolonError && error.status >= 500) return refuse(error.code, { retryAfter: error.retryAfter ?? 1 })
  return refuse('try_later', { retryAfter: 1 })
}

/** Who is calling, by a token's claims alone. */
function authOf(claims: AccessTokenClaims, checked: Auth['checked'], stalenessMs: number): Auth {
  const scope = claims.scope === undefined || claims.scope === '' ? none : Object.freeze(claims.scope.split(' '))
  const common = {
    sub: claims.sub,
    clientId: claims.client_id,
    scope,
    roles: claims.roles ?? none,
    checked,
    stalenessMs,
    claims,
  }
  if (claims.sid === undefined) return Object.freeze({ kind: 'client' as const, ...common, epoch: claims.client_epoch })
  return Object.freeze({
    kind: 'user' as const,
    ...common,
    sid: claims.sid,
    epoch: claims.epoch ?? 0,
    authTime: claims.auth_time ?? 0,
    acr: claims.acr ?? '',
    amr: claims.amr ?? none,
  })
}

/** Who is calling, by the session as it is now. */
function liveAuth(session: LiveSession, claims: UserAuth['claims']): UserAuth {
  const { sub, sid, clientId, epoch, roles, scope, authTime, acr, amr } = session
  return { kind: 'user', sub, sid, clientId, epoch, roles, scope, authTime, acr, amr, checked: 'live', stalenessMs: 0, claims }
}

function claimsOf(session: LiveSession): UserAuth['claims'] {
  const { sub, sid, clientId, epoch, clientEpoch, roles, scope, authTime, acr, amr } = session
  return { sub, sid, client_id: clientId, epoch, client_epoch: clientEpoch, roles, scope: scope.join(' '), auth_time: authTime, acr, amr }
}

/** The Bearer token of an Authorization header (RFC 6750 §2.1); the scheme in any case. */
function bearerOf(header: string | undefined): string | undefined {
  if (header === undefined || header.length < 8 || header.charCodeAt(6) !== 32) return undefined
  return header.startsWith('Bearer') || header.slice(0, 6).toLowerCase() === 'bearer' ? header.slice(7) : undefined
}

/** The sid that stands in a session cookie. */
const sidOf = (cookie: string) => cookie.slice(4, 26)

function isNavigation(request: GuardRequest): boolean {
  if (request.method !== 'GET') return false
  const mode = request.header('sec-fetch-mode')
  return mode === undefined ? (request.header('accept') ?? '').includes('text/html') : mode === 'navigate'
}

/** Where a navigation signs in and comes back from: the address as it came in, never another host. */
function loginAt(loginUrl: string, url: string): string {
  const back = /^\/(?![/\\])[\x21-\x7e]*$/.test(url) && !url.includes('\\') ? url : '/'
  return `${loginUrl}${loginUrl.includes('?') ? '&' : '?'}return_to=${encodeURIComponent(back)}`
}

/** Creates the maker of guards. */
export function createGuardFactory(parts: GuardParts) {
  const { tokens, source, now, feed } = parts
  const auths = new WeakMap<AccessTokenClaims, Auth>()

  const localAuth = (claims: AccessTokenClaims): Auth => {
    let auth = auths.get(claims)
    if (auth === undefined) {
      auth = authOf(claims, 'local', 0)
      auths.set(claims, auth)
    }
    if (feed !== undefined) return withStaleness(auth, feed.staleness())
    // Without the feed, what is known is what was true at the mint.
    return withStaleness(auth, Math.max(0, now() - claims.iat * 1000))
  }

  return (level: Level, requirement: Requirement): ((request: GuardRequest) => Answer) => {
    if (level === 'public') return () => open
    const check = createCheck(requirement)
    const maxStaleness = requirement.maxStaleness === undefined ? undefined : milliseconds(requirement.maxStaleness)
    const takesBearer = requirement.credential !== 'cookie'
    const takesCookie = parts.cookies && requirement.credential !== 'bearer'
    const loginUrl = requirement.loginUrl ?? parts.loginUrl

    const pass = (auth: Auth, setCookies: readonly string[] = none): GuardResult => {
      const missing = check(auth, now())
      return missing === undefined ? { ok: true, auth, setCookies } : refuse(missing.code, missing.options)
    }
    const live = (question: Parameters<Source['check']>[0], request: GuardRequest): Answer => {
      const decide = (answer: LiveAnswer): GuardResult => {
        if (!answer.active) return turnAway(answer.code, request, answer.options)
        if (!('session' in answer)) return refuse('session_required')
        return pass(liveAuth(answer.session, question.by === 'token' ? question.claims : claimsOf(answer.session)))
      }
      try {
        const answer = source.check(question)
        return answer instanceof Promise ? answer.then(decide, faultOf) : decide(answer)
      } catch (error) {
        return faultOf(error)
      }
    }
    const turnAway = (code: ErrorCode, request: GuardRequest, options?: ErrorOptions): GuardResult => {
      const problem = refuse(code, options)
      if (loginUrl === undefined || problem.ok || problem.status !== 401 || !isNavigation(request)) return problem
      return { ok: false, status: 303, headers: { location: loginAt(loginUrl, request.url), 'cache-control': 'no-store' }, body: '' }
    }

    const byToken = (token: string, result: TokenResult, request: GuardRequest, sessionCookie: string | undefined): Answer => {
      if (!result.ok) return refuse(result.code, result.code === 'keys_unavailable' ? { retryAfter: 5 } : {})
      const { claims } = result
      if (sessionCookie !== undefined && claims.sid !== undefined && sidOf(sessionCookie) !== claims.sid)
        return refuse('credential_conflict')
      if (level === 'session') {
        if (claims.sid === undefined) return refuse('session_required')
        return live({ by: 'token', token, claims }, request)
      }
      const auth = localAuth(claims)
      if (maxStaleness !== undefined && auth.stalenessMs > maxStaleness && claims.sid !== undefined)
        return live({ by: 'token', token, claims }, request)
      return pass(auth)
    }

    /** A page rendered on the server: the token cookie if it is good and of this session, else one minted on the fly. */
    const byTokenCookie = (session: string, result: TokenResult | undefined, request: GuardRequest): Answer => {
      if (result?.ok === true && result.claims.sid === sidOf(session)) {
        const auth = localAuth(result.claims)
        if (maxStaleness === undefined || auth.stalenessMs <= maxStaleness) return pass(auth)
      }
      if (source.mint === undefined) return live({ by: 'cookie', credential: session }, request)
      return source.mint(session).then((answer): GuardResult => {
        if (!answer.minted) return turnAway(answer.code, request, answer.options)
        const { claims, accessToken } = answer
        const cookie = setCookie('token', accessToken, { secure: parts.secure, maxAge: Math.max(1, claims.exp - claims.iat) })
        return pass(liveAuth(answer.session, claims), [cookie])
      }, faultOf)
    }

    return (request) => {
      const authorization = request.header('authorization')
      const bearer = takesBearer ? bearerOf(authorization) : undefined
      let session: string | undefined
      let token: string | undefined
      if (parts.cookies) {
        const cookies = readCookies(request.header('cookie'), parts.secure)
        if (cookies === 'conflict') return refuse('cookie_conflict')
        const carries =
          cookies.session !== undefined || cookies.token !== undefined || cookies.login !== undefined || cookies.device !== undefined
        if (carries && !isSafeMethod(request.method)) {
          const { method } = request
          const question = {
            method,
            origin: request.header('origin'),
            fetchSite: request.header('sec-fetch-site'),
            own: parts.origin,
            listed: parts.origins,
          }
          if (!isSameSite(question)) return refuse('cross_site_request')
        }
        if (takesCookie) {
          session = cookies.session
          token = cookies.token
        }
      }
      if (bearer !== undefined) {
        const result = tokens.verify(bearer)
        return result instanceof Promise
          ? result.then((one) => byToken(bearer, one, request, session), faultOf)
          : byToken(bearer, result, request, session)
      }
      if (session === undefined)
        return turnAway(authorization === undefined || !takesBearer ? 'missing_credential' : 'invalid_token', request)
      if (level === 'session') return live({ by: 'cookie', credential: session }, request)
      const held = session
      if (token === undefined) return byTokenCookie(held, undefined, request)
      const result = tokens.verify(token)
      return result instanceof Promise
        ? result.then((one) => byTokenCookie(held, one, request), faultOf)
        : byTokenCookie(held, result, request)
    }
  }
}

function withStaleness(auth: Auth, stalenessMs: number): Auth {
  return stalenessMs === 0 ? auth : { ...auth, stalenessMs }
}
