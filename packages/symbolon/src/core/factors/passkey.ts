// Signing in by a passkey. Nobody is named before: the answer says who it is, so that the question tells nothing about
// anybody. Unknown passkeys, disabled people and wrong signatures are refused in the same words.

import { toBase64url } from '@symbolon/protocol'
import type { PasskeyRules } from '../passkey-ports.ts'
import { calledAs, passkeyPatience } from '../passkeys.ts'
import type { Ports } from '../ports.ts'
import type { ChallengeContext, ChallengeFactor } from './factor.ts'

/** What it stands on. */
export interface PasskeyFactorParts {
  readonly ports: Pick<Ports, 'store' | 'crypto' | 'observe'>
  readonly rules: PasskeyRules
}

/**
 * `passkey`. Its `amr` (RFC 8176): `swk` for one that can be copied, whose key lies in some keychain's software; `pop` for
 * one that cannot, since without attestation nobody knows whether hardware holds it, and `hwk` would claim that; `user`:
 * somebody was there; `mfa` when the device verified them, since what they have and what they know or are is two factors.
 */
export function createPasskeyFactor({ ports, rules }: PasskeyFactorParts): ChallengeFactor {
  const { store, crypto, observe } = ports
  const amrOf = (copied: boolean, verified: boolean) => [copied ? 'swk' : 'pop', 'user', ...(verified ? ['mfa'] : [])]
  const methodOf = (verified: boolean) => (verified ? 'passkey' : 'passkey_presence')
  /** Whether who is there must be verified: where that somebody is there would not be enough. */
  const mustVerify = (isEnough: ChallengeContext['isEnough']) => !isEnough(methodOf(false))
  return {
    kind: 'challenge',
    method: 'passkey',
    first: true,
    lifetime: passkeyPatience,
    // A challenge is answered once.
    maxTries: 1,
    has: async (user) => (await store.passkeys.list(user.id)).passkeys.length > 0,
    async begin({ user, isEnough }) {
      const challenge = toBase64url(crypto.random(32))
      const have = user === null ? [] : (await store.passkeys.list(user.id)).passkeys
      return {
        options: { public_key: rules.request({ challenge, have, timeout: passkeyPatience, verify: mustVerify(isEnough) }) },
        state: challenge,
      }
    },
    async finish({ clientId, user, caller, isEnough, state, response }) {
      const id = rules.named(response)
      const found = id === undefined ? undefined : await store.passkeys.find(id)
      if (found === undefined) return { ok: false, reason: 'unknown' }
      const { passkey, handle, user: owner } = found
      if (user !== null && user.id !== owner.id) return { ok: false, reason: 'other_user' }
      const used = await rules.used(response, { challenge: state, verify: mustVerify(isEnough), handle, named: user !== null, passkey })
      if (!used.ok) return { ok: false, reason: used.fault }
      const noted = await store.passkeys.use(passkey.id, used, [
        {
          event: 'passkey.counter_back',
          userId: owner.id,
          sid: null,
          clientId,
          ip: caller.ip,
          detail: { passkey: passkey.id, counter: used.counter },
        },
      ])
      // Somebody may hold a copy of it (WebAuthn §6.1.1).
      if (noted === 'counter_back') observe({ event: 'passkey.counter_back', userId: owner.id, clientId })
      if (noted !== 'used') return { ok: false, reason: noted }
      const amr = amrOf(passkey.backupEligible, used.userVerified)
      return { ok: true, userId: owner.id, method: methodOf(used.userVerified), amr, key: passkey.id }
    },
    enrolment: {
      async begin({ user, identifier, isEnough }) {
        const challenge = toBase64url(crypto.random(32))
        const fresh = toBase64url(crypto.random(64))
        // Whoever becomes a user by this sign-in gets it as theirs when they do.
        const handle = user === null ? fresh : ((await store.passkeys.handle(user.id, fresh)) ?? fresh)
        const owner = { handle, name: user?.email ?? identifier }
        const options = {
          public_key: rules.creation({ challenge, owner, have: [], timeout: passkeyPatience, verify: mustVerify(isEnough) }),
        }
        return { options, state: `${challenge}.${handle}` }
      },
      async finish({ state, response, caller, isEnough }) {
        const [challenge = '', handle = ''] = state.split('.')
        const made = await rules.made(response, { challenge, verify: mustVerify(isEnough) })
        if (!made.ok) {
          observe({ event: 'passkey.refused', fault: made.fault, userId: null })
          return { ok: false }
        }
        const { backupEligible, userVerified, aaguid } = made.passkey
        const passkey = { ...made.passkey, name: calledAs('', aaguid, caller) }
        return { ok: true, method: methodOf(userVerified), amr: amrOf(backupEligible, userVerified), key: { handle, passkey } }
      },
    },
    keeps: async ({ method, key }) => !method.startsWith('passkey') || key === undefined || (await store.passkeys.find(key)) !== undefined,
  }
}
