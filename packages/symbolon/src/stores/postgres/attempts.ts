// Attempts to sign in: started, guessed at, sent again. A guess is charged here, in its own committed transaction,
// before anybody compares anything.

import type { AttemptStore, Budget, NewAttempt } from '#core'
import { attemptColumns, attemptOf, type Row } from '#stores/rows'
import type { Driver } from './driver.ts'
import { refusalCode } from './faults.ts'
import { createGroup } from './group.ts'
import { budgetJson } from './limits.ts'
import { createLookup } from './lookup.ts'
import { auditJson, auditLines, hex, orRefusal, selection, type Verbs } from './write.ts'

const rowOf = (names: readonly string[]) => `json_build_array(${selection(names, 'a', ['sealed_identifier', 'code_hash'])})`
const row = rowOf(attemptColumns)
/** As the first step left them: nodes of that version run on what it made. */
const firstColumns = attemptColumns.slice(0, 15)
const firstRow = rowOf(firstColumns)

/** Calls of one moment, each in a savepoint of its own; `held` is held before, in one order. */
const grouped = (name: string, held: string, one: string) => `
CREATE FUNCTION @${name}(calls jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  c jsonb;
  done json[] := '{}';
BEGIN
  ${held}PERFORM @hold_budgets((SELECT coalesce(jsonb_agg(b), '[]') FROM jsonb_array_elements(calls) x, jsonb_array_elements(x->'budgets') b));
  FOR c IN SELECT x FROM jsonb_array_elements(calls) x LOOP
    BEGIN
      done := done || ${one};
    EXCEPTION WHEN SQLSTATE '${refusalCode}' THEN
      done := done || json_build_object('refused', SQLERRM::json);
    END;
  END LOOP;
  RETURN array_to_json(done);
END $$;`
const holdAttempts =
  "PERFORM 1 FROM @attempts WHERE id_hash = ANY(ARRAY(SELECT x->>'hash' FROM jsonb_array_elements(calls) x)) ORDER BY id_hash FOR UPDATE;\n  "

export const attemptFunctions = `
CREATE FUNCTION @start_attempt(asked jsonb, budgets jsonb, lines jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint := @spend(budgets);
BEGIN
  INSERT INTO @attempts (${firstColumns.join(', ')})
    VALUES (asked->>'idHash', 'main', asked->>'clientId', asked->>'purpose', asked->>'method', decode(asked->>'sealedIdentifier', 'hex'), asked->>'bindingHash',
      decode(asked->>'codeHash', 'hex'), 0, (asked->>'maxTries')::integer, 1, now, now + (asked->>'lifetime')::bigint, now + (asked->>'resendAfter')::bigint, NULL);
  PERFORM @write_audit(lines, now, NULL);
  RETURN (SELECT ${firstRow} FROM @attempts a WHERE a.id_hash = asked->>'idHash');
END $$;${grouped('start_attempts', '', "@start_attempt(c->'attempt', c->'budgets', c->'audit')")}
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
  RETURN json_build_array(now, (SELECT ${firstRow} FROM @attempts a WHERE a.id_hash = hash));
END $$;${grouped('charge_attempts', holdAttempts, "@charge_attempt(c->>'hash', c->'budgets')")}
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
  RETURN (SELECT ${firstRow} FROM @attempts a WHERE a.id_hash = hash);
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

/** Calls of one moment with their places, what each spent, and whether that was allowed. */
const each = 'jsonb_array_elements(calls) WITH ORDINALITY AS e(x, n)'
const refusal = "spent->'done'->(n::integer - 1)"
const paid = `${refusal} = 'null'`

/** `@guess_attempts`: charges guesses of one moment. */
export const guessFunctions = `-- Of different attempts: each is charged once.
CREATE FUNCTION @guess_attempts(calls jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  asked text[] := ARRAY(SELECT x->>'hash' FROM jsonb_array_elements(calls) x);
  now bigint;
  living text[];
  spent jsonb;
BEGIN
  PERFORM 1 FROM @attempts WHERE id_hash = ANY(asked) ORDER BY id_hash FOR UPDATE;
  now := @time();
  -- One look into the index for each: as a list, all that live may be walked by the index of their ends.
  living := ARRAY(SELECT a.id_hash FROM unnest(asked) AS k(hash)
    CROSS JOIN LATERAL (SELECT id_hash, consumed_at, expires_at, tries, max_tries FROM @attempts WHERE id_hash = k.hash OFFSET 0) a
    WHERE a.consumed_at IS NULL AND now < a.expires_at AND a.tries < a.max_tries);
  spent := @spend_each((SELECT jsonb_agg(CASE WHEN x->>'hash' = ANY(living) THEN x->'budgets' ELSE '[]' END ORDER BY n) FROM ${each}));
  now := (spent->>'now')::bigint;
  UPDATE @attempts SET tries = tries + 1 WHERE id_hash = ANY(ARRAY(SELECT x->>'hash' FROM ${each} WHERE x->>'hash' = ANY(living) AND ${paid}));
  RETURN (SELECT json_agg(CASE
    WHEN NOT x->>'hash' = ANY(living) THEN '{"refused":{"outcome":"gone"}}'
    WHEN NOT ${paid} THEN json_build_object('refused', ${refusal})
    ELSE json_build_array(now, (SELECT ${row} FROM @attempts a WHERE a.id_hash = x->>'hash')) END ORDER BY n) FROM ${each});
END $$;
`

/** Attempts of several factors, and links: columns that an older node does not know, and verbs beside those that it calls. */
export const loginFunctions = `
ALTER TABLE @attempts ADD COLUMN state text, ADD COLUMN step integer NOT NULL DEFAULT 0, ADD COLUMN link_hash text, ADD COLUMN ends_at bigint,
  ADD COLUMN user_agent text, ADD COLUMN return_to text, ADD COLUMN user_id text COLLATE "C", ADD COLUMN proven text, ADD COLUMN sid text COLLATE "C", ADD COLUMN need text,
  ADD COLUMN action text;
CREATE FUNCTION @begin_attempts(calls jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  spent jsonb := @spend_each((SELECT jsonb_agg(x->'budgets' ORDER BY n) FROM ${each}));
  now bigint := (spent->>'now')::bigint;
BEGIN
  INSERT INTO @attempts (${attemptColumns.join(', ')})
    SELECT asked->>'idHash', 'main', asked->>'clientId', asked->>'purpose', asked->>'method', decode(asked->>'sealedIdentifier', 'hex'), asked->>'bindingHash',
      decode(asked->>'codeHash', 'hex'), 0, (asked->>'maxTries')::integer, 1, now, now + (asked->>'lifetime')::bigint, now + (asked->>'resendAfter')::bigint, NULL,
      coalesce(asked->>'state', 'verify'), 0, asked->>'linkHash', now + coalesce(asked->>'ends', asked->>'lifetime')::bigint, asked->>'userAgent',
      asked->>'returnTo', asked->>'userId', NULL, asked->>'sid', asked->>'need', asked->>'action'
    FROM (SELECT x->'attempt' AS asked FROM ${each} WHERE ${paid}) a;
  PERFORM @write_audit((SELECT coalesce(jsonb_agg(line), '[]') FROM ${each}, jsonb_array_elements(x->'audit') line WHERE ${paid}), now, NULL);
  RETURN (SELECT json_agg(CASE WHEN ${paid} THEN (SELECT ${row} FROM @attempts a WHERE a.id_hash = x->'attempt'->>'idHash')
    ELSE json_build_object('refused', ${refusal}) END ORDER BY n) FROM ${each});
END $$;
${guessFunctions}CREATE FUNCTION @renew_attempt(hash text, code text, link text, later bigint, most integer, budgets jsonb) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
  PERFORM @resend_attempt(hash, code, later, most, budgets);
  UPDATE @attempts SET link_hash = link WHERE id_hash = hash;
  RETURN (SELECT ${row} FROM @attempts a WHERE a.id_hash = hash);
END $$;
CREATE FUNCTION @advance_attempt(hash text, change jsonb, lines jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
BEGIN
  PERFORM 1 FROM @attempts WHERE id_hash = hash FOR UPDATE;
  now := @time();
  UPDATE @attempts SET state = change->>'state', step = step + 1, method = change->>'method', sealed_identifier = decode(change->>'sealedIdentifier', 'hex'),
    binding_hash = change->>'bindingHash', code_hash = decode(change->>'codeHash', 'hex'), link_hash = change->>'linkHash', user_id = change->>'userId', proven = change->>'proven',
    tries = (change->>'tries')::integer, max_tries = (change->>'maxTries')::integer, sends = (change->>'sends')::integer,
    expires_at = least(now + (change->>'lifetime')::bigint, created_at + (change->>'ends')::bigint), ends_at = created_at + (change->>'ends')::bigint,
    resend_at = now + (change->>'resendAfter')::bigint
    WHERE id_hash = hash AND step = (change->>'from')::integer AND consumed_at IS NULL AND coalesce(ends_at, expires_at) > now;
  IF NOT FOUND THEN PERFORM @refuse('{"outcome":"gone"}'); END IF;
  PERFORM @write_audit(lines, now, NULL);
  RETURN json_build_array(now, (SELECT ${row} FROM @attempts a WHERE a.id_hash = hash));
END $$;
CREATE FUNCTION @consume_attempt(hash text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
BEGIN
  PERFORM 1 FROM @attempts WHERE id_hash = hash FOR UPDATE;
  now := @time();
  UPDATE @attempts SET consumed_at = now WHERE id_hash = hash AND consumed_at IS NULL AND coalesce(ends_at, expires_at) > now;
  RETURN FOUND;
END $$;
`

/** An attempt as the database takes it. */
const askedOf = ({ sealedIdentifier, codeHash, need = null, ...rest }: NewAttempt) => ({
  ...rest,
  sealedIdentifier: hex(sealedIdentifier),
  codeHash: hex(codeHash),
  need: need === null ? null : JSON.stringify(need),
})

type Started = Awaited<ReturnType<AttemptStore['start']>>
type Charged = Awaited<ReturnType<AttemptStore['charge']>>

/** The verbs. */
export function createAttempts(driver: Driver, { call, background }: Verbs): AttemptStore {
  const text = `SELECT k.n::integer, json_build_array((SELECT @time()), ${row}) FROM unnest($1::text[]) WITH ORDINALITY AS k(hash, n) JOIN @attempts a ON a.id_hash = k.hash`
  const find = createLookup(driver, { name: 'find_attempts', text }, (found) => {
    const [now, attempt] = found as readonly [number, Row]
    return { now, attempt: attemptOf(attempt) }
  })
  const group = { flights: 2, perGroup: 32, patience: 700 }
  const start = createGroup({
    ...group,
    async run(inputs: readonly Parameters<AttemptStore['start']>[]): Promise<readonly Started[]> {
      const calls = inputs.map(([attempt, budgets, audit]) => ({
        attempt: askedOf(attempt),
        budgets,
        audit: auditLines(audit),
      }))
      const done = await call<(Row | { refused: Started })[]>({ name: 'begin_attempts', text: 'SELECT @begin_attempts($1)' }, [
        JSON.stringify(calls),
      ])
      return done.map((one) => ('refused' in one ? one.refused : { outcome: 'started', attempt: attemptOf(one) }))
    },
  })
  type Guess = { readonly hash: string; readonly budgets: readonly Budget[] }
  const guess = async (guesses: readonly Guess[]): Promise<readonly Charged[]> => {
    const statement = { name: 'guess_attempts', text: 'SELECT @guess_attempts($1)' }
    const done = await call<([number, Row] | { refused: Charged })[]>(statement, [JSON.stringify(guesses)])
    return done.map((one) => ('refused' in one ? one.refused : { outcome: 'charged', now: one[0], attempt: attemptOf(one[1]) }))
  }
  const charge = createGroup({
    ...group,
    async run(inputs: readonly Guess[]): Promise<readonly (Charged | Promise<Charged>)[]> {
      // Further guesses at one attempt are charged one by one.
      const first = inputs.filter(({ hash }, at) => inputs.findIndex((one) => one.hash === hash) === at)
      const done = await guess(first)
      return inputs.map((one) => done[first.indexOf(one)] ?? guess([one]).then(([charged]) => charged as Charged))
    },
  })
  return {
    start: (...input) => start(input),
    charge: (hash, budgets) => charge({ hash, budgets }),
    find,
    resend(idHash, { codeHash, linkHash = null, resendAfter, maxSends }, budgets) {
      const values = [idHash, hex(codeHash), linkHash, resendAfter, maxSends, budgetJson(budgets)]
      const resent = call<Row>({ name: 'renew_attempt', text: 'SELECT @renew_attempt($1, $2, $3, $4, $5, $6)' }, values)
      return orRefusal(resent.then((found) => ({ outcome: 'resent' as const, attempt: attemptOf(found) })))
    },
    advance(idHash, { sealedIdentifier, codeHash, proven, ...rest }, audit) {
      const bytes = { sealedIdentifier: hex(sealedIdentifier), codeHash: hex(codeHash), proven: JSON.stringify(proven) }
      const values = [idHash, JSON.stringify({ ...rest, ...bytes }), auditJson(audit)]
      const advanced = call<[number, Row]>({ name: 'advance_attempt', text: 'SELECT @advance_attempt($1, $2, $3)' }, values)
      return orRefusal(advanced.then(([now, found]) => ({ outcome: 'advanced' as const, now, attempt: attemptOf(found) })))
    },
    consume: (idHash) => call({ name: 'consume_attempt', text: 'SELECT @consume_attempt($1)' }, [idHash]),
    sweep: async (limit) => Number(await background({ name: 'sweep_attempts', text: 'SELECT @sweep_attempts($1)' }, [limit])),
  }
}
