// Which mail a delivery is.

import type { Delivery } from '#core'
import { addressMail, codeMail, deletedMail, type Mail, type MailBrand, noticeMail, passkeyMail } from '#messages'

/** A delivery that goes to somebody. */
export type Addressed = Exclude<Delivery, { readonly kind: 'none' }>

/** Its mail, as it looks and reads under a brand. */
export function mailFor(delivery: Addressed, brand: MailBrand): Mail {
  switch (delivery.kind) {
    case 'code':
      return codeMail(delivery, brand)
    case 'notice':
      return noticeMail(delivery, brand)
    case 'passkey':
      return passkeyMail(delivery, brand)
    case 'deleted':
      return deletedMail(delivery, brand)
    default:
      return addressMail(delivery, brand)
  }
}
