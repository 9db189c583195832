// The verifier: guards for routes, from one strict token check, live checks through a source, and what is known of
// revocations. It fails closed: whatever cannot be known is a refusal with a 503, never a yes.

import { issuerPath, type Revocation, SymbolonError } from '@symbolon/protocol'
import type { GuardRequest, GuardResult, Level, Requirement } from './auth.ts'
import { type Counters, createDelays, delayBuckets, printMetrics } from './counters.ts'
import { createGuardFactory } from './guard.ts'
import { createKeep } from './keep.ts'
import { createKnowledge, usualBound } from './knowledge.ts'
import { createLive, type Live } from './live.ts'
import { createObserver, type Observe } from './observe.ts'
import { createPresentedMemory } from './presented.ts'
import { createRevocations } from './revocations.ts'
import { createElapsed } from './source/elapsed.ts'
import type { FollowMode } from './source/follow.ts'
import { createHttpSource } from './source/http.ts'
import type { Feed, FeedStatus, Source } from './source.ts'
import { createTokenVerifier, type TokenResult } from './token/verify.ts'

/** What a verifier is made of; only the issuer is needed for `token` routes. */
export interface VerifierOptions {
  readonly issuer: string
  /** Whose tokens are accepted; the issuer unless said. */
  readonly audience?: string
  /**
   * This API's client at the issuer: needed over HTTP to ask about a session (`session` routes), and, with the scope
   * `revocations:read`, to follow revocations.
   */
  readonly clientId?: string
  readonly clientSecret?: string
  /** Read the issuer's cookies too: only for an application on the issuer's own host. */
  readonly cookies?: boolean
  /** Foreign origins whose pages may use those cookies; as a function, asked when a request comes from one. */
  readonly origins?: readonly string[] | (() => Promise<readonly string[]>)
  /** Where navigations without a credential are sent, for every guard that names none. */
  readonly loginUrl?: string
  /** Seconds of leeway for clocks, 0–60; 5 unless said. */
  readonly leeway?: number
  /** How many checked tokens are remembered; 100,000 unless said. */
  readonly cache?: { readonly size: number }
  /** Where knowledge comes from; over HTTP unless said. */
  readonly source?: Source
  /**
   * `follow`: tokens are refused as soon as they are revoked, and asked about when that cannot be known. `expiry`: tokens
   * live until they expire. Unless said, revocations are followed where they can be: not without `clientId` and
   * `clientSecret`, which `status().followed` and an event say. `follow` without them: `invalid_option`.
   */
  readonly revocations?: 'follow' | 'expiry'
  /**
   * How they are followed over HTTP: by a `stream`, with the long poll where it cannot be had; by `long_poll` only; or,
   * on runtimes that keep no connection, by a `snapshot` brought up to date when a request finds it too old.
   */
  readonly follow?: FollowMode
  /** Hears of changes of state. */
  readonly observe?: Observe
  /**
   * Where a runtime stops what a request began when its client goes away: keeps that work alive for the others who wait for
   * it. On workers, `waitUntil` of `cloudflare:workers`.
   */
  readonly waitUntil?: (work: Promise<unknown>) => void
  /** How many live connections may be registered; 10,000 unless said. */
  readonly connections?: number
  readonly fetch?: typeof fetch
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** Milliseconds of a clock that never goes back. */
  readonly monotonic?: () => number
}

/** What a verifier says of itself. Times in milliseconds. */
export interface VerifierStatus extends FeedStatus {
  /** Whether revocations are followed. False: tokens live until they expire. */
  readonly followed: boolean
  /** Revocations held, and the memory they take. */
  readonly entries: number
  readonly bytes: number
  /** Requests that wait for a position they showed. */
  readonly waiting: number
  readonly breaker: 'closed' | 'open' | 'half_open'
  /** Live checks under way. */
  readonly asking: number
  /** Live connections registered. */
  readonly connections: number
  readonly counters: Readonly<Counters>
  /** How many revocations were applied within each of `within`, the last count beyond them; as good as the clocks agree. */
  readonly delays: { readonly within: readonly number[]; readonly counts: readonly number[] }
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
  /** Checks one access token locally; `revocation_unknown` when what is known is older than 10 seconds. */
  verify(token: string): TokenResult | Promise<TokenResult>
  /** What a guard says about a Bearer token that came another way than in a request, such as over a WebSocket. */
  check(token: string, level?: Exclude<Level, 'public'>, requirement?: Requirement): GuardResult | Promise<GuardResult>
  /** Connections that outlive their request. */
  readonly live: Live
  /**
   * Resolves when revocations are known completely for the first time (at once where they are not followed); rejects
   * when the verifier is closed before. Until then tokens are asked about, so that waiting is not needed for safety.
   */
  ready(): Promise<void>
  status(): VerifierStatus
  /** Metrics in the text format of Prometheus. */
  metrics(): string
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
  const hasCredentials = options.clientId !== undefined && options.clientSecret !== undefined
  if (options.revocations === 'follow' && !hasCredentials && options.source === undefined)
    throw new SymbolonError('invalid_option', {
      detail: "revocations: 'follow' needs clientId and clientSecret: register this API with the scope revocations:read",
    })
  const observe = createObserver(options.observe)
  const keep = createKeep(options.waitUntil)
  const given = options.now ?? Date.now
  let latest = 0
  // Never back: what was forgotten for its age must not be young again for a token.
  const now = () => {
    const read = given()
    if (read > latest) latest = read
    return latest
  }
  const elapsed = createElapsed({ now: given, monotonic: options.monotonic ?? (() => performance.now()) })
  const source =
    options.source ??
    createHttpSource({
      issuer,
      observe,
      now: given,
      keep,
      ...(options.audience !== undefined && { audience: options.audience }),
      ...(options.clientId !== undefined && { clientId: options.clientId }),
      ...(options.clientSecret !== undefined && { clientSecret: options.clientSecret }),
      ...(options.fetch !== undefined && { fetch: options.fetch }),
      ...(options.follow !== undefined && { follow: options.follow }),
      ...(options.monotonic !== undefined && { monotonic: options.monotonic }),
    })
  const revocations = createRevocations(now)
  const delays = createDelays()
  const presented = createPresentedMemory()
  const follows = options.revocations !== 'expiry' && source.follow !== undefined
  // A source may hand entries over before there is a register of connections.
  const connections: { applied?: (entries: readonly Revocation[]) => void } = {}
  const apply = (entries: readonly Revocation[]): void => {
    revocations.apply(entries)
    connections.applied?.(entries)
    // Those of a snapshot have no time.
    for (const { at } of entries) if (at > 0) delays.note(given() - at)
  }
  const feed: Feed | undefined = follows ? source.follow?.(apply) : undefined
  const knowledge = createKnowledge({ feed, revocations, now, observe })
  const live = createLive({
    source,
    revocations,
    knowledge,
    presented,
    now,
    elapsed: elapsed.read,
    observe,
    most: options.connections ?? 10_000,
  })
  connections.applied = live.applied
  if (feed === undefined)
    observe({
      event: 'not_followed',
      reason: options.revocations === 'expiry' ? 'by_option' : options.source === undefined ? 'no_credentials' : 'source',
    })
  const tokens = createTokenVerifier({
    issuer,
    audience: options.audience ?? issuer,
    keys: (kid) => source.keys(kid),
    now,
    ...(follows && { revoked: revocations.revoked, keyRevoked: revocations.keyRevoked }),
    ...(options.leeway !== undefined && { leeway: options.leeway }),
    ...(options.cache !== undefined && { cache: options.cache }),
  })
  const secure = issuer.startsWith('https:')
  const make = createGuardFactory({
    tokens,
    source,
    now,
    elapsed: elapsed.read,
    cookies: options.cookies === true,
    secure,
    origin: issuer.slice(0, issuer.length - issuerPath(issuer).length),
    origins: options.origins ?? [],
    loginUrl: options.loginUrl,
    knowledge,
    presented,
  })
  const guard = (level: Level, requirement: Requirement): Guard => {
    const decide = make(level, requirement)
    if (options.waitUntil === undefined) return decide
    return (request) => {
      const result = decide(request)
      return result instanceof Promise ? keep(result) : result
    }
  }
  const status = (): VerifierStatus => {
    const followed = feed?.status()
    return {
      feedId: null,
      head: 0,
      applied: 0,
      transport: 'none',
      reconnects: 0,
      snapshots: 0,
      ...followed,
      stalenessMs: feed !== undefined && revocations.complete() ? feed.staleness() : Number.POSITIVE_INFINITY,
      followed: feed !== undefined,
      entries: revocations.size(),
      bytes: revocations.bytes(),
      waiting: knowledge.waiting(),
      breaker: 'closed',
      asking: 0,
      ...source.status?.(),
      connections: live.size(),
      counters: { ...knowledge.counters },
      delays: { within: delayBuckets, counts: [...delays.counts] },
    }
  }
  const young = (result: TokenResult): TokenResult =>
    result.ok && feed !== undefined && knowledge.staleness(result.claims) > usualBound
      ? { ok: false, code: 'revocation_unknown', detail: 'staleness' }
      : result
  return {
    issuer,
    guard: (level, requirement = {}) => guard(level, requirement),
    verify(token) {
      const result = tokens.verify(token)
      return result instanceof Promise ? result.then(young) : young(result)
    },
    check: (token, level = 'token', requirement = {}) =>
      guard(level, { ...requirement, credential: 'bearer' })({
        method: 'GET',
        url: '/',
        header: (name) => (name === 'authorization' ? `Bearer ${token}` : undefined),
      }),
    live,
    ready: () => feed?.ready() ?? Promise.resolve(),
    status,
    metrics() {
      const one = status()
      return printMetrics({ ...one, ...one.counters }, delays)
    },
    async close() {
      feed?.end()
      live.end()
      revocations.end()
      await source.close()
    },
  }
}
