// The database's errors, sorted: what is worth another try, what says that the database cannot be reached, what is the
// fault of the data alone; and each as an error of ours, with a sentence that says what to do.

import { SymbolonError } from '@symbolon/protocol'
import { closedError, closedSentence } from '#stores/rows'

/** An error as `pg` throws it; `code` is an SQLSTATE (PostgreSQL, appendix A) or one of the system's. */
export interface PgFault extends Error {
  readonly code?: string
}

/** Our own code for a verb that refuses and changes nothing; the message is its outcome as JSON. */
export const refusalCode = 'SY001'

/** Our own code for a statement that writes into what is closed to services. */
export const closedCode = 'SY002'

const codeOf = (error: unknown) => String((error as PgFault | null)?.code ?? '')

/** Whether it is an SQLSTATE, of the standard's classes, PostgreSQL's or ours; the system has codes of five letters, too (EPIPE). */
const isState = (code: string) => /^[0-9FHPSX][0-9A-Z]{4}$/.test(code)

/** `conflict`: try again. `data`: of what was asked, whoever asks it. `store`: of the database or the way to it. */
export function faultOf(error: unknown): 'conflict' | 'data' | 'store' {
  if (error instanceof SymbolonError) return 'store'
  const code = codeOf(error)
  if (code === '40P01' || code === '40001') return 'conflict'
  if (code === refusalCode || /^(?:21|22|23|P0)/.test(code)) return 'data'
  return 'store'
}

/** Whether it says that the database cannot be reached, is going down or has become a standby. */
export function isLost(error: unknown): boolean {
  if (error instanceof SymbolonError) return false
  const code = codeOf(error)
  if (/^(?:08|57P0|25006)/.test(code)) return true
  if (isState(code)) return false
  // What has no SQLSTATE did not come from the database: a connection refused, cut or silent.
  return true
}

/** Whether the database is there and has no room for one more connection. */
export const isFull = (error: unknown): boolean => codeOf(error) === '53300'

/** Whether the database itself did not say so. */
export const isOutside = (error: unknown): boolean => !(error instanceof SymbolonError) && !isState(codeOf(error))

/** Whether nothing came back in time, over a way that others may still use. */
export const isSilent = (error: unknown): boolean =>
  codeOf(error) === 'ETIMEDOUT' ||
  /^(?:Query read timeout|timeout expired|Connection terminated due to connection timeout)$/.test((error as Error | null)?.message ?? '')

/** Whether a statement waited too long for what somebody else holds. */
export const isLocked = (error: unknown): boolean => codeOf(error instanceof SymbolonError ? error.cause : error) === '55P03'

/** Whether the database itself said so, over a connection that is good for the next statement. */
export const isAnswer = (error: unknown): boolean => isState(codeOf(error)) && !isLost(error)

const sentences: readonly (readonly [RegExp, string])[] = [
  [/^28/, 'The database refuses this user; check name and password in its address.'],
  [/^3D000/, 'There is no such database; create it first (createdb), or mend the address.'],
  [/^42501/, 'The database user lacks rights; see “Rights” in docs/postgres.md.'],
  [/^(?:42P01|42883|3F000)/, 'The tables of Symbolon are missing or older than this version; run: symbolon migrate up'],
  [/^(?:53100|53200)/, 'The database has no room left (disk or memory); make room.'],
  [/^53300/, 'The database takes no more connections; raise max_connections or lower connections.'],
  [/^57014/, 'The database took too long for a statement.'],
  [/^55P03/, 'Somebody holds a lock in the database for too long.'],
  [/^25006/, 'The database is read-only (a standby?); the address must lead to the primary.'],
  [/^57P0/, 'The database is shutting down or starting.'],
  [/^(?:ENOTFOUND|EAI_AGAIN)/, 'The database’s host name is not known; check the address.'],
  [/^ECONNREFUSED/, 'Nothing answers at the database’s address; check that it runs.'],
]

/** A fault of the database as an error with a sentence that says what to do. */
export function storeError(error: unknown): SymbolonError {
  if (error instanceof SymbolonError) return error
  const code = codeOf(error)
  if (code === closedCode) return closedError(closedSentence)
  const sentence =
    sentences.find(([pattern]) => pattern.test(code))?.[1] ?? `The database cannot be reached or failed (${code || 'no answer'}).`
  const made = new SymbolonError('store_unavailable', { detail: sentence, cause: error, retryAfter: 2 })
  made.message = sentence
  return made
}
