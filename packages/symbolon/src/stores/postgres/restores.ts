// The steps of a restore: a new id for the log, epochs that nobody was ever given, no sign-in left under way. What was
// begun is noted, so that it can be taken up again, and so that nobody serves from it in between.

import type { RestoreStore } from '#core'
import { epochLeap } from '#stores/rows'
import type { Driver } from './driver.ts'
import { auditJson, feedLife, headOf, type Logged, type Verbs } from './write.ts'

const perBatch = 500

const grows = (what: 'user' | 'client') => `
CREATE FUNCTION @grow_${what}s(since text) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
  ids text[];
  entries jsonb;
BEGIN
  ids := ARRAY(SELECT id FROM @${what}s WHERE tenant = 'main' AND id > since ORDER BY id LIMIT ${perBatch});
  -- In their order, as everybody who holds several of them does.
  PERFORM 1 FROM @${what}s WHERE tenant = 'main' AND id = ANY(ids) ORDER BY id FOR NO KEY UPDATE;
  now := @time();
  WITH g AS (
    UPDATE @${what}s SET mark = DEFAULT, epoch = epoch + ${epochLeap} WHERE tenant = 'main' AND id = ANY(ids) RETURNING id, epoch)
  SELECT coalesce(jsonb_agg(jsonb_build_object('kind', '${what}', 'id', id, 'epoch', epoch, 'expires', now + ${feedLife[what]}) ORDER BY id), '[]')
    INTO entries FROM g;
  RETURN json_build_object('count', cardinality(ids), 'next', CASE WHEN cardinality(ids) = ${perBatch} THEN ids[${perBatch}] END, 'log', @log(entries, now));
END $$;
`

export const restoreFunctions = `
CREATE FUNCTION @begin_restore(former text, kids jsonb, lines jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
  entries jsonb;
BEGIN
  IF former IS NOT NULL THEN
    INSERT INTO @meta VALUES ('feed ' || former, '') ON CONFLICT (name) DO NOTHING;
  END IF;
  INSERT INTO @meta VALUES ('restoring', @time()::text) ON CONFLICT (name) DO NOTHING;
  IF FOUND THEN
    now := @time();
    PERFORM @renew_feed((SELECT h.feed_id FROM @feed_head h WHERE h.tenant = 'main'));
    PERFORM @write_audit(lines, now, NULL);
  END IF;
  now := @time();
  SELECT coalesce(jsonb_agg(jsonb_build_object('kind', 'key', 'id', k, 'state', 'revoked', 'expires', NULL)), '[]') INTO entries
    FROM jsonb_array_elements_text(kids) k
    WHERE NOT EXISTS (SELECT 1 FROM @keys WHERE kid = k)
    AND NOT EXISTS (SELECT 1 FROM @feed WHERE kind = 'key' AND id = k AND state = 'revoked');
  RETURN json_build_object('log', @log(entries, now), 'cut', (SELECT value::bigint FROM @meta WHERE name = 'restoring'));
END $$;
CREATE FUNCTION @drop_attempts(most integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
BEGIN
  DELETE FROM @attempts WHERE id_hash IN (SELECT id_hash FROM @attempts ORDER BY id_hash LIMIT most FOR UPDATE);
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
CREATE FUNCTION @end_restore(lines jsonb) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM @meta WHERE name = 'restoring';
  IF FOUND THEN PERFORM @write_audit(lines, @time(), NULL); END IF;
  RETURN @head();
END $$;
${grows('user')}${grows('client')}`

/** The verbs. */
export function createRestores(driver: Driver, { call, logging }: Verbs): RestoreStore {
  return {
    async pending() {
      const [row] = await driver.read({ name: 'pending_restore', text: "SELECT value::float8 FROM @meta WHERE name = 'restoring'" }, [])
      return row === undefined ? undefined : { cut: row[0] as number }
    },
    async had(feedId) {
      const text =
        "SELECT EXISTS (SELECT 1 FROM @feed_head WHERE tenant = 'main' AND feed_id = $1) OR EXISTS (SELECT 1 FROM @meta WHERE name = 'feed ' || $1)"
      return (await driver.read({ name: 'had_feed', text }, [feedId]))[0]?.[0] === true
    },
    async begin({ former, kids, audit }) {
      const statement = { name: 'begin_restore', text: 'SELECT @begin_restore($1, $2, $3)' }
      const { cut, log } = await logging<{ cut: number; log: Logged }>(statement, [former, JSON.stringify(kids), auditJson(audit)])
      return { cut, head: headOf(log.head) }
    },
    async grow(what, after) {
      const statement = { name: `grow_${what}s`, text: `SELECT @grow_${what}s($1)` }
      const { count, next } = await logging<{ count: number; next: string | null; log: Logged }>(statement, [after])
      return { count, next }
    },
    dropAttempts: async (limit) => Number(await call({ name: 'drop_attempts', text: 'SELECT @drop_attempts($1)' }, [limit])),
    end: async (audit) => headOf(await call({ name: 'end_restore', text: 'SELECT @end_restore($1)' }, [auditJson(audit)])),
  }
}
