// Ways of signing in for tests, made for the port and for nothing else: one that asks the browser, one that asks for
// something the person keeps. Who has them set up is said by the test.

import type { ChallengeFactor, SecretFactor, SentFactor, User } from '#core'

/** A key whose answer to a question is the question, signed by a word; `proves`: a passkey, or one that did not look who is there. */
export function keyFactor(owners: Set<string>, proves: 'passkey' | 'passkey_presence' = 'passkey') {
  let asked = 0
  const factor: ChallengeFactor = {
    kind: 'challenge',
    method: 'passkey',
    first: true,
    lifetime: 300_000,
    maxTries: 3,
    has: (user) => owners.has(user.id),
    begin: () => {
      const state = `question-${++asked}`
      return { options: { question: state, rp: 'Bücher' }, state }
    },
    // Whose attempt it is, is the machine's to hold against the answer.
    finish({ state, response }) {
      const { answer, of } = response as { answer?: unknown; of?: unknown }
      if (answer !== `signed ${state}` || typeof of !== 'string' || !owners.has(of)) return { ok: false, reason: 'signature' }
      return { ok: true, userId: of, method: proves, amr: ['hwk'] }
    },
  }
  /** The right answer to what the browser was asked. */
  const sign = (challenge: unknown, of: string) => ({ answer: `signed ${(challenge as { question: string }).question}`, of })
  return { factor, sign }
}

/** A code sent to a number. `numbers`: by user id. A sign-in can begin with it where `find` is given. */
export const numberFactor = (
  numbers: ReadonlyMap<string, string>,
  find?: (number: string) => Promise<User | undefined>,
  link: SentFactor['link'] = null,
): SentFactor => ({
  kind: 'sent',
  method: 'passkey',
  amr: ['sms'],
  lifetime: 300_000,
  maxTries: 3,
  maxSends: 3,
  link,
  ...(find !== undefined && {
    first: { identify: (text) => (/^\+[0-9]{6,15}$/.test(text) ? text : undefined), account: (number) => `tel ${number}`, find },
  }),
  resendAfter: () => 1000,
  addressOf: (user) => Promise.resolve(numbers.get(user.id)),
  newCode: (crypto) => String(crypto.randomBelow(100_000_000)).padStart(8, '0'),
  readCode: (text) => (/^[0-9]{8}$/.test(text) ? text : undefined),
  deliver: (to, message) => ({
    kind: 'code',
    to,
    minutes: 5,
    ...message,
    link: message.link === null ? null : { address: message.link, minutes: 5 },
  }),
})

/** A word that everybody who has one has. */
export const wordFactor = (owners: Set<string>): SecretFactor => ({
  kind: 'secret',
  method: 'word',
  lifetime: 300_000,
  maxTries: 3,
  has: (user) => owners.has(user.id),
  check: ({ user, text }) =>
    text === 'open sesame' && owners.has(user.id)
      ? { ok: true, userId: user.id, method: 'word', amr: ['kba'] }
      : { ok: false, reason: 'word' },
})
