// A verifier that follows a scripted feed: both are new for each test of a file, and gone after it.

import type { WireRevocation } from '@symbolon/protocol'
import { afterEach, beforeEach, expect } from 'vitest'
import { createVerifier, type Verifier, type VerifierEvent, type VerifierOptions } from '../../src/index.ts'
import { idOf, type ScriptedFeed, serveFeed, startWire, type Wire } from './wire.ts'

/** What a test has. */
export interface Follower {
  readonly wire: Wire
  readonly feed: ScriptedFeed
  /** The one that was started last. */
  readonly verifier: Verifier
  readonly events: VerifierEvent[]
  start(options?: Partial<VerifierOptions>): Verifier
  /** Until the verifier knows all that the feed has. */
  caughtUp(): Promise<void>
  /** What it says to a token of the n-th session. */
  codeOf(n: number): Promise<string>
  /** Why connections ended. */
  reasons(): readonly string[]
}

export const until = (check: () => unknown, timeout = 10_000) => expect.poll(check, { timeout, interval: 10 })

/** An entry that ends the n-th session. */
export const entryOf = (seq: number, n: number): WireRevocation => ({
  seq,
  kind: 'session',
  id: idOf(n),
  at: Date.now(),
  expires: Date.now() + 900_000,
})

/** Prepares the tests of a file. */
export function setFollower(): Follower {
  const verifiers: Verifier[] = []
  const one: { -readonly [K in keyof Follower]: Follower[K] } = {
    wire: undefined as never,
    feed: undefined as never,
    verifier: undefined as never,
    events: [],
    start(options = {}) {
      one.verifier = createVerifier({
        issuer: one.wire.issuer,
        clientId: 'api',
        clientSecret: 's',
        observe: (event) => one.events.push(event),
        ...options,
      })
      verifiers.push(one.verifier)
      return one.verifier
    },
    caughtUp: () => until(() => one.verifier.status().stalenessMs < 1000 && one.verifier.status().applied === one.feed.head).toBe(true),
    async codeOf(n) {
      const result = await one.verifier.verify(await one.wire.mint({ sid: idOf(n) }))
      return result.ok ? 'ok' : result.code
    },
    reasons: () => one.events.flatMap((event) => (event.event === 'reconnect' ? [event.reason] : [])),
  }
  beforeEach(async () => {
    one.wire = await startWire()
    one.feed = serveFeed(one.wire)
    one.events = []
  })
  afterEach(async () => {
    for (const each of verifiers.splice(0)) await each.close()
    one.feed.end()
    await one.wire.close()
  })
  return one
}
