// Sealed values: walked by the secret that they name, counted, and put in each other's place. Which secrets may have
// sealed anything is noted, so that a start need not walk through every session to know.

import type { SealChange, SealedKind, SealedRow, SealStore } from '#core'
import { type SealPlace, sealPlaces, sealWalk } from '#stores/rows'
import type { Driver } from './driver.ts'
import { hex, type Verbs } from './write.ts'

const replaces = (kind: SealedKind, { table, id, sealed }: SealPlace) => `
CREATE FUNCTION @reseal_${kind}(changes jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  held text[];
  n integer;
BEGIN
  -- Who holds several rows waits for none: what somebody else holds is left out here, and asked for again alone.
  IF jsonb_array_length(changes) > 1 THEN
    held := ARRAY(SELECT ${id} FROM @${table} WHERE ${id} IN (SELECT x->>'id' FROM jsonb_array_elements(changes) x) FOR NO KEY UPDATE SKIP LOCKED);
  ELSE
    held := ARRAY(SELECT ${id} FROM @${table} WHERE ${id} = changes->0->>'id' FOR NO KEY UPDATE);
  END IF;
  UPDATE @${table} t SET ${kind === 'session' ? 'mark = DEFAULT, ' : ''}${sealed} = decode(x->>'to', 'hex') FROM jsonb_array_elements(changes) x
    WHERE t.${id} = x->>'id' AND t.${id} = ANY(held) AND t.${sealed} = decode(x->>'from', 'hex');
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN json_build_object('changed', n, 'busy', ARRAY(
    SELECT ${id} FROM @${table} WHERE ${id} IN (SELECT x->>'id' FROM jsonb_array_elements(changes) x) AND NOT ${id} = ANY(held)));
END $$;
`
const kinds = Object.entries(sealPlaces) as readonly (readonly [SealedKind, SealPlace])[]
export const sealFunctions = kinds.map(([kind, place]) => replaces(kind, place)).join('')

const secretOf = (sealed: string) => `encode(substring(${sealed} FROM 2 FOR 8), 'hex')`
/** The next part: where it ends, and the store's time. */
const part = ({ table, id }: SealPlace, rows: number) =>
  `WITH e AS (SELECT @time() AS now, (SELECT ${id} FROM @${table} WHERE ${id} > $1 ORDER BY ${id} LIMIT 1 OFFSET ${rows - 1}) AS upto)`
const inside = ({ id, sealed }: SealPlace) => `${id} > $1 AND (e.upto IS NULL OR ${id} <= e.upto) AND length(${sealed}) > 0`

/** The verbs. Walks have the background's time: what is not in memory takes longer to walk by than a request may take. */
export function createSeals(driver: Driver, { call }: Verbs): SealStore {
  const replace = async (kind: SealedKind, changes: readonly SealChange[]): Promise<number> => {
    if (changes.length === 0) return 0
    const calls = changes.map(({ id, from, to }) => ({ id, from: hex(from), to: hex(to) }))
    const statement = { name: `reseal_${kind}`, text: `SELECT @reseal_${kind}($1)` }
    const { changed, busy } = await call<{ changed: number; busy: string[] }>(statement, [JSON.stringify(calls)])
    let sum = changed
    if (changes.length > 1)
      for (const id of busy)
        sum += await replace(
          kind,
          changes.filter((one) => one.id === id),
        )
    return sum
  }
  return {
    replace,
    async noted() {
      const text = "SELECT substr(name, 8) FROM @meta WHERE name LIKE 'secret %' ORDER BY value::bigint"
      return (await driver.read({ name: 'noted_secrets', text }, [])).map((row) => row[0] as string)
    },
    async note(secrets) {
      const text = `INSERT INTO @meta SELECT 'secret ' || s, ((SELECT coalesce(max(value::bigint), 0) FROM @meta WHERE name LIKE 'secret %') + n)::text
        FROM unnest($1::text[]) WITH ORDINALITY x(s, n) ON CONFLICT (name) DO UPDATE SET value = excluded.value`
      await call({ name: 'note_secrets', text }, [secrets])
    },
    async forget(secret) {
      await call({ name: 'forget_secret', text: "DELETE FROM @meta WHERE name = 'secret ' || $1" }, [secret])
    },
    async page(kind, which, after, limit) {
      const place = sealPlaces[kind]
      const [name, operator, secret] = 'under' in which ? ['under', '=', which.under] : ['but', '<>', which.notUnder]
      const text = `${part(place, sealWalk.page)}
        SELECT e.upto, coalesce((SELECT json_agg(json_build_array(id, kind, sealed) ORDER BY id) FROM (
          SELECT ${place.id} AS id, ${place.kind} AS kind, encode(${place.sealed}, 'hex') AS sealed FROM @${place.table}
          WHERE ${inside(place)} AND ${secretOf(place.sealed)} ${operator} $2 ORDER BY ${place.id} LIMIT $3) p), '[]'::json) FROM e`
      const [found] = await driver.background({ name: `sealed_${kind}_${name}`, text }, [after, secret, limit])
      const rows = ((found?.[1] ?? []) as readonly [string, SealedRow['kind'], string][]).map(([id, sort, sealed]): SealedRow => {
        return { id, kind: sort, sealed: new Uint8Array(Buffer.from(sealed, 'hex')) }
      })
      return { rows, next: rows.length === limit ? (rows.at(-1) as SealedRow).id : ((found?.[0] as string | null) ?? null) }
    },
    async count(kind, after) {
      const place = sealPlaces[kind]
      const text = `${part(place, sealWalk.count)}
        SELECT e.upto, coalesce((SELECT json_agg(json_build_object('secret', secret, 'count', n)) FROM (
          SELECT ${secretOf(place.sealed)} AS secret, count(*) AS n FROM @${place.table} WHERE ${inside(place)} AND ${place.wanted} GROUP BY 1) c), '[]'::json) FROM e`
      const [found] = await driver.background({ name: `count_${kind}`, text }, [after])
      return { counts: (found?.[1] ?? []) as { secret: string; count: number }[], next: (found?.[0] as string | null) ?? null }
    },
  }
}
