// Which mail a delivery is.

import type { Delivery } from '#core'
import { codeMail, deletedMail, type Mail, type MailBrand, noticeMail, passkeyMail } from '#messages'

/** A delivery that goes to somebody. */
export type Addressed = Exclude<Delivery, { readonly kind: 'none' }>

/** Its mail, as it looks and reads under a brand. */
export function mailFor(delivery: Addressed, brand: MailBrand): Mail {
  if (delivery.kind === 'code') return codeMail(delivery, brand)
  if (delivery.kind === 'deleted') return deletedMail(delivery, brand)
  return delivery.kind === 'passkey' ? passkeyMail(delivery, brand) : noticeMail(delivery, brand)
}
