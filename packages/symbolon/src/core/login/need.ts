// What a step-up must reach: one of the classes that are asked for, if any are, and never less than its session has. So no
// step-up makes a session weaker, and `auth_time` always tells of a proof at the level that stands beside it.

import type { Need, Proof } from '../model.ts'
import { type Level, levels, reached } from './levels.ts'

const rankOf = (acr: string, rows: readonly Level[]) => rows.findIndex((row) => row.acr === acr)

/** Whether a level is one that was asked for, and no weaker than `floor`. One that is not in the table is below all. */
const suffices = (acr: string, need: Need, floor: string, rows: readonly Level[]) =>
  (need.acrValues === undefined || need.acrValues.length === 0 || need.acrValues.includes(acr)) && rankOf(acr, rows) >= rankOf(floor, rows)

/** The levels that are enough. `floor`: the level that the session stands at. */
export const sufficient = (need: Need, floor: string, rows: readonly Level[] = levels): readonly string[] =>
  rows.map(({ acr }) => acr).filter((acr) => suffices(acr, need, floor, rows))

/** Whether proofs reach one of these levels, which are enough, and no less than `floor`. */
export function meets(proven: readonly Proof[], acrs: readonly string[], floor: string, rows: readonly Level[] = levels): boolean {
  const level = reached(proven, rows)
  return level !== undefined && acrs.includes(level.acr) && rankOf(level.acr, rows) >= rankOf(floor, rows)
}

/** Whether a way of proving can be part of what is enough. */
export function canMeet(method: string, need: Need, floor: string, rows: readonly Level[] = levels): boolean {
  return rows.some((row) => row.proven.some((group) => group.includes(method)) && suffices(row.acr, need, floor, rows))
}

/** Whether something more can make proofs enough: they are a part of one of these levels. */
export function isPart(proven: readonly Proof[], acrs: readonly string[], rows: readonly Level[] = levels): boolean {
  const has = (group: readonly string[]) => proven.some(({ method }) => group.includes(method))
  return rows.some((row) => acrs.includes(row.acr) && row.proven.some(has) && !row.proven.every(has))
}
