// Foreign origins that guards in the service's process ask the store for.

import { expect, it, vi } from 'vitest'
import { rememberOrigins } from '../../src/embed/origins.ts'

it('reads once for all who ask in a moment, and anew after it; a store that is away leaves nothing known', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    let listed: string | undefined = 'https://one.example'
    let reads = 0
    const origins = rememberOrigins(async () => {
      reads++
      if (listed === undefined) throw new Error('away')
      return [listed]
    })
    const asked = await Promise.all(Array.from({ length: 50 }, () => origins()))
    expect([new Set(asked.flat()), reads]).toEqual([new Set(['https://one.example']), 1])
    listed = 'https://two.example'
    vi.advanceTimersByTime(199)
    expect([await origins(), reads]).toEqual([['https://one.example'], 1])
    vi.advanceTimersByTime(1)
    expect([await origins(), reads]).toEqual([['https://two.example'], 2])
    listed = undefined
    expect(await origins()).toEqual(['https://two.example'])
    vi.advanceTimersByTime(200)
    await expect(origins()).rejects.toThrow('away')
    listed = 'https://one.example'
    expect(await origins()).toEqual(['https://one.example'])
  } finally {
    vi.useRealTimers()
  }
})
