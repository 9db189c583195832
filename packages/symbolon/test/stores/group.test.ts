// Calls of one moment as one statement: none joins a statement that was sent before it came, none waits for ever, and what
// is wrong with one is not the others' fault. Clock and timers are moved by hand.

import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createGroup } from '../../src/stores/postgres/group.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
/** Milliseconds go by. */
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const options: { flights: number; perGroup: number; patience: number; shared?: number; inAll?: number; locks?: boolean } = {
  flights: 2,
  perGroup: 500,
  patience: 1000,
}

/** A group whose statements are answered by hand. */
function byHand(change: Partial<typeof options> = {}) {
  const sent: { readonly inputs: readonly number[]; answer(): void; fail(error: unknown): void }[] = []
  const call = createGroup<number, string>({
    ...options,
    ...change,
    run: (inputs) =>
      new Promise((resolve, reject) => {
        sent.push({ inputs, answer: () => resolve(inputs.map((n) => `${n} in ${inputs.join()}`)), fail: reject })
      }),
  })
  return { sent, call }
}

describe('a group', () => {
  it('sends calls of one moment together, and one that is alone at once', async () => {
    const { sent, call } = byHand()
    const both = [call(1), call(2)]
    await turn()
    expect(sent.map(({ inputs }) => inputs)).toEqual([[1, 2]])
    const third = call(3)
    await turn()
    expect(sent.map(({ inputs }) => inputs)).toEqual([[1, 2], [3]])
    for (const one of sent) one.answer()
    expect(await Promise.all([...both, third])).toEqual(['1 in 1,2', '2 in 1,2', '3 in 3'])
  })

  it('never puts a call into a statement that was sent before it came', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('call', 'turn', 'answer'), { maxLength: 60 }), async (steps) => {
        const { sent, call } = byHand()
        const sentBefore = new Map<number, number>()
        const answers: Promise<string>[] = []
        for (const [n, step] of steps.entries()) {
          if (step === 'call') {
            sentBefore.set(n, sent.length)
            answers.push(call(n))
          } else if (step === 'turn') await turn()
          else {
            sent.shift()?.answer()
            for (const [key, before] of sentBefore) sentBefore.set(key, Math.max(0, before - 1))
            await turn()
          }
          sent.forEach(({ inputs }, at) => {
            for (const input of inputs) expect(at).toBeGreaterThanOrEqual(sentBefore.get(input) ?? 0)
          })
          expect(sent.length).toBeLessThanOrEqual(2)
        }
        for (let i = 0; i < 10; i++) {
          for (const one of sent.splice(0)) one.answer()
          await turn()
        }
        expect(await Promise.all(answers)).toHaveLength(sentBefore.size)
      }),
    )
  })

  it('shares what waits among the statements that may be sent, from a number on', async () => {
    const { sent, call } = byHand({ shared: 4 })
    const calls = [1, 2, 3].map((n) => call(n))
    await turn()
    calls.push(...[4, 5, 6, 7, 8].map((n) => call(n)))
    await turn()
    // One of the two is under way: the other one takes all.
    expect(sent.map(({ inputs }) => inputs)).toEqual([
      [1, 2, 3],
      [4, 5, 6, 7, 8],
    ])
    for (const one of sent.splice(0)) one.answer()
    await Promise.all(calls)
    const more = [1, 2, 3, 4, 5].map((n) => call(n))
    await turn()
    expect(sent.map(({ inputs }) => inputs)).toEqual([
      [1, 2, 3],
      [4, 5],
    ])
    for (const one of sent) one.answer()
    await Promise.all(more)
  })

  it('makes more than fits wait for the next one, and refuses who has waited too long', async () => {
    const { sent, call } = byHand({ flights: 1, perGroup: 2, patience: 20 })
    const calls = [1, 2, 3].map((n) => call(n))
    await turn()
    expect(sent.map(({ inputs }) => inputs)).toEqual([[1, 2]])
    const refused = expect(calls[2]).rejects.toMatchObject({ code: 'store_unavailable' })
    await pass(21)
    sent[0]?.answer()
    expect(await calls[0]).toBe('1 in 1,2')
    await refused
    const next = call(4)
    await turn()
    sent[1]?.answer()
    expect(await next).toBe('4 in 4')
  })

  it('asks one by one when the data of one was wrong, and refuses all when the store failed', async () => {
    const { sent, call } = byHand()
    const wrong = [call(1), call(2)].map((one) => one.catch((error: Error) => error.message))
    await turn()
    sent[0]?.fail(Object.assign(new Error('both'), { code: '23505' }))
    await turn()
    sent[1]?.fail(Object.assign(new Error('mine'), { code: '23505' }))
    await turn()
    sent[2]?.answer()
    expect(await Promise.all(wrong)).toEqual(['mine', '2 in 2'])
    const lost = [call(3), call(4)].map((one) => one.catch((error: Error) => error.message))
    await turn()
    sent[3]?.fail(new Error('lost'))
    expect(await Promise.all(lost)).toEqual(['lost', 'lost'])
    expect(sent).toHaveLength(4)
  })

  it('refuses each call whose time is over, and no other one, though its statement still runs', async () => {
    const { sent, call } = byHand({ flights: 1, inAll: 60 })
    const first = expect(call(1)).rejects.toMatchObject({ code: 'store_unavailable' })
    await turn()
    await pass(1)
    const early = call(2).catch((error: { code: string }) => error.code)
    await pass(60)
    await first
    const late = call(3)
    sent[0]?.answer()
    await turn()
    await turn()
    expect(sent[1]?.inputs).toEqual([2, 3])
    await pass(1)
    expect(await early).toBe('store_unavailable')
    sent[1]?.answer()
    expect(await late).toBe('3 in 2,3')
  })

  it('lets an answer fail that comes after its call was refused, and nothing else with it', async () => {
    const unheard: unknown[] = []
    const hear = (error: unknown) => void unheard.push(error)
    process.on('unhandledRejection', hear)
    try {
      let fail = (_: unknown) => {}
      let come = () => {}
      const call = createGroup<number, string>({
        ...{ flights: 1, perGroup: 10, patience: 1000, inAll: 40 },
        run: ([n]) =>
          new Promise((resolve) => {
            come = () => resolve([n === 1 ? new Promise<string>((_, reject) => (fail = reject)) : 'well'])
          }),
      })
      const refused = expect(call(1)).rejects.toMatchObject({ code: 'store_unavailable' })
      await turn()
      await pass(41)
      await refused
      come()
      await turn()
      fail(new Error('too late'))
      await turn()
      await turn()
      expect(unheard).toEqual([])
    } finally {
      process.off('unhandledRejection', hear)
    }
  })

  describe('that somebody else holds a row of', () => {
    const locked = () => Object.assign(new Error('canceling statement due to lock timeout'), { code: '55P03' })
    const outcomes = async (calls: readonly Promise<string>[]) => (await Promise.allSettled(calls)).map(({ status }) => status)

    it('is tried one by one, a few at once, and only the one fails', async () => {
      const { sent, call } = byHand({ locks: true })
      const calls = [1, 2, 3, 4, 5].map(call)
      const done = outcomes(calls)
      await turn()
      sent[0]?.fail(locked())
      await turn()
      expect(sent.slice(1).map(({ inputs }) => inputs)).toEqual([[1], [2], [3]])
      sent[2]?.answer()
      sent[3]?.answer()
      await turn()
      expect(sent.slice(4).map(({ inputs }) => inputs)).toEqual([[4], [5]])
      sent[4]?.answer()
      sent[5]?.answer()
      sent[1]?.fail(locked())
      expect(await done).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled', 'fulfilled'])
    })

    it('fails whole where rows are not waited for', async () => {
      const { sent, call } = byHand()
      const done = outcomes([1, 2].map(call))
      await turn()
      sent[0]?.fail(locked())
      expect(await done).toEqual(['rejected', 'rejected'])
      expect(sent).toHaveLength(1)
    })

    it('is begun for nobody who was refused, or will be in a moment', async () => {
      const { sent, call } = byHand({ locks: true, inAll: 250 })
      const done = outcomes([1, 2].map(call))
      await turn()
      await pass(100)
      sent[0]?.fail(locked())
      expect(await done).toEqual(['rejected', 'rejected'])
      expect(sent).toHaveLength(1)
    })
  })

  it('that is late lets others be sent beside it, three at most, and again when one of them is back', async () => {
    const { sent, call } = byHand({ flights: 1 })
    const calls: Promise<string>[] = []
    for (const n of [0, 1, 2, 3, 4]) {
      calls.push(call(n))
      await turn()
      await pass(150)
    }
    await pass(300)
    expect(sent.map(({ inputs }) => inputs)).toEqual([[0], [1], [2], [3]])
    sent[1]?.answer()
    await turn()
    expect(sent.slice(4).map(({ inputs }) => inputs)).toEqual([[4]])
    for (const one of sent) one.answer()
    expect(await Promise.all(calls)).toHaveLength(5)
  })
})
