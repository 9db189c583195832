// The development outbox: mails go nowhere but into a bounded list, and their codes to the terminal. Never used outside
// development: whoever reads it can sign in as anybody.

import type { Courier } from '#core'
import { mailFor } from './mails.ts'

/** A mail in the outbox. `at` is ISO 8601. */
export interface OutboxMessage {
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly at: string
}

/** The outbox: a courier, and what it was given, newest last. */
export interface Outbox extends Courier {
  messages(): readonly OutboxMessage[]
}

const most = 200

/** Creates the outbox. `print` is told of each mail in one line. */
export function createOutbox(options: { readonly now: () => number; readonly print?: (line: string) => void }): Outbox {
  const held: OutboxMessage[] = []
  return {
    queue(delivery) {
      if (delivery.kind === 'none') return
      const { subject, text } = mailFor(delivery)
      held.push({ to: delivery.to, subject, text, at: new Date(options.now()).toISOString() })
      if (held.length > most) held.shift()
      options.print?.(delivery.kind === 'code' ? `code ${delivery.code} for ${delivery.to}` : `notice for ${delivery.to}`)
    },
    messages: () => [...held],
  }
}
