// A person's own account over the API: what happened to it.

import { type Http, type Site, whoIs } from '../context.ts'
import { eventView } from '../views.ts'

/** Events of one answer. */
export const mostEvents = 50

/** `GET /v1/account/events` */
export const events = (site: Site) => async (c: Http) => {
  const { user } = await whoIs(c, site)
  const page = await site.parts.core.account.events(user.id, null, mostEvents)
  return c.json({ events: page.events.map(eventView) })
}
