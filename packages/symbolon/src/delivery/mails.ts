// Which mail a delivery is.

import type { Delivery } from '#core'
import { codeMail, deletedMail, type Mail, noticeMail, passkeyMail } from '#messages'

/** A delivery that goes to somebody. */
export type Addressed = Exclude<Delivery, { readonly kind: 'none' }>

/** Its mail. */
export function mailFor(delivery: Addressed): Mail {
  if (delivery.kind === 'code') return codeMail(delivery)
  if (delivery.kind === 'deleted') return deletedMail(delivery)
  return delivery.kind === 'passkey' ? passkeyMail(delivery) : noticeMail(delivery)
}
