// Budgets that guard guessing and flooding: by account (its aliases together), by address (an IPv6 network of 64 bits as
// one), by known device, and overall. Keys are keyed hashes, so that the store names neither addresses nor people.

import { toBase64url } from '@symbolon/protocol'
import type { CoreOptions, Rate } from './api.ts'
import type { Budget } from './model.ts'
import type { Crypto } from './ports.ts'

/** The network that one budget is for: an IPv4 address, or the first 64 bits of an IPv6 one. */
export function networkOf(ip: string | null): string {
  if (ip === null) return 'unknown'
  const plain = ip.replace(/%.*$/, '').toLowerCase()
  const mapped = /^(?:::ffff:|0:0:0:0:0:ffff:)(\d{1,3}(?:\.\d{1,3}){3})$/.exec(plain)
  if (mapped !== null) return mapped[1] as string
  if (!plain.includes(':')) return plain
  const [head = '', tail] = plain.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups = tail === undefined ? left : [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right]
  const words = groups.map((group) => Number.parseInt(group, 16) || 0)
  // ::ffff:7f00:1 is an IPv4 address too.
  if (words.length === 8 && words.slice(0, 5).every((w) => w === 0) && words[5] === 0xffff)
    return [(words[6] as number) >> 8, (words[6] as number) & 255, (words[7] as number) >> 8, (words[7] as number) & 255].join('.')
  return `${words
    .slice(0, 4)
    .map((w) => w.toString(16))
    .join(':')}::/64`
}

/** Whose budgets an act spends. `mailbox`: null while nobody has said who they are. `known`: by a device that somebody signed in to this account on. */
export interface Spender {
  readonly mailbox: string | null
  readonly ip: string | null
  readonly known: boolean
}

/** Creates the makers of budget lists. */
export function createBudgets(crypto: Crypto, rates: CoreOptions['budgets']) {
  /**
   * One under each secret that there is. While secrets change, nodes do not all seal with the same one: what is spent on one counts
   * on all, and is not forgotten with the secret that goes.
   */
  const budget = (name: string, subject: string, rate: Rate): readonly Budget[] =>
    crypto.keyed('budget', `${name}\n${subject}`).map((key) => ({ key: toBase64url(key.subarray(0, 16)), ...rate }))
  return {
    /**
     * For a start or a resend. Devices that are known to an account have one of their own, which no stranger can use up; all of them
     * together, since whoever was once signed in may have made many. A start that names nobody sends nothing, and pages make one before anybody has chosen how to sign in: it has budgets of its own, ten times as wide.
     */
    start: ({ mailbox, ip, known }: Spender): readonly Budget[] =>
      mailbox === null
        ? [
            ...budget('ask address', networkOf(ip), { ...rates.startPerAddress, limit: rates.startPerAddress.limit * 10 }),
            ...budget('ask overall', '', rates.startOverall),
          ]
        : [
            ...budget(known ? 'start known' : 'start account', mailbox, rates.startPerAccount),
            ...budget('start address', networkOf(ip), rates.startPerAddress),
            ...budget('start overall', '', rates.startOverall),
          ],
    /** For a guess. */
    verify: ({ mailbox, ip, known }: Spender): readonly Budget[] => [
      ...(mailbox === null
        ? []
        : known
          ? budget('verify known', mailbox, rates.verifyPerDevice)
          : budget('verify account', mailbox, rates.verifyPerAccount)),
      ...budget('verify address', networkOf(ip), rates.verifyPerAddress),
    ],
    /**
     * And for a guess at a code that signs in. What all strangers guess together keeps nobody out who is on a device that is known;
     * nor who answers a challenge, which nobody guesses, and where a passkey that comes first names nobody whose device could be known.
     */
    verifyCode: ({ known }: Spender): readonly Budget[] => (known ? [] : budget('verify overall', '', rates.verifyOverall)),
    /** For pressing a link: no guess, and charged to its attempt alone, so that neither presses end guesses nor guesses presses. */
    press: (idHash: string): readonly Budget[] => budget('press', idHash, { limit: 10, window: 900_000 }),
    /** For beginning to add a way of signing in: by a person who is signed in. No guess, so twice as many. */
    enrol: (userId: string): readonly Budget[] =>
      budget('enrol user', userId, { ...rates.verifyPerAccount, limit: rates.verifyPerAccount.limit * 2 }),
    /** For a client's secret. By client and address together: a stranger elsewhere cannot lock the client out. */
    secret: ({ clientId, ip }: { readonly clientId: string; readonly ip: string | null }): readonly Budget[] => [
      ...budget('secret client', `${clientId.slice(0, 100)}\n${networkOf(ip)}`, rates.secretPerClient),
      ...budget('secret address', networkOf(ip), rates.secretPerAddress),
    ],
  }
}
