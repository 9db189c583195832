// E-mail: six digits for ten minutes, and a link for fifteen, in one mail; five tries. Proves that the mailbox is read, no
// more: NIST SP 800-63B-4 §3.1.3.1 does not count e-mail as an authenticator, so its level claims none of that standard's.

import { mailboxOf, normaliseEmail } from '../identifier.ts'
import type { Factor, SentFactor } from './factor.ts'

const minute = 60_000

/** `email_otp`, with `email_link` where a client's policy has it. */
export const email: SentFactor = {
  kind: 'sent',
  method: 'email_otp',
  amr: ['otp'],
  lifetime: 10 * minute,
  maxTries: 5,
  maxSends: 4,
  link: { method: 'email_link', lifetime: 15 * minute },
  resendAfter: (sends) => 30_000 * 2 ** Math.max(0, sends - 1),
  first: { identify: normaliseEmail, account: mailboxOf },
  addressOf: (user) => user.email,
  newCode: (crypto) => String(crypto.randomBelow(1_000_000)).padStart(6, '0'),
  readCode: (text) => {
    const digits = text.length > 40 ? '' : text.replace(/[ \-\u00a0\t]/g, '')
    return /^[0-9]{6}$/.test(digits) ? digits : undefined
  },
  deliver: (to, { link, ...message }) => ({
    kind: 'code',
    to,
    minutes: 10,
    link: link === null ? null : { address: link, minutes: 15 },
    ...message,
  }),
}

/** Whether it is the mail: users are known by where it goes, and become users by it. */
export const isMail = (factor: Factor): boolean => factor === email
