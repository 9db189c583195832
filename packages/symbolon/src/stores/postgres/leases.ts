// Jobs that run once, whichever node they run on: who holds one, until when, and when it last came to its end.

import type { LeaseStore } from '#core'
import { leaseOf, type Row } from '#stores/rows'
import type { Driver } from './driver.ts'
import type { Verbs } from './write.ts'

export const leaseFunctions = `
CREATE FUNCTION @take_lease(job text, who text, lasts bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  now bigint := @time();
BEGIN
  -- Those that a dead holder left, and that never ran, leave nothing behind.
  DELETE FROM @leases WHERE name IN (
    SELECT name FROM @leases WHERE until <= now AND ran_at IS NULL AND name <> job FOR UPDATE SKIP LOCKED);
  INSERT INTO @leases AS l (name, holder, until, ran_at) VALUES (job, who, now + lasts, NULL)
    ON CONFLICT (name) DO UPDATE SET holder = who, until = now + lasts WHERE l.until <= now OR l.holder = who;
  RETURN FOUND;
END $$;
CREATE FUNCTION @release_lease(job text, who text, ran boolean) RETURNS void LANGUAGE sql VOLATILE AS $$
  UPDATE @leases SET until = 0, ran_at = CASE WHEN ran THEN @time() ELSE ran_at END WHERE name = job AND holder = who;
  DELETE FROM @leases WHERE name = job AND holder = who AND ran_at IS NULL
$$;
`

/** The verbs. */
export function createLeases(driver: Driver, { call }: Verbs): LeaseStore {
  return {
    take: (name, holder, lasts) => call({ name: 'take_lease', text: 'SELECT @take_lease($1, $2, $3)' }, [name, holder, lasts]),
    async release(name, holder, ran) {
      await call({ name: 'release_lease', text: 'SELECT @release_lease($1, $2, $3)' }, [name, holder, String(ran)])
    },
    async list() {
      const text =
        "SELECT @time()::float8, coalesce(json_agg(json_build_array(name, holder, until, ran_at) ORDER BY name), '[]'::json) FROM @leases"
      const [row] = await driver.read({ name: 'list_leases', text }, [])
      return { now: row?.[0] as number, leases: ((row?.[1] ?? []) as readonly Row[]).map((one) => leaseOf(one)) }
    },
  }
}
