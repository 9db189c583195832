// How many calls a second are answered to so many callers, each of whom asks again as soon as it was answered.

import { spent } from './figures.ts'

/** Calls per second: `callers` share `count` calls. */
export async function rateOf(callers: number, count: number, call: (n: number, caller: number) => Promise<void>): Promise<number> {
  let next = 0
  const { wall } = await spent(async () => {
    await Promise.all(
      Array.from({ length: callers }, async (_, caller) => {
        while (next < count) await call(next++, caller)
      }),
    )
  })
  return (count / wall) * 1_000_000
}
