// Sessions: opened, rotated, touched, ended. Rows are locked in one order everywhere: attempt, user, parent, sessions by
// sid, and the feed's head last. Each statement of these functions sees what committed before it began, so that one who
// waited for a lock sees what the holder did. Several rows are asked for as a list: then no plan made while the table was
// small can walk through all of it.

import type { OpenOutcome, OpenSession, Revoked, RevokeTarget, Rotation, SessionStore, Touch } from '#core'
import { clientColumns, firstSessionColumns, type Row, sessionColumns, sessionOf, userColumns } from '#stores/rows'
import type { Driver } from './driver.ts'
import { perBatch } from './ending.ts'
import { refusalCode } from './faults.ts'
import { createFinder, sessionSelection, snapshotOf } from './finder.ts'
import { createGlance } from './glance.ts'
import { createGroup } from './group.ts'
import { askedOf as passkeyAsked } from './passkeys.ts'
import { createRaise } from './raise.ts'
import { sweepSessions } from './sweep.ts'
import { auditJson, auditLines, feedLife, headOf, hex, type Logged, live, liveBeside, selection, type Verbs } from './write.ts'

/** All of a user, found by whose they are: else all that live may be walked by the index of their ends, as long as a plan lives that was made when they were few. */
export const sessionsOf = (user: string) => `(SELECT * FROM @sessions WHERE user_id = ${user} OFFSET 0)`
/** Those that `open_one` was written with. */
export const firstColumns = sessionColumns.slice(0, firstSessionColumns)

/** Takes what sign-ins of one moment (`calls`) are about to change. */
export const holdSignIns = `  -- Held in one order before anything is done, so that no two groups wait for each other.
  PERFORM 1 FROM @attempts WHERE id_hash = ANY(ARRAY(SELECT x->>'attempt' FROM jsonb_array_elements(calls) x)) ORDER BY id_hash FOR UPDATE;
  PERFORM 1 FROM @users WHERE id = ANY(ARRAY(
      SELECT coalesce(x->'user'->>'id', (SELECT u.id FROM @users u WHERE u.tenant = 'main' AND u.email = x->'user'->>'email'))
      FROM jsonb_array_elements(calls) x))
    ORDER BY id FOR NO KEY UPDATE;
`

/** Sign-ins of one moment, each in a savepoint of its own. */
export const opens = (name: string, one: string) => `CREATE FUNCTION @${name}(calls jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  c jsonb;
  one json;
  done json[] := '{}';
  ended text[] := '{}';
BEGIN
${holdSignIns}  FOR c IN SELECT x FROM jsonb_array_elements(calls) x LOOP
    BEGIN
      one := @${one}(c);
      ended := ended || ARRAY(SELECT json_array_elements_text(one->'ended'));
    EXCEPTION WHEN SQLSTATE '${refusalCode}' THEN
      one := json_build_object('refused', SQLERRM::json);
    END;
    done := done || one;
  END LOOP;
  RETURN json_build_object('done', array_to_json(done), 'log', @log(@ended_entries(ended, @time()), @time()));
END $$;
`

export const sessionFunctions = `
CREATE FUNCTION @end_sessions(first text[], reason text, now bigint) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  family text[] := first;
  why text := reason;
  done text[];
  ended text[] := '{}';
BEGIN
  WHILE cardinality(family) > 0 LOOP
    PERFORM 1 FROM @sessions WHERE sid = ANY(family) ORDER BY sid FOR NO KEY UPDATE;
    WITH e AS (
      UPDATE @sessions SET mark = DEFAULT, revoked_at = now, revoked_reason = why
      WHERE sid = ANY(family) AND revoked_at IS NULL RETURNING sid)
    SELECT coalesce(array_agg(sid), '{}') INTO done FROM e;
    ended := ended || done;
    -- A child opened meanwhile held its parent: it has committed, and is seen here.
    SELECT coalesce(array_agg(sid), '{}') INTO family FROM @sessions WHERE parent = ANY(family) AND revoked_at IS NULL;
    why := 'parent';
  END LOOP;
  RETURN ended;
END $$;
CREATE FUNCTION @ended_entries(sids text[], now bigint) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object('kind', 'session', 'id', sid, 'expires', now + ${feedLife.user}) ORDER BY n), '[]')
  FROM unnest(sids) WITH ORDINALITY AS e(sid, n)
$$;
CREATE FUNCTION @open_one(asked jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  s jsonb := asked->'session';
  wanted jsonb := asked->'user';
  most integer := (asked->>'maxSessions')::integer;
  now bigint;
  person record;
  made boolean := false;
  app record;
  over text[];
  evicted text[] := '{}';
  replaced text[] := '{}';
BEGIN
  IF asked->>'attempt' IS NOT NULL THEN
    PERFORM 1 FROM @attempts WHERE id_hash = asked->>'attempt' FOR UPDATE;
    now := @time();
    UPDATE @attempts SET consumed_at = now WHERE id_hash = asked->>'attempt' AND consumed_at IS NULL AND expires_at > now;
    IF NOT FOUND THEN PERFORM @refuse('{"outcome":"attempt_gone"}'); END IF;
  END IF;
  LOOP
    IF wanted->>'id' IS NOT NULL THEN
      SELECT id, status INTO person FROM @users WHERE id = wanted->>'id' FOR NO KEY UPDATE;
    ELSE
      SELECT id, status INTO person FROM @users WHERE tenant = 'main' AND email = wanted->>'email' FOR NO KEY UPDATE;
    END IF;
    EXIT WHEN FOUND;
    IF wanted->>'id' IS NOT NULL OR wanted->>'create' IS NULL THEN PERFORM @refuse('{"outcome":"user_unknown"}'); END IF;
    INSERT INTO @users (id, tenant, email, roles, status, epoch, created_at)
      VALUES (wanted->'create'->>'id', 'main', wanted->>'email', wanted->'create'->>'roles', 'active', 1, @time())
      ON CONFLICT (tenant, email) DO NOTHING;
    made := FOUND;
  END LOOP;
  IF person.status <> 'active' THEN PERFORM @refuse('{"outcome":"user_disabled"}'); END IF;
  SELECT status, epoch INTO app FROM @clients WHERE tenant = 'main' AND id = s->>'clientId';
  IF app.status IS DISTINCT FROM 'active' THEN PERFORM @refuse('{"outcome":"client_disabled"}'); END IF;
  IF s->>'parent' IS NOT NULL THEN
    PERFORM 1 FROM @sessions WHERE sid = s->>'parent' AND revoked_at IS NULL FOR SHARE;
    IF NOT FOUND THEN PERFORM @refuse('{"outcome":"parent_gone"}'); END IF;
  END IF;
  now := @time();
  IF most > 0 THEN
    SELECT coalesce(array_agg(sid ORDER BY last_seen_at, created_at), '{}') INTO over FROM ${sessionsOf('person.id')} s
      WHERE client_id = asked->'session'->>'clientId' AND parent IS NULL AND ${liveBeside("asked->'session'")}
      AND sid <> coalesce(asked->>'replaces', '');
    IF cardinality(over) >= most THEN
      IF asked->>'onLimit' = 'deny' THEN PERFORM @refuse('{"outcome":"limit"}'); END IF;
      evicted := @end_sessions(over[1:cardinality(over) - most + 1], 'evicted', now);
    END IF;
  END IF;
  IF asked->>'replaces' IS NOT NULL THEN
    replaced := @end_sessions(ARRAY[asked->>'replaces'], 'replaced', now);
  END IF;
  INSERT INTO @sessions (${firstColumns.join(', ')})
    SELECT s->>'sid', 'main', s->>'kind', s->>'parent', s->>'clientId', person.id, u.epoch, app.epoch, now, now, s->>'acr', s->>'amr',
      now + (s->>'absolute')::bigint, (s->>'idle')::bigint, now, s->>'ip', s->>'userAgent', s->>'binding', 1, NULL, NULL, now, 0, 0,
      decode(s->>'credentialHash', 'hex'), decode(s->>'sealedKey', 'hex'), NULL, NULL
    FROM @users u WHERE u.id = person.id;
  PERFORM @write_audit(asked->'audit', now, person.id);
  RETURN json_build_object('created', made, 'ended', array_to_json(evicted || replaced), 'now', now, 'snapshot', (
    SELECT json_build_array(json_build_array(${sessionSelection('x', firstColumns)}), json_build_array(${selection(userColumns, 'u')}), json_build_array(${selection(clientColumns, 'c')}),
      EXISTS (SELECT 1 FROM @feed WHERE kind = 'token'))
    FROM @sessions x JOIN @users u ON u.id = x.user_id JOIN @clients c ON c.tenant = x.tenant AND c.id = x.client_id WHERE x.sid = s->>'sid'));
END $$;
${opens('open_sessions', 'open_one')}CREATE FUNCTION @hold_sessions(calls jsonb) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
  -- Who holds several rows waits for none: what somebody else holds is left out here, and asked for again alone.
  IF jsonb_array_length(calls) > 1 THEN
    RETURN ARRAY(SELECT sid FROM @sessions WHERE sid = ANY(ARRAY(SELECT x->>'sid' FROM jsonb_array_elements(calls) x)) FOR NO KEY UPDATE SKIP LOCKED);
  END IF;
  RETURN ARRAY(SELECT sid FROM @sessions WHERE sid = calls->0->>'sid' FOR NO KEY UPDATE);
END $$;
CREATE FUNCTION @rotate(calls jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
  c jsonb;
  held text[];
  done text[] := '{}';
BEGIN
  held := @hold_sessions(calls);
  now := @time();
  FOR c IN SELECT x FROM jsonb_array_elements(calls) x LOOP
    IF NOT c->>'sid' = ANY(held) THEN
      done := done || 'busy'::text;
      CONTINUE;
    END IF;
    UPDATE @sessions s SET mark = DEFAULT,
      predecessor = CASE WHEN c->>'as' = 'rotated' THEN s.generation ELSE s.predecessor END,
      replaced = CASE WHEN c->>'as' = 'rotated' THEN NULL ELSE s.replaced END,
      recovered = CASE WHEN c->>'as' = 'rotated' THEN 0 ELSE s.recovered + 1 END,
      generation = s.generation + 1, seen = 0, rotated_at = now, credential_hash = decode(c->>'hash', 'hex'),
      last_seen_at = CASE WHEN (c->>'active')::boolean THEN greatest(s.last_seen_at, now) ELSE s.last_seen_at END
    WHERE s.sid = c->>'sid' AND s.generation = (c->>'from')::bigint AND s.revoked_at IS NULL AND (c->>'as' = 'rotated' OR s.seen = 0)
      AND (SELECT epoch FROM @users u WHERE u.id = s.user_id) = (c->>'userEpoch')::bigint
      AND (SELECT epoch FROM @clients k WHERE k.tenant = s.tenant AND k.id = s.client_id) = (c->>'clientEpoch')::bigint;
    done := done || CASE WHEN FOUND THEN 'rotated' ELSE 'lost' END;
    IF FOUND AND jsonb_array_length(c->'audit') > 0 THEN
      PERFORM @write_audit(c->'audit', now, NULL);
    END IF;
  END LOOP;
  RETURN json_build_array(now, array_to_json(done));
END $$;
CREATE FUNCTION @touch(touches jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
  t record;
  several boolean := jsonb_array_length(touches) > 1;
  busy text[] := '{}';
BEGIN
  -- One by one: as one statement, a thousand rows are joined in a time that grows with their square.
  FOR t IN
    SELECT x->>'sid' AS id, (x->>'last')::bigint AS last, (x->>'generation')::bigint AS generation, x->>'ip' AS ip, x->>'agent' AS agent
    FROM jsonb_array_elements(touches) x
  LOOP
    IF several THEN
      PERFORM 1 FROM @sessions s WHERE s.sid = t.id FOR NO KEY UPDATE SKIP LOCKED;
      IF NOT FOUND THEN
        busy := busy || t.id;
        CONTINUE;
      END IF;
    ELSE
      PERFORM 1 FROM @sessions s WHERE s.sid = t.id FOR NO KEY UPDATE;
    END IF;
    now := coalesce(now, @time());
    UPDATE @sessions s SET mark = DEFAULT,
      last_seen_at = CASE WHEN s.revoked_at IS NULL AND t.last IS NOT NULL THEN greatest(s.last_seen_at, least(t.last, now)) ELSE s.last_seen_at END,
      ip = CASE WHEN s.revoked_at IS NULL AND t.last IS NOT NULL THEN coalesce(t.ip, s.ip) ELSE s.ip END,
      user_agent = CASE WHEN s.revoked_at IS NULL AND t.last IS NOT NULL THEN coalesce(t.agent, s.user_agent) ELSE s.user_agent END,
      seen = CASE WHEN t.generation = s.generation THEN 1 ELSE s.seen END
    WHERE s.sid = t.id AND (s.revoked_at IS NULL AND t.last IS NOT NULL OR t.generation = s.generation);
  END LOOP;
  -- Which are there but were held by somebody.
  RETURN array_to_json(ARRAY(SELECT sid FROM @sessions WHERE sid = ANY(busy)));
END $$;
CREATE FUNCTION @revoke_sids(calls jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
  c jsonb;
  held text[];
  ended text[];
  every text[] := '{}';
  done json[] := '{}';
BEGIN
  held := @hold_sessions(calls);
  now := @time();
  FOR c IN SELECT x FROM jsonb_array_elements(calls) x LOOP
    IF NOT c->>'sid' = ANY(held) AND EXISTS (SELECT 1 FROM @sessions WHERE sid = c->>'sid') THEN
      done := done || 'null'::json;
      CONTINUE;
    END IF;
    SELECT @end_sessions(coalesce(array_agg(s.sid), '{}'), c->>'reason', now) INTO ended FROM @sessions s
      WHERE s.sid = c->>'sid' AND s.user_id = coalesce(c->>'ofUser', s.user_id) AND s.revoked_at IS NULL;
    IF cardinality(ended) > 0 THEN
      PERFORM @write_audit(c->'audit', now, NULL);
    END IF;
    every := every || ended;
    done := done || array_to_json(ended);
  END LOOP;
  RETURN json_build_object('now', now, 'done', array_to_json(done), 'log', @log(@ended_entries(every, now), now));
END $$;
CREATE FUNCTION @revoke_user(owner text, kept text, reason text, lines jsonb, most integer) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
  sids text[];
  ended text[];
BEGIN
  -- A sign-in under way holds this row: it has committed before, or comes after.
  PERFORM 1 FROM @users WHERE id = owner FOR NO KEY UPDATE;
  now := @time();
  SELECT coalesce(array_agg(sid), '{}') INTO sids FROM (
    SELECT sid FROM @sessions WHERE user_id = owner AND sid <> coalesce(kept, '') AND revoked_at IS NULL LIMIT most + 1) x;
  ended := @end_sessions(sids[1:most], reason, now);
  IF cardinality(ended) > 0 THEN PERFORM @write_audit(lines, now, NULL); END IF;
  RETURN json_build_object('now', now, 'sids', ended, 'more', cardinality(sids) > most, 'log', @log(@ended_entries(ended, now), now));
END $$;
CREATE FUNCTION @revoke_walking(client text, opened bigint, since text, reason text, lines jsonb, most integer, walked integer) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint := @time();
  upto text;
  sids text[];
  ended text[];
BEGIN
  -- By walking on through the table: an index by client would cost every sign-in a page, for what happens hardly ever.
  SELECT sid INTO upto FROM @sessions WHERE sid > since ORDER BY sid LIMIT 1 OFFSET walked - 1;
  SELECT coalesce(array_agg(sid ORDER BY sid), '{}') INTO sids FROM (
    SELECT sid FROM @sessions WHERE sid > since AND (upto IS NULL OR sid <= upto) AND revoked_at IS NULL
    AND CASE WHEN client IS NULL THEN created_at <= opened ELSE client_id = client END ORDER BY sid LIMIT most + 1) x;
  ended := @end_sessions(sids[1:most], reason, now);
  IF cardinality(ended) > 0 THEN PERFORM @write_audit(lines, now, NULL); END IF;
  RETURN json_build_object('now', now, 'sids', ended, 'after', CASE WHEN cardinality(sids) > most THEN sids[most] ELSE upto END,
    'log', @log(@ended_entries(ended, now), now));
END $$;
`

/** Rows walked by for a batch, so that it stays short. */
const walkedBy = 10_000

const listed = `SELECT @time()::float8, coalesce(json_agg(json_build_array(${sessionSelection('s')}) ORDER BY s.created_at DESC, s.sid), '[]'::json)
  FROM (SELECT s.* FROM @sessions s, (SELECT @time() AS now) t WHERE s.user_id = $1 AND ${live} ORDER BY s.created_at DESC, s.sid LIMIT 1000) s`

const openSessions = { name: 'finish_group', text: 'SELECT @finish_group($1)' }
const rotate = { name: 'rotate', text: 'SELECT @rotate($1)' }
const touch = { name: 'touch', text: 'SELECT @touch($1)' }
const revokeSids = { name: 'revoke_sids', text: 'SELECT @revoke_sids($1)' }
/** How long a call may wait for those before it. */
const patience = 700

type Opened = { created: boolean; ended: string[]; now: number; snapshot: [Row, Row, Row, boolean] }
type SingleRevoke = { readonly sid: string; readonly ofUser?: string; readonly reason: string; readonly audit: unknown }

/** A sign-in as the database takes it. */
function askedOf({ session, audit, user, enrols = null, ...rest }: OpenSession) {
  const made = 'email' in user ? user.create : null
  const create = made && { ...made, roles: JSON.stringify(made.roles), audit: auditLines(made.audit ?? []) }
  const sealed = { amr: JSON.stringify(session.amr), credentialHash: hex(session.credentialHash), sealedKey: hex(session.sealedKey) }
  // To the database `ask` is `deny`: what is to end is named.
  const onLimit = rest.onLimit === 'ask' ? 'deny' : rest.onLimit
  const key = enrols && { handle: enrols.handle, passkey: passkeyAsked(enrols.passkey), audit: auditLines(enrols.audit) }
  return { ...rest, enrols: key, onLimit, user: { ...user, create }, session: { ...session, ...sealed }, audit: auditLines(audit) }
}

/** Activity as the database takes it. */
const touched = ({ sid, lastSeenAt, seenGeneration, ip, userAgent }: Touch) => ({
  sid,
  last: lastSeenAt === null ? null : Math.floor(lastSeenAt),
  generation: seenGeneration,
  ip: ip ?? null,
  agent: userAgent ?? null,
})

type Ending = { readonly now: number; readonly sids: readonly string[]; readonly log: Logged }

/** The verbs. */
export function createSessions(driver: Driver, { call, background, logging }: Verbs): SessionStore {
  type Rotated = Awaited<ReturnType<SessionStore['rotate']>>
  const rotateThese = async (inputs: readonly Rotation[]): Promise<readonly (Rotated | Promise<Rotated>)[]> => {
    const calls = inputs.map(({ credentialHash, audit, ...rest }) => ({ ...rest, hash: hex(credentialHash), audit: auditLines(audit) }))
    const [now, done] = await call<[number, ('rotated' | 'lost' | 'busy')[]]>(rotate, [JSON.stringify(calls)])
    return done.map((outcome, at) => {
      // Alone it waits for whoever holds the row, and keeps nobody else waiting; alone and not there, it is lost.
      if (outcome === 'busy' && inputs.length > 1) return rotateThese([inputs[at] as Rotation]).then(([one]) => one as Rotated)
      return outcome === 'rotated' ? { outcome, now } : { outcome: 'lost' }
    })
  }
  const revokeThese = async (inputs: readonly SingleRevoke[]): Promise<readonly (Revoked | Promise<Revoked>)[]> => {
    const { now, done, log } = await logging<{ now: number; done: (string[] | null)[]; log: Logged }>(revokeSids, [JSON.stringify(inputs)])
    return done.map((sids, at) =>
      sids === null ? revokeThese([inputs[at] as SingleRevoke]).then(([one]) => one as Revoked) : { now, sids, head: headOf(log.head) },
    )
  }
  const openThese = async (inputs: readonly OpenSession[]): Promise<readonly OpenOutcome[]> => {
    const { done } = await logging<{ done: (Opened | { refused: OpenOutcome })[]; log: Logged }>(openSessions, [
      JSON.stringify(inputs.map(askedOf)),
    ])
    return done.map((one) =>
      'refused' in one
        ? one.refused
        : { outcome: 'opened', created: one.created, ended: one.ended, snapshot: snapshotOf(one.now, one.snapshot) },
    )
  }
  /** Returns who was left out. Two are never waited for: beside one that is alone stands an entry that names nobody. */
  const touchThese = (rows: readonly object[]) => call<readonly string[]>(touch, [JSON.stringify(rows.length === 1 ? [...rows, {}] : rows)])
  const touchOne = createGroup({
    async run(touches: readonly Touch[]) {
      const held = new Set(await touchThese(touches.map(touched)))
      // Alone it waits for whoever holds the row, and keeps nobody else waiting.
      return touches.map((one) => (held.has(one.sid) ? call<readonly string[]>(touch, [JSON.stringify([touched(one)])]) : []))
    },
    flights: 2,
    perGroup: 256,
    patience,
  })
  const revokeGrouped = createGroup({ run: revokeThese, flights: 1, perGroup: 256, patience })

  return {
    find: createFinder(driver),
    glance: createGlance(driver),
    open: createGroup({ run: openThese, flights: 2, perGroup: 32, patience, locks: true }),
    rotate: createGroup({ run: rotateThese, flights: 2, perGroup: 64, patience }),
    raise: createRaise({ call }),
    async touch(touches, patient = false) {
      if (patient) return (await Promise.all(touches.map(touchOne))).flat()
      const left: string[] = []
      for (let from = 0; from < touches.length; from += perBatch)
        left.push(...(await touchThese(touches.slice(from, from + perBatch).map(touched))))
      return left
    },
    async revoke(target, reason, audit) {
      if ('sid' in target) {
        const one = { sid: target.sid, ...(target.ofUser !== undefined && { ofUser: target.ofUser }), reason, audit: auditLines(audit) }
        return { ...(await revokeGrouped(one)), rest: null }
      }
      if ('user' in target) {
        const statement = { name: 'revoke_user', text: 'SELECT @revoke_user($1, $2, $3, $4, $5)' }
        const { now, sids, more, log } = await logging<Ending & { more: boolean }>(statement, [
          target.user,
          target.except ?? null,
          reason,
          auditJson(audit),
          perBatch,
        ])
        return { now, sids, head: headOf(log.head), rest: more ? target : null }
      }
      const statement = { name: 'revoke_walking', text: 'SELECT @revoke_walking($1, $2, $3, $4, $5, $6, $7)' }
      const [client, opened] = 'client' in target ? [target.client, null] : [null, target.before]
      const values = [client, opened, target.after ?? '', reason, auditJson(audit), perBatch, walkedBy]
      // What is not in memory takes longer to walk by than a request may take.
      const { now, sids, after, log } = await logging<Ending & { after: string | null }>(statement, values, 'walking')
      const rest: RevokeTarget | null = after === null ? null : { ...target, after }
      return { now, sids, head: headOf(log.head), rest }
    },
    async list(userId) {
      const [row] = await driver.read({ name: 'list_sessions', text: listed }, [userId])
      return { now: row?.[0] as number, sessions: ((row?.[1] ?? []) as readonly Row[]).map((one) => sessionOf(one)) }
    },
    sweep: (limit) => sweepSessions({ background }, limit),
  }
}
