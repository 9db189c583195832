// What makes a store that went back in time safe to serve from. The rule: nothing that was given out before is believed
// again. Every signing key is revoked, those that only the time after the backup knew too, as far as they are known; every
// session ends; epochs grow past any that was ever given out; sign-ins under way are dropped. Each step can be taken again,
// and nobody serves from the store until the last one is done.

import { SymbolonError } from '@symbolon/protocol'
import { replaceKeys } from './key-replacement.ts'
import { pause } from './pause.ts'
import type { Ports } from './ports.ts'
import { createRevoke } from './revoke.ts'

/** What was known of the store outside of it: the id of its log, and the signing keys that were published. */
export interface KnownBefore {
  readonly feedId: string
  readonly kids: readonly string[]
}

/** How many of each were ended, replaced, grown or dropped. */
export interface RestoreCounts {
  readonly keys: number
  readonly sessions: number
  readonly users: number
  readonly clients: number
  readonly attempts: number
}

const perBatch = 500

/** Runs the steps, or those that are left of them; `told` hears of each batch. */
export async function restore(
  ports: Pick<Ports, 'store' | 'crypto' | 'signer' | 'clock' | 'crashPoint'>,
  options: Parameters<typeof replaceKeys>[1],
  before: KnownBefore | null,
  by: string,
  told: (sofar: RestoreCounts) => void = () => {},
): Promise<RestoreCounts> {
  const { store, clock } = ports
  const { restores } = store
  const line = (event: string, detail: Readonly<Record<string, string | number>>) => [
    { event, userId: null, sid: null, clientId: null, ip: null, detail: { by, ...detail } },
  ]
  const sums = { keys: 0, sessions: 0, users: 0, clients: 0, attempts: 0 }
  const { cut } = await restores.begin({ former: before?.feedId ?? null, kids: before?.kids ?? [], audit: line('store.restored', {}) })
  ports.crashPoint('restore.begun')
  // Keys made since the restore began are ours, when it is taken up again.
  sums.keys = await replaceKeys(ports, options, ({ createdAt }) => createdAt < cut, by)
  ports.crashPoint('restore.keys')
  const revoke = createRevoke({
    ...ports,
    observe: (event) => {
      if (event.event === 'session.revoked') sums.sessions += Number(event.count)
      told({ ...sums })
    },
  })
  await revoke({ before: cut }, 'restored', line('session.restored', {}))
  ports.crashPoint('restore.sessions')
  for (const [what, name] of [
    ['client', 'clients'],
    ['user', 'users'],
  ] as const)
    for (let after: string | null = ''; after !== null; ) {
      const { count, next }: Awaited<ReturnType<typeof restores.grow>> = await restores.grow(what, after)
      sums[name] += count
      after = next
      told({ ...sums })
      await pause(clock, 0)
    }
  for (;;) {
    const dropped = await restores.dropAttempts(perBatch)
    sums.attempts += dropped
    told({ ...sums })
    if (dropped < perBatch) break
  }
  ports.crashPoint('restore.ending')
  // Somebody who serves meanwhile would have opened the store before it was restored.
  if ((await restores.pending()) === undefined)
    throw new SymbolonError('try_later', { detail: 'another process has ended this restore', retryAfter: 1 })
  await restores.end(line('store.restore_ended', { ...sums }))
  return sums
}
