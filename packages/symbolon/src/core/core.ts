// Core put together: every noun from the same ports and options.

import { SymbolonError } from '@symbolon/protocol'
import { createAccount } from './account.ts'
import { createAddresses } from './address.ts'
import type { Caller, Core, CoreOptions, Sessions } from './api.ts'
import { createAudit } from './audit.ts'
import { createBudgets } from './budgets.ts'
import { createClients } from './clients.ts'
import { createConfirmations } from './confirmation.ts'
import { isGenuine, newCredential, openSessionKey, parseCredential } from './credential.ts'
import type { CorePorts } from './factors/factor.ts'
import { createPasskeyFactor } from './factors/passkey.ts'
import { createFeed } from './feed.ts'
import { createHooks, type HookOptions } from './hooks.ts'
import { createKeys } from './keys.ts'
import { isExpired, limitsOf } from './limits.ts'
import { isOnlyWay } from './login/levels.ts'
import { createLogin } from './login/login.ts'
import { createMint, createMintForClient, tryTemplate } from './mint.ts'
import type { Session } from './model.ts'
import { createOAuth } from './oauth.ts'
import { createPasskeys } from './passkeys.ts'
import { createPipeline } from './pipeline.ts'
import { createPolicies } from './policy.ts'
import { createRefresh } from './refresh.ts'
import { createRemoval } from './removal.ts'
import { createRevoke } from './revoke.ts'
import { createSeals } from './seals.ts'
import { createChecks, refuse } from './session.ts'
import { createTokens } from './tokens.ts'
import { createTouches } from './touch.ts'
import { createUsers } from './users.ts'

const nobody: Caller = { ip: null, userAgent: null }

/** Creates core. Reads nothing; `jobs.maintain` must have come once before anything is minted. */
export function createCore(ports: CorePorts, options: CoreOptions & { readonly hooks?: HookOptions }): Core {
  const { store, crypto, clock } = ports
  if (options.claims !== undefined) tryTemplate(options.claims)
  const policyOf = createPolicies(options.policy)
  const touches = createTouches(store.sessions, clock)
  const keys = createKeys(ports, options)
  const minting = { crypto, signer: ports.signer, clock, options, policyOf, activeKey: keys.active }
  const mint = createMint(minting)
  const checks = createChecks({ store: store.sessions, feed: store.feed, crypto, touches, policyOf })
  const pipeline = createPipeline(options.steps, clock, policyOf)

  const revoke = createRevoke(ports)

  const sessions: Sessions = {
    ...checks,
    refresh: createRefresh({ ports, touches, pipeline, mint, policyOf, revoke }),
    async explain(sid) {
      const snapshot = await store.sessions.find(sid)
      if (snapshot === undefined) return refuse('session_unknown')
      const { trace, ...passed } = await pipeline(snapshot, nobody)
      const lifetime = passed.verdict === 'pass' ? (passed.shape.lifetime ?? policyOf(snapshot.client).tokenLifetime) : 0
      const outcome = passed.verdict !== 'pass' ? passed.verdict : snapshot.session.kind === 'cookie' ? 'minted' : 'rotated'
      return { ok: true, outcome, lifetime, trace }
    },
    async mint(text, { background = false } = {}) {
      const at = clock.now()
      const credential = parseCredential(text)
      if (credential === undefined) return refuse('session_unknown')
      const checked = await checks.whole.check(text, 'cookie', { background })
      if (!checked.ok) return checked
      const { snapshot } = checked
      const passed = await pipeline(snapshot, nobody)
      if (passed.verdict !== 'pass')
        return refuse(passed.verdict === 'expired' ? 'session_expired' : passed.verdict === 'revoked' ? 'session_revoked' : passed.verdict)
      // Of the credential that was shown, which may not be the newest: a token must not say that the newest one has arrived.
      const minted = mint({ snapshot, at }, credential.generation, passed.shape)
      if (minted === undefined) throw new SymbolonError('try_later', { retryAfter: 1 })
      return { ok: true, minted: minted(), snapshot }
    },
    async list(userId) {
      const [{ now, sessions }, clients] = await Promise.all([store.sessions.list(userId), store.clients.list()])
      const policies = new Map(clients.map((client) => [client.id, policyOf(client)]))
      // A client's policy may be stricter by now than when they were opened.
      const lives = (session: Session) => {
        const policy = policies.get(session.clientId)
        return policy === undefined || !isExpired(limitsOf(session, policy, touches.lastSeen(session)), now)
      }
      return { now, sessions: sessions.filter(lives) }
    },
    revoke: (target, reason, by) =>
      revoke(target, reason, [
        {
          event: `session.${reason}`,
          userId: 'user' in target ? target.user : 'sid' in target ? (target.ofUser ?? null) : null,
          sid: 'sid' in target ? target.sid : null,
          clientId: 'client' in target ? target.client : null,
          ip: by.caller?.ip ?? null,
          detail: { by: by.actor },
        },
      ]),
    flush: touches.flush,
  }

  const confirmations = createConfirmations(ports, policyOf)
  const clients = createClients(ports, policyOf, options)
  const hooks = createHooks(ports, options.hooks)
  const budgets = createBudgets(crypto, options.budgets)
  const addresses = createAddresses({ ports, hooks, budgets, issuer: options.issuer })
  const rules = ports.passkeys?.possible === true ? ports.passkeys : undefined
  return {
    login: createLogin({
      ports: rules === undefined ? ports : { ...ports, factors: [...(ports.factors ?? []), createPasskeyFactor({ ports, rules })] },
      options,
      clients,
      policyOf,
      hooks,
      credential: (kind) => newCredential(crypto, kind),
      check: async (credential, kind, caller) => checks.whole.check(credential, kind, { caller, quiet: kind === 'token' }),
      flushOf: touches.flushOf,
      confirm: confirmations.make,
      genuine: async (text) => {
        const credential = parseCredential(text)
        const found = credential === undefined ? undefined : await store.sessions.find(credential.sid)
        if (credential === undefined || found === undefined) return undefined
        const key = openSessionKey(crypto, found.session)
        return key !== undefined && isGenuine(crypto, key, credential) ? credential.sid : undefined
      },
      mint: async (snapshot) => {
        const minted = mint({ snapshot, at: clock.now() }, snapshot.session.generation)
        if (minted === undefined) throw new SymbolonError('try_later', { retryAfter: 1 })
        return minted()
      },
    }),
    sessions,
    oauth: createOAuth({ ports, options, policyOf, mint: createMintForClient(minting) }),
    tokens: createTokens({ ports, keys, sessions, options, policyOf }),
    keys,
    users: { ...createUsers(ports), changeEmail: addresses.assign, remove: createRemoval(ports, hooks) },
    clients,
    passkeys: createPasskeys({
      ports,
      hooks,
      rules,
      budgets,
      policyOf,
      onlyByPasskey: (client) => isOnlyWay(policyOf(client), (method) => method.startsWith('passkey')),
    }),
    confirmations: {
      consume: ({ confirmation, sid, action }, caller) => confirmations.consume(confirmation, sid, action, caller, options.audience),
    },
    account: createAccount(ports),
    addresses,
    audit: createAudit(ports),
    feed: createFeed(ports),
    seals: createSeals(ports, options),
    jobs: {
      maintain: keys.maintain,
      sweep: async (goOn = () => true) => {
        const { sessions, attempts, addresses, limits, feed, webhooks } = store
        const sweeps = [sessions, attempts, addresses, limits, { sweep: feed.compact }, webhooks]
        let swept = 0
        const faults: unknown[] = []
        // One after the other, and the fault of one ends nobody else's turn.
        for (const { sweep } of sweeps)
          try {
            if (!goOn()) break
            swept += await sweep(500)
          } catch (error) {
            faults.push(error)
          }
        if (swept === 0 && faults.length > 0) throw faults[0]
        return swept
      },
    },
  }
}
