// What every read of sessions says first: the database's time, and whether single tokens were revoked.

/** The time as `@time()` takes it, without its call, and whether single tokens were revoked. */
export const moment = `greatest(@wall(), (SELECT at FROM @clock))::float8, EXISTS (SELECT 1 FROM @feed WHERE kind = 'token')`

/** Times that never go back: another server may have taken over meanwhile, whose clock is behind. */
export function createTimes(): (time: number) => number {
  let last = 0
  return (time) => {
    last = Math.max(last, time)
    return last
  }
}

const plain = /^[\w-]+$/

/** An array's text of ids that are letters which it takes as they are; what somebody else calls so is left to the driver to escape. */
export const textArray = (ids: readonly string[]): string | readonly string[] =>
  ids.length > 0 && ids.every((one) => plain.test(one)) ? `{"${ids.join('","')}"}` : ids

/** An array's text of numbers. */
export const numberArray = (numbers: readonly (number | null)[]): string => `{${numbers.map((one) => one ?? 'NULL').join(',')}}`
