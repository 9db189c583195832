// A step-up (RFC 9470): the person behind a session proves anew who they are, or more strongly. Whose session it is says its
// credential and nobody else; only ways are offered that reach what is needed. Nothing but the session's record is changed
// by it, in one transaction with the attempt: the old credential is refused from then on, and nothing is revoked.

import { SymbolonError } from '@symbolon/protocol'
import type { Refused, SignedIn, StepUpQuestion, StepUpStart, StepUpStarted, StepUpWays } from '../api.ts'
import { credentialOf, openSessionKey } from '../credential.ts'
import { rememberDevice } from '../device.ts'
import { type Factor, hasFactor } from '../factors/factor.ts'
import type { Attempt, Client, Need, Proof, User } from '../model.ts'
import type { RaiseOutcome, SessionSnapshot } from '../ports.ts'
import { standingOf } from '../proven.ts'
import { deadBecause, refuse } from '../session.ts'
import { actionText, isAction } from './action.ts'
import { type Attempts, type Found, isBrowserId } from './attempt.ts'
import { areKept } from './kept.ts'
import { reached } from './levels.ts'
import { canMeet, isPart, meets, sufficient } from './need.ts'
import type { createNext } from './next.ts'
import { type LoginParts, limited, type Taker } from './parts.ts'

/** What a step-up is given of sign-in. */
export interface StepUpParts extends LoginParts {
  readonly attempts: Attempts
  readonly next: ReturnType<typeof createNext>
  /** Budgets of an attempt for this account. */
  readonly budgetsOf: (
    account: string,
    user: User,
    input: StepUpStart,
    known: boolean,
  ) => Parameters<LoginParts['ports']['store']['attempts']['start']>[1]
}

type Ways = StepUpWays & { readonly factors: readonly Factor[] }

/**
 * What a step-up without cookies is known by, as a browser is by its device: its session. So no stranger, who can use up what
 * an address may spend, keeps somebody from it who is signed in. A sign-in has no session.
 */
export const isKnown = ({ transport }: Pick<Client, 'transport'>, { sid }: Pick<Attempt, 'sid'>): boolean =>
  transport === 'native' && sid !== null

const most = { values: 10, letters: 100, maxAge: 400 * 86_400 }
const isNeed = ({ acrValues = [], maxAge = 0 }: Need) =>
  acrValues.length <= most.values &&
  acrValues.every((one) => one.length >= 1 && one.length <= most.letters) &&
  Number.isInteger(maxAge) &&
  maxAge >= 0 &&
  maxAge <= most.maxAge

/** Creates what begins and ends a step-up. */
export function createStepUp(parts: StepUpParts) {
  const { ports, policyOf, attempts, next } = parts
  const { store, crypto } = ports

  const floorOf = ({ session, client, now }: SessionSnapshot) => standingOf(session, policyOf(client), now)

  const waysOf = async ({ credential, kind, need, caller }: StepUpQuestion): Promise<Ways | Refused> => {
    if (!isNeed(need)) return refuse('invalid_request')
    const checked = await parts.check(credential, kind, caller)
    if (!checked.ok) return checked
    const { snapshot } = checked
    const { user, client } = snapshot
    const floor = floorOf(snapshot).acr
    const factors: Factor[] = []
    for (const method of policyOf(client).methods) {
      const factor = attempts.factors.find((one) => one.method === method)
      if (factor === undefined || !canMeet(method, need, floor)) continue
      if (await hasFactor(factor, user)) factors.push(factor)
    }
    return { ok: true, snapshot, methods: factors.map(({ method }) => method), factors }
  }

  /** The session as it is to be raised, or why it cannot be. A browser shows its cookie here too: it may have another session by now. */
  const standing = async ({ attempt, client }: Found, { replaces, caller }: Taker): Promise<SessionSnapshot | Refused> => {
    const sid = attempt.sid ?? ''
    await parts.flushOf(sid)
    if (client.transport === 'cookie') {
      const checked = replaces === null ? refuse('missing_credential') : await parts.check(replaces, 'cookie', caller)
      if (!checked.ok) return checked
      if (checked.snapshot.session.sid !== sid) return refuse('login_failed')
      await parts.flushOf(sid)
    }
    const snapshot = await store.sessions.find(sid)
    if (snapshot === undefined) return refuse('session_unknown')
    const dead = deadBecause(snapshot, policyOf(client))
    if (dead !== undefined) return refuse(dead)
    return snapshot.user.id === attempt.userId && snapshot.client.id === client.id ? snapshot : refuse('login_failed')
  }

  const raiseOnce = async (found: Found, proven: readonly Proof[], input: Taker): Promise<SignedIn | Refused | 'again'> => {
    const { attempt, idHash, client } = found
    const provenAt = { identifier: found.identifier, userId: attempt.userId }
    const before = await standing(found, input)
    if ('ok' in before) return before
    const level = reached(proven)
    // The session may have been raised by somebody else meanwhile: never down from there.
    if (
      level === undefined ||
      !(await areKept(ports, proven, provenAt)) ||
      !meets(proven, attempt.need?.acrValues ?? [], floorOf(before).acr)
    )
      return refuse('login_failed')
    const { sid, kind, generation } = before.session
    const key = openSessionKey(crypto, before.session)
    if (key === undefined)
      throw new SymbolonError('try_later', { detail: 'a session key cannot be opened; run symbolon doctor', retryAfter: 5 })
    const credential = credentialOf(crypto, key, kind, sid, generation + 1)
    const method = proven.map((proof) => proof.method).join(' ')
    const raised = await store.sessions.raise({
      sid,
      attempt: idHash,
      from: generation,
      credentialHash: crypto.hash(credential),
      replacedFor: attempt.bindingHash ?? idHash,
      acr: level.acr,
      amr: level.amr,
      window: policyOf(client).window,
      audit: [
        {
          event: 'session.stepped_up',
          userId: before.user.id,
          sid,
          clientId: client.id,
          ip: input.caller.ip,
          detail: { method, acr: level.acr },
        },
      ],
    })
    if (raised.outcome === 'lost') return 'again'
    if (raised.outcome !== 'raised') return refuse(refusals[raised.outcome])
    ports.crashPoint('step_up.raised')
    if (!(await areKept(ports, proven, provenAt))) {
      const gone = { event: 'session.admin', userId: before.user.id, sid, clientId: client.id, ip: input.caller.ip }
      await store.sessions.revoke({ sid }, 'admin', [{ ...gone, detail: { by: 'system', because: 'key_gone' } }])
      return refuse('session_revoked')
    }
    const { snapshot } = raised
    ports.observe({ event: 'session.stepped_up', method, acr: level.acr, clientId: client.id })
    const minted = kind === 'token' ? await parts.mint(snapshot) : null
    const confirmation = attempt.action === null ? {} : { confirmation: parts.confirm(snapshot, key, attempt.action) }
    const device = rememberDevice(crypto, input.device, snapshot.user)
    return { ok: true, snapshot, credential, minted, device, created: false, ...confirmation }
  }

  return {
    async ways(input: StepUpQuestion): Promise<StepUpWays | Refused> {
      const found = await waysOf(input)
      if (!found.ok) return found
      const { factors: _, ...ways } = found
      return ways
    },

    async start(input: StepUpStart): Promise<StepUpStarted | Refused> {
      const ways = await waysOf(input)
      if (!ways.ok) return ways
      const { user, client, session } = ways.snapshot
      const factor = input.method === null ? ways.factors[0] : ways.factors.find(({ method }) => method === input.method)
      if (factor === undefined) return refuse('unsupported_method')
      if (input.action !== null && !isAction(input.action)) return { ...refuse('invalid_request'), options: { field: 'action' } }
      if (client.transport === 'cookie' && !isBrowserId(input.browser)) return refuse('invalid_request')
      const bindingHash = client.transport === 'cookie' && input.browser !== null ? attempts.hashOf(input.browser) : null
      const named = await next.addressed(factor, user, '')
      if (named === undefined) return refuse('unsupported_method')

      const id = attempts.newSecret()
      const action = input.action === null ? null : actionText(input.action)
      const need = { ...input.need, acrValues: sufficient(input.need, floorOf(ways.snapshot).acr) }
      const place = { idHash: attempts.hashOf(id), ...named, purpose: 'step_up' as const, bindingHash, action, need, proven: [] }
      const made = await next.begin(factor, { ...place, client, user, caller: input.caller })
      const outcome = await store.attempts.start(
        {
          idHash: place.idHash,
          clientId: client.id,
          purpose: place.purpose,
          bindingHash,
          userAgent: input.caller.userAgent,
          returnTo: input.returnTo ?? null,
          userId: user.id,
          sid: session.sid,
          need,
          action,
          ...made.row,
        },
        parts.budgetsOf(factor.kind === 'sent' ? named.to : user.email, user, input, isKnown(client, { sid: session.sid })),
        [],
      )
      if (outcome.outcome === 'limited') return limited(outcome)
      await made.send()
      ports.observe({ event: 'step_up.started', method: factor.method, clientId: client.id })
      const { expiresAt, resendAt }: Attempt = outcome.attempt
      return { ok: true, loginId: id, expiresAt, resendAt, challenge: made.options, method: factor.method, methods: ways.methods }
    },

    /** Whether what was proven is enough, as far as the attempt says; the session's own level is looked at when it is raised. */
    isEnough: ({ attempt }: Found, proven: readonly Proof[]) => meets(proven, attempt.need?.acrValues ?? [], ''),

    /** Whether something more can make it enough. */
    isPart: ({ attempt }: Found, proven: readonly Proof[]) => isPart(proven, attempt.need?.acrValues ?? []),

    /** Raises the session. Who is overtaken by a rotation looks again once. */
    async raise(found: Found, proven: readonly Proof[], input: Taker): Promise<SignedIn | Refused> {
      for (let turn = 0; turn < 2; turn++) {
        const raised = await raiseOnce(found, proven, input)
        if (raised !== 'again') return raised
      }
      return { ...refuse('try_later'), options: { retryAfter: 1 } }
    },
  }
}

const refusals: Readonly<Record<Exclude<RaiseOutcome['outcome'], 'raised' | 'lost'>, 'login_failed' | 'session_revoked'>> = {
  attempt_gone: 'login_failed',
  session_gone: 'session_revoked',
  user_disabled: 'session_revoked',
}
