// What holds unless somebody says otherwise: the policy of sessions and tokens, and the budgets that guard guessing.

import type { CoreOptions } from './api.ts'
import { levels } from './login/levels.ts'
import type { Client, ClientPolicy } from './model.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/** The policy of a client that overrides nothing. */
export const defaultPolicy: ClientPolicy = {
  idle: 14 * day,
  absolute: 90 * day,
  maxSessions: 0,
  onLimit: 'evict_oldest',
  tokenLifetime: 5 * minute,
  rotate: 'never',
  window: 10_000,
  recovery: 'allow',
  signUp: 'open',
  methods: ['email_otp', 'email_link', 'passkey'],
  acr: levels[0].acr,
  enrol: 'off',
  captcha: 'never',
  newDeviceNotice: true,
  stepUpLifetime: 15 * minute,
  confirmationLifetime: 2 * minute,
  scope: [],
  targets: [],
}

/**
 * Guess and send budgets. Ten guesses at once and one each thirty-six minutes after that are fifty in a day. A device that signed in
 * before has its own fifty, so that a stranger cannot use up the owner's; who has stolen its cookies guesses by both, and a hundred are
 * one chance in ten thousand to guess a code of six digits. A link that is pressed where it was asked for is no guess.
 */
export const defaultBudgets: CoreOptions['budgets'] = {
  startPerAccount: { limit: 10, window: hour },
  startPerAddress: { limit: 60, window: hour },
  startOverall: { limit: 10_000, window: minute },
  verifyPerAccount: { limit: 10, window: 6 * hour },
  verifyPerAddress: { limit: 100, window: hour },
  verifyPerDevice: { limit: 10, window: 6 * hour },
  verifyOverall: { limit: 10_000, window: minute },
  // A secret has 256 bits: this bounds the noise, not the odds.
  secretPerClient: { limit: 60, window: hour },
  secretPerAddress: { limit: 600, window: hour },
}

/** A client's policy: the defaults, and what it overrides. Computed once for each version of a client's record. */
export function createPolicies(defaults: ClientPolicy): (client: Client) => ClientPolicy {
  const merged = new WeakMap<Client['policy'], ClientPolicy>()
  return ({ policy }) => {
    let found = merged.get(policy)
    if (found === undefined) {
      found = Object.keys(policy).length === 0 ? defaults : { ...defaults, ...policy }
      merged.set(policy, found)
    }
    return found
  }
}
