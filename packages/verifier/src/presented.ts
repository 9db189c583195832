// What was presented behind an `auth`: what guards handed out must be asked about again later, by live connections, and
// `auth` itself must not carry a credential. Kept by the identity of its claims, which every copy of an `auth` shares.

import type { Auth } from './auth.ts'
import type { LiveQuestion } from './source.ts'

/** A question that can be asked again, and the key that signed the token, where there is one. */
export interface Presented {
  readonly question: LiveQuestion
  readonly kid: string
  /** When the newest asking began that was answered with a yes; milliseconds of a clock that never runs slow. */
  readonly askedAt?: number
}

/** The memory of what was presented; lives as long as the claims do. */
export interface PresentedMemory {
  note(claims: Auth['claims'], presented: Presented): void
  of(auth: Auth): Presented | undefined
}

/** Creates it. */
export function createPresentedMemory(): PresentedMemory {
  const memory = new WeakMap<Auth['claims'], Presented>()
  return {
    note: (claims, presented) => void memory.set(claims, presented),
    of: (auth) => memory.get(auth.claims),
  }
}
