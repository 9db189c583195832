// Budgets by the generic cell rate algorithm, one row for each key: the theoretical arrival time. All are spent or none,
// whichever nodes spend them at the same time: rows are held in order of key until the verb has committed.

import type { Budget, LimitStore } from '#core'
import { orRefusal, type Verbs } from './write.ts'

/** `@spend_each`: the same for calls of one moment, one after the other: for each null, or what refuses it. Every row is written once, or twice where somebody is refused. */
export const spendFunctions = `
CREATE FUNCTION @spend_each(lists jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  now bigint := @time();
  before jsonb;
  held jsonb;
  spent jsonb;
  list jsonb;
  b jsonb;
  late bigint;
  wait bigint;
  next bigint;
  done jsonb[] := '{}';
  one text;
  quick boolean;
BEGIN
  -- All of them together, each key once and in order of key. As long as none is refused, what each finds is what all before it spent.
  WITH asked AS (
    SELECT l.i, y->>'key' AS key, ceil((y->>'window')::numeric / (y->>'limit')::bigint)::bigint AS cost, (y->>'window')::bigint + (y->>'limit')::bigint AS room
    FROM jsonb_array_elements(lists) WITH ORDINALITY AS l(x, i), jsonb_array_elements(l.x) y),
  summed AS (
    SELECT a.key, sum(a.cost)::bigint AS cost, min(a.room) AS room, count(*) = count(DISTINCT a.i) AS once FROM asked a GROUP BY a.key),
  written AS (
    INSERT INTO @budgets AS k (tenant, key, arrival) SELECT 'main', s.key, now + s.cost FROM summed s ORDER BY s.key
    ON CONFLICT (tenant, key) DO UPDATE SET arrival = greatest(now, k.arrival) + excluded.arrival - now
    RETURNING k.key, k.arrival)
  SELECT coalesce(bool_and(s.once AND w.arrival - now <= s.room), true), coalesce(jsonb_object_agg(s.key, w.arrival - s.cost), '{}')
    INTO quick, before FROM written w JOIN summed s ON s.key = w.key;
  IF quick THEN
    RETURN jsonb_build_object('now', @time(), 'done', (SELECT coalesce(jsonb_agg(NULL::text), '[]') FROM jsonb_array_elements(lists)));
  END IF;
  -- Somebody is refused: what was there before is spent anew, one after the other.
  held := before;
  FOR i IN 0..jsonb_array_length(lists) - 1 LOOP
    list := lists->i;
    late := 0;
    spent := '{}';
    FOR j IN 0..jsonb_array_length(list) - 1 LOOP
      b := list->j;
      next := greatest(now, (held->>(b->>'key'))::bigint) + ceil((b->>'window')::numeric / (b->>'limit')::bigint)::bigint;
      wait := next - now - (b->>'window')::bigint;
      -- Rounding up each interval must not take the last unit away.
      IF wait > (b->>'limit')::bigint THEN late := greatest(late, wait); END IF;
      spent := spent || jsonb_build_object(b->>'key', next);
    END LOOP;
    IF late > 0 THEN
      done := done || jsonb_build_object('outcome', 'limited', 'retryAfterMs', late);
    ELSE
      held := held || spent;
      done := done || 'null'::jsonb;
    END IF;
  END LOOP;
  FOR one IN SELECT jsonb_object_keys(held) LOOP
    UPDATE @budgets SET arrival = (held->>one)::bigint WHERE tenant = 'main' AND key = one;
  END LOOP;
  RETURN jsonb_build_object('now', @time(), 'done', to_jsonb(done));
END $$;
`

/** `@spend`: spends each budget once, or refuses with when to come back; the time at which it did. */
export const limitFunctions = `
CREATE FUNCTION @hold_budgets(wanted jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO @budgets (tenant, key, arrival)
    SELECT DISTINCT 'main', b->>'key', 0 FROM jsonb_array_elements(wanted) b ORDER BY 2 ON CONFLICT DO NOTHING;
  -- One look into the index for each key: for a list of them, the index may be walked by its first column alone.
  PERFORM 1 FROM (SELECT DISTINCT b->>'key' AS key FROM jsonb_array_elements(wanted) b ORDER BY 1) w
    CROSS JOIN LATERAL (SELECT 1 FROM @budgets k WHERE k.tenant = 'main' AND k.key = w.key FOR UPDATE) held;
END $$;
CREATE FUNCTION @spend(wanted jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
  late bigint := 0;
  wait bigint;
  one record;
  keys text[] := '{}';
  arrivals bigint[] := '{}';
BEGIN
  IF jsonb_array_length(wanted) = 0 THEN
    RETURN @time();
  END IF;
  PERFORM @hold_budgets(wanted);
  now := @time();
  FOR one IN
    SELECT s.key, s.arrival, (b->>'limit')::bigint AS most, (b->>'window')::bigint AS span
    FROM jsonb_array_elements(wanted) b
    JOIN LATERAL (SELECT k.key, k.arrival FROM @budgets k WHERE k.tenant = 'main' AND k.key = b->>'key' OFFSET 0) s ON true
  LOOP
    keys := keys || one.key;
    arrivals := arrivals || (greatest(now, one.arrival) + ceil(one.span::numeric / one.most)::bigint);
    wait := arrivals[cardinality(arrivals)] - now - one.span;
    IF wait > one.most THEN late := greatest(late, wait); END IF;
  END LOOP;
  IF late > 0 THEN
    PERFORM @refuse(jsonb_build_object('outcome', 'limited', 'retryAfterMs', late));
  END IF;
  FOR i IN 1..cardinality(keys) LOOP
    UPDATE @budgets SET arrival = arrivals[i] WHERE tenant = 'main' AND key = keys[i];
  END LOOP;
  RETURN now;
END $$;
CREATE FUNCTION @once(shown text, until bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  now bigint := @time();
  n integer;
BEGIN
  IF until <= now THEN
    RETURN false;
  END IF;
  INSERT INTO @used AS u (tenant, key, expires) VALUES ('main', shown, until)
    ON CONFLICT (tenant, key) DO UPDATE SET expires = excluded.expires WHERE u.expires <= now;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n = 1;
END $$;
CREATE FUNCTION @sweep_budgets(most integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  now bigint := @time();
  n bigint;
  m bigint;
BEGIN
  DELETE FROM @used WHERE ctid = ANY(ARRAY(SELECT ctid FROM @used WHERE expires <= now ORDER BY expires LIMIT most FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS n = ROW_COUNT;
  DELETE FROM @budgets WHERE ctid = ANY(ARRAY(SELECT ctid FROM @budgets WHERE arrival < now ORDER BY arrival LIMIT most FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS m = ROW_COUNT;
  RETURN n + m;
END $$;
`

/** Budgets as the database takes them. */
export const budgetJson = (budgets: readonly Budget[]) => JSON.stringify(budgets.map(({ key, limit, window }) => ({ key, limit, window })))

/** The verbs. */
export const createLimits = ({ call, background }: Verbs): LimitStore => ({
  once: (key, expires) => call({ name: 'once', text: 'SELECT @once($1, $2)' }, [key, Math.floor(expires)]),
  spend: (budgets) =>
    orRefusal(call({ name: 'spend', text: 'SELECT @spend($1)' }, [budgetJson(budgets)]).then(() => ({ outcome: 'spent' as const }))),
  sweep: async (limit) => Number(await background({ name: 'sweep_budgets', text: 'SELECT @sweep_budgets($1)' }, [limit])),
})
