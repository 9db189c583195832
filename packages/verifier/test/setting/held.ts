// Timers of one length that do not end by themselves: what is said of a wait must not hang on how fast a machine is.

import { afterEach, beforeEach } from 'vitest'

/** In the tests of a block, timers of `ms` milliseconds never end; `pass`: in this test they do. All others do anyway. */
export function holdTimers(ms: number): { pass(): void } {
  const real = globalThis.setTimeout
  const never = 2 ** 31 - 1
  const held = (run: () => void, after?: number, ...words: []) => real(run, after === ms ? never : after, ...words)
  const pass = () => void Object.assign(globalThis, { setTimeout: real })
  beforeEach(() => void Object.assign(globalThis, { setTimeout: held }))
  afterEach(pass)
  return { pass }
}
