// The door of the rows: records to columns and back.

export {
  attemptColumns,
  attemptOf,
  auditColumns,
  auditOf,
  clientColumns,
  clientOf,
  columns,
  feedColumns,
  keyColumns,
  keyOf,
  leaseOf,
  type Row,
  revocationOf,
  sessionColumns,
  sessionOf,
  sessionSelection,
  userColumns,
  userOf,
  weighty,
} from './rows.ts'
export { epochLeap, type SealPlace, sealPlaces, sealWalk } from './seals.ts'
