// The verifier: guards for routes, from one strict token check, live checks through a source, and what is known of
// revocations. It fails closed: whatever cannot be known is a refusal with a 503, never a yes.

import { issuerPath, milliseconds, SymbolonError } from '@symbolon/protocol'
import type { GuardRequest, GuardResult, Level, Requirement } from './auth.ts'
import { createGuardFactory } from './guard.ts'
import { createHttpSource } from './http-source.ts'
import { createRevocations } from './revocations.ts'
import type { Source } from './source.ts'
import { createTokenVerifier, type TokenResult } from './token/verify.ts'

/** What a verifier is made of; only the issuer is needed for `token` routes. */
export interface VerifierOptions {
  readonly issuer: string
  /** Whose tokens are accepted; the issuer unless said. */
  readonly audience?: string
  /** This API's client at the issuer: needed to ask about a session (`session` routes) over HTTP. */
  readonly clientId?: string
  readonly clientSecret?: string
  /** Read the issuer's cookies too: only for an application on the issuer's own host. */
  readonly cookies?: boolean
  /** Foreign origins whose pages may use those cookies. */
  readonly origins?: readonly string[]
  /** Where navigations without a credential are sent, for every guard that names none. */
  readonly loginUrl?: string
  /** Seconds of leeway for clocks, 0–60; 5 unless said. */
  readonly leeway?: number
  /** How many checked tokens are remembered; 100,000 unless said. */
  readonly cache?: { readonly size: number }
  /** Where knowledge comes from; over HTTP unless said. */
  readonly source?: Source
  readonly fetch?: typeof fetch
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/** Decides about one request; at once when the token is known, else by a promise. */
export type Guard = (request: GuardRequest) => GuardResult | Promise<GuardResult>

/** Verifies tokens and makes guards. */
export interface Verifier {
  readonly issuer: string
  /**
   * A guard for a route.
   * @example
   * const guard = verifier.guard('session', { maxAuthAge: '5m' })
   */
  guard(level: Level, requirement?: Requirement): Guard
  /** Checks one access token locally. */
  verify(token: string): TokenResult | Promise<TokenResult>
  /** Ends what follows the issuer. */
  close(): Promise<void>
}

/** Creates a verifier. */
export function createVerifier(options: VerifierOptions): Verifier {
  const { issuer } = options
  if (!/^https?:\/\/[^/?#\s]+/.test(issuer) || issuer.endsWith('/'))
    throw new SymbolonError('invalid_option', {
      detail: "issuer must be an address like 'https://app.example/auth', without a trailing slash",
    })
  const now = options.now ?? Date.now
  const source =
    options.source ??
    createHttpSource({
      issuer,
      ...(options.clientId !== undefined && { clientId: options.clientId }),
      ...(options.clientSecret !== undefined && { clientSecret: options.clientSecret }),
      ...(options.fetch !== undefined && { fetch: options.fetch }),
    })
  const revocations = createRevocations(now)
  const feed = source.follow?.(revocations.apply)
  const tokens = createTokenVerifier({
    issuer,
    audience: options.audience ?? issuer,
    keys: (kid) => source.keys(kid),
    now,
    ...(source.follow !== undefined && { revoked: revocations.revoked, keyRevoked: revocations.keyRevoked }),
    ...(options.leeway !== undefined && { leeway: options.leeway }),
    ...(options.cache !== undefined && { cache: options.cache }),
  })
  const secure = issuer.startsWith('https:')
  const guard = createGuardFactory({
    tokens,
    source,
    now,
    cookies: options.cookies === true,
    secure,
    origin: issuer.slice(0, issuer.length - issuerPath(issuer).length),
    origins: options.origins ?? [],
    loginUrl: options.loginUrl,
    feed,
  })
  return {
    issuer,
    guard: (level, requirement = {}) => {
      if (requirement.maxStaleness !== undefined) milliseconds(requirement.maxStaleness)
      return guard(level, requirement)
    },
    verify: (token) => tokens.verify(token),
    async close() {
      feed?.end()
      await source.close()
    },
  }
}
