// The issuer's public keys over HTTP: fetched when needed, kept for five minutes, used for a day when the issuer cannot
// be reached, and fetched once per cool-down whatever key ids arrive.

import { type PublicJwk, SymbolonError } from '@symbolon/protocol'

/** What a key set stands on. `fetchJson` has its own deadline and size limit. */
export interface KeySetParts {
  readonly fetchJson: () => Promise<unknown>
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/** The key set of one issuer. */
export interface KeySet {
  /** The keys as last known. Throws `keys_unavailable` when the issuer cannot be reached and nothing fresh enough is held. */
  keys(kid: string): Promise<readonly PublicJwk[]> | readonly PublicJwk[]
  /** The feed tells of a new key: the next question for it fetches, whatever the cool-down says. */
  announce(kid: string): void
}

const maxAge = 300_000
const staleLimit = 86_400_000
const coolDown = 10_000
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
  /** Announced and not seen in a key set since. Each overrides the cool-down once, so that no kid can make us knock twice. */
  const announced = new Set<string>()

  const fetchKeys = (): Promise<void> => {
    triedAt = now()
    under ??= fetchJson()
      .then((body) => {
        keys = readKeys(body, keys)
        fetchedAt = now()
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
    // Within the cool-down an unknown kid is unknown, unless the feed told of it; it cannot make us knock again.
    const isNew = !has && under === undefined && announced.delete(kid)
    if (under === undefined && now() - triedAt < coolDown && !isNew) {
      if (age < staleLimit) return keys
      throw new SymbolonError('keys_unavailable', { retryAfter: 5, detail: 'the key set could not be fetched a moment ago' })
    }
    const fetched = fetchKeys()
    if (has && age < staleLimit) {
      fetched.catch(() => {})
      return keys
    }
    return fetched.then(
      () => keys,
      (cause) => {
        if (now() - fetchedAt < staleLimit) return keys
        throw new SymbolonError('keys_unavailable', { retryAfter: 5, cause })
      },
    )
  }
  return {
    keys: keysFor,
    announce(kid) {
      if (announced.size < most && !keys.some((key) => key.kid === kid)) announced.add(kid)
    },
  }
}
