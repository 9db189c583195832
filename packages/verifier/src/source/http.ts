// The source over HTTP, for APIs that do not run inside the service: keys from JWKS, live answers by introspection
// (RFC 7662), revocations from the feed. Every call has a deadline and a size limit; a failure to know is a 503, never
// an answer.

import { fromBase64url, isOpaque, routes, SymbolonError } from '@symbolon/protocol'
import { createKeep, type Keep } from '../keep.ts'
import { createKeySet } from '../keys.ts'
import { createObserver, type Observe } from '../observe.ts'
import type { Feed, Source } from '../source.ts'
import { claimsIn, liveAnswerOf } from './answers.ts'
import { createBreaker } from './breaker.ts'
import { createCookieChecks } from './cookies.ts'
import { type FollowMode, follow } from './follow.ts'
import { createIntrospection } from './introspection.ts'
import { createTransport, unknown } from './transport.ts'

/** What the source over HTTP stands on. `deadline` in milliseconds; 1,000 unless said. */
export interface HttpSourceOptions {
  readonly issuer: string
  /** Whose opaque tokens are taken; the issuer unless said. */
  readonly audience?: string
  readonly clientId?: string
  readonly clientSecret?: string
  readonly deadline?: number
  readonly fetch?: typeof fetch
  /** How revocations are followed; `stream` unless said. Only with `clientId` and `clientSecret`. */
  readonly follow?: FollowMode
  readonly observe?: Observe
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** Milliseconds of a clock that never goes back. */
  readonly monotonic?: () => number
  /** Keeps alive what several requests wait for. */
  readonly keep?: Keep
  /** From 0 to below 1, for jitter. */
  readonly random?: () => number
}

/** Creates the source. */
export function createHttpSource(options: HttpSourceOptions): Source {
  const { issuer, audience = issuer, deadline = 1000, random = Math.random, keep = createKeep(undefined) } = options
  const monotonic = options.monotonic ?? (() => performance.now())
  const observe = createObserver(options.observe)
  const transport = createTransport({
    issuer,
    clientId: options.clientId,
    clientSecret: options.clientSecret,
    deadline,
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
  })
  const breaker = createBreaker(monotonic, random, (state) => observe({ event: 'breaker', state }))
  const introspection = createIntrospection({ transport, breaker, deadline, now: monotonic, keep })
  const feeds = new Set<Feed>()

  /** What a token fresh from the mint says; of an opaque one the issuer tells, if this is a client of its audience. */
  const read = async (token: string): Promise<Record<string, unknown> | undefined> => {
    if (!isOpaque(token)) return payloadOf(token)
    const answer = transport.credential === undefined ? undefined : await introspection.ask(token)
    return answer?.active === true ? claimsIn(answer) : undefined
  }
  const byCookie = createCookieChecks({ issuer, transport, breaker, read })

  const keySet = createKeySet({
    now: monotonic,
    fetchJson: async (fresh) => {
      // RFC 9111 §5.2.1.4: a cache on the way asks the issuer.
      const headers = fresh ? { 'cache-control': 'no-cache' } : {}
      const { status, body } = await keep(transport.json(routes.jwks, { method: 'GET', headers }, { cached: true }))
      if (status !== 200) throw unknown(`the key set answered ${status}`)
      return body
    },
  })

  return {
    keys: keySet.keys,
    async check(question) {
      if (question.by === 'cookie') {
        const minted = await byCookie(question.credential, question.background)
        return minted.minted ? { active: true, session: minted.session } : { active: false, code: minted.code }
      }
      if (transport.credential === undefined)
        throw new SymbolonError('try_later', {
          retryAfter: 60,
          detail: 'live checks need clientId and clientSecret: register this API with `symbolon clients create`',
        })
      return liveAnswerOf(await introspection.ask(question.token), question, audience)
    },
    mint: (credential) => byCookie(credential),
    ...(transport.credential !== undefined && {
      follow: (apply: Parameters<NonNullable<Source['follow']>>[0]) => {
        const feed = follow({
          transport,
          clocks: { now: options.now ?? Date.now, monotonic },
          random,
          observe(event) {
            if (event.event === 'connected') breaker.heard()
            observe(event)
          },
          keep,
          mode: options.follow ?? 'stream',
          apply(entries) {
            for (const { kind, id, state } of entries) if (kind === 'key' && state === 'published') keySet.announce(id)
            apply(entries)
          },
        })
        feeds.add(feed)
        return feed
      },
    }),
    status: () => ({ breaker: breaker.state(), asking: introspection.waiting() }),
    async close() {
      for (const feed of feeds) feed.end()
      introspection.end()
      transport.end()
    },
  }
}

function payloadOf(token: string): Record<string, unknown> | undefined {
  const bytes = fromBase64url(token.split('.')[1] ?? '')
  if (bytes === undefined) return undefined
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}
