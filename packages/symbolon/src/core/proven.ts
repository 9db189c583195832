// What a session counts as having proven now. The one place where that is computed, so that a check, the mint, a live
// answer and the owner's list cannot differ: a step-up counts for as long as the client's policy says, and then what the
// sign-in proved counts again.

import type { ClientPolicy, Session } from './model.ts'

/** What counts. `until`: when less will count, a whole second; null when nothing is going to change. */
export interface Standing {
  readonly acr: string
  readonly amr: readonly string[]
  /** When the user last proved who they are, at this level or above it. */
  readonly authTime: number
  readonly until: number | null
}

/** What a session counts as having proven at `now`; times in milliseconds since 1970 by the store's clock. */
export function standingOf(
  session: Pick<Session, 'acr' | 'amr' | 'baseAcr' | 'baseAmr' | 'authTime'>,
  { stepUpLifetime }: Pick<ClientPolicy, 'stepUpLifetime'>,
  now: number,
): Standing {
  const { acr, amr, baseAcr, baseAmr, authTime } = session
  const same = baseAcr === null || baseAmr === null || (baseAcr === acr && baseAmr.join(' ') === amr.join(' '))
  if (same || stepUpLifetime === 0) return { acr, amr, authTime, until: null }
  // In whole seconds, as tokens count: one minted before it always has a life.
  const until = Math.floor((authTime + stepUpLifetime) / 1000) * 1000
  return now < until ? { acr, amr, authTime, until } : { acr: baseAcr, amr: baseAmr, authTime, until: null }
}
