// What webhook targets are still to be told. A line of the audit log and what waits for it are written in one transaction,
// so that nothing hangs on the order in which numbers become visible: a line whose transaction commits late waits from its
// commit on, like any other. What waits goes when it was delivered, or is parked after its budget, for an operator.

import type { WebhookStore } from '#core'
import { auditColumns, countedAtMost, deliveryLife, type Row, targetOf, waitingOf } from '#stores/rows'
import type { Driver } from './driver.ts'
import { selection, type Verbs } from './write.ts'

/** How a delivery ended. Rows are locked in the order of whoever has all sent again: the target, then what waits for it. */
export const deliveryNotes = `
CREATE FUNCTION @delivery_done(whose text, line bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  now bigint := @time();
BEGIN
  PERFORM 1 FROM @targets WHERE name = whose AND (failures > 0 OR coalesce(delivered_at, 0) < now - 1000) FOR NO KEY UPDATE;
  IF FOUND THEN
    UPDATE @targets SET failures = 0, failing_since = NULL, retry_at = 0, fault = NULL, delivered_at = now WHERE name = whose;
  END IF;
  DELETE FROM @deliveries WHERE target = whose AND audit_id = line;
END $$;
CREATE FUNCTION @delivery_failed(whose text, line bigint, why text, wait bigint, target_wait bigint, budget bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  now bigint := @time();
  before bigint := now - budget;
  failing bigint;
  n bigint;
BEGIN
  PERFORM 1 FROM @targets WHERE name = whose FOR NO KEY UPDATE;
  UPDATE @deliveries SET tries = tries + 1, due_at = now + wait, fault = why WHERE target = whose AND audit_id = line AND parked_at IS NULL;
  IF NOT FOUND THEN RETURN 0; END IF;
  UPDATE @targets SET failures = failures + 1, failing_since = coalesce(failing_since, now), retry_at = now + target_wait, fault = why
    WHERE name = whose RETURNING failing_since INTO failing;
  UPDATE @deliveries SET parked_at = now WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM @deliveries WHERE target = whose AND parked_at IS NULL AND since <= before AND (audit_id = line OR failing <= before)
    LIMIT ${deliveryLife.perBatch} FOR UPDATE));
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
`

export const webhookSchema = `
CREATE TABLE @targets (
  name text COLLATE "C" PRIMARY KEY, tenant text COLLATE "C" NOT NULL, lines text NOT NULL, created_at bigint NOT NULL,
  named_at bigint NOT NULL, failures integer NOT NULL, failing_since bigint, retry_at bigint NOT NULL, fault text, delivered_at bigint)
  WITH (fillfactor = 50);
CREATE TABLE @deliveries (
  target text COLLATE "C" NOT NULL, audit_id bigint NOT NULL, tenant text COLLATE "C" NOT NULL, since bigint NOT NULL,
  tries integer NOT NULL, due_at bigint NOT NULL, parked_at bigint, fault text, PRIMARY KEY (target, audit_id))
  WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX deliveries_due ON @deliveries (target, due_at, audit_id) WHERE parked_at IS NULL;
CREATE INDEX deliveries_parked ON @deliveries (parked_at) WHERE parked_at IS NOT NULL;
-- What it writes for its callers is what it always wrote; those who know nothing of targets tell them, too.
CREATE OR REPLACE FUNCTION @write_audit(lines jsonb, now bigint, of_user text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF jsonb_array_length(write_audit.lines) = 0 THEN RETURN; END IF;
  WITH w AS (
    INSERT INTO @audit (at, tenant, event, user_id, sid, client_id, ip, detail)
    SELECT now, 'main', l->>'event', coalesce(of_user, l->>'userId'), l->>'sid', l->>'clientId', l->>'ip', l->>'detail'
    FROM jsonb_array_elements(write_audit.lines) WITH ORDINALITY AS x(l, n) ORDER BY n
    RETURNING id, event)
  INSERT INTO @deliveries (target, audit_id, tenant, since, tries, due_at)
  SELECT t.name, w.id, 'main', now, 0, now FROM w JOIN @targets t ON t.lines::jsonb ? w.event;
END $$;
CREATE FUNCTION @name_targets(named jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  now bigint := @time();
BEGIN
  INSERT INTO @targets (name, tenant, lines, created_at, named_at, failures, retry_at)
    SELECT n->>'name', 'main', n->>'lines', now, now, 0, 0 FROM jsonb_array_elements(named) n ORDER BY n->>'name'
    ON CONFLICT (name) DO UPDATE SET lines = excluded.lines, named_at = excluded.named_at;
END $$;
${deliveryNotes}
CREATE FUNCTION @retry_deliveries(whose text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  now bigint := @time();
  n bigint;
BEGIN
  UPDATE @targets SET failures = 0, failing_since = NULL, retry_at = 0 WHERE name = whose;
  UPDATE @deliveries SET parked_at = NULL, tries = 0, since = now, due_at = now, fault = NULL WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM @deliveries WHERE target = whose AND (parked_at IS NOT NULL OR tries > 0) LIMIT ${deliveryLife.perBatch} FOR UPDATE));
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
CREATE FUNCTION @sweep_deliveries(most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  now bigint := @time();
  old record;
  n bigint;
  deleted bigint;
BEGIN
  DELETE FROM @deliveries WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM @deliveries WHERE parked_at < now - ${deliveryLife.parked} ORDER BY parked_at LIMIT most FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS deleted = ROW_COUNT;
  FOR old IN SELECT name FROM @targets WHERE named_at < now - ${deliveryLife.unnamed} LOOP
    DELETE FROM @deliveries WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM @deliveries WHERE target = old.name LIMIT most - deleted FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS n = ROW_COUNT;
    deleted := deleted + n;
    EXIT WHEN deleted >= most;
    DELETE FROM @targets WHERE name = old.name AND named_at < now - ${deliveryLife.unnamed};
    deleted := deleted + 1;
  END LOOP;
  RETURN deleted;
END $$;
`

const line = selection(auditColumns, 'a')
const count = (which: string) =>
  `(SELECT count(*) FROM (SELECT 1 FROM @deliveries WHERE target = t.name AND parked_at ${which} LIMIT ${countedAtMost}) x)`

/** The verbs. */
export function createWebhooks(driver: Driver, { call, background }: Verbs): WebhookStore {
  return {
    async name(targets) {
      const named = targets.map(({ name, lines }) => ({ name, lines: JSON.stringify(lines) }))
      await call({ name: 'name_targets', text: 'SELECT @name_targets($1)' }, [JSON.stringify(named)])
    },
    async due(names, limit) {
      const text = `SELECT json_build_array(d.target, d.audit_id, d.tries, t.failures, ${line})
        FROM unnest($1::text[]) AS n(name) JOIN @targets t ON t.name = n.name
        CROSS JOIN LATERAL (
          SELECT target, audit_id, tries, due_at FROM @deliveries
          WHERE target = t.name AND t.retry_at <= (SELECT @time()) AND parked_at IS NULL AND due_at <= (SELECT @time())
          ORDER BY due_at, audit_id LIMIT $2) d
        LEFT JOIN @audit a ON a.id = d.audit_id ORDER BY d.target, d.due_at, d.audit_id`
      return (await driver.read({ name: 'due_deliveries', text }, [names, limit])).map((row) => waitingOf(row[0] as Row))
    },
    async done(target, id) {
      await call({ name: 'delivery_done', text: 'SELECT @delivery_done($1, $2)' }, [target, id])
    },
    async failed(target, id, { fault, wait, targetWait, budget }) {
      const text = 'SELECT @delivery_failed($1, $2, $3, $4, $5, $6)'
      return Number(await call({ name: 'delivery_failed', text }, [target, id, fault, Math.round(wait), Math.round(targetWait), budget]))
    },
    retry: async (target) => Number(await call({ name: 'retry_deliveries', text: 'SELECT @retry_deliveries($1)' }, [target])),
    async list() {
      const text = `SELECT json_build_array(name, created_at, named_at, failures, failing_since, retry_at, fault, delivered_at,
        ${count('IS NULL')}, ${count('IS NOT NULL')}) FROM @targets t ORDER BY name`
      return (await driver.read({ name: 'list_targets', text }, [])).map((row) => targetOf(row[0] as Row))
    },
    sweep: async (limit) => Number(await background({ name: 'sweep_deliveries', text: 'SELECT @sweep_deliveries($1)' }, [limit])),
  }
}
