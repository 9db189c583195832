// Attempts to sign in: started, guessed at, sent again. A guess is charged here, in its own committed transaction,
// before anybody compares anything.

import type { AttemptStore, Budget } from '#core'
import { attemptColumns, attemptOf, type Row } from '#stores/rows'
import type { Driver } from './driver.ts'
import { refusalCode } from './faults.ts'
import { createGroup } from './group.ts'
import { budgetJson } from './limits.ts'
import { auditLines, hex, orRefusal, selection, type Verbs, withBytes } from './write.ts'

const row = `json_build_array(${selection(attemptColumns, 'a', ['sealed_identifier', 'code_hash'])})`

export const attemptFunctions = `
CREATE FUNCTION @start_attempt(asked jsonb, budgets jsonb, lines jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint := @spend(budgets);
BEGIN
  INSERT INTO @attempts (${attemptColumns.join(', ')})
    VALUES (asked->>'idHash', 'main', asked->>'clientId', asked->>'purpose', asked->>'method', decode(asked->>'sealedIdentifier', 'hex'), asked->>'bindingHash',
      decode(asked->>'codeHash', 'hex'), 0, (asked->>'maxTries')::integer, 1, now, now + (asked->>'lifetime')::bigint, now + (asked->>'resendAfter')::bigint, NULL);
  PERFORM @write_audit(lines, now, NULL);
  RETURN (SELECT ${row} FROM @attempts a WHERE a.id_hash = asked->>'idHash');
END $$;
CREATE FUNCTION @start_attempts(calls jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  c jsonb;
  done json[] := '{}';
BEGIN
  PERFORM @hold_budgets((SELECT coalesce(jsonb_agg(b), '[]') FROM jsonb_array_elements(calls) x, jsonb_array_elements(x->'budgets') b));
  FOR c IN SELECT x FROM jsonb_array_elements(calls) x LOOP
    BEGIN
      done := done || @start_attempt(c->'attempt', c->'budgets', c->'audit');
    EXCEPTION WHEN SQLSTATE '${refusalCode}' THEN
      done := done || json_build_object('refused', SQLERRM::json);
    END;
  END LOOP;
  RETURN array_to_json(done);
END $$;
CREATE FUNCTION @living_attempt(hash text) RETURNS @attempts LANGUAGE plpgsql AS $$
DECLARE
  one @attempts;
BEGIN
  SELECT * INTO one FROM @attempts WHERE id_hash = hash FOR UPDATE;
  IF NOT FOUND OR one.consumed_at IS NOT NULL OR @time() >= one.expires_at OR one.tries >= one.max_tries THEN
    PERFORM @refuse('{"outcome":"gone"}');
  END IF;
  RETURN one;
END $$;
CREATE FUNCTION @charge_attempt(hash text, budgets jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
BEGIN
  PERFORM @living_attempt(hash);
  now := @spend(budgets);
  UPDATE @attempts SET tries = tries + 1 WHERE id_hash = hash;
  RETURN json_build_array(now, (SELECT ${row} FROM @attempts a WHERE a.id_hash = hash));
END $$;
CREATE FUNCTION @charge_attempts(calls jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  c jsonb;
  done json[] := '{}';
BEGIN
  PERFORM 1 FROM @attempts WHERE id_hash = ANY(ARRAY(SELECT x->>'hash' FROM jsonb_array_elements(calls) x)) ORDER BY id_hash FOR UPDATE;
  PERFORM @hold_budgets((SELECT coalesce(jsonb_agg(b), '[]') FROM jsonb_array_elements(calls) x, jsonb_array_elements(x->'budgets') b));
  FOR c IN SELECT x FROM jsonb_array_elements(calls) x LOOP
    BEGIN
      done := done || @charge_attempt(c->>'hash', c->'budgets');
    EXCEPTION WHEN SQLSTATE '${refusalCode}' THEN
      done := done || json_build_object('refused', SQLERRM::json);
    END;
  END LOOP;
  RETURN array_to_json(done);
END $$;
CREATE FUNCTION @resend_attempt(hash text, code text, later bigint, most integer, budgets jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  one @attempts := @living_attempt(hash);
  now bigint := @time();
BEGIN
  IF one.sends >= most THEN
    PERFORM @refuse(jsonb_build_object('outcome', 'limited', 'retryAfterMs', one.expires_at - now));
  END IF;
  IF now < one.resend_at THEN
    PERFORM @refuse(jsonb_build_object('outcome', 'limited', 'retryAfterMs', one.resend_at - now));
  END IF;
  now := @spend(budgets);
  UPDATE @attempts SET code_hash = decode(code, 'hex'), sends = sends + 1, resend_at = now + later WHERE id_hash = hash;
  RETURN (SELECT ${row} FROM @attempts a WHERE a.id_hash = hash);
END $$;
CREATE FUNCTION @sweep_attempts(most integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  before bigint := @time() - 3600000;
  n bigint;
BEGIN
  DELETE FROM @attempts WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM @attempts WHERE expires_at < before ORDER BY expires_at LIMIT most FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
`

const recordOf = (found: Row) => attemptOf(withBytes(found, [5, 7]))

type Started = Awaited<ReturnType<AttemptStore['start']>>
type Charged = Awaited<ReturnType<AttemptStore['charge']>>

/** The verbs. */
export function createAttempts(driver: Driver, { call }: Verbs): AttemptStore {
  const group = { flights: 2, perGroup: 32, patience: 700 }
  const start = createGroup({
    ...group,
    async run(inputs: readonly Parameters<AttemptStore['start']>[]): Promise<readonly Started[]> {
      const calls = inputs.map(([attempt, budgets, audit]) => ({
        attempt: { ...attempt, sealedIdentifier: hex(attempt.sealedIdentifier), codeHash: hex(attempt.codeHash) },
        budgets,
        audit: auditLines(audit),
      }))
      const done = await call<(Row | { refused: Started })[]>({ name: 'start_attempts', text: 'SELECT @start_attempts($1)' }, [
        JSON.stringify(calls),
      ])
      return done.map((one) => ('refused' in one ? one.refused : { outcome: 'started', attempt: recordOf(one) }))
    },
  })
  const charge = createGroup({
    ...group,
    async run(inputs: readonly { readonly hash: string; readonly budgets: readonly Budget[] }[]): Promise<readonly Charged[]> {
      const statement = { name: 'charge_attempts', text: 'SELECT @charge_attempts($1)' }
      const done = await call<([number, Row] | { refused: Charged })[]>(statement, [JSON.stringify(inputs)])
      return done.map((one) => ('refused' in one ? one.refused : { outcome: 'charged', now: one[0], attempt: recordOf(one[1]) }))
    },
  })
  return {
    start: (...input) => start(input),
    charge: (hash, budgets) => charge({ hash, budgets }),
    async find(idHash) {
      const text = `SELECT @time()::float8, ${row} FROM @attempts a WHERE a.id_hash = $1`
      const [found] = await driver.read({ name: 'find_attempt', text }, [idHash])
      return found === undefined ? undefined : { now: found[0] as number, attempt: recordOf(found[1] as Row) }
    },
    resend(idHash, { codeHash, resendAfter, maxSends }, budgets) {
      const values = [idHash, hex(codeHash), resendAfter, maxSends, budgetJson(budgets)]
      const resent = call<Row>({ name: 'resend_attempt', text: 'SELECT @resend_attempt($1, $2, $3, $4, $5)' }, values)
      return orRefusal(resent.then((found) => ({ outcome: 'resent' as const, attempt: recordOf(found) })))
    },
    sweep: async (limit) => Number(await call({ name: 'sweep_attempts', text: 'SELECT @sweep_attempts($1)' }, [limit])),
  }
}
