// Delivering webhooks in this process: a look each second, and for each target with something due a turn by its lease, so
// that of several nodes one delivers to it; when that one dies, another one goes on once the lease is over. Targets do not
// wait for each other. No timer keeps the process alive.

import { randomBytes } from 'node:crypto'
import { readWebhookSecret } from '@symbolon/protocol'
import type { LeaseStore, Webhooks } from '#core'
import type { WebhookEndpoint, WebhookSender } from '#delivery'
import type { Settings } from './options.ts'

/** What is run. `report` hears of faults of the store. */
export interface WebhookWork {
  readonly webhooks: Webhooks
  readonly leases: LeaseStore
  readonly sender: Pick<WebhookSender, 'close'>
  readonly report: (job: string, error: unknown) => void
  /** Milliseconds between two looks. */
  readonly every?: number
}

/** A lease outlives a delivery, which has its time-out, and a node that died by no more than this; it is kept up while a turn goes on. Milliseconds. */
const lasts = 15_000
const keptEvery = 2_000
/** How long one turn goes on before others may have the target. */
const turnLasts = 60_000
/** How often targets are named anew. */
const namedEvery = 3_600_000
/** How long a stop waits for what is under way. */
const patience = 2_000

/** Where webhooks go, from the options. */
export const endpointsOf = ({ webhooks }: Pick<Settings, 'webhooks'>): readonly WebhookEndpoint[] =>
  webhooks.map(({ name, url, secrets, allowPrivate, ca }) => ({
    name,
    url,
    secrets: secrets.map((secret) => readWebhookSecret(secret) as Uint8Array),
    allowPrivate: allowPrivate === true,
    ca,
  }))

/** Starts delivering; the returned function ends it, and gives up what does not come to its end soon. */
export function startWebhooks({ webhooks, leases, sender, report, every = 1000 }: WebhookWork): () => Promise<void> {
  const holder = randomBytes(9).toString('base64url')
  const turns = new Map<string, Promise<void>>()
  let looking: Promise<void> | undefined
  let named = performance.now()
  let ended = false

  const turn = async (target: string) => {
    const lease = `webhook ${target}`
    if (!(await leases.take(lease, holder, lasts))) return
    const began = performance.now()
    let kept = began
    try {
      await webhooks.turn(target, async () => {
        const now = performance.now()
        if (ended || now - began > turnLasts) return false
        if (now - kept < keptEvery) return true
        kept = now
        return leases.take(lease, holder, lasts)
      })
    } finally {
      await leases.release(lease, holder, false).catch(() => {})
    }
  }
  const look = async () => {
    if (performance.now() - named > namedEvery) {
      named = performance.now()
      await webhooks.name()
    }
    for (const target of await webhooks.due()) {
      if (ended || turns.has(target)) continue
      const running = turn(target)
        .catch((error) => report('webhooks', error))
        .finally(() => turns.delete(target))
      turns.set(target, running)
    }
  }
  const timer = setInterval(() => {
    looking ??= look()
      .catch((error) => report('webhooks', error))
      .finally(() => {
        looking = undefined
      })
  }, every)
  timer.unref()
  return async () => {
    ended = true
    clearInterval(timer)
    await looking
    let late: NodeJS.Timeout | undefined
    const over = new Promise<void>((resolve) => {
      late = setTimeout(resolve, patience)
    })
    await Promise.race([Promise.all(turns.values()), over])
    clearTimeout(late)
    sender.close()
    await Promise.all(turns.values())
  }
}
