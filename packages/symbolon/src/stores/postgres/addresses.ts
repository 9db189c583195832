// A person's e-mail address: changed, and put back. What was given up is kept for whoever undoes it, and nobody else can have
// it meanwhile. Rows are locked in the order of every verb: attempt, user, sessions by sid, the feed's head last.

import type { AddressChanged, AddressStore } from '#core'
import { type Row, undoColumns, undoOf, userColumns, userOf } from '#stores/rows'
import type { Driver } from './driver.ts'
import { createEnding } from './ending.ts'
import { createLookup } from './lookup.ts'
import { auditLines, feedLife, headOf, type Logged, orRefusal, selection, type Verbs } from './write.ts'

/** What both verbs do: another address, a greater epoch, and an end to every session but one. */
const readdress = `
CREATE FUNCTION @readdress(person text, wanted text, kept text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  now bigint := @time();
  before record;
  ended text[];
BEGIN
  SELECT email, epoch INTO before FROM @users WHERE id = person;
  PERFORM 1 FROM @sessions WHERE user_id = person AND revoked_at IS NULL ORDER BY sid FOR NO KEY UPDATE;
  BEGIN
    UPDATE @users SET mark = DEFAULT, email = wanted, epoch = epoch + 1 WHERE id = person;
  EXCEPTION WHEN unique_violation THEN
    PERFORM @refuse('{"outcome":"taken"}');
  END;
  SELECT @end_sessions(coalesce(array_agg(sid), '{}'), 'signed_out_elsewhere', now) INTO ended FROM @sessions
    WHERE user_id = person AND sid <> kept AND revoked_at IS NULL;
  RETURN jsonb_build_object('now', now, 'before', before.email, 'ended', ended, 'user', (SELECT json_build_array(${selection(userColumns, 'u')}) FROM @users u WHERE u.id = person),
    'entries', jsonb_build_array(jsonb_build_object('kind', 'user', 'id', person, 'epoch', before.epoch + 1, 'expires', now + ${feedLife.user})) || @ended_entries(ended, now));
END $$;`

/** `@change_address`. */
export const changeAddress = `
CREATE FUNCTION @change_address(asked jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  person text := asked->>'userId';
  wanted text := asked->>'email';
  proof jsonb := asked->'proof';
  now bigint;
  before record;
  changed jsonb;
  since bigint;
  at bigint;
BEGIN
  IF proof <> 'null' THEN
    PERFORM @use_proof('change_email', person, proof);
  END IF;
  SELECT status, email INTO before FROM @users WHERE id = person FOR UPDATE;
  IF NOT FOUND THEN PERFORM @refuse(CASE WHEN proof = 'null' THEN '{"outcome":"user_gone"}' ELSE '{"outcome":"session_gone"}' END::jsonb); END IF;
  IF proof <> 'null' THEN
    IF before.status <> 'active' THEN PERFORM @refuse('{"outcome":"session_gone"}'); END IF;
    PERFORM @hold_session(person, proof->>'sid');
  END IF;
  now := @time();
  IF before.email = wanted OR @is_kept_address(wanted, person) THEN PERFORM @refuse('{"outcome":"taken"}'); END IF;
  changed := @readdress(person, wanted, coalesce(proof->>'sid', ''));
  -- Back to one that was given up is its undo: who came between has no way back.
  SELECT min(created_at) INTO since FROM @address_undos WHERE user_id = person AND email = wanted AND expires_at > now;
  IF since IS NOT NULL THEN
    DELETE FROM @address_undos WHERE user_id = person AND created_at >= since;
  ELSE
    -- Each is later than those before it, in one moment too: an undo takes what is later away.
    SELECT greatest(now, coalesce(max(created_at), 0) + 1) INTO at FROM @address_undos WHERE user_id = person;
    INSERT INTO @address_undos (${undoColumns.join(', ')})
      VALUES (asked->>'undoHash', 'main', person, changed->>'before', at, at + (asked->>'undoLife')::bigint);
  END IF;
  PERFORM @write_audit(asked->'audit', now, NULL);
  RETURN (changed - 'entries') || jsonb_build_object('outcome', 'changed', 'wayBack', since IS NULL, 'log', @log(changed->'entries', now));
END $$;
`

/** The step that brings it. A new user cannot have an address that somebody may still put back. */
export const addressFunctions = `
CREATE TABLE @address_undos (
  id_hash text COLLATE "C" PRIMARY KEY, tenant text COLLATE "C" NOT NULL, user_id text COLLATE "C" NOT NULL, email text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL, expires_at bigint NOT NULL);
CREATE INDEX address_undos_by_email ON @address_undos (tenant, email);
CREATE INDEX address_undos_of_user ON @address_undos (user_id);
CREATE INDEX address_undos_by_end ON @address_undos (expires_at);
CREATE FUNCTION @is_kept_address(wanted text, person text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RETURN EXISTS (SELECT 1 FROM @address_undos WHERE tenant = 'main' AND email = wanted AND user_id IS DISTINCT FROM person AND expires_at > @time());
END $$;
CREATE FUNCTION @keep_address() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF @is_kept_address(NEW.email, NEW.id) THEN PERFORM @refuse('{"outcome":"user_unknown"}'); END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER keep_address BEFORE INSERT ON @users FOR EACH ROW EXECUTE FUNCTION @keep_address();${readdress}
${changeAddress}CREATE FUNCTION @undo_address(asked jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
  one record;
  changed jsonb;
  removed bigint;
BEGIN
  SELECT user_id, email, created_at INTO one FROM @address_undos WHERE id_hash = asked->>'idHash';
  PERFORM 1 FROM @users WHERE id = one.user_id FOR UPDATE;
  now := @time();
  -- Somebody may have used it, or deleted the user, while that was waited for.
  PERFORM 1 FROM @address_undos WHERE id_hash = asked->>'idHash' AND expires_at > now FOR UPDATE;
  IF NOT FOUND THEN PERFORM @refuse('{"outcome":"gone"}'); END IF;
  changed := @readdress(one.user_id, one.email, '');
  DELETE FROM @passkeys WHERE tenant = 'main' AND user_id = one.user_id AND created_at >= one.created_at - (asked->>'reach')::bigint;
  GET DIAGNOSTICS removed = ROW_COUNT;
  DELETE FROM @address_undos WHERE user_id = one.user_id AND created_at >= one.created_at;
  PERFORM @write_audit(asked->'audit', now, one.user_id);
  RETURN (changed - 'entries') || jsonb_build_object('outcome', 'undone', 'passkeys', removed, 'log', @log(changed->'entries', now));
END $$;
CREATE FUNCTION @sweep_undos(most integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
BEGIN
  DELETE FROM @address_undos WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM @address_undos WHERE expires_at <= @time() ORDER BY expires_at LIMIT most FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
`

const select = `SELECT ${undoColumns.map((name) => (name.endsWith('_at') ? `${name}::float8` : name)).join(', ')} FROM @address_undos`

type Changed<Outcome> = Omit<AddressChanged, 'user' | 'head'> & {
  readonly outcome: Outcome
  readonly user: Row
  readonly log: Logged
}

const changedOf = <C extends { readonly user: Row; readonly ended: readonly string[]; readonly log: Logged }>(
  { user, log, ended, ...rest }: C,
  before: readonly string[],
) => ({
  ...rest,
  ended: [...before, ...ended],
  user: userOf(user),
  head: headOf(log.head),
})

/** The verbs. */
export function createAddresses(driver: Driver, { background, logging }: Verbs): AddressStore {
  const endMost = createEnding(driver, { logging })
  const find = async (idHash: string) => {
    const [row] = await driver.read({ name: 'find_undo', text: `${select} WHERE id_hash = $1 AND expires_at > @time()` }, [idHash])
    return row === undefined ? undefined : undoOf(row)
  }
  const isTaken: AddressStore['isTaken'] = async (email, userId) => {
    const text = `SELECT EXISTS (SELECT 1 FROM @users WHERE tenant = 'main' AND email = $1 AND id IS DISTINCT FROM $2) OR @is_kept_address($1, $2)`
    const [row] = await driver.read({ name: 'address_taken', text }, [email, userId])
    return row?.[0] === true
  }
  const isTheirsOrTaken = async (email: string, userId: string) => {
    const text = `SELECT EXISTS (SELECT 1 FROM @users WHERE tenant = 'main' AND email = $1) OR @is_kept_address($1, $2)`
    const [row] = await driver.read({ name: 'address_refused', text }, [email, userId])
    return row?.[0] === true
  }
  const left = `SELECT k.n::integer, json_build_array(u.at) FROM unnest($1::text[]) WITH ORDINALITY AS k(key, n)
    CROSS JOIN LATERAL (SELECT max(created_at) AS at FROM @address_undos WHERE tenant = 'main' AND email = k.key AND expires_at > (SELECT @time())) u
    WHERE u.at IS NOT NULL`
  return {
    leftAt: createLookup(driver, { name: 'find_left', text: left }, (row) => row[0] as number),
    isTaken,
    async change(input) {
      // Nothing is ended for a change that is refused.
      const refused = await isTheirsOrTaken(input.email, input.userId)
      const before = refused ? [] : await endMost(input.userId, input.proof?.sid ?? null, 'signed_out_elsewhere')
      const asked = JSON.stringify({ ...input, audit: auditLines(input.audit) })
      type Made = Changed<'changed'> & { readonly wayBack: boolean }
      return orRefusal(
        logging<Made>({ name: 'change_address', text: 'SELECT @change_address($1)' }, [asked]).then((one) => changedOf(one, before)),
      )
    },
    async undos(userId) {
      const text = `${select} WHERE user_id = $1 AND expires_at > @time() ORDER BY created_at DESC`
      return (await driver.read({ name: 'list_undos', text }, [userId])).map((row) => undoOf(row))
    },
    findUndo: find,
    async undo(input) {
      const one = await find(input.idHash)
      const refused = one === undefined || (await isTaken(one.email, one.userId))
      const before = refused ? [] : await endMost(one.userId, null, 'signed_out_elsewhere')
      const asked = JSON.stringify({ ...input, audit: auditLines(input.audit) })
      type Undone = Changed<'undone'> & { readonly passkeys: number }
      return orRefusal(
        logging<Undone>({ name: 'undo_address', text: 'SELECT @undo_address($1)' }, [asked]).then((one) => changedOf(one, before)),
      )
    },
    sweep: async (limit) => Number(await background({ name: 'sweep_undos', text: 'SELECT @sweep_undos($1)' }, [limit])),
  }
}
