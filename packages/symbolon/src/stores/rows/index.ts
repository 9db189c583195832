// The door of the rows: records to columns and back.

export {
  arrivedName,
  type Closing,
  closedError,
  closedSentence,
  closingName,
  closingOf,
  isClosed,
  sentenceOfClosing,
  servingPrefix,
} from './closing.ts'
export {
  type Arrived,
  type CloseOutcome,
  type CopiedTable,
  type CopyPosition,
  type CopySide,
  type CopyStanding,
  copiedTables,
  isHalfOf,
  isLasting,
  keyOfRow,
} from './copying.ts'
export {
  attemptColumns,
  attemptOf,
  auditColumns,
  auditOf,
  clientColumns,
  clientOf,
  columns,
  feedColumns,
  firstSessionColumns,
  keyColumns,
  keyOf,
  leaseOf,
  listOf,
  passkeyColumns,
  passkeyOf,
  type Row,
  revocationOf,
  sessionColumns,
  sessionOf,
  sessionSelection,
  undoColumns,
  undoOf,
  userColumns,
  userOf,
  weighty,
} from './rows.ts'
export { epochLeap, type SealPlace, sealPlaces, sealWalk } from './seals.ts'
export { countedAtMost, deliveryColumns, deliveryLife, targetColumns, targetOf, waitingOf } from './webhooks.ts'
