// The operator's routes for webhooks: how targets stand, trying one, and sending again what was parked.

import { SymbolonError } from '@symbolon/protocol'
import type { Hono } from 'hono'
import type { TargetView } from '#core'
import type { Env } from '../context.ts'
import type { AdminParts } from '../parts.ts'

const time = (ms: number | null) => (ms === null || ms === 0 ? null : new Date(ms).toISOString())

const targetView = ({ name, configured, waiting, parked, failures, failingSince, retryAt, fault, deliveredAt }: TargetView) => ({
  ...{ name, configured, waiting, parked, failures, fault },
  failing_since: time(failingSince),
  retry_at: time(retryAt),
  delivered_at: time(deliveredAt),
})

/** Puts them on an app. Who may call was decided before. */
export function adminWebhookRoutes(app: Hono<Env>, { webhooks }: Pick<AdminParts, 'webhooks'>): void {
  app.get('/admin/v1/webhooks', async (c) => c.json({ targets: (await webhooks.list()).map(targetView) }))
  app.post('/admin/v1/webhooks/:name/test', async (c) => {
    const outcome = await webhooks.test(c.req.param('name'))
    if (outcome === undefined) throw new SymbolonError('not_found')
    if (outcome === 'stopped') throw new SymbolonError('try_later', { retryAfter: 1 })
    return c.json(outcome.ok ? { delivered: true, status: outcome.status } : { delivered: false, fault: outcome.fault })
  })
  app.post('/admin/v1/webhooks/:name/retry', async (c) => {
    const due = await webhooks.retry(c.req.param('name'))
    if (due === undefined) throw new SymbolonError('not_found')
    return c.json({ due })
  })
}
