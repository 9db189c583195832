// When to try again: exponential, with full jitter and a cap, within a budget. A follower that fails costs the service at
// most one request in ten seconds in the long run, beside the one beat a second of one that follows: 1.1 times the load
// when everything fails. Bursts of ten are free, so that a restart is followed at once.

/** Tries that failed, and how long to wait. Milliseconds. */
export interface Backoff {
  /** The wait before the next try, after a failure; `atLeast`: what the other side asked for. */
  delay(atLeast?: number): number
  /** It worked: the next failure starts from the beginning. The budget stays as it is. */
  reset(): void
}

const first = 250
const cap = 10_000
const burst = 10
const longest = 300_000

/** Creates it; `now` is monotonic, `random` gives [0, 1). */
export function createBackoff(now: () => number, random: () => number): Backoff {
  let failures = 0
  let tokens = burst
  let counted = now()
  return {
    delay(atLeast = 0) {
      const time = now()
      tokens = Math.min(burst, tokens + (time - counted) / cap)
      counted = time
      const jittered = random() * Math.min(cap, first * 2 ** Math.min(failures++, 10))
      // Out of budget, the wait is for the next token; jittered, so that followers do not march in step.
      const budgeted = tokens >= 1 ? jittered : Math.max(jittered, (1 - tokens) * cap * (1 + random() / 4))
      tokens -= 1
      return Math.min(longest, Math.max(budgeted, atLeast > 0 ? atLeast * (1 + random() / 4) : 0))
    },
    reset() {
      failures = 0
    },
  }
}
