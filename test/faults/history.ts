// The judge of a recorded history: what was revoked and acknowledged when, and what each check answered. It knows nothing of
// how the product works, only what it promised (G1, G2), and it must find a broken promise wherever one stands.

/** A revocation as the one who asked for it saw it. Times in milliseconds of the recorder's monotonic clock. */
export interface Revoke {
  readonly kind: 'session' | 'user' | 'client' | 'token' | 'key'
  readonly id: string
  /** For users and clients: tokens with a smaller epoch are dead. */
  readonly epoch?: number
  readonly startedAt: number
  /** When the acknowledgement arrived; `null`: it never did, and nothing was promised. */
  readonly ackAt: number | null
}

/** What a token speaks of. */
export interface TokenFacts {
  readonly sid: string | null
  readonly sub: string
  readonly epoch: number
  readonly clientId: string
  readonly clientEpoch: number
  readonly jti: string
  readonly kid: string
}

/** One check. `bound` in milliseconds: the route's `maxStaleness`; what a `session` route promises has none. */
export interface Check {
  readonly verifier: string
  readonly level: 'token' | 'session'
  readonly bound: number
  readonly token: TokenFacts
  readonly startedAt: number
  readonly endedAt: number
  /** `unknown`: 503 or no answer at all. */
  readonly result: 'accepted' | 'refused' | 'unknown'
}

/** A broken promise. */
export interface Violation {
  readonly rule: 'G1' | 'G2' | 'refused without cause' | 'answer before the question'
  readonly check: Check
  readonly revoke: Revoke | null
  /** Milliseconds from the acknowledgement to the start of the check; 0 without one. */
  readonly after: number
}

/** What the history shows. */
export interface Verdict {
  readonly violations: readonly Violation[]
  /** For each verifier: the longest time after an acknowledgement at which a check of a dead token began that was accepted. */
  readonly longestMs: Readonly<Record<string, number>>
  readonly counts: Readonly<Record<Check['result'], number>>
}

/** Whether a revocation kills a token. */
export function kills(revoke: Pick<Revoke, 'kind' | 'id' | 'epoch'>, token: TokenFacts): boolean {
  if (revoke.kind === 'session') return token.sid === revoke.id
  if (revoke.kind === 'user') return token.sub === revoke.id && token.epoch < (revoke.epoch ?? Number.POSITIVE_INFINITY)
  if (revoke.kind === 'client') return token.clientId === revoke.id && token.clientEpoch < (revoke.epoch ?? Number.POSITIVE_INFINITY)
  if (revoke.kind === 'token') return token.jti === revoke.id
  return token.kid === revoke.id
}

/** Judges a history. Tokens in it are otherwise good: whoever records does not let them expire. */
export function judge(revokes: readonly Revoke[], checks: readonly Check[]): Verdict {
  const violations: Violation[] = []
  const longestMs: Record<string, number> = {}
  const counts = { accepted: 0, refused: 0, unknown: 0 }
  for (const check of checks) {
    counts[check.result]++
    if (check.endedAt < check.startedAt) violations.push({ rule: 'answer before the question', check, revoke: null, after: 0 })
    const causes = revokes.filter((revoke) => kills(revoke, check.token))
    if (check.result === 'refused' && !causes.some((revoke) => revoke.startedAt <= check.endedAt))
      violations.push({ rule: 'refused without cause', check, revoke: null, after: 0 })
    if (check.result !== 'accepted') continue
    for (const revoke of causes) {
      if (revoke.ackAt === null || check.startedAt < revoke.ackAt) continue
      const after = check.startedAt - revoke.ackAt
      if (check.level === 'session') violations.push({ rule: 'G1', check, revoke, after })
      else {
        longestMs[check.verifier] = Math.max(longestMs[check.verifier] ?? 0, after)
        if (after > check.bound) violations.push({ rule: 'G2', check, revoke, after })
      }
    }
  }
  return { violations, longestMs, counts }
}
