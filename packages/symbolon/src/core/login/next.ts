// What comes after a proof that is not enough: what is still missing is begun, or the person chooses among several ways.
// Which of them somebody has set up is looked at only here, after something was proven: before that, all look alike.

import type { Caller } from '../answers.ts'
import type { LoginState, LoginStep, Refused } from '../api.ts'
import { isMail } from '../factors/email.ts'
import { type Factor, hasFactor } from '../factors/factor.ts'
import type { Attempt, Budget, Client, Proof, User } from '../model.ts'
import type { AttemptChange } from '../ports.ts'
import { refuse } from '../session.ts'
import { type Attempts, type Found, isBrowserId } from './attempt.ts'
import { type Enrollable, toEnrol } from './enrol.ts'
import { reaches } from './levels.ts'
import { meets } from './need.ts'
import { type LoginParts, limited, type Taker } from './parts.ts'
import type { Sending } from './sending.ts'

/** An attempt of several steps lives no longer than this, whatever its steps would take. */
const mostMs = 30 * 60_000
/** Answers heard after one proof, in whichever ways they are given. */
const mostTries = 5
/** Answers heard to one question to set a factor up. */
const mostEnrolments = 3
/** How long everything proven waits for a session to be chosen. What opens then says that its person has just signed in. */
const mostWait = 5 * 60_000
/** Sessions that are shown to choose from. */
const mostSessions = 50

/** What a factor is begun for. */
type BeginPlace = Pick<Attempt, 'idHash' | 'purpose' | 'bindingHash' | 'action' | 'need' | 'proven'> & {
  readonly client: Client
  readonly identifier: string
  /** Where something is sent, if something is. */
  readonly to: string
  readonly user: User | null
  readonly caller: Caller
}

/** What a message costs that is sent for an attempt. */
type BudgetsOf = (to: string, user: User, found: Found, taker: Taker) => readonly Budget[]

/** Creates what takes attempts on. */
export function createNext(
  { ports, policyOf }: Pick<LoginParts, 'ports' | 'policyOf'>,
  attempts: Attempts,
  sending: Sending,
  budgetsOf: BudgetsOf,
) {
  const { store, crypto } = ports

  /** Whether one more proof is enough: for what its client wants, or what a step-up needs. */
  const enoughFor = (client: Client, { purpose, need, proven }: Pick<Attempt, 'purpose' | 'need' | 'proven'>) => {
    const enough = (all: readonly Proof[]) =>
      purpose === 'step_up' ? meets(all, need?.acrValues ?? [], '') : reaches(all, policyOf(client).acr)
    return (method: string) => enough([...proven, { method, amr: [], at: 0 }])
  }

  /** Begins a factor: what is to be stored, what the browser is asked, and what is sent once that is stored. */
  const begin = async (factor: Factor, place: BeginPlace) => {
    const { idHash, identifier, to, client, user, caller } = place
    const isEnough = enoughFor(client, place)
    const common = { method: factor.method, maxTries: factor.maxTries, lifetime: factor.lifetime }
    if (factor.kind === 'sent') {
      const message = sending.newMessage(factor, { ...place, userId: user?.id ?? null })
      const { codeHash, linkHash } = message
      const ends = factor.link === null || linkHash === null ? factor.lifetime : Math.max(factor.lifetime, factor.link.lifetime)
      const linkFrom = linkHash === null ? null : caller.ip
      const sealedIdentifier = attempts.seal(idHash, identifier, { kept: to === identifier ? '' : to, linkFrom })
      const row = { ...common, state: 'verify' as const, codeHash, linkHash, sealedIdentifier, resendAfter: factor.resendAfter(1), ends }
      return { row, options: null as unknown, send: () => message.send(caller) }
    }
    const asked = factor.kind === 'challenge' ? await factor.begin({ clientId: client.id, user, caller, isEnough }) : null
    const row = {
      ...common,
      state: 'challenge' as const,
      // No code is waited for, not by an older node either: what nobody made fits nothing.
      codeHash: crypto.random(32),
      linkHash: null,
      sealedIdentifier: attempts.seal(idHash, identifier, keptOf(asked)),
      resendAfter: factor.lifetime,
      ends: factor.lifetime,
    }
    return { row, options: asked?.options ?? null, send: async () => {} }
  }

  /** Who it is, as far as that is known by a proof or said by an identifier. */
  const userOf = async ({ attempt, identifier }: Pick<Found, 'attempt' | 'identifier'>, userId = attempt.userId) => {
    if (userId !== null) return store.users.find({ id: userId })
    return identifier === '' ? undefined : store.users.find({ email: identifier })
  }

  /** Ways of proving more that this person has, and this client takes. */
  const waysOn = async (client: Client, user: User | undefined, proven: readonly Proof[]): Promise<readonly Factor[]> => {
    if (user === undefined || user.status !== 'active') return []
    const { methods } = policyOf(client)
    const ways: Factor[] = []
    for (const factor of attempts.factors) {
      if (!methods.includes(factor.method) || proven.some(({ method }) => method === factor.method || isLinkOf(factor, method))) continue
      if (await hasFactor(factor, user)) ways.push(factor)
    }
    return ways
  }

  /**
   * Moves an attempt on; a refusal when it stands elsewhere by now. Who came by a link goes on in this browser and nowhere
   * else: the one that it was started in is let go, or what is proven here could be used there.
   */
  const advance = async (
    { idHash, attempt, byLink }: Found,
    change: Omit<AttemptChange, 'from' | 'ends' | 'bindingHash'> & { readonly state: LoginState },
    shown: Pick<LoginStep, 'methods' | 'challenge' | 'sessions'>,
    { browser }: Taker,
    ends = mostMs,
  ): Promise<LoginStep | Refused> => {
    if (byLink && !isBrowserId(browser)) return refuse('invalid_request')
    const link = byLink ? attempts.newLink(idHash) : null
    const bindingHash = byLink && browser !== null ? attempts.hashOf(browser) : attempt.bindingHash
    const carried = link === null ? {} : { linkHash: link.hash }
    const advanced = await store.attempts.advance(idHash, { ...change, ...carried, bindingHash, from: attempt.step, ends }, [])
    if (advanced.outcome === 'gone') return refuse('login_failed')
    return { ok: true, state: change.state, expiresAt: advanced.attempt.expiresAt, token: link?.token ?? null, ...shown }
  }

  /**
   * Where a factor is sent to, if it is, and who the attempt names by then. A mail address takes the identifier's place, since its person is known
   * by it; what reaches them elsewhere stands beside it. Undefined when it reaches nobody any more.
   */
  const addressed = async (factor: Factor, user: User, identifier: string) => {
    if (factor.kind !== 'sent') return { to: '', identifier }
    const to = await factor.addressOf(user)
    return to === undefined ? undefined : { to, identifier: isMail(factor) ? to : identifier }
  }

  /** Begins one more factor in an attempt. `tries`: those that were charged since the last proof. */
  const goOn = async (found: Found, factor: Factor, user: User, proven: readonly Proof[], tries: number, taker: Taker) => {
    const { idHash, attempt, client } = found
    const { caller } = taker
    const place = await addressed(factor, user, found.identifier)
    if (place === undefined) return refuse('login_failed')
    if (factor.kind === 'sent') {
      const spent = await store.limits.spend(budgetsOf(place.to, user, found, taker))
      if (spent.outcome === 'limited') return limited(spent)
    }
    const made = await begin(factor, { ...attempt, ...place, proven, idHash, client, user, caller })
    const { ends: _, ...row } = made.row
    const maxTries = Math.min(mostTries, tries + factor.maxTries)
    const change = { ...row, userId: user.id, proven, tries, maxTries, sends: 1 }
    const step = await advance(found, change, { methods: [factor.method], challenge: made.options, sessions: [] }, taker)
    if (step.ok) await made.send()
    return step
  }

  /** Has a factor set up that the person does not have: its answer is the proof that is missing. */
  const enrol = async (found: Found, factor: Enrollable, user: User | undefined, proven: readonly Proof[], taker: Taker) => {
    const { client, identifier } = found
    const { caller } = taker
    const isEnough = enoughFor(client, { ...found.attempt, proven })
    const asked = await factor.enrolment.begin({ clientId: client.id, user: user ?? null, identifier, caller, isEnough })
    const change = {
      ...waiting(found, 'enrol', proven, user?.id ?? null),
      method: factor.method,
      sealedIdentifier: attempts.seal(found.idHash, identifier, keptOf(asked)),
      maxTries: mostEnrolments,
      lifetime: factor.lifetime,
      resendAfter: factor.lifetime,
    }
    return advance(found, change, { methods: [factor.method], challenge: asked.options, sessions: [] }, taker)
  }

  /** What waits without a factor of its own: a choice. Nothing that was sent before is of use in it. `kept`: what is carried through it. */
  const waiting = (found: Found, state: LoginState, proven: readonly Proof[], userId: string | null, kept = '') => ({
    state,
    method: found.attempt.method,
    sealedIdentifier: attempts.seal(found.idHash, found.identifier, { kept }),
    codeHash: crypto.random(32),
    linkHash: null,
    userId,
    proven,
    tries: 0,
    maxTries: found.factor.maxTries,
    sends: found.attempt.sends,
    lifetime: mostMs,
    resendAfter: mostMs,
  })

  /** Sessions of a user at a client that can be ended for a new one, those not seen for longest first. */
  const sessionsOf = async (client: Client, userId: string | null) => {
    if (userId === null) return []
    const { sessions } = await store.sessions.list(userId)
    const own = sessions.filter((one) => one.clientId === client.id && one.parent === null)
    return own.sort((a, b) => a.lastSeenAt - b.lastSeenAt).slice(0, mostSessions)
  }

  return {
    begin,
    addressed,
    enoughFor,
    userOf,
    /** Whether what was proven opens a session at this client. */
    isEnough: ({ client }: Found, proven: readonly Proof[]) => reaches(proven, policyOf(client).acr),

    /** Goes on to what is missing. */
    async more(found: Found, proven: readonly Proof[], userId: string | null, taker: Taker): Promise<LoginStep | Refused> {
      const user = await userOf(found, userId)
      const ways = await waysOn(found.client, user, proven)
      const [only] = ways
      // Told to nobody but who has proven the first factor.
      if (user === undefined || only === undefined) {
        const factor =
          found.attempt.purpose === 'sign_in' ? await toEnrol(attempts.factors, policyOf(found.client), user, proven) : undefined
        return factor === undefined ? refuse('denied') : enrol(found, factor, user, proven, taker)
      }
      if (ways.length === 1) return goOn(found, only, user, proven, 0, taker)
      const shown = { methods: ways.map(({ method }) => method), challenge: null, sessions: [] }
      return advance(found, waiting(found, 'choose', proven, user.id), shown, taker)
    },

    /** Takes the way that was chosen, once something was proven. Tries go on where they are: choosing gives none back. */
    async choose(found: Found, taker: Taker & { readonly method: string }): Promise<LoginStep | Refused> {
      const { attempt, client } = found
      const user = attempt.proven.length === 0 ? undefined : await userOf(found)
      const chosen = (await waysOn(client, user, attempt.proven)).find((one) => one.method === taker.method)
      if (user === undefined || chosen === undefined) return refuse('unsupported_method')
      if (attempt.tries >= mostTries) return refuse('login_failed')
      return goOn(found, chosen, user, attempt.proven, attempt.tries, taker)
    },

    /** Stops one step before the end, for the person to choose which session ends. */
    async ask(found: Found, proven: readonly Proof[], userId: string, taker: Taker, kept = ''): Promise<LoginStep | Refused> {
      const shown = { methods: [], challenge: null, sessions: await sessionsOf(found.client, userId) }
      const last = Math.max(...proven.map(({ at }) => at))
      const ends = Math.min(mostMs, last + mostWait - found.attempt.createdAt)
      return advance(found, waiting(found, 'limit', proven, userId, kept), shown, taker, ends)
    },

    /** Where an attempt stands, to be shown again. */
    async stepOf(found: Found): Promise<LoginStep> {
      const { attempt, client, options } = found
      const { state, proven, userId, expiresAt } = attempt
      const methods =
        state === 'choose'
          ? (await waysOn(client, await userOf(found), proven)).map(({ method }) => method)
          : state === 'limit'
            ? []
            : [attempt.method]
      const sessions = state === 'limit' ? await sessionsOf(client, userId) : []
      return { ok: true, state, methods, challenge: options, sessions, expiresAt, token: null }
    },
  }
}

const isLinkOf = (factor: Factor, method: string) => factor.kind === 'sent' && factor.link?.method === method

/** What a challenge leaves in its attempt. */
const keptOf = (asked: { readonly options: unknown; readonly state: string } | null) =>
  asked === null ? {} : { kept: asked.state, options: asked.options }
