// What was presented behind an `auth`: what guards handed out must be asked about again later, by live connections, and
// `auth` itself must not carry a credential. Kept by the identity of its claims, which every copy of an `auth` shares.

import type { Auth } from './auth.ts'
import type { LiveQuestion } from './source.ts'

/** A question that can be asked again, and the key that signed the token, where there is one. */
export interface Presented {
  readonly question: LiveQuestion
  readonly kid: string
  /** When the newest asking began that was answered with a yes; milliseconds of a clock that never runs slow. */
  readonly askedAt?: number | undefined
}

/** The memory of what was presented; lives as long as the claims do. */
export interface PresentedMemory {
  note(claims: Auth['claims'], presented: Presented): void
  of(auth: Auth): Presented | undefined
}

type Kept = Omit<Presented, 'askedAt'> & { askedAt: number | undefined }

const isSame = (kept: Kept, { question, kid }: Presented): boolean =>
  kept.question.by === 'token' && question.by === 'token' && kept.question.claims === question.claims && kept.kid === kid

/** Creates it. */
export function createPresentedMemory(): PresentedMemory {
  const memory = new WeakMap<Auth['claims'], Kept>()
  return {
    note(claims, presented) {
      const kept = memory.get(claims)
      // A token shown again is kept as it was: else every request would leave its own copy behind.
      if (kept !== undefined && isSame(kept, presented)) kept.askedAt = presented.askedAt
      else memory.set(claims, { question: presented.question, kid: presented.kid, askedAt: presented.askedAt })
    },
    of: (auth) => memory.get(auth.claims),
  }
}
