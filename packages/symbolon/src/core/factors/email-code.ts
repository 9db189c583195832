// The e-mail code: six digits, ten minutes, five tries. Proves that the mailbox is read, no more.

import { mailboxOf, normaliseEmail } from '../identifier.ts'
import type { Factor } from './factor.ts'

const minute = 60_000

/** `email_otp`. NIST SP 800-63B-4 §3.1.3.1 does not count e-mail as an authenticator, so its acr claims none of its levels. */
export const emailCode: Factor = {
  method: 'email_otp',
  acr: 'urn:symbolon:acr:email',
  amr: ['otp'],
  lifetime: 10 * minute,
  maxTries: 5,
  maxSends: 4,
  resendAfter: (sends) => 30_000 * 2 ** Math.max(0, sends - 1),
  identify: normaliseEmail,
  account: mailboxOf,
  newCode: (crypto) => String(crypto.randomBelow(1_000_000)).padStart(6, '0'),
  readCode: (text) => {
    const digits = text.length > 40 ? '' : text.replace(/[ \-\u00a0\t]/g, '')
    return /^[0-9]{6}$/.test(digits) ? digits : undefined
  },
  deliver: (to, message) => ({ kind: 'code', to, minutes: 10, ...message }),
}
