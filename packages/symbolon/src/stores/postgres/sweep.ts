// Clean-up of sessions that ended over a day ago, in batches that stay short however large the table is. What was revoked
// or passed its absolute end is found by an index; what was left idle, by a walk through the table's pages. It takes no row
// that somebody holds, and waits for nobody.

import type { Verbs } from './write.ts'

export const sweepFunctions = `
CREATE FUNCTION @sweep_sessions(most integer, walked integer, parts integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  before bigint := @time() - 86400000;
  pages bigint;
  page bigint;
  upto bigint;
  low tid;
  high tid;
  n bigint;
  deleted bigint;
BEGIN
  -- Lists of places, so that each row is found once, by the index that its end is in, whatever the planner takes the table for.
  DELETE FROM @sessions WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM @sessions WHERE revoked_at < before ORDER BY revoked_at LIMIT most FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS deleted = ROW_COUNT;
  IF deleted < most THEN
    DELETE FROM @sessions WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM @sessions WHERE expires_at < before ORDER BY expires_at LIMIT most - deleted FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    deleted := deleted + n;
  END IF;
  IF deleted >= most THEN
    RETURN deleted;
  END IF;
  -- Those left idle, by walking on through the table's pages, a part each time: an index on last seen would cost every
  -- refresh a page. As the pages lie, not by sid, which would read one for each row. A row that moves is not idle.
  SELECT CASE WHEN value ~ '^[0-9]+$' THEN value::bigint ELSE 0 END INTO page FROM @meta WHERE name = 'swept' FOR UPDATE;
  pages := pg_relation_size('@sessions') / current_setting('block_size')::bigint;
  FOR part IN 1..parts LOOP
    IF page >= pages THEN page := 0; END IF;
    upto := least(page + walked, pages);
    low := format('(%s,0)', page)::tid;
    high := format('(%s,0)', upto)::tid;
    DELETE FROM @sessions WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM @sessions WHERE ctid >= low AND ctid < high AND last_seen_at + idle < before LIMIT most - deleted FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    -- There may be more in it.
    EXIT WHEN n >= most - deleted;
    page := upto;
    EXIT WHEN n > 0 OR upto >= pages;
  END LOOP;
  UPDATE @meta SET value = page::text WHERE name = 'swept';
  RETURN deleted + n;
END $$;
`

/** Pages looked through at once, 8 MB or some 13,000 sessions, and how many times when nothing was found. */
const walked = 1000
const parts = 8

/** Deletes at most `limit`; returns how many. */
export const sweepSessions = async ({ background }: Pick<Verbs, 'background'>, limit: number): Promise<number> =>
  Number(await background({ name: 'sweep_sessions', text: 'SELECT @sweep_sessions($1, $2, $3)' }, [limit, walked, parts]))
