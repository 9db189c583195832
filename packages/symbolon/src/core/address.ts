// A person's e-mail address: changed by who is signed in and proves that they read the new one, and put back by who reads the
// earlier one. The old one counts until the change is done. Whether an address is somebody's is told to nobody but its owner, by
// mail; and no code of this signs anybody in.

import { routes, toBase64url } from '@symbolon/protocol'
import type { Caller } from './answers.ts'
import type { Addresses, Users } from './api.ts'
import { lineBy } from './audit.ts'
import type { createBudgets } from './budgets.ts'
import { rememberDevice } from './device.ts'
import { email } from './factors/email.ts'
import type { Hooks } from './hooks.ts'
import { mailboxOf, normaliseEmail } from './identifier.ts'
import { createNotices } from './notice.ts'
import type { AddressChange, AuditDraft, Delivery, Ports } from './ports.ts'
import { sealPlace } from './seal-place.ts'
import { refuse } from './session.ts'

/** How long an address that was given up can be put back, and nobody else can have it. Milliseconds. */
const undoLife = 7 * 86_400_000
/** Passkeys that were added so long before a change go when it is undone, with those added since: whoever made it may have begun there. */
const undoReach = 86_400_000

const secret = /^[A-Za-z0-9_-]{43}$/

/** What the verbs stand on. */
export interface AddressParts {
  readonly ports: Pick<Ports, 'store' | 'crypto' | 'observe' | 'crashPoint'>
  readonly hooks: Pick<Hooks, 'mayChangeEmail' | 'send'>
  readonly budgets: Pick<ReturnType<typeof createBudgets>, 'enrol' | 'start' | 'verify'>
  readonly issuer: string
}

/** Creates the verbs. */
export function createAddresses({ ports, hooks, budgets, issuer }: AddressParts): Addresses & { readonly assign: Users['changeEmail'] } {
  const { store, crypto } = ports
  const hashOf = (text: string) => toBase64url(crypto.hash(text))
  const codeHashes = (idHash: string, address: string, sid: string, code: string) =>
    crypto.keyed('address code', `${idHash}\n${address}\n${sid}\n${code}`)
  /** Budgets of the mailbox itself, whoever it is that names it: a device that is known somewhere gives no others. */
  const spenderOf = (address: string, ip: string | null) => ({ mailbox: mailboxOf(address), ip, known: false })
  const limited = (ms: number) => ({ ok: false, code: 'rate_limited', options: { retryAfter: ms / 1000 } }) as const
  const tell = createNotices(ports, hooks)

  /** Changes an address, and tells the one that it was: with a way back, but for one that stood between an address and its return. */
  const change = async (userId: string, address: string, proof: AddressChange['proof'], audit: AuditDraft, caller: Caller | undefined) => {
    const token = toBase64url(crypto.random(32))
    const changed = await store.addresses.change({ userId, email: address, proof, undoHash: hashOf(token), undoLife, audit: [audit] })
    if (changed.outcome !== 'changed') return changed
    ports.crashPoint('address.changed')
    const { now: at, before, ended, wayBack } = changed
    ports.observe({ event: 'address.changed', userId, ended: ended.length })
    const undo = { address: `${issuer}${routes.accountUndo}?token=${token}`, days: undoLife / 86_400_000 }
    const notice = wayBack
      ? ({ kind: 'address_changed', to: before, at, undo } as const)
      : ({ kind: 'address_undone', to: before, at } as const)
    await tell(notice, { userId, clientId: audit.clientId ?? '', caller })
    return changed
  }

  return {
    async start({ session, user }, { email: typed, caller }) {
      const address = normaliseEmail(typed)
      if (address === undefined || address === user.email) return refuse('invalid_identifier')
      const id = toBase64url(crypto.random(32))
      const idHash = hashOf(id)
      const code = email.newCode(crypto)
      const begun = await store.attempts.start(
        {
          idHash,
          clientId: session.clientId,
          purpose: 'change_email',
          method: email.method,
          // Where the login machine does nothing, an older one's either.
          state: 'address',
          sealedIdentifier: crypto.seal(address, sealPlace('attempt', idHash)),
          bindingHash: null,
          codeHash: codeHashes(idHash, address, session.sid, code)[0] as Uint8Array,
          userId: user.id,
          sid: session.sid,
          userAgent: caller.userAgent,
          maxTries: email.maxTries,
          lifetime: email.lifetime,
          resendAfter: email.lifetime,
        },
        [...budgets.enrol(user.id), ...budgets.start(spenderOf(address, caller.ip))],
        [],
      )
      if (begun.outcome === 'limited') return limited(begun.retryAfterMs)
      const { device = '', language = 'en' } = caller
      const taken = await store.addresses.isTaken(address, user.id)
      const common = { to: address, device, language }
      const mail: Delivery = taken
        ? { kind: 'address_taken', at: begun.attempt.createdAt, ...common }
        : { kind: 'address_code', code, minutes: email.lifetime / 60_000, ...common }
      hooks.send(mail, { clientId: session.clientId, userId: taken ? null : user.id, language })
      ports.observe({ event: 'address.started', userId: user.id })
      return { ok: true, changeId: id, expiresAt: begun.attempt.expiresAt }
    },

    async finish({ session, user }, { changeId, code: typed, device, caller }) {
      const code = email.readCode(typed)
      if (!secret.test(changeId) || code === undefined) return refuse('login_failed')
      const idHash = hashOf(changeId)
      const { attempt } = (await store.attempts.find(idHash)) ?? {}
      if (attempt?.purpose !== 'change_email' || attempt.userId !== user.id || attempt.sid !== session.sid) return refuse('login_failed')
      const sealed = crypto.open(attempt.sealedIdentifier, sealPlace('attempt', idHash))
      if (sealed === undefined) return refuse('login_failed')
      const address = String.fromCharCode(...sealed)
      const charged = await store.attempts.charge(idHash, budgets.verify(spenderOf(address, caller.ip)))
      if (charged.outcome === 'limited') return limited(charged.retryAfterMs)
      if (charged.outcome === 'gone') return refuse('login_failed')
      const hashes = codeHashes(idHash, address, session.sid, code)
      if (!hashes.map((hash) => crypto.equal(hash, charged.attempt.codeHash)).includes(true)) return refuse('login_failed')
      const { roles } = user
      const refused = await hooks.mayChangeEmail({
        userId: user.id,
        email: address,
        earlier: user.email,
        roles,
        clientId: session.clientId,
        sid: session.sid,
        caller,
      })
      if (refused !== undefined) return refused
      const by = { actor: user.id, caller }
      const proof = { attempt: idHash, sid: session.sid }
      const changed = await change(user.id, address, proof, lineBy('user.email', user.id, by, session), caller)
      if (changed.outcome === 'taken') return refuse('conflict')
      if (changed.outcome !== 'changed') return refuse(changed.outcome === 'session_gone' ? 'session_revoked' : 'login_failed')
      // The device is known to the new address, as it was to the old one.
      return {
        ok: true,
        email: address,
        ended: changed.ended,
        head: changed.head,
        device: rememberDevice(crypto, device, { id: user.id, email: address }),
      }
    },

    async assign(userId, typed, by) {
      const address = normaliseEmail(typed)
      if (address === undefined) return refuse('invalid_identifier')
      const changed = await change(userId, address, null, lineBy('user.email', userId, by, null), by.caller)
      if (changed.outcome === 'taken') return refuse('conflict')
      if (changed.outcome !== 'changed') return refuse('not_found')
      return { ok: true, user: changed.user, ended: changed.ended, head: changed.head }
    },

    earlier: async (userId) => (await store.addresses.undos(userId)).map(({ email, expiresAt }) => ({ email, expiresAt })),

    async findUndo(token) {
      if (!secret.test(token)) return undefined
      const undo = await store.addresses.findUndo(hashOf(token))
      return undo === undefined ? undefined : { email: undo.email, expiresAt: undo.expiresAt }
    },

    async undo(token, caller) {
      if (!secret.test(token)) return refuse('not_found')
      const audit = [lineBy('user.email_undone', null, { actor: 'mail', caller }, null)]
      const undone = await store.addresses.undo({ idHash: hashOf(token), reach: undoReach, audit })
      if (undone.outcome !== 'undone') return refuse(undone.outcome === 'taken' ? 'conflict' : 'not_found')
      const { now: at, user, before, ended, head } = undone
      ports.observe({ event: 'address.undone', userId: user.id, ended: ended.length, passkeys: undone.passkeys })
      if (before !== user.email) await tell({ kind: 'address_undone', to: before, at }, { userId: user.id, clientId: '', caller })
      return { ok: true, email: user.email, ended, head }
    },
  }
}
