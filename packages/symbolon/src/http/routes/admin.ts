// The operator's routes, on a listener of their own: users, their sessions, clients, keys, the audit log, metrics.

import { z } from '@hono/zod-openapi'
import { type FeedHead, formatPosition, isSid, positionHeader, SymbolonError } from '@symbolon/protocol'
import type { Hono } from 'hono'
import { type Client, limitsOf, type Refused } from '#core'
import { readJson, readQuery } from '../body.ts'
import { type Env, type Http, refusal } from '../context.ts'
import type { AdminParts } from '../parts.ts'
import { clientView, followerView, keyView, passkeyView, sessionViews, userView } from '../views.ts'
import { adminWebhookRoutes } from './admin-webhooks.ts'

const names = z.array(z.string().min(1).max(200)).max(50)
const newUser = z.strictObject({ email: z.string().max(320), roles: names.optional() })
const userQuery = z.strictObject({
  email: z.string().max(320).optional(),
  after: z.string().max(60).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})
const address = z.strictObject({ email: z.string().max(320) })
const roles = z.strictObject({ roles: names })
const status = z.strictObject({ status: z.enum(['active', 'disabled']) })
const policy = z
  .strictObject({
    idle: z.int(),
    absolute: z.int(),
    maxSessions: z.int().min(0).max(1000),
    onLimit: z.enum(['deny', 'evict_oldest', 'ask']),
    tokenLifetime: z.int(),
    rotate: z.union([z.enum(['always', 'never']), z.int()]),
    window: z.int(),
    recovery: z.enum(['allow', 'step_up', 'revoke']),
    signUp: z.enum(['open', 'closed']),
    methods: names,
    acr: z.string().max(100),
    enrol: z.enum(['required', 'offered', 'off']),
    captcha: z.enum(['never', 'when_busy', 'always']),
    newDeviceNotice: z.boolean(),
    stepUpLifetime: z.int(),
    confirmationLifetime: z.int(),
    scope: names,
    targets: names,
  })
  .partial()
const clientFields = {
  origins: names.optional(),
  return_to: z.array(z.string().max(2000)).max(50).optional(),
  scopes: names.optional(),
  audiences: names.optional(),
  keys: z.array(z.record(z.string(), z.unknown())).max(5).optional(),
  access_token_format: z.enum(['jwt', 'opaque']).optional(),
  policy: policy.optional(),
}
const newClient = z.strictObject({
  id: z.string().max(60).optional(),
  name: z.string().max(80),
  transport: z.enum(['cookie', 'native', 'service']),
  ...clientFields,
})
const clientChange = z.strictObject({
  name: z.string().max(80).optional(),
  status: z.enum(['active', 'disabled']).optional(),
  ...clientFields,
})
const auditQuery = z.strictObject({ user_id: z.string().max(60).optional(), limit: z.coerce.number().int().min(1).max(1000).default(100) })

/** What the routes take, by the names below: docs/options.md has a line for each route, with its fields. */
export const adminInputs = { newUser, userQuery, address, roles, status, policy, newClient, clientChange, auditQuery }

/** Leaves out what was not said. */
function said<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as never
}
const clientInput = ({
  return_to,
  access_token_format,
  ...rest
}: {
  readonly return_to?: readonly string[] | undefined
  readonly access_token_format?: string | undefined
}) => said({ ...rest, returnTo: return_to, accessTokenFormat: access_token_format })

/** Fields by their names on the wire, where core has others. */
const onWire: Readonly<Record<string, string>> = { returnTo: 'return_to', accessTokenFormat: 'access_token_format' }
const clientRefusal = (refused: Refused) => {
  const field = onWire[refused.options?.field ?? '']
  return refusal(field === undefined ? refused : { ...refused, options: { ...refused.options, field } })
}

/** Puts the operator's routes on an app. Who may call was decided before. */
export function adminRoutes(app: Hono<Env>, parts: AdminParts): void {
  const { core } = parts
  const by = 'admin'
  const user = async (c: Http) => {
    const found = await core.users.find({ id: c.req.param('id') ?? '' })
    if (found === undefined) throw new SymbolonError('not_found')
    return found
  }

  /** Where the feed stood with the change, so that the caller can be served by verifiers that know of it. */
  const tell = (c: Http, head: FeedHead) => c.header(positionHeader, formatPosition(head))

  app.get('/admin/v1/users', async (c) => {
    const query = readQuery(c, userQuery)
    if (query.email === undefined) return c.json({ users: (await core.users.list(query.after ?? null, query.limit)).map(userView) })
    const found = await core.users.find({ email: query.email })
    return c.json({ users: found === undefined ? [] : [userView(found)] })
  })
  app.post('/admin/v1/users', async (c) => {
    const { email, roles: given } = await readJson(c, newUser)
    const created = await core.users.create({ email, ...(given !== undefined && { roles: given }) }, by)
    if (!created.ok) throw refusal(created)
    return c.json(userView(created.user), 201)
  })
  app.get('/admin/v1/users/:id', async (c) => c.json(userView(await user(c))))
  app.put('/admin/v1/users/:id/roles', async (c) => {
    const changed = await core.users.change(c.req.param('id'), await readJson(c, roles), by)
    if (!changed.ok) throw refusal(changed)
    tell(c, changed.head)
    return c.json(userView(changed.user))
  })
  app.put('/admin/v1/users/:id/status', async (c) => {
    const changed = await core.users.change(c.req.param('id'), await readJson(c, status), by)
    if (!changed.ok) throw refusal(changed)
    tell(c, changed.head)
    return c.json(userView(changed.user))
  })
  app.put('/admin/v1/users/:id/email', async (c) => {
    const changed = await core.users.changeEmail(c.req.param('id'), (await readJson(c, address)).email, { actor: by })
    if (!changed.ok) throw refusal(changed)
    tell(c, changed.head)
    return c.json(userView(changed.user))
  })
  app.post('/admin/v1/users/:id/bump-epoch', async (c) => {
    const bumped = await core.users.bumpEpoch(c.req.param('id'), by)
    if (!bumped.ok) throw refusal(bumped)
    tell(c, bumped.head)
    return c.json(userView(bumped.user))
  })
  app.delete('/admin/v1/users/:id', async (c) => {
    const removed = await core.users.remove(c.req.param('id'), { actor: by })
    if (!removed.ok) throw refusal(removed)
    tell(c, removed.head)
    return c.body(null, 204)
  })
  app.get('/admin/v1/users/:id/factors', async (c) => {
    const { passkeys } = await core.passkeys.list((await user(c)).id)
    return c.json({ passkeys: passkeys.map((one) => ({ ...passkeyView(one), counter: one.counter, aaguid: one.aaguid })) })
  })
  app.delete('/admin/v1/users/:id/factors/:factor', async (c) => {
    const removed = await core.passkeys.remove((await user(c)).id, c.req.param('factor'), { actor: by })
    if (!removed.ok) throw refusal(removed)
    return c.body(null, 204)
  })
  app.get('/admin/v1/users/:id/sessions', async (c) => {
    const owner = await user(c)
    const { now, sessions } = await core.sessions.list(owner.id)
    const views = await sessionViews(core, owner, null)
    const clients = new Map<string, Client>((await core.clients.list()).map((client) => [client.id, client]))
    return c.json({
      now: new Date(now).toISOString(),
      sessions: views.map((view) => {
        const session = sessions.find((one) => one.sid === view.sid)
        const client = clients.get(view.client_id)
        return session === undefined || client === undefined
          ? view
          : {
              ...view,
              kind: session.kind,
              generation: session.generation,
              seen: session.seen,
              idle_seconds: Math.floor(Math.min(session.idle, core.clients.policyOf(client).idle) / 1000),
              ends_at: new Date(limitsOf(session, core.clients.policyOf(client)).endsAt).toISOString(),
            }
      }),
    })
  })
  const endedBy = (c: Http, revoked: Awaited<ReturnType<typeof core.sessions.revoke>>) => {
    tell(c, revoked.head)
    return c.json({ ended: revoked.count })
  }
  app.delete('/admin/v1/users/:id/sessions', async (c) => {
    const { id } = await user(c)
    return endedBy(c, await core.sessions.revoke({ user: id }, 'admin', { actor: by }))
  })
  app.delete('/admin/v1/sessions/:sid', async (c) => {
    const { sid } = c.req.param()
    if (!isSid(sid)) throw new SymbolonError('not_found')
    const revoked = await core.sessions.revoke({ sid }, 'admin', { actor: by })
    if (revoked.count === 0) throw new SymbolonError('not_found')
    return endedBy(c, revoked)
  })
  app.get('/admin/v1/sessions/:sid/explain', async (c) => {
    const { sid } = c.req.param()
    const explained = isSid(sid) ? await core.sessions.explain(sid) : undefined
    if (explained === undefined) throw new SymbolonError('not_found')
    if (!explained.ok) throw refusal(explained)
    return c.json({ outcome: explained.outcome, lifetime_seconds: Math.floor(explained.lifetime / 1000), steps: explained.trace })
  })

  app.get('/admin/v1/clients', async (c) => c.json({ clients: (await core.clients.list()).map(clientView) }))
  app.post('/admin/v1/clients', async (c) => {
    const input = await readJson(c, newClient)
    const created = await core.clients.create({ ...clientInput(input), name: input.name, transport: input.transport } as never, by)
    if (!created.ok) throw clientRefusal(created)
    return c.json({ ...clientView(created.client), ...(created.secret !== null && { client_secret: created.secret }) }, 201)
  })
  app.get('/admin/v1/clients/:id', async (c) => {
    const client = await core.clients.find(c.req.param('id'))
    if (client === undefined) throw new SymbolonError('not_found')
    return c.json(clientView(client))
  })
  app.patch('/admin/v1/clients/:id', async (c) => {
    const changed = await core.clients.change(c.req.param('id'), clientInput(await readJson(c, clientChange)) as never, by)
    if (!changed.ok) throw clientRefusal(changed)
    tell(c, changed.head)
    return c.json(clientView(changed.client))
  })
  app.post('/admin/v1/clients/:id/bump-epoch', async (c) => {
    const bumped = await core.clients.bumpEpoch(c.req.param('id'), by)
    if (!bumped.ok) throw refusal(bumped)
    tell(c, bumped.head)
    return c.json(clientView(bumped.client))
  })
  app.post('/admin/v1/clients/:id/secret', async (c) => {
    const rotated = await core.clients.rotateSecret(c.req.param('id'), by)
    if (!rotated.ok) throw refusal(rotated)
    return c.json({ client_secret: rotated.secret }, 201)
  })
  app.delete('/admin/v1/clients/:id/secret/old', async (c) => {
    const removed = await core.clients.removeOldSecret(c.req.param('id'), by)
    if (!removed.ok) throw refusal(removed)
    return c.json(clientView(removed.client))
  })

  app.delete('/admin/v1/clients/:id/sessions', async (c) => {
    const client = await core.clients.find(c.req.param('id'))
    if (client === undefined) throw new SymbolonError('not_found')
    return endedBy(c, await core.sessions.revoke({ client: client.id }, 'admin', { actor: by }))
  })

  app.get('/admin/v1/feed', async (c) => {
    const { feedId, seq } = await core.feed.head()
    return c.json({ feed: feedId, head: seq, followers: core.feed.followers().map(followerView) })
  })

  app.get('/admin/v1/keys', async (c) => c.json({ keys: (await core.keys.list()).map(keyView) }))
  app.post('/admin/v1/keys/rotate', async (c) => c.json(keyView(await core.keys.rotate(by)), 201))
  app.post('/admin/v1/keys/:kid/revoke', async (c) => {
    const revoked = await core.keys.revoke(c.req.param('kid'), { now: true }, by)
    if (!revoked.ok) throw refusal(revoked)
    tell(c, revoked.head)
    return c.json(keyView(revoked.key))
  })
  app.get('/admin/v1/audit', async (c) => {
    const { user_id: userId, limit } = readQuery(c, auditQuery)
    const entries = await core.audit.list(userId === undefined ? {} : { userId }, limit)
    return c.json({
      entries: entries.map((one) => ({
        at: new Date(one.at).toISOString(),
        event: one.event,
        user_id: one.userId,
        sid: one.sid,
        client_id: one.clientId,
        ip: one.ip,
        detail: one.detail,
      })),
    })
  })
  adminWebhookRoutes(app, parts)
  app.get('/metrics', async (c) => {
    if (parts.metrics === undefined) throw new SymbolonError('not_found')
    return c.body(await parts.metrics(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
  })
}
