// Rows looked up by one key: those that are asked for in one moment share a statement, which begins after the last of them.

import type { Row } from '#stores/rows'
import type { Driver, Statement } from './driver.ts'
import { createGroup } from './group.ts'

/**
 * Creates a reader of one record by its key. The statement takes keys as `$1` and tells of each row its key's place, counted
 * from 1, and what `read` makes the record from.
 */
export function createLookup<T>(
  driver: Pick<Driver, 'read'>,
  statement: Statement,
  read: (row: Row) => T,
): (key: string) => Promise<T | undefined> {
  return createGroup({
    flights: 2,
    perGroup: 200,
    patience: 700,
    async run(asked: readonly string[]): Promise<readonly (T | undefined)[]> {
      const keys = [...new Set(asked)]
      const found = new Map<string, T>()
      for (const [place, row] of await driver.read(statement, [keys])) found.set(keys[(place as number) - 1] as string, read(row as Row))
      return asked.map((key) => found.get(key))
    },
  })
}
