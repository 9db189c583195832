// Budgets by the generic cell rate algorithm, one row for each key: the theoretical arrival time. All are spent or none,
// whichever nodes spend them at the same time: rows are held in order of key until the verb has committed.

import type { Budget, LimitStore } from '#core'
import { orRefusal, type Verbs } from './write.ts'

/** `@spend_each`: the same for calls of one moment, one after the other: for each null, or what refuses it. Every row is written once. */
export const spendFunctions = `
CREATE FUNCTION @spend_each(lists jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
  before jsonb;
  held jsonb;
  spent jsonb;
  list jsonb;
  b jsonb;
  late bigint;
  slack bigint;
  next bigint;
  done jsonb[] := '{}';
  one text;
  quick boolean;
BEGIN
  PERFORM @hold_budgets((SELECT coalesce(jsonb_agg(x), '[]') FROM jsonb_array_elements(lists) l, jsonb_array_elements(l) x));
  now := @time();
  -- As long as none is refused, what each finds is what all before it spent: a running sum.
  WITH asked AS (
    SELECT l.i, y->>'key' AS key, ceil((y->>'window')::numeric / (y->>'limit')::bigint)::bigint AS cost, (y->>'window')::bigint AS span, (y->>'limit')::bigint AS most
    FROM jsonb_array_elements(lists) WITH ORDINALITY AS l(x, i), jsonb_array_elements(l.x) y),
  run AS (
    SELECT a.i, a.key, a.span, a.most, k.place,
      greatest(now, k.arrival) + sum(a.cost) OVER (PARTITION BY a.key ORDER BY a.i ROWS UNBOUNDED PRECEDING)::bigint AS upto
    FROM asked a CROSS JOIN LATERAL (SELECT ctid AS place, arrival FROM @budgets WHERE tenant = 'main' AND key = a.key OFFSET 0) k),
  verdict AS (
    SELECT coalesce(bool_and(fits), true) AS fit
    FROM (SELECT max(r.upto - now - r.span) <= max(r.most) AND count(*) = count(DISTINCT r.key) AS fits FROM run r GROUP BY r.i) v),
  written AS (
    UPDATE @budgets w SET arrival = f.upto FROM (SELECT r.place, max(r.upto) AS upto FROM run r GROUP BY r.place) f
    WHERE (SELECT fit FROM verdict) AND w.ctid = f.place)
  SELECT fit INTO quick FROM verdict;
  IF quick THEN
    RETURN jsonb_build_object('now', now, 'done', (SELECT coalesce(jsonb_agg(NULL::text), '[]') FROM jsonb_array_elements(lists)));
  END IF;
  SELECT coalesce(jsonb_object_agg(k.key, k.arrival), '{}') INTO before
    FROM (SELECT DISTINCT x->>'key' AS key FROM jsonb_array_elements(lists) l, jsonb_array_elements(l) x) w
    CROSS JOIN LATERAL (SELECT key, arrival FROM @budgets WHERE tenant = 'main' AND key = w.key OFFSET 0) k;
  held := before;
  FOR i IN 0..jsonb_array_length(lists) - 1 LOOP
    list := lists->i;
    late := 0;
    slack := 0;
    spent := '{}';
    FOR j IN 0..jsonb_array_length(list) - 1 LOOP
      b := list->j;
      next := greatest(now, (held->>(b->>'key'))::bigint) + ceil((b->>'window')::numeric / (b->>'limit')::bigint)::bigint;
      late := greatest(late, next - now - (b->>'window')::bigint);
      slack := greatest(slack, (b->>'limit')::bigint);
      spent := spent || jsonb_build_object(b->>'key', next);
    END LOOP;
    IF late > slack THEN
      done := done || jsonb_build_object('outcome', 'limited', 'retryAfterMs', late);
    ELSE
      held := held || spent;
      done := done || 'null'::jsonb;
    END IF;
  END LOOP;
  FOR one IN SELECT h.key FROM jsonb_each_text(held) h WHERE h.value <> before->>h.key LOOP
    UPDATE @budgets SET arrival = (held->>one)::bigint WHERE tenant = 'main' AND key = one;
  END LOOP;
  RETURN jsonb_build_object('now', now, 'done', to_jsonb(done));
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
  slack bigint := 0;
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
    late := greatest(late, arrivals[cardinality(arrivals)] - now - one.span);
    slack := greatest(slack, one.most);
  END LOOP;
  IF late > slack THEN
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
export const createLimits = ({ call }: Verbs): LimitStore => ({
  once: (key, expires) => call({ name: 'once', text: 'SELECT @once($1, $2)' }, [key, Math.floor(expires)]),
  spend: (budgets) =>
    orRefusal(call({ name: 'spend', text: 'SELECT @spend($1)' }, [budgetJson(budgets)]).then(() => ({ outcome: 'spent' as const }))),
  sweep: async (limit) => Number(await call({ name: 'sweep_budgets', text: 'SELECT @sweep_budgets($1)' }, [limit])),
})
