// `createAuth`: everything put together in one process. Synchronous; what needs waiting is waited for by the first
// request, or by `ready()`. It never guesses that it is in development.

import { type ErrorCode, errors, feedPage, problemHeaders, problemOf, type Revocation, routes, securityHeaders } from '@symbolon/protocol'
import { createVerifier, type Verifier } from '@symbolon/verifier'
import {
  type Audit,
  type ClientPolicy,
  type Clients,
  type Confirmations,
  type Core,
  captchaBudget,
  createCore,
  createWebhooks,
  defaultBudgets,
  defaultPolicy,
  type FeedHub,
  type Keys,
  type Lease,
  type Passkeys,
  type Seals,
  type Sessions,
  type Store,
  type Tokens,
  type Users,
  type Webhooks,
} from '#core'
import { createWebhookSender } from '#delivery'
import { createPasskeyRules } from '#factors'
import type { HttpHandler } from '#http'
import { servingPrefix } from '#stores/rows'
import { adminKeyHashes } from './admin-keys.ts'
import { definedOnly, ensureClients, sentenceOf } from './clients.ts'
import { courierOf } from './courier.ts'
import { crashAt } from './crash-point.ts'
import { createCrypto } from './crypto.ts'
import { ownSecret, prepareData } from './data.ts'
import { fenceStore } from './fence.ts'
import { startJobs } from './jobs.ts'
import { watchKeys } from './key-watch.ts'
import { createMarkKeeper, type MarkKeeper } from './mark.ts'
import { type AuthOptions, readOptions, type Settings } from './options.ts'
import { rememberOrigins } from './origins.ts'
import { claimStore } from './serving.ts'
import { createSigner } from './signer.ts'
import { createSource } from './source.ts'
import { checkSecrets, checkStanding, tellUnsafe } from './standing.ts'
import { type NodeStore, openStore } from './store.ts'
import { endpointsOf, startWebhooks } from './webhooks.ts'

/** Where a request comes from, as the server that received it knows; `host`: its Host, where the address was built from the issuer. */
export interface RequestInfo {
  readonly ip?: string | null
  readonly host?: string | null
}

/** An authentication service in this process. */
export interface AuthObject {
  readonly issuer: string
  readonly trustedProxies: number
  /** Paths at the host's root that it answers: browsers look there for other origins of the same passkeys (WebAuthn §5.11). */
  readonly wellKnown: readonly string[]
  readonly settings: Settings
  /** Answers every path below the issuer's. Never throws. */
  handler(request: Request, info?: RequestInfo): Promise<Response>
  /** Answers `/admin/v1` and `/metrics`; mount it where only operators come. */
  adminHandler(request: Request, info?: RequestInfo): Promise<Response>
  /** What guards stand on. */
  readonly verifier: Verifier
  readonly sessions: Pick<Sessions, 'list' | 'revoke' | 'explain'>
  readonly users: Users
  readonly clients: Omit<Clients, 'policyOf' | 'origins'>
  readonly keys: Pick<Keys, 'list' | 'rotate' | 'revoke'>
  readonly tokens: Pick<Tokens, 'verify' | 'explain'>
  /** A person's passkeys: listed, and removed in an operator's name. */
  readonly passkeys: Pick<Passkeys, 'list' | 'remove'>
  readonly audit: Audit
  /** Targets and what waits for them; trying one, and sending again what was parked. */
  readonly webhooks: Pick<Webhooks, 'list' | 'test' | 'retry'>
  readonly confirmations: {
    /** Takes a confirmation for this act of this session, once; `confirmation_refused` for anything else, which uses nothing up. */
    consume(input: Parameters<Confirmations['consume']>[0]): ReturnType<Confirmations['consume']>
  }
  /** How much is sealed under which server secret, by the ids of the secrets. */
  readonly secrets: Pick<Seals, 'status'>
  /** Scheduled work, whichever node does it: when each job last came to its end. */
  jobs(): Promise<{ readonly now: number; readonly leases: readonly Lease[] }>
  /** The revocation log: its head, what comes after a `seq` (at most 1,000 entries), who follows it here, and sending them away before an end. */
  readonly feed: Pick<FeedHub, 'head' | 'followers' | 'close'> & { entries(after: number): Promise<readonly Revocation[]> }
  /** Resolves when store and keys are open; rejects with one sentence that says what to do. */
  ready(): Promise<void>
  /** What `doctor` finds: one sentence each, and of what; empty when all is well. */
  examine(): Promise<readonly { readonly of: 'store' | 'mail'; readonly says: string }[]>
  /** Finishes what is under way and closes the store. */
  close(): Promise<void>
}

interface Opened {
  readonly store: NodeStore
  readonly core: Core
  /** Who answers requests; loaded a second after the start or for the first of them, since an operator's command has none. */
  readonly doors: () => Promise<{ readonly http: HttpHandler; readonly admin: HttpHandler }>
  readonly mark: MarkKeeper
  readonly webhooks: Webhooks
  readonly stopJobs: () => Promise<void>
  readonly letGo: () => Promise<void>
}

function policyOf({ session, refresh, signUp, signIn }: Settings): ClientPolicy {
  const { max, ...times } = session
  const { steps: _, lifetime, ...rules } = refresh
  return { ...defaultPolicy, ...definedOnly({ ...times, ...rules, ...signIn, maxSessions: max, tokenLifetime: lifetime, signUp }) }
}

/** How long an application's own code may take in a request, at most. */
function foreignTime({ hooks, refresh, captcha }: Settings): number {
  const steps = (refresh.steps ?? []).reduce((sum, { step }) => sum + step.budget, 0)
  const beside =
    Math.max(hooks.beforeUserCreated?.budget ?? 0, hooks.beforeEmailChanged?.budget ?? 0) + (captcha === undefined ? 0 : 2 * captchaBudget)
  return Math.max(steps, beside)
}

/** The same verbs, each after `ready`. */
function late<T extends object, K extends keyof T>(
  ready: () => Promise<Opened>,
  pick: (opened: Opened) => T,
  names: readonly K[],
): Pick<T, K> {
  const verbs = names.map((name) => [
    name,
    async (...input: readonly unknown[]) => (pick(await ready())[name] as (...input: readonly unknown[]) => unknown)(...input),
  ])
  return Object.fromEntries(verbs)
}

/**
 * Creates the authentication service of an application. Throws `invalid_option` with one sentence.
 * @example
 * const auth = createAuth({ issuer: 'http://localhost:3000/auth', dev: true })
 */
export function createAuth(options: AuthOptions): AuthObject {
  const settings = readOptions(options)
  const { issuer, dev, data } = settings
  prepareData(data)
  const secrets = settings.secrets.length > 0 ? settings.secrets : [ownSecret(data, 'secret')]
  const crypto = createCrypto(secrets)
  const post = courierOf(settings)
  const observe = settings.observe ?? (() => {})
  const hashes = adminKeyHashes(data, dev, (error) => observe({ event: 'admin_keys.unsafe', detail: sentenceOf(error) }))
  const audience = settings.audience ?? issuer
  const crashPoint = crashAt(settings.crashPoint)

  let opened: Opened | undefined
  let closed = false
  let shut = false
  const shutOff = () => {
    shut = true
    observe({ event: 'store.closed' })
    opened?.core.feed.close()
    void verifier.close()
  }
  const open = async (): Promise<Opened> => {
    const bare = await openStore(settings, observe)
    let letGo = async () => {}
    try {
      const claim = await claimStore(bare.leases, { seals: crypto.secretIds[0] as string, closed: shutOff })
      letGo = claim.letGo
      const store = fenceStore(bare, claim)
      await checkStanding(store, data)
      const core = createCore(
        {
          store,
          crypto,
          signer: createSigner(),
          courier: post.courier,
          captcha: settings.captcha,
          passkeys: createPasskeyRules({ ...settings.passkeys, issuer, name: settings.brand.name ?? new URL(issuer).host }),
          clock: {
            now: () => performance.now(),
            after: (ms, run) => {
              const timer = setTimeout(run, ms)
              return () => clearTimeout(timer)
            },
          },
          observe,
          crashPoint,
        },
        {
          issuer,
          audience,
          policy: policyOf(settings),
          algorithm: settings.keys.algorithm,
          keyRotation: settings.keys.rotation,
          steps: settings.refresh.steps ?? [],
          hooks: definedOnly(settings.hooks),
          budgets: { ...defaultBudgets, ...definedOnly(settings.budgets) },
          ...(settings.claims !== undefined && { claims: settings.claims }),
        },
      )
      const sender = createWebhookSender(endpointsOf(settings))
      const webhooks = createWebhooks({ store, crypto, observe, crashPoint }, settings.webhooks, sender.send)
      // Named before this node changes anything: what it does from now on waits for them.
      if (settings.webhooks.length > 0) await webhooks.name()
      // Noted before anything is sealed under it here.
      const missing = await core.seals.open()
      await core.jobs.maintain()
      await checkSecrets(core.seals, missing)
      await ensureClients(core, settings)
      const parts = {
        issuer,
        dev,
        core,
        crypto,
        brand: settings.brand,
        observe,
        foreign: foreignTime(settings),
        outbox: post.outbox,
        ready: async () => (await readable(store)) && core.keys.ready(),
      }
      store.onRevocations(core.feed.wake)
      store.onHint(core.feed.wake)
      const mark = createMarkKeeper(
        data,
        store,
        () => core.tokens.keys().map(({ kid }) => kid),
        (error) => observe({ event: 'mark.failed', detail: sentenceOf(error) }),
      )
      store.onRevocations(mark.grew)
      store.onHint(mark.grew)
      mark.grew()
      const report = (job: string, error: unknown) => observe({ event: 'job.failed', job, detail: sentenceOf(error) })
      const stop = startJobs({ ...core.jobs, flush: core.sessions.flush, seals: core.seals, leases: store.leases, report })
      const stopWebhooks = settings.webhooks.length > 0 ? startWebhooks({ webhooks, leases: store.leases, sender, report }) : async () => {}
      const load = async () => {
        const { createAdminHttp, createHttp } = await import('#http')
        const admin = createAdminHttp({ ...parts, webhooks, adminKeyHashes: hashes, metrics: settings.metrics })
        return { http: createHttp(parts), admin }
      }
      let loaded: ReturnType<typeof load> | undefined
      const doors = () => {
        // What failed once is tried again by the next who asks.
        loaded ??= load().catch((error) => {
          loaded = undefined
          observe({ event: 'doors.failed', detail: sentenceOf(error) })
          throw error
        })
        return loaded
      }
      setTimeout(() => void doors().catch(() => {}), 1000).unref()
      opened = {
        store,
        core,
        webhooks,
        doors,
        mark,
        stopJobs: async () => void (await Promise.all([stop(), stopWebhooks()])),
        letGo,
      }
      // A file is opened as it must be, and a look at all of it takes its time: that is the doctor's.
      if (settings.database !== undefined) void tellUnsafe(store, observe)
      return opened
    } catch (error) {
      await letGo()
      await bare.close()
      throw error
    }
  }
  const opening = open()
  // Who asks hears of it; nobody asking must not end the process.
  opening.catch((error) => observe({ event: 'open.failed', detail: sentenceOf(error) }))
  const ready = () => opening

  const source = createSource({
    audience,
    core: () => (opened as Opened).core,
    store: () => (opened as Opened).store,
    onRevoked: (apply) => (opened as Opened).store.onRevocations(apply),
    onHint: (look) => (opened as Opened).store.onHint(look),
    renewed: ({ seq }) => observe({ event: 'feed.renewed', seq }),
    ready: async () => void (await ready()),
    opened: () => opened !== undefined,
  })
  const origins = rememberOrigins(async () => (await ready()).core.clients.origins())
  const watched = watchKeys(
    source,
    () => (opened as Opened).core.keys.maintain(),
    (error) => observe({ event: 'job.failed', job: 'keys', detail: sentenceOf(error) }),
  )
  const verifier = createVerifier({ issuer, audience, cookies: true, origins, source: watched })

  const answer = async (which: 'http' | 'admin', request: Request, info: RequestInfo): Promise<Response> => {
    let handler: HttpHandler
    try {
      handler = (await (await ready()).doors())[which]
    } catch {
      return refusal('store_unavailable', issuer.startsWith('https:'))
    }
    return closed || shut
      ? refusal('store_unavailable', issuer.startsWith('https:'))
      : handler(request, { ip: info.ip ?? null, host: info.host })
  }

  return {
    issuer,
    trustedProxies: settings.trustedProxies,
    wellKnown: settings.passkeys.origins.length > 0 ? [routes.webauthn] : [],
    settings,
    handler: (request, info = {}) => answer('http', request, info),
    adminHandler: (request, info = {}) => answer('admin', request, info),
    verifier,
    sessions: late(ready, ({ core }) => core.sessions, ['list', 'revoke', 'explain']),
    users: late(ready, ({ core }) => core.users, ['create', 'find', 'list', 'change', 'bumpEpoch', 'changeEmail', 'remove']),
    clients: late(ready, ({ core }) => core.clients, [
      'create',
      'find',
      'list',
      'change',
      'bumpEpoch',
      'rotateSecret',
      'removeOldSecret',
      'authenticate',
    ]),
    keys: late(ready, ({ core }) => core.keys, ['list', 'rotate', 'revoke']),
    tokens: late(ready, ({ core }) => core.tokens, ['verify', 'explain']),
    passkeys: late(ready, ({ core }) => core.passkeys, ['list', 'remove']),
    audit: late(ready, ({ core }) => core.audit, ['list']),
    webhooks: late(ready, ({ webhooks }) => webhooks, ['list', 'test', 'retry']),
    confirmations: { consume: async (input) => (await ready()).core.confirmations.consume(input, null) },
    jobs: async () => {
      const { now, leases } = await (await ready()).store.leases.list()
      return { now, leases: leases.filter(({ name }) => !name.startsWith(servingPrefix)) }
    },
    secrets: late(ready, ({ core }) => core.seals, ['status']),
    feed: {
      ...late(ready, ({ core }) => core.feed, ['head']),
      entries: async (after) => (await ready()).store.feed.after(after, feedPage),
      followers: () => opened?.core.feed.followers() ?? [],
      close: () => opened?.core.feed.close(),
    },
    ready: async () => void (await (await ready()).doors()),
    async examine() {
      const { store } = await ready()
      const mail = await post.verify().then(
        () => [],
        (error: unknown) => [{ of: 'mail' as const, says: sentenceOf(error) }],
      )
      return [...(await store.examine()).map((says) => ({ of: 'store' as const, says })), ...mail]
    },
    async close() {
      if (closed) return
      closed = true
      await verifier.close()
      const one = await opening.catch(() => undefined)
      if (one === undefined) return
      one.core.feed.close()
      const flush = () => one.core.sessions.flush('last').catch((error) => observe({ event: 'flush.failed', detail: sentenceOf(error) }))
      // None of it waits for a job that takes long.
      await Promise.all([one.stopJobs(), flush(), post.close(), one.mark.close()])
      await one.letGo()
      await one.store.close()
    },
  }
}

async function readable(store: Store): Promise<boolean> {
  await store.now()
  await store.feed.head()
  return true
}

function refusal(code: ErrorCode, secure: boolean): Response {
  const headers = { ...securityHeaders(secure), ...problemHeaders(code, { retryAfter: 2 }) }
  return new Response(JSON.stringify(problemOf(code)), { status: errors[code].status, headers })
}
