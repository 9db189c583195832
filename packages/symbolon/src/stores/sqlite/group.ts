// Group commit: whatever waits runs under one BEGIN IMMEDIATE, each verb in a savepoint of its own, with one flush for
// all. Nothing is answered before the commit; when the commit fails, everything in the group failed.

import type { Revocation } from '@symbolon/protocol'
import { closedError, closedSentence } from '#stores/rows'
import { closingIn } from './closing.ts'
import { begin, type Driver } from './driver.ts'
import { type Verb, verbs } from './verbs.ts'
import { Refusal, type Write, writeFeed } from './write.ts'

/** A call of a verb. */
export interface Call {
  readonly verb: Verb
  readonly input: readonly unknown[]
}

/** The answer of one verb: its value, or its own fault. */
export type Answer = { readonly value: unknown } | { readonly fault: string }

/** What a group did. */
export interface Committed {
  readonly answers: readonly Answer[]
  readonly logged: readonly Revocation[]
  /** The store's time in this transaction. */
  readonly now: number
  /** How long the calls took, and the flush after them. Milliseconds. */
  readonly ran: number
  readonly flushed: number
}

/** Runs a group of calls in one transaction. `wall`: what the clock says; the time taken never goes back. Throws when nothing could be committed. */
export function runGroup(db: Driver, calls: readonly Call[], wall: number, crashPoint: (step: string) => void): Committed {
  begin(db)
  const began = performance.now()
  const answers: Answer[] = []
  const logged: Revocation[] = []
  try {
    const before = Number(db.sql("SELECT value FROM meta WHERE name = 'clock'").get()?.[0] ?? 0)
    const now = Math.max(wall, before)
    if (closingIn(db) !== undefined && calls.some(({ verb }) => !verb.startsWith('copy.'))) throw closedError(closedSentence)
    for (const call of calls) answers.push(runOne({ db, now, feed: [], logged }, call))
    // To the second: it saves most commits a page.
    if (now - before >= 1000) db.sql("UPDATE meta SET value = ? WHERE name = 'clock'").run(now)
    crashPoint('commit.before')
    const ran = performance.now() - began
    db.exec('COMMIT')
    const flushed = performance.now() - began - ran
    crashPoint('commit.after')
    return { answers, logged, now, ran, flushed }
  } catch (error) {
    try {
      db.exec('ROLLBACK')
    } catch {
      // Some faults have ended the transaction themselves.
    }
    throw error
  }
}

function runOne(write: Write, { verb, input }: Call): Answer {
  const { db, logged } = write
  const length = logged.length
  db.sql('SAVEPOINT verb').run()
  try {
    const run = verbs[verb] as (write: Write, ...input: readonly unknown[]) => unknown
    const value = run(write, ...input)
    if (write.feed.length > 0) writeFeed(write)
    db.sql('RELEASE verb').run()
    return { value }
  } catch (error) {
    logged.length = length
    db.sql('ROLLBACK TO verb').run()
    db.sql('RELEASE verb').run()
    if (error instanceof Refusal) return { value: error.outcome }
    const code = String((error as { code?: unknown } | null)?.code ?? '')
    // What one call did wrong is its own fault alone.
    if (!code.startsWith('SQLITE_') || code.startsWith('SQLITE_CONSTRAINT')) return { fault: `${verb}: ${code || String(error)}` }
    // A database that is full or damaged fails the group: what came before in it must not be acknowledged either.
    throw error
  }
}
