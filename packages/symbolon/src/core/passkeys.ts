// Passkeys of people who are signed in: listed, added, named, removed. A new one is made for a challenge that is kept in an
// attempt, bound to the session that asked for it, and judged once. Whether somebody has just signed in is asked by the door;
// by what, here: where a client asks for more than a mail, a mail must neither make nor take away what it asks for.

import { toBase64url } from '@symbolon/protocol'
import type { Caller } from './answers.ts'
import type { Passkeys } from './api.ts'
import { lineBy } from './audit.ts'
import type { Hooks } from './hooks.ts'
import { reached, reaches } from './login/levels.ts'
import { sufficient } from './login/need.ts'
import type { Budget, Client, ClientPolicy, Session, User } from './model.ts'
import { createNotices } from './notice.ts'
import type { PasskeyRules } from './passkey-ports.ts'
import type { Ports, SessionSnapshot } from './ports.ts'
import { standingOf } from './proven.ts'
import { sealPlace } from './seal-place.ts'
import { refuse } from './session.ts'

/** Passkeys of one person. */
export const mostPasskeys = 20
/** How long a challenge can be answered. */
export const passkeyPatience = 300_000

const registrationId = /^[A-Za-z0-9_-]{43}$/
/** An id as one is kept (WebAuthn §6.5.1: at most 1,023 bytes): nothing else is looked for. */
const passkeyId = /^[A-Za-z0-9_-]{1,1364}$/

/** Who says to have made one (AAGUID): names for people, proven by nobody. */
const makers: Readonly<Record<string, string>> = {
  'ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4': 'Google Password Manager',
  'fbfc3007-154e-4ecc-8c0b-6e020557d7bd': 'iCloud Keychain',
  'dd4ec289-e01d-41c9-bb89-70fa845d4bf2': 'iCloud Keychain',
  '08987058-cadc-4b81-b6e1-30de50dcbe96': 'Windows Hello',
  '9ddd1817-af5a-4672-a2b9-3e3dd95000a9': 'Windows Hello',
  '6028b017-b1d4-4c02-b4b3-afcdafc96bb2': 'Windows Hello',
  'bada5566-a7aa-401f-bd96-45619a55120d': '1Password',
  'd548826e-79b4-db40-a3d8-11116f7e8349': 'Bitwarden',
  '531126d6-e717-415c-9320-3d9aa6981239': 'Dashlane',
}

/** A name as it is kept: one line of at most 60 letters; empty when nothing is left. */
export function passkeyName(text: string): string {
  const plain = text
    .slice(0, 400)
    .normalize('NFC')
    .replace(/[\s\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Co}\p{Cn}]+/gu, ' ')
  return [...plain.trim()].slice(0, 60).join('').trim()
}

/** What a new passkey is called: as said, by who made it, or by the device. */
export const calledAs = (name: string, aaguid: string, { device }: Pick<Caller, 'device'>): string =>
  passkeyName(name) || makers[aaguid] || passkeyName(device ?? '') || 'Passkey'

/** What the verbs stand on. */
export interface PasskeyParts {
  readonly ports: Pick<Ports, 'store' | 'crypto' | 'observe'>
  readonly hooks: Pick<Hooks, 'send'>
  readonly rules: PasskeyRules | undefined
  readonly budgets: { enrol(userId: string): readonly Budget[] }
  readonly policyOf: (client: Client) => ClientPolicy
  /** Whether people get in at a client by passkeys only. */
  readonly onlyByPasskey: (client: Client) => boolean
}

const proofBy = (method: string) => ({ method, amr: [], at: 0 })

/** Creates the verbs. */
export function createPasskeys(parts: PasskeyParts): Passkeys {
  const { ports, rules } = parts
  const { store, crypto } = ports
  /** A challenge is this session's alone. */
  const bindingOf = (session: Session) => toBase64url(crypto.hash(`enrol\n${session.sid}`))
  const ownHandle = async (user: User) => store.passkeys.handle(user.id, toBase64url(crypto.random(64)))

  const notify = createNotices(ports, parts.hooks)
  const tell = ({ id: userId, email: to }: User, change: 'added' | 'removed', clientId: string, caller: Caller | undefined) =>
    notify({ kind: 'passkey', to, change }, { userId, clientId, caller })

  /** Whether some client lets nobody in who only reads a mailbox. */
  const isMailTooLittle = async () => {
    const clients = await store.clients.list()
    const people = clients.filter(({ status, transport }) => status === 'active' && transport !== 'service')
    return people.some((client) => !reaches([proofBy('email_otp')], parts.policyOf(client).acr))
  }

  const needs = async ({ session, user, client, now }: SessionSnapshot): Promise<readonly string[]> => {
    const { passkeys } = await store.passkeys.list(user.id)
    if (passkeys.length === 0 || !(await isMailTooLittle())) return []
    const verified = passkeys.some(({ userVerified }) => userVerified)
    const enough = sufficient({}, reached([proofBy(verified ? 'passkey' : 'passkey_presence')])?.acr ?? '')
    return enough.includes(standingOf(session, parts.policyOf(client), now).acr) ? [] : enough
  }

  return {
    party: rules,

    list: async (userId) => store.passkeys.list(userId),

    needs,

    async start({ session, user }, caller) {
      if (rules === undefined) return refuse('unsupported_method')
      const { passkeys } = await store.passkeys.list(user.id)
      if (passkeys.length >= mostPasskeys) return refuse('conflict')
      const id = toBase64url(crypto.random(32))
      const idHash = toBase64url(crypto.hash(id))
      const challenge = toBase64url(crypto.random(32))
      const begun = await store.attempts.start(
        {
          idHash,
          clientId: session.clientId,
          purpose: 'enrol',
          method: 'passkey',
          state: 'challenge',
          sealedIdentifier: crypto.seal(challenge, sealPlace('attempt', idHash)),
          bindingHash: bindingOf(session),
          codeHash: crypto.random(32),
          userId: user.id,
          sid: session.sid,
          userAgent: caller.userAgent,
          // Judged once: whatever comes of it, the next one needs a new challenge.
          maxTries: 1,
          lifetime: passkeyPatience,
          resendAfter: passkeyPatience,
        },
        parts.budgets.enrol(user.id),
        [],
      )
      if (begun.outcome === 'limited') return { ok: false, code: 'rate_limited', options: { retryAfter: begun.retryAfterMs / 1000 } }
      const handle = await ownHandle(user)
      if (handle === undefined) return refuse('session_revoked')
      const owner = { handle, name: user.email }
      const options = rules.creation({ challenge, owner, have: passkeys, timeout: passkeyPatience })
      return { ok: true, registrationId: id, expiresAt: begun.attempt.expiresAt, options }
    },

    async finish({ session, user }, { registrationId: id, response, name, caller }) {
      if (rules === undefined) return refuse('unsupported_method')
      if (!registrationId.test(id)) return refuse('passkey_refused')
      const idHash = toBase64url(crypto.hash(id))
      const found = await store.attempts.find(idHash)
      const { attempt } = found ?? {}
      if (attempt === undefined || attempt.purpose !== 'enrol' || attempt.method !== 'passkey') return refuse('passkey_refused')
      if (attempt.userId !== user.id || attempt.bindingHash !== bindingOf(session)) return refuse('passkey_refused')
      const charged = await store.attempts.charge(idHash, [])
      const sealed = crypto.open(attempt.sealedIdentifier, sealPlace('attempt', idHash))
      if (charged.outcome !== 'charged' || sealed === undefined) return refuse('passkey_refused')
      const challenge = String.fromCharCode(...sealed)
      const made = await rules.made(response, { challenge })
      if (!made.ok) {
        ports.observe({ event: 'passkey.refused', fault: made.fault, userId: user.id })
        return refuse('passkey_refused')
      }
      const called = calledAs(name ?? '', made.passkey.aaguid, caller)
      const by = { actor: user.id, caller }
      const line = lineBy('passkey.added', user.id, by, session, { passkey: made.passkey.id, synced: made.passkey.backupEligible })
      // The session is asked for once more where it is stored: who ended it meanwhile was told that nothing more comes of it.
      const proof = { attempt: idHash, sid: session.sid }
      const added = await store.passkeys.add({ ...made.passkey, userId: user.id, name: called }, mostPasskeys, [line], proof)
      if (added.outcome === 'user_gone' || added.outcome === 'session_gone') return refuse('session_revoked')
      if (added.outcome === 'attempt_gone') return refuse('passkey_refused')
      // Also for an id that somebody else has: it tells nobody that they do.
      if (added.outcome !== 'added') return refuse('conflict')
      ports.observe({ event: 'passkey.added', userId: user.id })
      await tell(user, 'added', session.clientId, caller)
      return { ok: true, passkey: added.passkey }
    },

    async rename(userId, id, name, by) {
      const called = passkeyName(name)
      if (called === '') return { ok: false, code: 'invalid_request', options: { field: 'name' } }
      if (!passkeyId.test(id)) return refuse('not_found')
      const done = await store.passkeys.rename(userId, id, called, [lineBy('passkey.renamed', userId, by, null, { passkey: id })])
      return done ? { ok: true } : refuse('not_found')
    },

    async remove(userId, id, by, at) {
      if (!passkeyId.test(id)) return refuse('not_found')
      const keepOne = at !== undefined && parts.onlyByPasskey(at)
      const removed = await store.passkeys.remove(userId, id, keepOne, [lineBy('passkey.removed', userId, by, null, { passkey: id })])
      if (removed === 'gone') return refuse('not_found')
      if (removed === 'last') return refuse('conflict')
      ports.observe({ event: 'passkey.removed', userId })
      const user = await store.users.find({ id: userId })
      if (user !== undefined) await tell(user, 'removed', at?.id ?? '', by.caller)
      return { ok: true }
    },
  }
}
