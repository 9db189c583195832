// Webhooks: what waits for a target is sent in order, at least once, and waits until the target has taken it. What fails is
// tried again with pauses that grow, behind what waits with it, for three days; then it is parked. Nothing is decided here
// that hangs on memory: a process that dies anywhere leaves what it had not noted, to be sent again under the same id.

import { type AuthEvent, type EventName, toBase64url } from '@symbolon/protocol'
import { auditNamesOf, eventOf } from './events.ts'
import type { AuditEntry } from './model.ts'
import type { Ports } from './ports.ts'
import type { SendWebhook, WaitingDelivery, WebhookMessage, WebhookTarget } from './webhook-ports.ts'

/** A target as configuration has it. No event named: all of them. */
export interface TargetOptions {
  readonly name: string
  readonly events: readonly EventName[]
  /** What is told beside ids. */
  readonly include: readonly ('email' | 'ip')[]
}

/** A target as operators see it. */
export interface TargetView extends WebhookTarget {
  /** Whether this node has it in its configuration. */
  readonly configured: boolean
}

/** The webhooks of a service. */
export interface Webhooks {
  /** Names the configured targets to the store; again now and then. */
  name(): Promise<void>
  /** The targets for which something is due. */
  due(): Promise<readonly string[]>
  /** Sends what is due to one target, for whoever alone may do so now, while `mayGoOn`. */
  turn(target: string, mayGoOn: () => Promise<boolean>): Promise<void>
  list(): Promise<readonly TargetView[]>
  /** Sends a target something that tells of nothing; undefined for one that is not configured here. */
  test(target: string): Promise<Awaited<ReturnType<SendWebhook>> | undefined>
  /** Makes due at once what is parked or put off; how many, undefined for a target that nobody knows. */
  retry(target: string): Promise<number | undefined>
}

const [second, minute, hour] = [1000, 60_000, 3_600_000]
/** How long to wait after so many tries; from then on as long as after the last. */
const waits = [5 * second, 15 * second, minute, 3 * minute, 10 * minute, 30 * minute, hour]
/** A target itself is tried again after this at the latest, so that one that is back is noticed. */
const mostTargetWait = 5 * minute
/** How long a target may ask us to wait. */
const mostAsked = hour
/** How long a delivery is tried. */
const budget = 72 * hour
const perRead = 20

/** The wait after a try failed, and `tries` before it: a quarter shorter or longer by chance. Milliseconds. */
export function waitAfter(tries: number, randomBelow: (below: number) => number): number {
  const wait = waits[Math.min(tries, waits.length - 1)] as number
  return Math.round(wait * (0.75 + randomBelow(1001) / 2000))
}

/** Creates the webhooks. */
export function createWebhooks(
  { store, crypto, observe, crashPoint }: Pick<Ports, 'store' | 'crypto' | 'observe' | 'crashPoint'>,
  targets: readonly TargetOptions[],
  send: SendWebhook,
): Webhooks {
  const names = targets.map(({ name }) => name)

  /** The id of a message is what it tells of: the same for each try and node, another one for whatever a restored store makes of the number. */
  const idOf = (id: number, { at, event, userId, sid, clientId, detail }: AuditEntry) =>
    `evt_${toBase64url(crypto.hash(JSON.stringify([id, at, event, userId, sid, clientId, detail])).subarray(0, 16))}`

  const messageOf = async ({ target, id, line }: WaitingDelivery): Promise<WebhookMessage | undefined> => {
    const told = line === null ? undefined : eventOf(line)
    if (line === null || told === undefined) return undefined
    const include = targets.find(({ name }) => name === target)?.include ?? []
    const more: { email?: string | null; ip?: string | null } = {}
    if (include.includes('email')) more.email = line.userId === null ? null : ((await store.users.find({ id: line.userId }))?.email ?? null)
    if (include.includes('ip')) more.ip = line.ip
    const { type, timestamp, data } = told
    return { id: idOf(id, line), body: JSON.stringify({ type, timestamp, data: { ...data, ...more } }) }
  }

  return {
    async name() {
      await store.webhooks.name(targets.map(({ name, events }) => ({ name, lines: auditNamesOf(events) })))
    },
    due: async () => (await store.webhooks.due(names, 1)).map(({ target }) => target),
    async turn(target, mayGoOn) {
      for (;;) {
        const waiting = await store.webhooks.due([target], perRead)
        if (waiting.length === 0) return
        for (const one of waiting) {
          if (!(await mayGoOn())) return
          const message = await messageOf(one)
          const sent = message === undefined ? null : await send(target, message)
          if (sent === 'stopped') return
          crashPoint('webhook.sent')
          if (sent === null || sent.ok) {
            await store.webhooks.done(target, one.id)
            if (sent !== null) observe({ event: 'webhook.delivered', target })
            continue
          }
          const asked = Math.min(mostAsked, sent.retryAfter ?? 0)
          const parked = await store.webhooks.failed(target, one.id, {
            fault: sent.fault,
            wait: Math.max(asked, waitAfter(one.tries, crypto.randomBelow)),
            targetWait: Math.max(asked, Math.min(mostTargetWait, waitAfter(one.failures, crypto.randomBelow))),
            budget,
          })
          observe({ event: 'webhook.failed', target, fault: sent.fault, tries: one.tries + 1 })
          if (parked > 0) observe({ event: 'webhook.parked', target, count: parked })
          // Whether the others may be sent is for the store to say: the target waits now.
          break
        }
      }
    },
    list: async () => (await store.webhooks.list()).map((one) => ({ ...one, configured: names.includes(one.name) })),
    async test(target) {
      if (!names.includes(target)) return undefined
      const timestamp = new Date(await store.now()).toISOString()
      const event: AuthEvent<'webhook.test'> = { type: 'webhook.test', timestamp, data: { target } }
      return send(target, { id: `evt_${toBase64url(crypto.random(16))}`, body: JSON.stringify(event) })
    },
    async retry(target) {
      if (!(await store.webhooks.list()).some(({ name }) => name === target)) return undefined
      let count = 0
      for (;;) {
        const batch = await store.webhooks.retry(target)
        count += batch
        if (batch === 0) return count
      }
    },
  }
}
