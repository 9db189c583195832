// Who carries codes and mails in this process: an application's own, a mail server, or the outbox of development.

import { SymbolonError } from '@symbolon/protocol'
import type { Courier } from '#core'
import { createOutbox, createSmtp } from '#delivery'
import { mailBrand } from './brand.ts'
import type { Settings } from './options.ts'

/** The courier of the options, how it ends, and how it is tried. Throws `invalid_option` when there is none. */
export function courierOf(settings: Settings) {
  const { delivery, dev } = settings
  const observe = settings.observe ?? (() => {})
  if (delivery !== undefined && 'custom' in delivery)
    return { courier: delivery.custom as Courier, close: async () => {}, verify: async () => {} }
  if (delivery !== undefined && 'smtp' in delivery) {
    const smtp = createSmtp({ ...delivery.smtp, observe, brand: mailBrand(settings) })
    return { courier: smtp, close: () => smtp.close(), verify: () => smtp.verify() }
  }
  if (!dev) throw new SymbolonError('invalid_option')
  const outbox = createOutbox({
    now: Date.now,
    print: (line) => process.stderr.write(`[symbolon] ${line}\n`),
    brand: mailBrand(settings),
  })
  return { courier: outbox, outbox: outbox.messages, close: async () => {}, verify: async () => {} }
}
