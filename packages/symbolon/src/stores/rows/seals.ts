// Where sealed values stand: the table of each kind, and which rows are still of use. Both stores have the same names.

import type { SealedKind } from '#core'

/** A kind's place. `wanted` is a condition in which `now` is the store's time. */
export interface SealPlace {
  readonly table: string
  readonly id: string
  readonly sealed: string
  /** What selects a session's kind. */
  readonly kind: string
  readonly wanted: string
}

/** The places. */
export const sealPlaces: Readonly<Record<SealedKind, SealPlace>> = {
  session: {
    table: 'sessions',
    id: 'sid',
    sealed: 'sealed_key',
    kind: 'kind',
    wanted: 'revoked_at IS NULL AND expires_at > now AND last_seen_at + idle > now',
  },
  key: { table: 'keys', id: 'kid', sealed: 'sealed_private', kind: 'NULL', wanted: "state IN ('active', 'next')" },
  attempt: {
    table: 'attempts',
    id: 'id_hash',
    sealed: 'sealed_identifier',
    kind: 'NULL',
    wanted: 'consumed_at IS NULL AND expires_at > now',
  },
}

/** Rows walked by in one read, so that it stays short: under ten seconds with none of them in memory. */
export const sealWalk = { page: 1000, count: 5000 } as const

/** By how much a restore grows epochs: far more than anybody's ever grew between a backup and its restore, and room for many restores. */
export const epochLeap = 100_000
