// What travels when a store is moved, and what each store offers for it. Columns are those of the records, each row an
// array in their order; bytes stand as hexadecimal text in lower case, so that both sides' rows can be compared as text.

import type { Eventually } from '#core'
import type { Closing } from './closing.ts'
import {
  attemptColumns,
  auditColumns,
  clientColumns,
  feedColumns,
  keyColumns,
  passkeyColumns,
  type Row,
  sessionColumns,
  undoColumns,
  userColumns,
} from './rows.ts'
import { deliveryColumns, targetColumns } from './webhooks.ts'

/** A table that travels: whole, in order of its key. */
export interface CopiedTable {
  readonly name: string
  readonly columns: readonly string[]
  readonly key: readonly string[]
  /** Columns of bytes. */
  readonly bytes: readonly string[]
}

/** Every table but notes and leases. The clock travels by itself. */
export const copiedTables = [
  { name: 'users', columns: userColumns, key: ['id'], bytes: [] },
  { name: 'clients', columns: clientColumns, key: ['tenant', 'id'], bytes: [] },
  { name: 'keys', columns: keyColumns, key: ['kid'], bytes: ['sealed_private'] },
  { name: 'sessions', columns: sessionColumns, key: ['sid'], bytes: ['credential_hash', 'sealed_key'] },
  { name: 'attempts', columns: attemptColumns, key: ['id_hash'], bytes: ['sealed_identifier', 'code_hash'] },
  { name: 'passkeys', columns: passkeyColumns, key: ['tenant', 'id'], bytes: ['public_key'] },
  { name: 'address_undos', columns: undoColumns, key: ['id_hash'], bytes: [] },
  { name: 'user_handles', columns: ['tenant', 'user_id', 'handle'], key: ['tenant', 'user_id'], bytes: [] },
  { name: 'budgets', columns: ['tenant', 'key', 'arrival'], key: ['tenant', 'key'], bytes: [] },
  { name: 'used', columns: ['tenant', 'key', 'expires'], key: ['tenant', 'key'], bytes: [] },
  { name: 'audit', columns: ['id', ...auditColumns], key: ['id'], bytes: [] },
  { name: 'targets', columns: targetColumns, key: ['name'], bytes: [] },
  { name: 'deliveries', columns: deliveryColumns, key: ['target', 'audit_id'], bytes: [] },
  { name: 'feed', columns: feedColumns, key: ['tenant', 'seq'], bytes: [] },
  { name: 'feed_head', columns: ['tenant', 'feed_id', 'seq'], key: ['tenant'], bytes: [] },
] as const satisfies readonly CopiedTable[]

/** A place in a table: the key of a row; null before the first. */
export type CopyPosition = readonly (string | number)[] | null

/** How a store stands before it is moved, or moved to. */
export interface CopyStanding {
  readonly feedId: string
  /** Users and sessions, which a store must not have to be copied into. */
  readonly people: number
  readonly closing: Closing | undefined
  /** The last move that came to its end here. */
  readonly arrived: string | undefined
  /** Notes that go along: ids that the log had before, and a restore that has not come to its end. */
  readonly lasting: readonly (readonly [string, string])[]
}

/** Whether a note of a store goes along with its data. */
export const isLasting = (name: string) => name.startsWith('feed ') || name === 'restoring'

/** What opens a store behind a move: which one came to its end, a time that the clock must not go behind, notes that go along. */
export type Arrived = { readonly move: string; readonly now: number } & Pick<CopyStanding, 'lasting'>

/** What closing a store came to. `move`: that of the note, which a source keeps from the first time. `in_use`: for how long at most a service's claim still holds, in milliseconds. */
export type CloseOutcome =
  | { readonly outcome: 'closed'; readonly move: string; readonly now: number }
  | { readonly outcome: 'in_use'; readonly ms: number }
  | { readonly outcome: 'not_empty' }

/** One side of a move. */
export interface CopySide {
  standing(): Eventually<CopyStanding>
  /**
   * Closes the store to services, in one transaction that sees that none uses it: from then on every write but this side's
   * own is refused. With `side: 'to'` what a first start put there is removed, unless a half copy of this very move is there;
   * people are never removed but with a half copy of an earlier move of the same data.
   */
  close(closing: Omit<Closing, 'at'>): Promise<CloseOutcome>
  /** Notes that everything has arrived there; `false` when the store is open again, or is being moved elsewhere. */
  complete(move: string, other: string): Promise<boolean>
  /** Opens the store to services. */
  open(arrived: Arrived | null): Promise<void>
  count(table: CopiedTable): Eventually<number>
  /** The key of the last row. */
  last(table: CopiedTable): Eventually<CopyPosition>
  /** Rows after a position, in order of key. */
  page(table: CopiedTable, after: CopyPosition, limit: number): Eventually<readonly Row[]>
  /** Adds rows, all or none; those whose key is there stay as they are. */
  put(table: CopiedTable, rows: readonly Row[]): Promise<void>
  /** Lets the store go. */
  end(): Promise<void>
}

/** The key of a row. */
export const keyOfRow = ({ columns, key }: CopiedTable, row: Row): CopyPosition =>
  key.map((name) => row[columns.indexOf(name)] as string | number)

/** Whether a half copy can be gone on with, or be replaced: it is one of the same data. */
export const isHalfOf = (held: Closing | undefined, { feedId }: Pick<Closing, 'feedId'>) => held?.side === 'to' && held.feedId === feedId
