// A store that is closed to services: its data was moved, or a copy into it is not finished. What is noted of it, and the
// sentence that every start on it is refused with. The note names places by host and database, never with a password.

import { SymbolonError } from '@symbolon/protocol'

/** Why a store is closed. `from`: its data is moved elsewhere; `to`: it is filled from elsewhere. */
export interface Closing {
  readonly side: 'from' | 'to'
  /** The feed of the data that is moved; a copy goes on only with the same one. */
  readonly feedId: string
  /** Drawn anew when a source is closed: what was copied before it was open again is worth nothing. */
  readonly move: string
  /** Where the data goes, or comes from. */
  readonly other: string
  /** Milliseconds since 1970 by the store's clock. */
  readonly at: number
  /** Whether everything has arrived. */
  readonly complete: boolean
}

/** The note's name among a store's notes; a note of the last copy that came to its end stands beside it. */
export const closingName = 'closed'
/** The name of the note of the last move that came to its end here. */
export const arrivedName = 'arrived'
/** Leases by which services say that they use a store begin with this. */
export const servingPrefix = 'serving '

const mark = { closed: true } as const

/** A refusal that `isClosed` knows. */
export function closedError(sentence: string): SymbolonError {
  const error = new SymbolonError('store_unavailable', { detail: sentence, cause: mark, retryAfter: 60 })
  error.message = sentence
  return error
}

/** Whether a store refused because it is closed to services. */
export const isClosed = (error: unknown): boolean =>
  error instanceof SymbolonError && (error.cause as { closed?: unknown } | undefined)?.closed === true

/** What a verb says that met the mark without reading the note. */
export const closedSentence = 'The data was moved to another store, or a copy into it is not finished; nothing was written.'

/** What a start is refused with; `place`: the store, as a command would name it. */
export function sentenceOfClosing({ side, other, complete }: Closing, place: string): string {
  if (side === 'to')
    return `${place} holds an unfinished copy of ${other}; run the same \`symbolon store copy\` again to finish it, or start there.`
  return complete
    ? `The data of ${place} was moved to ${other}; start the service there, or undo it: symbolon store reopen ${place}`
    : `The data of ${place} is being moved to ${other} and has not all arrived; run the same \`symbolon store copy\` again, or undo it: symbolon store reopen ${place}`
}

/** A note as it was written; `undefined` for none. */
export const closingOf = (text: unknown): Closing | undefined =>
  typeof text === 'string' && text !== '' ? (JSON.parse(text) as Closing) : undefined
