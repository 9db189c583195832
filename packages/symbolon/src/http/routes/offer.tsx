// After a sign-in on the hosted pages: on to where the person was going, by way of the offer of a passkey where the client
// has it made, and the person has none and did not say "not now" in this browser within the last thirty days.

import { z } from '@hono/zod-openapi'
import type { Client, User } from '#core'
import { readForm, readQuery } from '../body.ts'
import { giveCookie, type Http, type Site } from '../context.ts'
import { OfferPage } from '../pages/offer.tsx'
import { own } from './passkeys.ts'
import type { Showing } from './showing.ts'

const text = (most: number) => z.string().max(most)
const offerQuery = z.object({ client_id: text(60).default('app'), return_to: text(2000).optional() })
const offerForm = z.strictObject({ form_token: text(100), client_id: text(60).default('app'), return_to: text(2000).optional() })

const later = 30 * 86_400

/** Creates the routes, and what leads there. */
export function offerRoutes(site: Site, { proof, lookOf, show, ownForm, pageClient, returnAddress, leadTo }: Showing) {
  const { mount } = site
  const { core } = site.parts
  const on = (returnTo: string | null) => returnTo ?? `${mount}/account`
  const lacks = async (user: User) => (await core.passkeys.list(user.id)).passkeys.length === 0

  return {
    /** Where a sign-in leads. */
    async onward(c: Http, client: Client, user: User, returnTo: string | null): Promise<string> {
      const { enrol, methods } = core.clients.policyOf(client)
      const offered = enrol === 'offered' && core.passkeys.party !== undefined && methods.includes('passkey')
      if (!offered || c.var.cookies.later !== undefined || !(await lacks(user))) return on(returnTo)
      const query = new URLSearchParams({ client_id: client.id, ...(returnTo !== null && { return_to: returnTo }) })
      return `${mount}/login/offer?${query}`
    },

    /** `GET /login/offer` */
    offer: async (c: Http) => {
      const query = readQuery(c, offerQuery)
      const client = await pageClient(query.client_id)
      const returnTo = returnAddress(client, query.return_to)
      const { session, user } = await own(c, site)
      const { party } = core.passkeys
      // Made, or never to be made here: on.
      if (party === undefined || !(await lacks(user))) return c.redirect(on(returnTo), 303)
      leadTo(c, returnTo)
      const journey = { clientId: client.id, returnTo, formToken: proof(`offer\n${session.sid}`) }
      return show(c, <OfferPage look={lookOf(c)} journey={journey} rpId={party.rpId} />)
    },

    /** `POST /login/offer`: not now. */
    decline: async (c: Http) => {
      const form = await readForm(c, offerForm)
      const { session } = await own(c, site)
      ownForm(c, `offer\n${session.sid}`, form.form_token)
      const client = await pageClient(form.client_id)
      giveCookie(c, site, 'later', '1', later)
      return c.redirect(on(returnAddress(client, form.return_to)), 303)
    },
  }
}
