// Sign-in: start, resend, verify. Attempts do not know of each other. A guess is charged by a committed write before it
// is compared; the last factor is consumed, and the session opened, in one transaction. Known, unknown and disabled
// identifiers take the same way: the same writes, one delivery queued, the same answer.

import type { Login, LoginCaller, LoginStarted, LoginStep, Refused, SignedIn } from '../api.ts'
import { createBudgets, type Spender } from '../budgets.ts'
import { createPace, createProofOfWork, isAsked } from '../captcha.ts'
import { knownDevice } from '../device.ts'
import { isMail } from '../factors/email.ts'
import type { SentFactor } from '../factors/factor.ts'
import { createForeign } from '../foreign.ts'
import type { Attempt, Proof, User } from '../model.ts'
import { refuse } from '../session.ts'
import { actionOf as readAction } from './action.ts'
import { createAttempts, type Found, isBrowserId, sentTo } from './attempt.ts'
import { keyOf, keyText } from './enrol.ts'
import { createFinish } from './finish.ts'
import { placeKeys } from './kept.ts'
import { actionOf, allows } from './machine.ts'
import { createNext } from './next.ts'
import { type Given, type LoginParts, limited, type Taker } from './parts.ts'
import { createSending } from './sending.ts'
import { createStepUp, isKnown } from './step-up.ts'

/** A proof, and whose it is when the answer said so. */
type Proved = Proof & { readonly userId: string | null }

/** How long whoever judges a CAPTCHA's answer may take (milliseconds), and about how many they are asked at once. */
export const captchaBudget = 3000
const mostCaptchas = 256

/** Creates the sign-in verbs. */
export function createLogin(parts: LoginParts): Login {
  const { ports, clients, policyOf } = parts
  const { store, crypto } = ports
  const budgets = createBudgets(crypto, parts.options.budgets)
  const attempts = createAttempts(ports, clients)
  const sending = createSending(parts, attempts)
  const finish = createFinish(parts)
  const next = createNext(parts, attempts, sending, (to, user, { client, attempt }, taker) =>
    budgets.start(spenderOf(to, taker, isKnown(client, attempt), user)),
  )
  const captcha = ports.captcha ?? createProofOfWork(ports)
  const [asking, judging] = [createForeign(ports.clock, mostCaptchas), createForeign(ports.clock, mostCaptchas)]
  const pace = createPace(ports.clock, parts.options.budgets.startOverall)

  /** What is asked. Whoever asks may fail, or hang: then nobody knows what to answer, and nothing is sent. */
  const challengeOf = async (clientId: string, ip: string | null): Promise<Readonly<Record<string, unknown>> | undefined> => {
    let asked: Readonly<Record<string, unknown>> | undefined
    const ended = await asking(captchaBudget, async () => {
      asked = await captcha.ask({ clientId, ip })
    })
    if (ended !== 'done') ports.observe({ event: 'captcha.failed', clientId, because: ended })
    return ended === 'done' ? asked : undefined
  }
  /** Whether an answer is right. Whoever judges it may fail, or hang: then it is not. */
  const isAnswered = async (clientId: string, { ip }: LoginCaller['caller'], answer: string) => {
    let right = false
    const ended = await judging(captchaBudget, async () => {
      // Whatever else it says, such as an object, is no yes.
      right = (await captcha.check({ clientId, ip, answer })) === true
    })
    if (ended !== 'done' || !right) ports.observe({ event: 'captcha.refused', clientId, because: ended === 'done' ? 'wrong' : ended })
    return ended === 'done' && right
  }

  /** Whose budgets an act on this attempt spends. `user`: whose account it is, where that is known; devices are known by their mail address. */
  const spenderOf = (account: string, { device, caller }: LoginCaller, known = false, user?: User): Spender => ({
    mailbox: account === '' ? null : sending.accountOf(account),
    ip: caller.ip,
    known: known || (account !== '' && knownDevice(crypto, device, user?.email ?? account) !== null),
  })
  const stepUp = createStepUp({
    ...parts,
    attempts,
    next,
    budgetsOf: (account, user, input, known) => budgets.start(spenderOf(account, input, known, user)),
  })
  const started = (id: string, { expiresAt, resendAt }: Attempt, challenge: unknown = null): LoginStarted => ({
    ok: true,
    loginId: id,
    expiresAt,
    resendAt,
    challenge,
  })

  /** That something sent was read. Whose proof it is: of who is known by the mail address alone, the transaction that opens the session finds out. */
  const sentProof = async (factor: SentFactor, method: string, found: Found, at: number): Promise<Proved | Refused> => {
    const { attempt, identifier } = found
    const { first, amr } = factor
    if (isMail(factor)) return { method, amr, at, userId: attempt.userId }
    const userId = attempt.userId ?? (await first?.find?.(identifier))?.id
    const [key] = placeKeys(crypto, sentTo(found))
    return userId === undefined || key === undefined ? refuse('login_failed') : { method, amr, at, userId, key }
  }

  /** What an answer proves; nothing when it is wrong. Charged before it is compared. */
  const prove = async (found: Found, input: Given): Promise<Proved | Refused> => {
    const { factor, attempt, identifier, idHash } = found
    const failed = () => {
      ports.observe({ event: 'login.failed', method: attempt.method, clientId: found.client.id })
      return refuse('login_failed')
    }
    // The link itself is the proof, found by its 256 bits; nothing is guessed here. But what follows, such as a hook, is not for nothing.
    if ('press' in input) {
      if (factor.kind !== 'sent' || !isMail(factor) || factor.link === null) return refuse('login_failed')
      const spent = await store.limits.spend(budgets.press(idHash))
      if (spent.outcome === 'limited') return limited(spent)
      return sentProof(factor, factor.link.method, found, found.now)
    }
    const typed = 'code' in input ? input.code : ''
    // What cannot be a code costs no try: nothing is compared.
    const code = factor.kind === 'sent' ? factor.readCode(typed) : typed
    if (code === undefined || 'response' in input !== (factor.kind === 'challenge')) return refuse('login_failed')
    // An attempt that began with a key, or raises a session, says by its user whose account it is.
    const user = isMail(factor) ? undefined : await next.userOf(found)
    const account = user?.email ?? identifier
    const spender = spenderOf(account, input, isKnown(found.client, attempt))
    const spends = [...budgets.verify(spender), ...(factor.kind === 'challenge' ? [] : budgets.verifyCode(spender))]
    const charged = await store.attempts.charge(idHash, spends)
    if (charged.outcome === 'limited') return limited(charged)
    if (charged.outcome === 'gone') return refuse('login_failed')
    ports.crashPoint('login.charged')
    const { now } = charged
    // Somebody took it on meanwhile: what is compared must be what was charged.
    if (charged.attempt.step !== attempt.step) return refuse('login_failed')
    if (factor.kind === 'sent') {
      const hashes = attempts.codeHashes({ ...charged.attempt, to: sentTo(found) }, code)
      if (!hashes.map((hash) => crypto.equal(hash, charged.attempt.codeHash)).includes(true)) return failed()
      return sentProof(factor, factor.method, found, now)
    }
    const { caller } = input
    const answer =
      factor.kind === 'challenge'
        ? await factor.finish({
            clientId: found.client.id,
            user: user ?? null,
            caller,
            isEnough: next.enoughFor(found.client, attempt),
            state: found.kept,
            response: 'response' in input ? input.response : null,
          })
        : user === undefined
          ? ({ ok: false } as const)
          : await factor.check({ user, text: code, caller })
    if (!answer.ok) return failed()
    // A second factor of somebody else proves nothing.
    if (user !== undefined && user.id !== answer.userId) return failed()
    return { method: answer.method, amr: answer.amr, at: now, userId: answer.userId, ...(answer.key !== undefined && { key: answer.key }) }
  }

  /** Takes one step with an attempt that was found for whoever may take it. */
  const take = async (found: Found, input: Given): Promise<SignedIn | LoginStep | Refused> => {
    const { attempt } = found
    if (!allows(attempt.state, actionOf(input))) return refuse('login_failed')
    // A step-up is taken where it was started, and ends no session.
    if (attempt.purpose === 'step_up' && (found.byLink || 'end' in input)) return refuse('login_failed')
    if ('method' in input) return next.choose(found, input)
    if ('end' in input) return end(found, input)
    if (attempt.state === 'enrol') return enrolled(found, input)
    const proof = await prove(found, input)
    return 'ok' in proof ? proof : proved(found, proof, input)
  }

  /** Goes on after a proof: to the session, to what is still missing, or to which session has to end. */
  const proved = async (found: Found, { userId, ...proof }: Proved, input: Taker): Promise<SignedIn | LoginStep | Refused> => {
    const proven = [...found.attempt.proven, proof]
    if (found.attempt.purpose === 'step_up') {
      if (stepUp.isEnough(found, proven)) return stepUp.raise(found, proven, input)
      return stepUp.isPart(found, proven) ? next.more(found, proven, userId, input) : refuse('login_failed')
    }
    if (!next.isEnough(found, proven)) return next.more(found, proven, userId, input)
    const opened = await finish.open(found, proven, userId, input, null)
    if (opened !== 'at the limit') return opened
    const user = await next.userOf(found, userId)
    return user === undefined ? refuse('login_failed') : next.ask(found, proven, user.id, input)
  }

  /** Takes a key that was made while signing in: it is stored with the session, or not at all. */
  const enrolled = async (found: Found, input: Given): Promise<SignedIn | LoginStep | Refused> => {
    const { factor, attempt, client, identifier, idHash } = found
    if (factor.kind !== 'challenge' || factor.enrolment === undefined || !('response' in input)) return refuse('login_failed')
    const user = attempt.userId === null ? undefined : await next.userOf(found)
    const charged = await store.attempts.charge(idHash, budgets.verify(spenderOf(user?.email ?? identifier, input)))
    if (charged.outcome === 'limited') return limited(charged)
    if (charged.outcome === 'gone' || charged.attempt.step !== attempt.step) return refuse('login_failed')
    const { caller, response } = input
    const isEnough = next.enoughFor(client, attempt)
    const made = await factor.enrolment.finish({ clientId: client.id, user: user ?? null, caller, isEnough, state: found.kept, response })
    if (!made.ok) {
      ports.observe({ event: 'login.failed', method: attempt.method, clientId: client.id })
      return refuse('login_failed')
    }
    const { method, amr, key } = made
    const proven = [...attempt.proven, { method, amr, at: charged.now, key: key.passkey.id }]
    if (!next.isEnough(found, proven)) return refuse('login_failed')
    const opened = await finish.open(found, proven, attempt.userId, input, null, key)
    if (opened !== 'at the limit' || attempt.userId === null) return opened === 'at the limit' ? refuse('session_limit') : opened
    return next.ask(found, proven, attempt.userId, input, keyText(key))
  }

  /** Ends one session for the new one. Where more than one is too many, this one ends by itself, and the next is asked for. */
  const end = async (found: Found, input: Taker & { readonly end: string }): Promise<SignedIn | LoginStep | Refused> => {
    const { proven, userId } = found.attempt
    const { sessions } = await next.stepOf(found)
    if (userId === null || !sessions.some(({ sid }) => sid === input.end)) return refuse('not_found')
    // A policy may have become stricter meanwhile.
    if (!next.isEnough(found, proven)) return refuse('login_failed')
    const opened = await finish.open(found, proven, userId, input, input.end, keyOf(found.kept))
    if (opened !== 'at the limit') return opened
    const { caller } = input
    await store.sessions.revoke({ sid: input.end, ofUser: userId }, 'evicted', [
      { event: 'session.evicted', userId, sid: input.end, clientId: found.client.id, ip: caller.ip, detail: { by: userId } },
    ])
    return next.ask(found, proven, userId, input, found.kept)
  }

  return {
    async captcha(clientId, { ip }) {
      const client = await clients.find(clientId)
      return client === undefined || !isAsked(policyOf(client), pace) ? null : ((await challengeOf(client.id, ip)) ?? null)
    },

    async start(input) {
      const factor = attempts.factors.find((one) => one.method === input.method)
      if (factor === undefined) return refuse('unsupported_method')
      const client = await clients.find(input.clientId)
      if (client === undefined || client.status !== 'active' || client.transport === 'service') return refuse('unknown_client')
      if (!policyOf(client).methods.includes(factor.method)) return refuse('unsupported_method')
      if (factor.kind === 'secret' || !factor.first) return refuse('unsupported_method')
      const identifier = factor.kind === 'sent' ? factor.first?.identify(input.identifier) : input.identifier === '' ? '' : undefined
      if (identifier === undefined) return refuse('invalid_identifier')
      const { transport } = client
      const { caller } = input
      // A mail costs something; what a browser is asked costs nothing.
      if (factor.kind === 'sent' && isAsked(policyOf(client), pace)) {
        const given = input.captcha ?? ''
        if (given === '' || given.length > 2000 || !(await isAnswered(client.id, caller, given))) {
          const challenge = await challengeOf(client.id, caller.ip)
          if (challenge === undefined) return { ok: false, code: 'try_later', options: { retryAfter: 1 } }
          return { ok: false, code: 'captcha_required', options: { challenge } }
        }
      }
      if (transport === 'cookie' && !isBrowserId(input.browser)) return refuse('invalid_request')
      const bindingHash = transport === 'cookie' && input.browser !== null ? attempts.hashOf(input.browser) : null

      const id = attempts.newSecret()
      const idHash = attempts.hashOf(id)
      const place = { idHash, identifier, to: identifier, purpose: 'sign_in' as const, bindingHash, action: null, need: null, proven: [] }
      const made = await next.begin(factor, { ...place, client, user: null, caller: input.caller })
      const outcome = await store.attempts.start(
        {
          idHash,
          clientId: client.id,
          purpose: place.purpose,
          bindingHash,
          userAgent: input.caller.userAgent,
          returnTo: input.returnTo ?? null,
          ...made.row,
        },
        budgets.start(spenderOf(identifier, input)),
        [],
      )
      if (outcome.outcome === 'limited') return limited(outcome)
      ports.crashPoint('login.started')
      if (factor.kind === 'sent') pace.count()
      await made.send()
      ports.observe({ event: 'login.started', method: factor.method, clientId: client.id })
      return started(id, outcome.attempt, made.options)
    },

    stepUpWays: stepUp.ways,
    stepUp: stepUp.start,

    async resend(input) {
      const found = await attempts.find(input.loginId, input.browser)
      if (found === undefined || !allows(found.attempt.state, 'resend') || found.factor.kind !== 'sent') return refuse('login_failed')
      const { idHash, attempt, factor, client } = found
      const to = sentTo(found)
      const user = isMail(factor) || attempt.userId === null ? undefined : await next.userOf(found)
      const message = sending.newMessage(factor, { ...attempt, client, to })
      const outcome = await store.attempts.resend(
        idHash,
        {
          codeHash: message.codeHash,
          linkHash: message.linkHash,
          resendAfter: factor.resendAfter(attempt.sends + 1),
          maxSends: factor.maxSends,
        },
        budgets.start(spenderOf(to, input, isKnown(client, attempt), user)),
      )
      if (outcome.outcome === 'limited') return limited(outcome)
      if (outcome.outcome === 'gone') return refuse('login_failed')
      await message.send(input.caller)
      return started(input.loginId, outcome.attempt)
    },

    async verify(input) {
      const found = await attempts.find(input.loginId, input.browser)
      return found === undefined ? refuse('login_failed') : take(found, input)
    },

    async viewLink(token, browser) {
      const found = await attempts.findByLink(token)
      if (found === undefined) return refuse('login_failed')
      const { attempt, client, linkFrom, now } = found
      const { createdAt: startedAt, userAgent, expiresAt, returnTo } = attempt
      const here = attempts.isHere(attempt, browser)
      // What was taken on from another browser is no business of this one.
      if (!here && attempt.state !== 'verify') return refuse('login_failed')
      return {
        ok: true,
        here,
        clientId: client.id,
        identifier: shownAs(found),
        startedAt,
        userAgent,
        ip: linkFrom,
        expiresAt,
        now,
        returnTo,
        step: await next.stepOf(found),
      }
    },

    async takeLink(input) {
      const found = await attempts.findByLink(input.token)
      if (found === undefined) return refuse('login_failed')
      const { attempt } = found
      // Elsewhere the link proves nothing by itself: it only lets the code of the same mail be given, for the first proof.
      const here = attempts.isHere(attempt, input.browser)
      if (!here && !('code' in input && attempt.proven.length === 0)) return refuse('login_failed')
      return take(found, input)
    },

    async view(id, browser) {
      const found = await attempts.find(id, browser)
      if (found === undefined || found.now >= found.attempt.expiresAt) return refuse('login_failed')
      const { attempt, client } = found
      const { purpose, state, need, action, returnTo } = attempt
      const asked = { purpose, need: need ?? {}, action: action === null ? null : readAction(action), returnTo }
      return { ...started(id, attempt), clientId: client.id, identifier: shownAs(found), state, step: await next.stepOf(found), ...asked }
    },
  }
}

/**
 * Where its code went while one is waited for; else what it began with. Of what is not the mail address, and was not typed here,
 * no more than tells two apart: who has proven the mailbox alone need not learn a number.
 */
const shownAs = (found: Found) => (found.attempt.state !== 'verify' || found.kept === '' ? found.identifier : `…${sentTo(found).slice(-2)}`)
