// Ending very many, batch by batch: every batch is asked for, the answer speaks of all of them, and pauses leave half of
// the store's time to others. On a store that ends as many as it likes at a time.

import { SymbolonError } from '@symbolon/protocol'
import { describe, expect, it } from 'vitest'
import type { Ports, RevokeTarget } from '#core'
import { createRevoke } from '../../src/core/revoke.ts'

const feedId = '00000000000000aa'
const setting = (batches: readonly (readonly string[])[]) => {
  const calls: { readonly target: RevokeTarget; readonly audit: readonly unknown[] }[] = []
  const pauses: number[] = []
  let time = 0
  const revoke = async (target: RevokeTarget, _: unknown, audit: readonly unknown[]) => {
    const at = calls.push({ target, audit })
    time += 40
    const rest = at < batches.length ? { client: 'app', after: `after ${at}` } : null
    return { now: time, sids: batches[at - 1] ?? [], head: { feedId, seq: at }, rest }
  }
  const clock = {
    now: () => time,
    after(ms: number, run: () => void) {
      pauses.push(ms)
      time += ms
      run()
      return () => {}
    },
  }
  const ports = { store: { sessions: { revoke } }, clock, observe: () => {}, crashPoint: () => {} } as unknown as Ports
  return { calls, pauses, ports, revoke, end: createRevoke(ports) }
}
const line = { event: 'x', userId: null, sid: null, clientId: null, ip: null, detail: {} }

it('asks for all that is left, tells where the last of it stands, and the audit log once', async () => {
  const { calls, pauses, end } = setting([['a', 'b'], [], ['c']])
  // A batch may end nobody: rows were walked by.
  expect(await end({ client: 'app' }, 'admin', [line])).toMatchObject({ sids: ['a', 'b', 'c'], count: 3, head: { feedId, seq: 3 } })
  expect(calls.map(({ target }) => target)).toEqual([
    { client: 'app' },
    { client: 'app', after: 'after 1' },
    { client: 'app', after: 'after 2' },
  ])
  expect(calls.map(({ audit }) => audit.length)).toEqual([1, 0, 0])
  expect(pauses).toEqual([40, 40])
})

it('ends one with one call', async () => {
  const { calls, end } = setting([['a']])
  expect(await end({ sid: 'a' }, 'sign_out', [line])).toMatchObject({ sids: ['a'], count: 1 })
  expect(calls).toHaveLength(1)
})

describe('a batch that the store refuses for now', () => {
  const refused = (code: 'store_unavailable' | 'try_later' | 'key_unopenable', times: number) => {
    const whole = setting([['a'], ['b'], ['c']])
    let left = times
    return {
      ...whole,
      end: createRevoke({
        ...whole.ports,
        store: {
          sessions: {
            async revoke(...asked: Parameters<typeof whole.revoke>) {
              if (whole.calls.length === 1 && left-- > 0) throw new SymbolonError(code, { detail: 'the database is busy' })
              return whole.revoke(...asked)
            },
          },
        },
      } as unknown as Ports),
    }
  }

  it('is asked for again where a walk is on its way, and nothing was sent', async () => {
    const { calls, pauses, end } = refused('try_later', 2)
    expect(await end({ client: 'app' }, 'admin', [line])).toMatchObject({ sids: ['a', 'b', 'c'], count: 3 })
    expect(calls.map(({ target }) => target)).toEqual([
      { client: 'app' },
      { client: 'app', after: 'after 1' },
      { client: 'app', after: 'after 2' },
    ])
    // As long as the first batch took, after each refusal, and as long as the second took in all.
    expect(pauses).toEqual([40, 1000, 1000, 1000])
  })

  it('is given up after three times, and at once for what does not pass', async () => {
    await expect(refused('try_later', 3).end({ before: 1 }, 'restored', [line])).rejects.toMatchObject({ code: 'try_later' })
    // This may have been committed; another look would find nothing to do, and acknowledge what may be lost yet.
    for (const code of ['store_unavailable', 'key_unopenable'] as const) {
      const other = refused(code, 1)
      await expect(other.end({ before: 1 }, 'restored', [line])).rejects.toMatchObject({ code })
      expect(other.pauses).not.toContain(1000)
    }
  })

  it('is told at once to whoever ends one, or one user’s: a request waits for it', async () => {
    for (const target of [{ sid: 'a' }, { user: 'u' }]) {
      let asked = 0
      const revoke = async () => {
        asked++
        throw new SymbolonError('try_later')
      }
      const end = createRevoke({ ...setting([]).ports, store: { sessions: { revoke } } } as unknown as Ports)
      await expect(end(target, 'admin', [line])).rejects.toMatchObject({ code: 'try_later' })
      expect(asked).toBe(1)
    }
  })
})
