// Passkeys: public keys and counters, each a row. A counter only grows, decided by the row itself; how many a person has is
// decided behind the lock of the person's row, so that two at once cannot both be the last one.

import type { NewPasskey, PasskeyStore } from '#core'
import { passkeyColumns, passkeyOf, type Row, userColumns, userOf } from '#stores/rows'
import type { Driver } from './driver.ts'
import { auditJson, auditLines, hex, orRefusal, selection, type Verbs, withBytes } from './write.ts'

const row = `json_build_array(${selection(passkeyColumns, 'p', ['public_key'])})`

/** The step that brings them. */
export const passkeySchema = `
CREATE TABLE @passkeys (
  id text COLLATE "C" NOT NULL, tenant text COLLATE "C" NOT NULL, user_id text COLLATE "C" NOT NULL, public_key bytea NOT NULL,
  counter bigint NOT NULL, transports text NOT NULL, backup_eligible smallint NOT NULL, backed_up smallint NOT NULL, aaguid text NOT NULL,
  name text NOT NULL, user_verified smallint NOT NULL, created_at bigint NOT NULL, last_used_at bigint,
  PRIMARY KEY (tenant, id)) WITH (fillfactor = 85);
CREATE INDEX passkeys_of_user ON @passkeys (user_id, created_at);
CREATE TABLE @user_handles (
  tenant text COLLATE "C" NOT NULL, user_id text COLLATE "C" NOT NULL, handle text NOT NULL, PRIMARY KEY (tenant, user_id));
CREATE FUNCTION @user_handle(person text, fresh text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM @users WHERE id = person;
  IF NOT FOUND THEN RETURN NULL; END IF;
  INSERT INTO @user_handles (tenant, user_id, handle) VALUES ('main', person, fresh) ON CONFLICT DO NOTHING;
  RETURN (SELECT handle FROM @user_handles WHERE tenant = 'main' AND user_id = person);
END $$;
CREATE FUNCTION @add_passkey(asked jsonb, most integer) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
BEGIN
  PERFORM 1 FROM @users WHERE id = asked->>'userId' AND status = 'active' FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN json_build_object('outcome', 'user_gone'); END IF;
  IF (SELECT count(*) FROM @passkeys WHERE tenant = 'main' AND user_id = asked->>'userId') >= most THEN
    RETURN json_build_object('outcome', 'limit');
  END IF;
  now := @time();
  INSERT INTO @passkeys (${passkeyColumns.join(', ')})
    VALUES (asked->>'id', 'main', asked->>'userId', decode(asked->>'publicKey', 'hex'), (asked->>'counter')::bigint, asked->>'transports',
      (asked->>'backupEligible')::smallint, (asked->>'backedUp')::smallint, asked->>'aaguid', asked->>'name', (asked->>'userVerified')::smallint,
      now, NULL) ON CONFLICT (tenant, id) DO NOTHING;
  IF NOT FOUND THEN RETURN json_build_object('outcome', 'conflict'); END IF;
  PERFORM @write_audit(asked->'audit', now, NULL);
  RETURN json_build_object('outcome', 'added', 'passkey', (SELECT ${row} FROM @passkeys p WHERE p.tenant = 'main' AND p.id = asked->>'id'));
END $$;
CREATE FUNCTION @use_passkey(credential text, shown bigint, backed smallint, lines jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  now bigint := @time();
BEGIN
  UPDATE @passkeys SET counter = shown, backed_up = backed, last_used_at = greatest(last_used_at, now)
    WHERE tenant = 'main' AND id = credential AND (counter < shown OR (counter = 0 AND shown = 0));
  IF FOUND THEN RETURN 'used'; END IF;
  PERFORM 1 FROM @passkeys WHERE tenant = 'main' AND id = credential;
  IF NOT FOUND THEN RETURN 'gone'; END IF;
  PERFORM @write_audit(lines, now, NULL);
  RETURN 'counter_back';
END $$;
CREATE FUNCTION @rename_passkey(person text, credential text, wanted text, lines jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  UPDATE @passkeys SET name = wanted WHERE tenant = 'main' AND user_id = person AND id = credential;
  IF NOT FOUND THEN RETURN false; END IF;
  PERFORM @write_audit(lines, @time(), NULL);
  RETURN true;
END $$;
CREATE FUNCTION @remove_passkey(person text, credential text, keep_one boolean, lines jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM @users WHERE id = person FOR NO KEY UPDATE;
  PERFORM 1 FROM @passkeys WHERE tenant = 'main' AND user_id = person AND id = credential;
  IF NOT FOUND THEN RETURN 'gone'; END IF;
  IF keep_one AND (SELECT count(*) FROM @passkeys WHERE tenant = 'main' AND user_id = person) = 1 THEN RETURN 'last'; END IF;
  DELETE FROM @passkeys WHERE tenant = 'main' AND user_id = person AND id = credential;
  PERFORM @write_audit(lines, @time(), NULL);
  RETURN 'removed';
END $$;
`

/** `@enrol_passkey`: adds one that its owner, who is signed in, made just now. Rows are locked as everywhere: attempt, user, session. */
export const passkeyFunctions = `
CREATE FUNCTION @enrol_passkey(asked jsonb, most integer) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  person text := asked->>'userId';
  proof jsonb := asked->'proof';
  added json;
BEGIN
  IF proof <> 'null' THEN
    PERFORM @use_proof('enrol', person, proof);
    PERFORM 1 FROM @users WHERE id = person AND status = 'active' FOR NO KEY UPDATE;
    IF NOT FOUND THEN PERFORM @refuse('{"outcome":"session_gone"}'); END IF;
    PERFORM @hold_session(person, proof->>'sid');
  END IF;
  added := @add_passkey(asked, most);
  IF added->>'outcome' <> 'added' THEN PERFORM @refuse(added::jsonb); END IF;
  RETURN added;
END $$;
`

const recordOf = (found: Row) => passkeyOf(withBytes(found, [3]))

/** A passkey as the database takes it. */
export const askedOf = (passkey: Omit<NewPasskey, 'userId'> & Partial<Pick<NewPasskey, 'userId'>>) => ({
  ...passkey,
  publicKey: hex(passkey.publicKey),
  transports: JSON.stringify(passkey.transports),
  backupEligible: Number(passkey.backupEligible),
  backedUp: Number(passkey.backedUp),
  userVerified: Number(passkey.userVerified),
})

/** The verbs. */
export function createPasskeys(driver: Driver, { call }: Verbs): PasskeyStore {
  type Added = Awaited<ReturnType<PasskeyStore['add']>>
  return {
    handle: async (userId, fresh) =>
      (await call<string | null>({ name: 'user_handle', text: 'SELECT @user_handle($1, $2)' }, [userId, fresh])) ?? undefined,
    add(passkey, most, audit, proof) {
      const asked = { ...askedOf(passkey), audit: auditLines(audit), proof }
      const statement = { name: 'enrol_passkey', text: 'SELECT @enrol_passkey($1, $2)' }
      const added = call<{ outcome: 'added'; passkey: Row }>(statement, [JSON.stringify(asked), most])
      return orRefusal<Added, Added>(added.then((one) => ({ outcome: 'added', passkey: recordOf(one.passkey) })))
    },
    async find(id) {
      const text = `SELECT @time()::float8, h.handle, ${row}, json_build_array(${selection(userColumns, 'u')}) FROM @passkeys p
        JOIN @users u ON u.id = p.user_id JOIN @user_handles h ON h.tenant = p.tenant AND h.user_id = p.user_id
        WHERE p.tenant = 'main' AND p.id = $1`
      const [found] = await driver.read({ name: 'find_passkey', text }, [id])
      if (found === undefined) return undefined
      const [now, handle, passkey, user] = found as readonly [number, string, Row, Row]
      return { now, handle, passkey: recordOf(passkey), user: userOf(user) }
    },
    async list(userId) {
      const text = `SELECT (SELECT handle FROM @user_handles WHERE tenant = 'main' AND user_id = $1),
        (SELECT coalesce(json_agg(${row} ORDER BY p.created_at, p.id), '[]') FROM @passkeys p WHERE p.tenant = 'main' AND p.user_id = $1)`
      const [found] = await driver.read({ name: 'list_passkeys', text }, [userId])
      const [handle, rows] = found as readonly [string | null, readonly Row[]]
      return { handle, passkeys: rows.map(recordOf) }
    },
    use: (id, { counter, backedUp }, whenBack) =>
      call({ name: 'use_passkey', text: 'SELECT @use_passkey($1, $2, $3, $4)' }, [id, counter, Number(backedUp), auditJson(whenBack)]),
    rename: (userId, id, name, audit) =>
      call({ name: 'rename_passkey', text: 'SELECT @rename_passkey($1, $2, $3, $4)' }, [userId, id, name, auditJson(audit)]),
    remove: (userId, id, keepOne, audit) =>
      call({ name: 'remove_passkey', text: 'SELECT @remove_passkey($1, $2, $3, $4)' }, [userId, id, String(keepOne), auditJson(audit)]),
  }
}
