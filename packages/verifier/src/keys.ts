// The issuer's public keys over HTTP: fetched when needed, kept for five minutes, used for a day when the issuer cannot
// be reached, and fetched once per cool-down whatever key ids arrive.

import { type PublicJwk, SymbolonError } from '@symbolon/protocol'

/** What a key set stands on. `fetchJson` has its own deadline and size limit; `fresh`: what a cache has kept is not good enough. */
export interface KeySetParts {
  readonly fetchJson: (fresh: boolean) => Promise<unknown>
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/** The key set of one issuer. */
export interface KeySet {
  /** The keys as last known. Throws `keys_unavailable` when the issuer cannot be reached and nothing fresh enough is held. */
  keys(kid: string): Promise<readonly PublicJwk[]> | readonly PublicJwk[]
  /** The feed tells of a new key: a question for it fetches, whatever the cool-down says, and is not answered without it. */
  announce(kid: string): void
}

const maxAge = 300_000
const staleLimit = 86_400_000
const coolDown = 10_000
/** An announced key is asked for at most this often, and for so long. */
const announcedPause = 1000
const announcedFor = 60_000
const most = 64
const algorithms: ReadonlySet<unknown> = new Set(['ES256', 'Ed25519', 'RS256', 'PS256'])

/** Reads a JWK set (RFC 7517 §5): signature keys of our algorithms, public members only. */
function readKeys(body: unknown, known: readonly PublicJwk[]): readonly PublicJwk[] {
  const list = (body as { keys?: unknown } | null)?.keys
  if (!Array.isArray(list)) throw new SymbolonError('keys_unavailable', { detail: 'the key set is not a JWK set' })
  return list
    .slice(0, most)
    .filter(
      (one) =>
        typeof one?.kid === 'string' && algorithms.has(one.alg) && (one.use === undefined || one.use === 'sig') && one.d === undefined,
    )
    .map((one) => {
      const { kty, kid, alg, crv, x, y, n, e } = one
      const key = {
        kty,
        kid,
        alg,
        use: 'sig',
        ...(crv !== undefined && { crv }),
        ...(x !== undefined && { x }),
        ...(y !== undefined && { y }),
        ...(n !== undefined && { n }),
        ...(e !== undefined && { e }),
      }
      // An unchanged key stays the same object, so that it is imported once.
      return known.find((before) => before.kid === kid && JSON.stringify(before) === JSON.stringify(key)) ?? (key as PublicJwk)
    })
}

/** Creates a key set. */
export function createKeySet({ fetchJson, now }: KeySetParts): KeySet {
  let keys: readonly PublicJwk[] = []
  let fetchedAt = Number.NEGATIVE_INFINITY
  let triedAt = Number.NEGATIVE_INFINITY
  let under: Promise<void> | undefined
  /** Announced and not seen in a key set since: until when they are waited for, and when they may be asked for again. */
  const announced = new Map<string, { readonly until: number; askAt: number }>()

  const fetchKeys = (fresh: boolean): Promise<void> => {
    triedAt = now()
    under ??= fetchJson(fresh)
      .then((body) => {
        keys = readKeys(body, keys)
        fetchedAt = now()
        for (const { kid } of keys) announced.delete(kid)
      })
      .finally(() => {
        under = undefined
      })
    return under
  }

  const keysFor = (kid: string): Promise<readonly PublicJwk[]> | readonly PublicJwk[] => {
    const age = now() - fetchedAt
    const has = keys.some((key) => key.kid === kid)
    if (has && age < maxAge) return keys
    const told = has ? undefined : announced.get(kid)
    const waited = told !== undefined && now() < told.until
    if (told !== undefined && !waited) announced.delete(kid)
    const due = waited && now() >= told.askAt
    // Within the cool-down an unknown kid is unknown, unless the feed told of it; it cannot make us knock again.
    if (under === undefined && now() - triedAt < coolDown && !due) {
      if (waited) throw new SymbolonError('keys_unavailable', { retryAfter: 1, detail: 'a new key could not be fetched a moment ago' })
      if (age < staleLimit) return keys
      throw new SymbolonError('keys_unavailable', { retryAfter: 5, detail: 'the key set could not be fetched a moment ago' })
    }
    if (waited) told.askAt = now() + announcedPause
    const fetched = fetchKeys(waited)
    if (has && age < staleLimit) {
      fetched.catch(() => {})
      return keys
    }
    return fetched.then(
      () => {
        // What was handed out is older than the key that is known to be there.
        if (waited && !keys.some((key) => key.kid === kid))
          throw new SymbolonError('keys_unavailable', {
            retryAfter: 1,
            detail: 'the key set does not hold a key yet that the feed told of',
          })
        return keys
      },
      (cause) => {
        if (!waited && now() - fetchedAt < staleLimit) return keys
        throw new SymbolonError('keys_unavailable', { retryAfter: 5, cause })
      },
    )
  }
  return {
    keys: keysFor,
    announce(kid) {
      if (announced.size < most && !keys.some((key) => key.kid === kid)) announced.set(kid, { until: now() + announcedFor, askAt: now() })
    },
  }
}
