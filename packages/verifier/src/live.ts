// Connections that outlive the request that opened them: WebSockets, server-sent events, long answers. Each is held
// against revocations as they are applied, against the age of that knowledge, and against its token's end, and closed
// with a documented code. Bounded. Must never keep a connection open that a guard would refuse to open now.

import { type AccessTokenClaims, type Duration, type ErrorCode, milliseconds, type Revocation, SymbolonError } from '@symbolon/protocol'
import type { Auth } from './auth.ts'
import { type Knowledge, usualBound } from './knowledge.ts'
import type { Observe } from './observe.ts'
import type { Presented, PresentedMemory } from './presented.ts'
import type { Revocations } from './revocations.ts'
import type { LiveAnswer, Source } from './source.ts'
import { later } from './timers.ts'

/**
 * Why a connection is closed, as a WebSocket close code (RFC 6455 §7.4.2). `revoked`: sign in again. `stale`: roles or
 * status changed, connect with a fresh token. `expired`: the token's time is over, connect with a fresh one. `unknown`:
 * it cannot be known whether it was revoked, try again shortly.
 */
export const closeCodes = { revoked: 4401, stale: 4403, expired: 4408, unknown: 4503 } as const

/** Ends a connection. The reason is an error code of the table, for logs and the other side. */
export type Close = (code: (typeof closeCodes)[keyof typeof closeCodes], reason: ErrorCode) => void

/** How a connection is held. */
export interface LiveOptions {
  /** How old the knowledge of revocations may become before the token is asked about; `10s` unless said. */
  readonly maxStaleness?: Duration
  /** Called once, ahead of the token's end, so that the client can send a fresh one: see `renew`. Seconds left. */
  readonly onExpiring?: (secondsLeft: number) => void
  /** How long ahead; `30s` unless said. */
  readonly expiringBefore?: Duration
}

/** A connection that is held. */
export interface LiveRegistration {
  /** Goes on with a fresh token of the same session or client, with the `auth` that a guard, or `verifier.check`, gave for it. Throws `credential_conflict` for another's. */
  renew(auth: Auth): void
  /** The connection ended by itself. */
  end(): void
}

/** The register of live connections. */
export interface Live {
  /**
   * Holds a connection for who was let in by a guard. Throws `try_later` when the register is full.
   * @example
   * const held = verifier.live.register(req.auth, (code, reason) => socket.close(code, reason))
   * socket.on('close', held.end)
   */
  register(auth: Auth, close: Close, options?: LiveOptions): LiveRegistration
  /** How many are held. */
  size(): number
}

/** What the register stands on. */
export interface LiveParts {
  readonly source: Source
  readonly revocations: Revocations
  readonly knowledge: Knowledge
  readonly presented: PresentedMemory
  readonly now: () => number
  /** Milliseconds of a clock that never runs slow. */
  readonly elapsed: () => number
  readonly observe: Observe
  /** Most connections; 10,000 unless said. */
  readonly most: number
}

interface Held {
  auth: Auth
  presented: Presented
  names: readonly string[]
  readonly close: Close
  readonly bound: number
  readonly onExpiring: ((secondsLeft: number) => void) | undefined
  readonly lead: number
  told: boolean
  /** When a live check that said yes began, and since when another one is due; by the clock that never runs slow. */
  askedAt: number
  dueAt: number | undefined
  asking: boolean
}

const tick = 500
/** Live checks under way at once for connections. */
const mostAsking = 1024
/** How long a connection may wait for its turn to be asked about. */
const patience = 2000
/** What has no end of its own here (a cookie, an opaque token) is asked about this often, whatever the feed says. */
const unendingEvery = 60_000

/** Creates the register; `applied` must be told of entries after they were applied. */
export function createLive(parts: LiveParts): Live & { applied(entries: readonly Revocation[]): void; end(): void } {
  const { source, revocations, knowledge, presented, now, elapsed, observe } = parts
  const held = new Set<Held>()
  /** Who hears of what: by kind and id. */
  const byName = new Map<string, Set<Held>>()
  let cancel: (() => void) | undefined
  /** To be asked about; who waits for longest comes last, since the last goes first. */
  let due: Held[] = []
  let asking = 0
  let ended = false

  const namesOf = (auth: Auth, kid: string): readonly string[] => {
    const { claims } = auth
    const names = [`client ${auth.clientId}`]
    if (auth.kind === 'user') names.push(`session ${auth.sid}`, `user ${auth.sub}`)
    if (claims.jti !== undefined) names.push(`token ${claims.jti}`)
    if (kid !== '') names.push(`key ${kid}`)
    return names
  }
  const index = (one: Held): void => {
    for (const name of one.names) {
      const set = byName.get(name) ?? new Set()
      byName.set(name, set.add(one))
    }
  }
  const unindex = (one: Held): void => {
    for (const name of one.names) {
      const set = byName.get(name)
      if (set?.delete(one) === true && set.size === 0) byName.delete(name)
    }
  }
  const drop = (one: Held): boolean => {
    if (!held.delete(one)) return false
    unindex(one)
    return true
  }
  const close = (one: Held, code: Parameters<Close>[0], reason: ErrorCode): void => {
    if (!drop(one)) return
    knowledge.counters.closed++
    try {
      one.close(code, reason)
    } catch {
      observe({ event: 'close_failed' })
    }
  }
  const closeFor = (one: Held, reason: ErrorCode): void =>
    close(one, reason === 'claims_stale' ? closeCodes.stale : reason === 'token_expired' ? closeCodes.expired : closeCodes.revoked, reason)

  /** What the revocations say about a connection now. Claims of a cookie name no token: no entry can mean one. */
  const judge = (one: Held): boolean => {
    const { claims, clientId, sub } = one.auth
    const whole: AccessTokenClaims = {
      iss: '',
      aud: '',
      iat: 0,
      exp: 0,
      jti: '',
      ...claims,
      client_id: clientId,
      sub,
      client_epoch: claims.client_epoch ?? 0,
    }
    const code = revocations.revoked(whole, one.presented.kid)
    if (code === undefined) return true
    closeFor(one, code)
    return false
  }

  const closeUnknown = (one: Held): void => {
    knowledge.refusedUnknown()
    close(one, closeCodes.unknown, 'revocation_unknown')
  }
  const ask = async (one: Held): Promise<void> => {
    one.asking = true
    asking++
    const began = elapsed()
    const auth = one.auth
    try {
      const answer: LiveAnswer = await source.check({ ...one.presented.question, background: true })
      // Renewed meanwhile: the answer is about another token.
      if (one.auth !== auth) return
      const epoch = !answer.active ? 0 : 'session' in answer ? answer.session.epoch : answer.client.clientEpoch
      if (!answer.active) closeFor(one, answer.code)
      else if (epoch > auth.epoch) closeFor(one, 'claims_stale')
      else {
        one.askedAt = began
        one.dueAt = undefined
      }
    } catch {
      if (one.auth === auth && held.has(one)) closeUnknown(one)
    } finally {
      one.asking = false
      asking--
      askNext()
    }
  }
  /** Asks about those who are due, as many at once as may be. */
  const askNext = (): void => {
    while (asking < mostAsking) {
      const one = due.pop()
      if (one === undefined) return
      if (held.has(one) && !one.asking) void ask(one)
    }
  }

  const look = (one: Held, time: number, passed: number): void => {
    const { exp, iat } = one.auth.claims
    if (exp !== undefined) {
      const left = exp * 1000 - time
      if (left <= 0) {
        close(one, closeCodes.expired, 'token_expired')
        return
      }
      if (!one.told && left <= one.lead && one.onExpiring !== undefined) {
        one.told = true
        try {
          one.onExpiring(Math.floor(left / 1000))
        } catch {
          observe({ event: 'close_failed' })
        }
      }
    }
    if (one.asking) return
    const sinceAsked = passed - one.askedAt
    const known = knowledge.followed ? knowledge.staleness(whenMinted) : time - (iat ?? 0) * 1000
    const old = Math.min(known, sinceAsked) > one.bound
    if (!old && !(exp === undefined && sinceAsked > unendingEvery)) {
      one.dueAt = undefined
      return
    }
    one.dueAt ??= passed
    if (passed - one.dueAt > patience) closeUnknown(one)
    else due.push(one)
  }
  const schedule = (): void => {
    if (cancel !== undefined || ended || held.size === 0) return
    cancel = later(tick, () => {
      cancel = undefined
      const [time, passed] = [now(), elapsed()]
      due = []
      for (const one of [...held]) look(one, time, passed)
      due.sort((a, b) => (a.dueAt as number) - (b.dueAt as number)).reverse()
      askNext()
      schedule()
    })
  }

  const presentedBy = (auth: Auth): Presented => {
    const found = presented.of(auth)
    if (found !== undefined) return found
    throw new SymbolonError('invalid_option', { detail: 'register what a guard of this verifier handed out as `auth`' })
  }

  return {
    register(auth, onClose, options = {}) {
      const found = presentedBy(auth)
      if (held.size >= parts.most || ended) {
        observe({ event: 'connections_full' })
        throw new SymbolonError('try_later', { detail: 'too many live connections', retryAfter: 5 })
      }
      const one: Held = {
        auth,
        presented: found,
        names: namesOf(auth, found.kid),
        close: onClose,
        bound:
          options.maxStaleness === undefined
            ? knowledge.followed
              ? usualBound
              : Number.POSITIVE_INFINITY
            : milliseconds(options.maxStaleness),
        onExpiring: options.onExpiring,
        lead: milliseconds(options.expiringBefore ?? '30s'),
        told: false,
        askedAt: found.askedAt ?? Number.NEGATIVE_INFINITY,
        dueAt: undefined,
        asking: false,
      }
      held.add(one)
      index(one)
      // What was revoked since the guard decided; after the caller has the registration in hand.
      queueMicrotask(() => held.has(one) && judge(one))
      schedule()
      return {
        renew(fresh) {
          if (!held.has(one)) return
          const same = fresh.kind === one.auth.kind && fresh.sub === one.auth.sub && fresh.clientId === one.auth.clientId
          if (!same || (fresh.kind === 'user' && one.auth.kind === 'user' && fresh.sid !== one.auth.sid))
            throw new SymbolonError('credential_conflict', { detail: 'a connection goes on only with a token of its own session' })
          const next = presentedBy(fresh)
          unindex(one)
          one.auth = fresh
          one.presented = next
          one.names = namesOf(fresh, next.kid)
          one.told = false
          one.askedAt = next.askedAt ?? Number.NEGATIVE_INFINITY
          one.dueAt = undefined
          index(one)
          judge(one)
        },
        end: () => void drop(one),
      }
    },
    size: () => held.size,
    applied(entries) {
      if (held.size === 0) return
      for (const { kind, id } of entries) {
        const set = byName.get(`${kind} ${id}`)
        if (set !== undefined) for (const one of [...set]) judge(one)
      }
    },
    end() {
      ended = true
      cancel?.()
      for (const one of [...held]) close(one, closeCodes.unknown, 'revocation_unknown')
    },
  }
}

/** A followed feed's staleness is the same for every token. */
const whenMinted = { iat: 0 } as Parameters<Knowledge['staleness']>[0]
