// Closing a schema to services: a trigger on every table that refuses each statement that writes, so that a node that slept
// through the closing cannot write behind it, whatever it runs. It costs nothing while the schema is open: it is not there.

import { type Closing, closedError, closingName, closingOf, copiedTables, sentenceOfClosing } from '#stores/rows'
import type { Driver } from './driver.ts'
import { closedCode } from './faults.ts'
import { createGroup } from './group.ts'

export const closingFunctions = `
CREATE FUNCTION @refuse_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = '${closedCode}', MESSAGE = 'closed to services';
END $$;
`

const fenced = ['leases', 'clock', ...copiedTables.map(({ name }) => name)]

/** What a connection sets that may write all the same. */
export const passFence = "SET symbolon.copy = 'on'"

/** Waits for what is being written, and lets nothing begin. */
export const raiseFence = fenced
  .map(
    (name) =>
      `CREATE OR REPLACE TRIGGER closed BEFORE INSERT OR UPDATE OR DELETE ON @${name} FOR EACH STATEMENT
       WHEN (current_setting('symbolon.copy', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION @refuse_closed();`,
  )
  .join('\n')

/** Lets services write again. */
export const dropFence = fenced.map((name) => `DROP TRIGGER IF EXISTS closed ON @${name};`).join('\n')

/** How a command names a database: without user and password. */
export function placeOf(url: string, schema: string): string {
  const { host, pathname } = new URL(url)
  return `postgres://${host}${pathname}${schema === 'symbolon' ? '' : `#${schema}`}`
}

/** Refuses a schema that is closed to services, with a sentence that says where everything went. */
export async function checkOpen(driver: Pick<Driver, 'alone'>, place: string): Promise<void> {
  const rows = await driver.alone((query) => query('SELECT value FROM @meta WHERE name = $1', [closingName]))
  const closing: Closing | undefined = closingOf(rows[0]?.[0])
  if (closing !== undefined) throw closedError(sentenceOfClosing(closing, place))
}

/** Creates the verb that tells whether the schema is open to services: after it was asked, by one statement for all who ask at once. */
export function createIsOpen(driver: Pick<Driver, 'read'>): () => Promise<boolean> {
  const text = 'SELECT value FROM @meta WHERE name = $1'
  const ask = createGroup({
    async run(asked: readonly null[]) {
      const rows = await driver.read({ name: 'is_open', text }, [closingName])
      const open = closingOf(rows[0]?.[0]) === undefined
      return asked.map(() => open)
    },
    flights: 1,
    perGroup: 20_000,
    patience: 700,
  })
  return () => ask(null)
}
