// Hooks: an application's own code before a user is created or gets another address, after a sign-in, and before a message is
// sent. Bounded in time and number. A hook never sees a code, a link or a credential; what it answers can be seen from outside
// only by who has proven an identifier, and a hook that fails never grants more than one that refuses, unless it was told to.

import { SymbolonError } from '@symbolon/protocol'
import type { Caller, Refused } from './answers.ts'
import { isNotice } from './delivery-ports.ts'
import { type AbortSignalLike, type Ended, type FailureMode, runForeign } from './foreign.ts'
import type { ClientPolicy } from './model.ts'
import type { Delivery, NewUser, OpenOutcome, Ports } from './ports.ts'
import { refuse } from './session.ts'
import { areRoles, newUserId } from './users.ts'

/** Somebody who has proven an address that no user has yet. */
export interface NewUserContext {
  /** The address, normalised. */
  readonly email: string
  readonly clientId: string
  /** How it was proven. */
  readonly method: string
  readonly caller: Caller
  readonly signal: AbortSignalLike
  /** Refuses; it cannot be taken back. */
  deny(): void
  /** The roles to begin with; a TypeError for what cannot be roles. */
  setRoles(roles: readonly string[]): void
}

/** Somebody signed in who has proven another address, to have it in place of theirs. */
export interface EmailChangeContext {
  readonly userId: string
  /** The address that they would have, normalised. */
  readonly email: string
  /** The one that they have. */
  readonly earlier: string
  readonly roles: readonly string[]
  readonly clientId: string
  readonly caller: Caller
  readonly signal: AbortSignalLike
  /** Refuses; it cannot be taken back. */
  deny(): void
}

/** A sign-in that is committed. */
export interface SignInContext {
  readonly userId: string
  readonly sid: string
  readonly clientId: string
  readonly roles: readonly string[]
  readonly method: string
  readonly acr: string
  readonly amr: readonly string[]
  /** Whether the user was created by it. */
  readonly created: boolean
  readonly caller: Caller
  readonly signal: AbortSignalLike
}

/** A message that is about to be sent, without what it says. */
export interface MessageContext {
  readonly kind: Exclude<Delivery['kind'], 'none'>
  /** Empty where an operator did what it tells of. */
  readonly clientId: string
  /** Whose it is; null before there is a user. */
  readonly userId: string | null
  /** BCP 47. */
  readonly language: string
  readonly signal: AbortSignalLike
  /** Keeps it from being sent; nobody outside can see that. */
  suppress(): void
}

/** A hook. `budget` in milliseconds. */
export interface Hook<Context, Mode extends FailureMode = FailureMode> {
  readonly budget: number
  readonly onFailure: Mode
  run(context: Context): void | Promise<void>
}

/** The hooks there are. One that is awaited by nobody cannot defer, and one after the fact cannot refuse. */
export interface HookOptions {
  readonly beforeUserCreated?: Hook<NewUserContext>
  readonly beforeEmailChanged?: Hook<EmailChangeContext>
  readonly afterSignIn?: Hook<SignInContext, 'degrade'>
  readonly beforeMessage?: Hook<MessageContext, 'deny' | 'degrade'>
}

/** Hooks as sign-in calls them. */
export interface Hooks {
  /** Who may become a user, with which roles: what opening the session takes. For who has proven the last factor. */
  admit(
    who: { readonly email: string; readonly clientId: string; readonly method: string; readonly caller: Caller },
    policy: Pick<ClientPolicy, 'signUp'>,
  ): Promise<{ readonly ok: true; readonly create: NewUser | null } | Refused>
  /** Whether somebody may have an address that they have proven; a refusal, or undefined. */
  mayChangeEmail(who: Omit<EmailChangeContext, 'signal' | 'deny'> & { readonly sid: string }): Promise<Refused | undefined>
  /** Tells of a sign-in; returns at once. */
  signedIn(opened: Extract<OpenOutcome, { outcome: 'opened' }>, method: string, caller: Caller): void
  /**
   * Queues a delivery, unless it is suppressed; returns at once. Throws `try_later` when too many wait, whoever they are for. A
   * notice waits behind nobody, and goes out when the hook fails, or runs too often to be asked.
   */
  send(delivery: Delivery, about: { readonly clientId: string; readonly userId: string | null; readonly language: string }): void
}

/** Runs of one hook that have not ended, those that are late too. */
const mostRunning = 256
/** Runs of `afterSignIn` at once, and how many more wait. */
const atOnce = 16
const mostWaiting = 1000

/** What a hook that may refuse comes to. */
type Decided = { readonly did: 'allow' } | { readonly did: FailureMode; readonly because: string }

const deferred: Refused = { ok: false, code: 'try_later', options: { retryAfter: 1 } }

/** Creates the hooks. */
export function createHooks(
  { store, crypto, courier, clock, observe }: Pick<Ports, 'store' | 'crypto' | 'courier' | 'clock' | 'observe'>,
  options: HookOptions = {},
): Hooks {
  const { beforeUserCreated, beforeEmailChanged, afterSignIn, beforeMessage } = options
  const running = { beforeUserCreated: 0, beforeEmailChanged: 0, afterSignIn: 0, beforeMessage: 0 }
  const waiting: (() => Promise<void>)[] = []
  let working = 0
  let messages = 0

  /** Runs a hook; tells when it fails. One that never ends takes its place for good, and others find none at last. */
  const run = async <C>(
    name: keyof HookOptions,
    hook: Hook<C>,
    contextOf: (signal: AbortSignalLike) => C,
    did: FailureMode = hook.onFailure,
  ): Promise<Ended> => {
    const full = running[name] >= mostRunning
    const ended = full
      ? 'failed'
      : await runForeign(clock, hook.budget, async (signal) => {
          running[name]++
          try {
            await hook.run(contextOf(signal))
          } finally {
            running[name]--
          }
        })
    if (ended !== 'done') observe({ event: 'hook.failed', hook: name, because: full ? 'full' : ended, did })
    return ended
  }
  /** Runs one that may refuse. Its refusal counts however it ended; a failure, as it is told to. */
  const decide = async <C>(
    name: keyof HookOptions,
    hook: Hook<C>,
    contextOf: (signal: AbortSignalLike, deny: () => void) => C,
  ): Promise<Decided> => {
    let denied = false
    const deny = () => {
      denied = true
    }
    const ended = await run(name, hook, (signal) => contextOf(signal, deny))
    if (denied) return { did: 'deny', because: 'denied' }
    return ended === 'done' ? { did: 'allow' } : { did: hook.onFailure, because: ended }
  }
  const work = () => {
    while (working < atOnce && waiting.length > 0) {
      working++
      void (waiting.shift() as () => Promise<void>)().finally(() => {
        working--
        work()
      })
    }
  }
  const queue = (delivery: Delivery) => {
    try {
      courier.queue(delivery)
    } catch {
      // Told to nobody who asked: who is unknown is never told either.
      observe({ event: 'message.dropped', kind: delivery.kind })
    }
  }

  return {
    async admit({ email, clientId, method, caller }, { signUp }) {
      const id = newUserId(crypto.random)
      const line = { event: 'user.created', userId: id, sid: null, clientId, ip: caller.ip, detail: { by: 'sign_in', method } }
      const born = (roles: readonly string[]) => ({ id, roles, audit: [line] })
      if (signUp !== 'open') return { ok: true, create: null }
      if (beforeUserCreated === undefined) return { ok: true, create: born([]) }
      // Who is a user now, and is none when the session opens, was not asked about: then nobody is created.
      if ((await store.users.find({ email })) !== undefined) return { ok: true, create: null }
      let roles: readonly string[] = []
      const decided = await decide('beforeUserCreated', beforeUserCreated, (signal, deny) => ({
        email,
        clientId,
        method,
        caller,
        signal,
        deny,
        setRoles: (wanted) => {
          if (!Array.isArray(wanted) || !wanted.every((name) => typeof name === 'string') || !areRoles(wanted))
            throw new TypeError('setRoles takes at most fifty short names, each once.')
          roles = [...wanted]
        },
      }))
      if (decided.did === 'allow') return { ok: true, create: born(roles) }
      if (decided.did === 'degrade') return { ok: true, create: born([]) }
      if (decided.did === 'defer') return deferred
      const { because } = decided
      await store.audit.write([{ event: 'user.refused', userId: null, sid: null, clientId, ip: caller.ip, detail: { method, because } }])
      observe({ event: 'user.refused', clientId, because })
      return refuse('login_failed')
    },
    async mayChangeEmail({ sid, ...who }) {
      if (beforeEmailChanged === undefined) return undefined
      const decided = await decide('beforeEmailChanged', beforeEmailChanged, (signal, deny) => ({ ...who, signal, deny }))
      if (decided.did === 'allow' || decided.did === 'degrade') return undefined
      if (decided.did === 'defer') return deferred
      const { because } = decided
      const { userId, clientId, caller } = who
      await store.audit.write([{ event: 'user.email_refused', userId, sid, clientId, ip: caller.ip, detail: { because } }])
      observe({ event: 'address.refused', userId, because })
      return refuse('denied')
    },
    signedIn({ snapshot, created }, method, caller) {
      if (afterSignIn === undefined) return
      if (waiting.length >= mostWaiting) return observe({ event: 'hook.dropped', hook: 'afterSignIn' })
      const { session, user, client } = snapshot
      const { sid, acr, amr } = session
      waiting.push(async () => {
        const told = { userId: user.id, sid, clientId: client.id, roles: user.roles, method, acr, amr, created, caller }
        await run('afterSignIn', afterSignIn, (signal) => ({ ...told, signal }))
      })
      work()
    },
    send(delivery, about) {
      if (beforeMessage === undefined) return courier.queue(delivery)
      // Asked of everybody, and answered to everybody before the hook begins: neither word nor time tells who is known.
      const told = isNotice(delivery)
      if (!told && (messages >= mostRunning || running.beforeMessage >= mostRunning))
        throw new SymbolonError('try_later', { retryAfter: 1, detail: 'too many messages wait' })
      if (!told) messages++
      const { kind } = delivery
      const onFailure = told ? 'degrade' : beforeMessage.onFailure
      const decide = async () => {
        if (kind === 'none') return queue(delivery)
        let suppressed = false
        const suppress = () => {
          suppressed = true
        }
        const ended = await run('beforeMessage', beforeMessage, (signal) => ({ kind, ...about, signal, suppress }), onFailure)
        if (!suppressed && (ended === 'done' || onFailure === 'degrade')) queue(delivery)
        else observe({ event: 'message.suppressed', kind, clientId: about.clientId })
      }
      const done = () => {
        if (!told) messages--
      }
      clock.after(0, () => void decide().finally(done))
    },
  }
}
