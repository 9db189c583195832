// The development outbox: mails go nowhere but into a bounded list, and their codes to the terminal. Never used outside
// development: whoever reads it can sign in as anybody.

import type { Courier } from '#core'
import type { HeldMail, MailBrand } from '#messages'
import { mailFor } from './mails.ts'

/** The outbox: a courier, and what it was given, newest last. */
export interface Outbox extends Courier {
  messages(): readonly HeldMail[]
}

const most = 200

/** Creates the outbox. `print` is told of each mail in one line. */
export function createOutbox(options: {
  readonly now: () => number
  readonly print?: (line: string) => void
  readonly brand?: MailBrand
}): Outbox {
  const held: HeldMail[] = []
  let last = 0
  return {
    queue(delivery) {
      if (delivery.kind === 'none') return
      const { subject, text, html } = mailFor(delivery, options.brand ?? {})
      held.push({ id: ++last, to: delivery.to, subject, text, html, at: new Date(options.now()).toISOString() })
      if (held.length > most) held.shift()
      options.print?.('code' in delivery ? `code ${delivery.code} for ${delivery.to}` : `notice for ${delivery.to}`)
    },
    messages: () => [...held],
  }
}
