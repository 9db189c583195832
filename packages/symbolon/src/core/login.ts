// Sign-in: start, resend, verify. Attempts do not know of each other. A guess is charged by a committed write before it
// is compared; the last factor is consumed, and the session opened, in one transaction. Known, unknown and disabled
// identifiers take the same way: the same writes, one delivery queued, the same answer.

import { toBase64url } from '@symbolon/protocol'
import type { Clients, CoreOptions, Login, LoginStarted, Minted, Refused } from './api.ts'
import { createBudgets, type Spender } from './budgets.ts'
import type { NewCredential } from './credential.ts'
import { knownDevice, rememberDevice } from './device.ts'
import { emailCode } from './factors/email-code.ts'
import type { Factor } from './factors/factor.ts'
import type { Hooks } from './hooks.ts'
import type { Attempt, Client, ClientPolicy, SessionKind, User } from './model.ts'
import type { Limited, OpenOutcome, Ports, SessionSnapshot } from './ports.ts'
import { sealPlace } from './seal-place.ts'
import { refuse } from './session.ts'

/** What sign-in stands on. */
export interface LoginParts {
  readonly ports: Ports
  readonly options: Pick<CoreOptions, 'budgets'>
  readonly clients: Pick<Clients, 'find'>
  readonly policyOf: (client: Client) => ClientPolicy
  readonly hooks: Hooks
  readonly credential: (kind: SessionKind) => NewCredential
  readonly mint: (snapshot: SessionSnapshot) => Promise<Minted>
  /** The sid of a session credential that was really ours. */
  readonly genuine: (credential: string) => Promise<string | undefined>
}

/** The factors there are. */
const factors: readonly Factor[] = [emailCode]

const limited = ({ retryAfterMs }: Limited): Refused => ({ ok: false, code: 'rate_limited', options: { retryAfter: retryAfterMs / 1000 } })
const loginId = /^[A-Za-z0-9_-]{43}$/
const browserId = /^[A-Za-z0-9_-]{22}$/

/** Creates the sign-in verbs. */
export function createLogin(parts: LoginParts): Login {
  const { ports, clients, policyOf, hooks } = parts
  const { store, crypto } = ports
  const budgets = createBudgets(crypto, parts.options.budgets)

  const hashOf = (text: string) => toBase64url(crypto.hash(text))
  /** Bound to attempt, identifier, purpose and browser: a code fits nowhere else. */
  const codeHashes = (idHash: string, identifier: string, bindingHash: string | null, code: string) =>
    crypto.keyed('login code', `${idHash}\n${identifier}\nsign_in\n${bindingHash ?? ''}\n${code}`)
  const nameOf = (client: Client) => client.name

  /** Whether this person gets a code at all. Decided from one read that everybody costs. */
  const mayReceive = (user: User | undefined, policy: ClientPolicy) =>
    user === undefined ? policy.signUp === 'open' : user.status === 'active'

  const send = async (
    factor: Factor,
    client: Client,
    identifier: string,
    code: string,
    caller: { readonly language?: string; readonly device?: string },
  ) => {
    const user = await store.users.find({ email: identifier })
    const language = caller.language ?? 'en'
    const message = { code, clientName: nameOf(client), device: caller.device ?? '', language }
    const delivery = mayReceive(user, policyOf(client)) ? factor.deliver(identifier, message) : ({ kind: 'none' } as const)
    hooks.send(delivery, { clientId: client.id, userId: user?.id ?? null, language })
  }
  const started = (id: string, attempt: Attempt): LoginStarted => ({
    ok: true,
    loginId: id,
    expiresAt: attempt.expiresAt,
    resendAt: attempt.resendAt,
  })

  /** The attempt behind a login id, for the browser it was started in. */
  const find = async (id: string, browser: string | null) => {
    if (!loginId.test(id)) return undefined
    const idHash = hashOf(id)
    const found = await store.attempts.find(idHash)
    if (found === undefined || found.attempt.consumedAt !== null || found.now >= found.attempt.expiresAt) return undefined
    const { attempt } = found
    if (attempt.bindingHash !== null) {
      const sent = crypto.hash(browser !== null && browserId.test(browser) ? browser : '')
      if (toBase64url(sent) !== attempt.bindingHash) return undefined
    }
    const factor = factors.find((one) => one.method === attempt.method)
    const client = await clients.find(attempt.clientId)
    const plain = crypto.open(attempt.sealedIdentifier, sealPlace('attempt', idHash))
    if (factor === undefined || client === undefined || client.status !== 'active' || plain === undefined) return undefined
    let identifier = ''
    for (const byte of plain) identifier += String.fromCharCode(byte)
    return { idHash, attempt, factor, client, identifier }
  }

  return {
    async start(input) {
      const factor = factors.find((one) => one.method === input.method)
      if (factor === undefined) return refuse('unsupported_method')
      const client = await clients.find(input.clientId)
      if (client === undefined || client.status !== 'active' || client.transport === 'service') return refuse('unknown_client')
      const identifier = factor.identify(input.identifier)
      if (identifier === undefined) return refuse('invalid_identifier')
      const bindingHash = client.transport === 'cookie' && input.browser !== null ? hashOf(input.browser) : null
      if (client.transport === 'cookie' && (input.browser === null || !browserId.test(input.browser))) return refuse('invalid_request')

      const id = toBase64url(crypto.random(32))
      const idHash = hashOf(id)
      const code = factor.newCode(crypto)
      const spender: Spender = {
        mailbox: factor.account(identifier),
        ip: input.caller.ip,
        device: knownDevice(crypto, input.device, identifier),
      }
      const outcome = await store.attempts.start(
        {
          idHash,
          clientId: client.id,
          purpose: 'sign_in',
          method: factor.method,
          sealedIdentifier: crypto.seal(identifier, sealPlace('attempt', idHash)),
          bindingHash,
          codeHash: codeHashes(idHash, identifier, bindingHash, code)[0] as Uint8Array,
          maxTries: factor.maxTries,
          lifetime: factor.lifetime,
          resendAfter: factor.resendAfter(1),
        },
        budgets.start(spender),
        [],
      )
      if (outcome.outcome === 'limited') return limited(outcome)
      ports.crashPoint('login.started')
      await send(factor, client, identifier, code, input.caller)
      ports.observe({ event: 'login.started', method: factor.method, clientId: client.id })
      return started(id, outcome.attempt)
    },

    async resend(input) {
      const found = await find(input.loginId, input.browser)
      if (found === undefined) return refuse('login_failed')
      const { idHash, attempt, factor, client, identifier } = found
      const code = factor.newCode(crypto)
      const outcome = await store.attempts.resend(
        idHash,
        {
          codeHash: codeHashes(idHash, identifier, attempt.bindingHash, code)[0] as Uint8Array,
          resendAfter: factor.resendAfter(attempt.sends + 1),
          maxSends: factor.maxSends,
        },
        budgets.start({
          mailbox: factor.account(identifier),
          ip: input.caller.ip,
          device: knownDevice(crypto, input.device, identifier),
        }),
      )
      if (outcome.outcome === 'limited') return limited(outcome)
      if (outcome.outcome === 'gone') return refuse('login_failed')
      await send(factor, client, identifier, code, input.caller)
      return started(input.loginId, outcome.attempt)
    },

    async verify(input) {
      const found = await find(input.loginId, input.browser)
      if (found === undefined) return refuse('login_failed')
      const { idHash, factor, client, identifier } = found
      const code = factor.readCode(input.code)
      // What cannot be a code costs no try: nothing is compared.
      if (code === undefined) return refuse('login_failed')
      const device = knownDevice(crypto, input.device, identifier)
      const charged = await store.attempts.charge(
        idHash,
        budgets.verify({ mailbox: factor.account(identifier), ip: input.caller.ip, device }),
      )
      if (charged.outcome === 'limited') return limited(charged)
      if (charged.outcome === 'gone') return refuse('login_failed')
      ports.crashPoint('login.charged')
      const { attempt } = charged
      const hashes = codeHashes(idHash, identifier, attempt.bindingHash, code)
      if (!hashes.map((hash) => crypto.equal(hash, attempt.codeHash)).includes(true)) {
        ports.observe({ event: 'login.failed', method: factor.method, clientId: client.id })
        return refuse('login_failed')
      }

      const policy = policyOf(client)
      const admitted = await hooks.admit({ email: identifier, clientId: client.id, method: factor.method, caller: input.caller }, policy)
      if (!admitted.ok) return admitted
      const kind = client.transport === 'native' ? 'token' : 'cookie'
      const { sid, credential, credentialHash, sealedKey } = parts.credential(kind)
      const { ip, userAgent } = input.caller
      const opened = await store.sessions.open({
        session: {
          sid,
          kind,
          parent: null,
          clientId: client.id,
          acr: factor.acr,
          amr: factor.amr,
          idle: policy.idle,
          absolute: policy.absolute,
          ip,
          userAgent,
          binding: null,
          credentialHash,
          sealedKey,
        },
        attempt: idHash,
        user: { email: identifier, create: admitted.create },
        maxSessions: policy.maxSessions,
        onLimit: policy.onLimit,
        replaces: input.replaces === null ? null : ((await parts.genuine(input.replaces)) ?? null),
        audit: [{ event: 'session.opened', userId: null, sid, clientId: client.id, ip, detail: { method: factor.method } }],
      })
      if (opened.outcome !== 'opened') return refuse(refusals[opened.outcome])
      ports.crashPoint('login.opened')
      ports.observe({ event: 'login.succeeded', method: factor.method, clientId: client.id, created: opened.created })
      hooks.signedIn(opened, factor.method, input.caller)
      const { snapshot, created } = opened
      const minted = kind === 'token' ? await parts.mint(snapshot) : null
      return { ok: true, snapshot, credential, minted, device: rememberDevice(crypto, input.device, identifier), created }
    },

    async view(id, browser) {
      const found = await find(id, browser)
      if (found === undefined) return refuse('login_failed')
      return { ...started(id, found.attempt), clientId: found.client.id, identifier: found.identifier }
    },
  }
}

const refusals: Readonly<Record<Exclude<OpenOutcome['outcome'], 'opened'>, 'login_failed' | 'session_limit'>> = {
  attempt_gone: 'login_failed',
  user_unknown: 'login_failed',
  user_disabled: 'login_failed',
  client_disabled: 'login_failed',
  parent_gone: 'login_failed',
  limit: 'session_limit',
}
