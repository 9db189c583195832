// A schema as one side of a move: read in pages in order of key, written a page a statement. One connection does it all,
// and it alone passes the fence around a closed schema.

import { SymbolonError } from '@symbolon/protocol'
import {
  arrivedName,
  type CloseOutcome,
  type Closing,
  type CopyPosition,
  type CopySide,
  closingName,
  closingOf,
  columns,
  copiedTables,
  isHalfOf,
  isLasting,
  type Row,
  servingPrefix,
} from '#stores/rows'
import { dropFence, passFence, placeOf, raiseFence } from './closing.ts'
import { type Driver, openDriver } from './driver.ts'
import { checkStanding, migrate, standing } from './schema.ts'
import { driverOptions, type PostgresOptions } from './store.ts'
import { selection } from './write.ts'

type Query = Parameters<Parameters<Driver['alone']>[0]>[0]

const notes = async (query: Query) => {
  const rows = await query('SELECT name, value FROM @meta WHERE name = ANY($1)', [[closingName, arrivedName]])
  const value = (name: string) => rows.find((row) => row[0] === name)?.[1] as string | undefined
  return { closing: closingOf(value(closingName)), arrived: value(arrivedName) }
}
const setNote = (query: Query, name: string, value: string) =>
  query('INSERT INTO @meta VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value', [name, value])
const people = async (query: Query) =>
  Number((await query('SELECT (SELECT count(*) FROM @users) + (SELECT count(*) FROM @sessions)'))[0]?.[0])

/** Opens a schema as a side. `create`: its tables are made when they are missing; else they must be there. Throws as the store does. */
export async function openPostgresCopy(options: PostgresOptions & { readonly create: boolean }): Promise<CopySide> {
  const driver = openDriver(driverOptions(options))
  try {
    const at = await standing(driver)
    if (options.create) await migrate(driver)
    else if (at.steps === 0) {
      const sentence = `There is no data of Symbolon in ${placeOf(options.url, driver.schema)}; mend the address or its #schema.`
      throw Object.assign(new SymbolonError('invalid_option', { detail: sentence }), { message: sentence })
    }
    checkStanding(await standing(driver))
  } catch (error) {
    await driver.close()
    throw error
  }
  return sideOn(driver)
}

function sideOn(driver: Driver): CopySide {
  const alone = <T>(run: (query: Query) => Promise<T>) =>
    driver.alone(async (query) => {
      await query(passFence)
      return run(query)
    })
  /** In one transaction; undone when the answer is not what it was for. */
  const within = <T>(run: (query: Query) => Promise<T>, kept: (answer: T) => boolean = () => true) =>
    alone(async (query) => {
      await query('BEGIN')
      const answer = await run(query)
      await query(kept(answer) ? 'COMMIT' : 'ROLLBACK')
      return answer
    })
  const keyText = (key: readonly string[]) => key.map((one) => `t.${one}`).join(', ')
  const compared = (after: readonly (string | number)[]) =>
    after.map((one, at) => `$${at + 1}::${typeof one === 'number' ? 'bigint' : 'text'}`).join(', ')

  return {
    standing: () =>
      alone(async (query) => ({
        feedId: String((await query("SELECT feed_id FROM @feed_head WHERE tenant = 'main'"))[0]?.[0] ?? ''),
        people: await people(query),
        lasting: (await query('SELECT name, value FROM @meta'))
          .map((row) => row as unknown as readonly [string, string])
          .filter(([name]) => isLasting(name)),
        ...(await notes(query)),
      })),
    close: (wanted) =>
      within<CloseOutcome>(
        async (query) => {
          await query('LOCK TABLE @leases IN SHARE ROW EXCLUSIVE MODE')
          const [row] = await query(
            'SELECT @time()::float8, (SELECT max(until) FROM @leases WHERE starts_with(name, $1) AND until > @time())::float8',
            [servingPrefix],
          )
          const now = row?.[0] as number
          if (typeof row?.[1] === 'number') return { outcome: 'in_use', ms: Math.max(0, row[1] - now) }
          await query(raiseFence)
          const held = (await notes(query)).closing
          let { move } = wanted
          if (wanted.side === 'from') move = held?.move ?? move
          else if (held?.move !== move) {
            if (!isHalfOf(held, wanted) && (held !== undefined || (await people(query)) > 0)) return { outcome: 'not_empty' }
            await query(`TRUNCATE ${copiedTables.map(({ name }) => `@${name}`).join(', ')} RESTART IDENTITY`)
          }
          // By now nothing is under way any more: no time that was given out is later than this one.
          const [clock] = await query('SELECT @time()::float8')
          const at = clock?.[0] as number
          await query('UPDATE @clock SET at = greatest(at, $1)', [at])
          await setNote(query, closingName, JSON.stringify({ ...wanted, move, at } satisfies Closing))
          return { outcome: 'closed', move, now: at }
        },
        ({ outcome }) => outcome === 'closed',
      ),
    complete: (move, other) =>
      within(async (query) => {
        await query('SELECT 1 FROM @meta WHERE name = $1 FOR UPDATE', [closingName])
        const held = (await notes(query)).closing
        if (held?.side !== 'from' || held.move !== move || held.other !== other) return false
        await setNote(query, closingName, JSON.stringify({ ...held, complete: true } satisfies Closing))
        return true
      }),
    open: (arrived) =>
      within(async (query) => {
        if (arrived !== null) {
          await query('UPDATE @clock SET at = greatest(at, $1)', [arrived.now])
          await setNote(query, arrivedName, arrived.move)
          for (const [name, value] of arrived.lasting) await setNote(query, name, value)
          await query("SELECT setval(pg_get_serial_sequence('@audit', 'id'), coalesce(max(id), 1), max(id) IS NOT NULL) FROM @audit")
          // A planner that takes a full table for an empty one reads all of it.
          for (const { name } of copiedTables) await query(`ANALYZE @${name}`)
        }
        await query('DELETE FROM @meta WHERE name = $1', [closingName])
        await query(dropFence)
      }),
    count: ({ name }) => alone(async (query) => Number((await query(`SELECT count(*) FROM @${name}`))[0]?.[0])),
    last: ({ name, key }) =>
      alone(async (query) => {
        const order = key.map((one) => `t.${one} DESC`).join(', ')
        const [row] = await query(`SELECT json_build_array(${keyText(key)}) FROM @${name} t ORDER BY ${order} LIMIT 1`)
        return (row?.[0] ?? null) as CopyPosition
      }),
    page: ({ name, columns: names, key, bytes }, after, limit) =>
      alone(async (query) => {
        const from = after === null ? '' : `WHERE (${keyText(key)}) > (${compared(after)})`
        const text = `SELECT json_build_array(${selection(names, 't', bytes)}) FROM @${name} t ${from} ORDER BY ${keyText(key)} LIMIT ${limit}`
        return (await query(text, [...(after ?? [])])).map((row) => row[0] as Row)
      }),
    put: ({ name, columns: names, bytes }, rows) =>
      alone(async (query) => {
        const value = (column: string, one: unknown) => (bytes.includes(column) ? `\\x${one}` : one)
        const records = rows.map((row) => Object.fromEntries(names.map((column, at) => [column, value(column, row[at])])))
        await query(
          `INSERT INTO @${name} (${columns(names)}) OVERRIDING SYSTEM VALUE
           SELECT ${columns(names)} FROM json_populate_recordset(NULL::@${name}, $1) ON CONFLICT DO NOTHING`,
          [JSON.stringify(records)],
        )
      }),
    end: () => driver.close(),
  }
}
