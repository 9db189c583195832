// The development mailbox as routes. A mail's HTML is an answer of its own: in a frame or opened by itself it is a document
// without an origin, which runs nothing and fetches nothing but pictures.

import { z } from '@hono/zod-openapi'
import { SymbolonError } from '@symbolon/protocol'
import { readQuery } from '../body.ts'
import type { Http, Site } from '../context.ts'
import { MailboxPage, MailPage } from '../pages/mailbox.tsx'
import { createShowing } from './showing.ts'

const mailQuery = z.object({ id: z.string().regex(/^\d{1,9}$/) })

const mailPolicy = (pictures: string) =>
  `sandbox; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; style-src 'unsafe-inline'; img-src https: ${pictures}`

/** Creates the routes of the mailbox. Only where there is an outbox. */
export function mailboxRoutes(site: Site) {
  const { show, lookOf, policy } = createShowing(site)
  const mails = () => site.parts.outbox?.() ?? []
  const asked = (c: Http) => {
    const { id } = readQuery(c, mailQuery)
    const mail = mails().find((one) => one.id === Number(id))
    if (mail === undefined) throw new SymbolonError('not_found')
    return mail
  }
  return {
    list: async (c: Http) => show(c, <MailboxPage look={lookOf(c)} mails={mails()} />),

    read: async (c: Http) => {
      c.header('content-security-policy', `${policy()}; frame-src 'self'`)
      return show(c, <MailPage look={lookOf(c)} mail={asked(c)} />)
    },

    html: async (c: Http) => {
      const { html } = asked(c)
      // `'self'` would be nobody's in a document without an origin: the issuer's host by its name.
      return c.html(html, 200, { 'content-security-policy': mailPolicy(site.origin), 'x-frame-options': 'SAMEORIGIN' })
    },
  }
}
