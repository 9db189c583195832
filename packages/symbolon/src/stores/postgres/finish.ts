// The end of sign-ins: attempts consumed, people created, sessions opened, for calls of one moment in one transaction. What is
// special about one of them (a session is given up or replaced, a limit is reached, somebody is refused) is done in a
// savepoint of its own; all others together, which takes a third of the time.

import { clientColumns, userColumns } from '#stores/rows'
import { refusalCode } from './faults.ts'
import { sessionSelection } from './finder.ts'
import { userNow } from './glance.ts'
import { firstColumns, holdSignIns, opens, sessionsOf } from './sessions.ts'
import { live, liveBeside, selection } from './write.ts'

/** A sign-in whose attempt lives by its own end, and for which a session is given up. Rows are locked as everywhere: attempt, user, sessions. */
export const finishFunctions = `
CREATE FUNCTION @finish_one(asked jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  wanted jsonb := asked->'user';
  person text;
  now bigint;
  given text[] := '{}';
  opened jsonb;
BEGIN
  IF asked->>'attempt' IS NOT NULL AND NOT @consume_attempt(asked->>'attempt') THEN
    PERFORM @refuse('{"outcome":"attempt_gone"}');
  END IF;
  IF asked->>'ends' IS NOT NULL THEN
    person := coalesce(wanted->>'id', (SELECT u.id FROM @users u WHERE u.tenant = 'main' AND u.email = wanted->>'email'));
    PERFORM 1 FROM @users WHERE id = person FOR NO KEY UPDATE;
    now := @time();
    SELECT coalesce(array_agg(s.sid), '{}') INTO given FROM @sessions s
      WHERE s.sid = asked->>'ends' AND s.user_id = person AND s.client_id = asked->'session'->>'clientId' AND s.parent IS NULL AND ${live};
    given := @end_sessions(given, 'evicted', now);
  END IF;
  opened := @open_one(asked || '{"attempt":null,"audit":[]}')::jsonb;
  now := (opened->>'now')::bigint;
  IF (opened->>'created')::boolean THEN PERFORM @write_audit(wanted->'create'->'audit', now, NULL); END IF;
  PERFORM @write_audit(asked->'audit', now, opened->'snapshot'->1->>${userColumns.indexOf('id')});
  RETURN jsonb_set(opened, '{ended}', to_jsonb(given) || (opened->'ended'));
END $$;
${opens('finish_sessions', 'finish_one')}`

/** The calls, each with its place. */
const each = 'jsonb_array_elements(calls) WITH ORDINALITY AS e(x, n)'
/** Those that nothing is special about (`q`), as they are kept below: their places, whose they are, and whether that is somebody new. */
const quickOnes = `unnest(quick, people, fresh) AS f(n, person, made) CROSS JOIN LATERAL (SELECT calls->(f.n::integer - 1) AS q OFFSET 0) t`

/** A sign-in with a key that the person made during it. Their row is held by now. */
export const enrolOne = `
-- They must have none: else an e-mail's code would get past theirs. Asked first, before any session is counted or shown to be ended.
CREATE FUNCTION @enrol_one(asked jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  key jsonb := asked->'enrols';
  opened json;
  person text := coalesce(asked->'user'->>'id', (SELECT u.id FROM @users u WHERE u.tenant = 'main' AND u.email = asked->'user'->>'email'));
BEGIN
  IF EXISTS (SELECT 1 FROM @passkeys WHERE tenant = 'main' AND user_id = person)
    OR EXISTS (SELECT 1 FROM @user_handles WHERE tenant = 'main' AND user_id = person AND handle <> key->>'handle') THEN
    PERFORM @refuse('{"outcome":"enrolled"}');
  END IF;
  IF EXISTS (SELECT 1 FROM @passkeys WHERE tenant = 'main' AND id = key->'passkey'->>'id') THEN
    PERFORM @refuse('{"outcome":"key_taken"}');
  END IF;
  opened := @finish_one(asked);
  person := opened->'snapshot'->1->>${userColumns.indexOf('id')};
  IF @user_handle(person, key->>'handle') IS DISTINCT FROM key->>'handle' OR EXISTS (SELECT 1 FROM @passkeys WHERE tenant = 'main' AND user_id = person) THEN
    PERFORM @refuse('{"outcome":"enrolled"}');
  END IF;
  IF @add_passkey((key->'passkey') || jsonb_build_object('userId', person, 'audit', (
      SELECT coalesce(jsonb_agg(line || jsonb_build_object('userId', person)), '[]') FROM jsonb_array_elements(key->'audit') line)), 1)->>'outcome' <> 'added' THEN
    PERFORM @refuse('{"outcome":"key_taken"}');
  END IF;
  RETURN opened;
END $$;
`

/**
 * `@finish_group`: as `@finish_sessions`, of which it keeps every rule. A row that says itself what its user is at is not
 * asked for that by the trigger.
 */
export const finishGroupFunctions = `
CREATE OR REPLACE TRIGGER note_user BEFORE INSERT ON @sessions FOR EACH ROW WHEN (NEW.user_now IS NULL) EXECUTE FUNCTION @note_user();
${enrolOne}CREATE FUNCTION @finish_group(calls jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
  quick bigint[];
  people text[];
  fresh boolean[];
  made text[];
  tokens boolean := EXISTS (SELECT 1 FROM @feed WHERE kind = 'token');
  done json[] := '{}';
  places bigint[] := '{}';
  one json;
  c record;
  ended text[] := '{}';
BEGIN
${holdSignIns}  now := @time();
  -- Each attempt and each person once: a second sign-in of somebody is one that depends on the first.
  SELECT array_agg(a.n), array_agg(coalesce(a.person, a.x->'user'->'create'->>'id')), array_agg(a.person IS NULL) INTO quick, people, fresh FROM (
    SELECT e.n, e.x, p.id AS person, p.status,
      row_number() OVER (PARTITION BY e.x->>'attempt' ORDER BY e.n) AS nth,
      row_number() OVER (PARTITION BY coalesce(p.id, e.x->'user'->>'email') ORDER BY e.n) AS nth_of_person
    FROM ${each} LEFT JOIN LATERAL (
      SELECT u.id, u.status FROM @users u
      WHERE u.id = coalesce(e.x->'user'->>'id', (SELECT v.id FROM @users v WHERE v.tenant = 'main' AND v.email = e.x->'user'->>'email')) OFFSET 0) p ON true) a
  WHERE a.nth = 1 AND a.nth_of_person = 1 AND a.x->>'ends' IS NULL AND a.x->>'enrols' IS NULL AND a.x->>'replaces' IS NULL AND a.x->'session'->>'parent' IS NULL
    AND (a.status = 'active' OR a.person IS NULL AND a.x->'user'->>'id' IS NULL AND a.x->'user'->>'create' IS NOT NULL
      AND NOT @is_kept_address(a.x->'user'->>'email', NULL))
    AND EXISTS (SELECT 1 FROM @attempts t WHERE t.id_hash = a.x->>'attempt' AND t.consumed_at IS NULL AND coalesce(t.ends_at, t.expires_at) > now)
    AND EXISTS (SELECT 1 FROM @clients k WHERE k.tenant = 'main' AND k.id = a.x->'session'->>'clientId' AND k.status = 'active')
    AND ((a.x->>'maxSessions')::integer = 0 OR a.person IS NULL OR (a.x->>'maxSessions')::integer > (
      SELECT count(*) FROM ${sessionsOf('a.person')} s WHERE s.client_id = a.x->'session'->>'clientId' AND s.parent IS NULL AND ${liveBeside("a.x->'session'")}));
  WITH m AS (
    INSERT INTO @users (id, tenant, email, roles, status, epoch, created_at)
      SELECT q->'user'->'create'->>'id', 'main', q->'user'->>'email', q->'user'->'create'->>'roles', 'active', 1, now
      FROM ${quickOnes} WHERE f.made ORDER BY 3
      ON CONFLICT (tenant, email) DO NOTHING RETURNING id)
  SELECT coalesce(array_agg(id), '{}') INTO made FROM m;
  -- Whom somebody else created meanwhile is one of the special ones.
  IF cardinality(made) < cardinality(array_positions(fresh, true)) THEN
    SELECT array_agg(f.n), array_agg(f.person), array_agg(f.made) INTO quick, people, fresh
      FROM unnest(quick, people, fresh) AS f(n, person, made) WHERE NOT f.made OR f.person = ANY(made);
  END IF;
  UPDATE @attempts SET consumed_at = now WHERE id_hash = ANY(ARRAY(SELECT q->>'attempt' FROM ${quickOnes}));
  WITH x AS (
    INSERT INTO @sessions (${firstColumns.join(', ')}, user_now)
      SELECT s->>'sid', 'main', s->>'kind', NULL, s->>'clientId', u.id, u.epoch, app.epoch, now, now, s->>'acr', s->>'amr',
        now + (s->>'absolute')::bigint, (s->>'idle')::bigint, now, s->>'ip', s->>'userAgent', s->>'binding', 1, NULL, NULL, now, 0, 0,
        decode(s->>'credentialHash', 'hex'), decode(s->>'sealedKey', 'hex'), NULL, NULL, u.user_now
      FROM (SELECT f.person, q->'session' AS s FROM ${quickOnes}) a
      CROSS JOIN LATERAL (SELECT u.id, u.epoch, ${userNow('u')} AS user_now FROM @users u WHERE u.id = a.person OFFSET 0) u
      CROSS JOIN LATERAL (SELECT k.epoch FROM @clients k WHERE k.tenant = 'main' AND k.id = s->>'clientId' OFFSET 0) app
      RETURNING *)
  SELECT coalesce(array_agg(f.n), '{}'), coalesce(array_agg(json_build_object('created', f.made, 'ended', '[]'::json, 'now', now,
      'snapshot', json_build_array(json_build_array(${sessionSelection('x', firstColumns)}), json_build_array(${selection(userColumns, 'u')}),
        json_build_array(${selection(clientColumns, 'k')}), tokens))), '{}')
    INTO places, done
    FROM ${quickOnes} JOIN x ON x.sid = q->'session'->>'sid'
    CROSS JOIN LATERAL (SELECT u.* FROM @users u WHERE u.id = x.user_id OFFSET 0) u
    CROSS JOIN LATERAL (SELECT k.* FROM @clients k WHERE k.tenant = x.tenant AND k.id = x.client_id OFFSET 0) k;
  PERFORM @write_audit((SELECT coalesce(jsonb_agg(l.line ORDER BY l.n, l.of, l.nth), '[]') FROM (
      SELECT f.n, 1 AS of, nth, line FROM ${quickOnes}, jsonb_array_elements(q->'user'->'create'->'audit') WITH ORDINALITY AS d(line, nth)
        WHERE f.made
      UNION ALL
      SELECT f.n, 2, nth, line || jsonb_build_object('userId', f.person) FROM ${quickOnes}, jsonb_array_elements(q->'audit') WITH ORDINALITY AS d(line, nth)) l),
    now, NULL);
  FOR c IN SELECT e.x, e.n FROM ${each} WHERE NOT e.n = ANY(places) ORDER BY e.n LOOP
    BEGIN
      one := CASE WHEN c.x->>'enrols' IS NULL THEN @finish_one(c.x) ELSE @enrol_one(c.x) END;
      ended := ended || ARRAY(SELECT json_array_elements_text(one->'ended'));
    EXCEPTION WHEN SQLSTATE '${refusalCode}' THEN
      one := json_build_object('refused', SQLERRM::json);
    END;
    places := places || c.n;
    done := done || one;
  END LOOP;
  RETURN json_build_object('done', (SELECT json_agg(d ORDER BY n) FROM unnest(places, done) AS t(n, d)), 'log', @log(@ended_entries(ended, @time()), @time()));
END $$;
`
