// Deleting a user: their sessions end, and nothing of them stays but ids. Rows are locked in the order of every verb:
// attempts, the user, sessions by sid, the feed's head last. Sessions and audit lines are kept as long as ever, without the
// addresses and devices that they came from.

import type { UserStore } from '#core'
import { type Row, userColumns, userOf } from '#stores/rows'
import type { createEnding } from './ending.ts'
import { auditJson, feedLife, headOf, type Logged, selection, type Verbs } from './write.ts'

/** The step that brings it. A handle is given while its owner is held, so that none is left behind them. */
export const removalFunctions = `
CREATE OR REPLACE FUNCTION @user_handle(person text, fresh text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM @users WHERE id = person FOR KEY SHARE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  INSERT INTO @user_handles (tenant, user_id, handle) VALUES ('main', person, fresh) ON CONFLICT DO NOTHING;
  RETURN (SELECT handle FROM @user_handles WHERE tenant = 'main' AND user_id = person);
END $$;
CREATE FUNCTION @blank_lines(person text, since bigint, most integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  lines bigint[];
BEGIN
  SELECT coalesce(array_agg(id ORDER BY id), '{}') INTO lines FROM (
    SELECT id FROM @audit WHERE user_id = person AND id > since AND ip IS NOT NULL
    AND EXISTS (SELECT 1 FROM @users WHERE id = person) ORDER BY id LIMIT most) x;
  UPDATE @audit SET ip = NULL WHERE id = ANY(lines);
  RETURN CASE WHEN cardinality(lines) = most THEN lines[most] END;
END $$;
CREATE FUNCTION @remove_user(person text, lines jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
  before json;
  last bigint;
  ended text[];
  entries jsonb;
BEGIN
  PERFORM 1 FROM @attempts WHERE user_id = person ORDER BY id_hash FOR UPDATE;
  SELECT epoch INTO last FROM @users WHERE id = person FOR UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  now := @time();
  before := (SELECT json_build_array(${selection(userColumns, 'u')}) FROM @users u WHERE u.id = person);
  SELECT @end_sessions(coalesce(array_agg(sid), '{}'), 'user_deleted', now) INTO ended FROM @sessions WHERE user_id = person AND revoked_at IS NULL;
  PERFORM 1 FROM @sessions WHERE user_id = person ORDER BY sid FOR NO KEY UPDATE;
  -- Whose user is gone is not found by a check either, whatever stood in its row.
  UPDATE @sessions SET mark = DEFAULT, ip = NULL, user_agent = NULL, user_now = NULL WHERE user_id = person;
  UPDATE @audit SET ip = NULL WHERE user_id = person AND ip IS NOT NULL;
  DELETE FROM @passkeys WHERE tenant = 'main' AND user_id = person;
  DELETE FROM @user_handles WHERE tenant = 'main' AND user_id = person;
  DELETE FROM @address_undos WHERE user_id = person;
  -- One that became theirs meanwhile and is held by somebody who waits for the user: it ends there, and is swept.
  DELETE FROM @attempts WHERE id_hash = ANY(ARRAY(SELECT id_hash FROM @attempts WHERE user_id = person FOR UPDATE SKIP LOCKED));
  DELETE FROM @users WHERE id = person;
  entries := jsonb_build_array(jsonb_build_object('kind', 'user', 'id', person, 'epoch', last + 1, 'expires', now + ${feedLife.user}));
  PERFORM @write_audit(lines, now, NULL);
  RETURN json_build_object('user', before, 'ended', ended, 'log', @log(entries || @ended_entries(ended, now), now));
END $$;
`

type Removed = { readonly user: Row; readonly ended: readonly string[]; readonly log: Logged }

/** Audit lines blanked in one transaction. */
const perBatch = 5000

/** The verb. */
export const createRemoval =
  ({ call, logging }: Pick<Verbs, 'call' | 'logging'>, endMost: ReturnType<typeof createEnding>): UserStore['remove'] =>
  async (id, audit) => {
    // Of somebody with very many lines most are blanked before, so that what has to be one transaction stays a short one.
    const blank = { name: 'blank_lines', text: 'SELECT @blank_lines($1, $2, $3)::float8' }
    for (let since: number | null = 0; since !== null; ) since = await call<number | null>(blank, [id, since, perBatch])
    const before = await endMost(id, null, 'user_deleted')
    const statement = { name: 'remove_user', text: 'SELECT @remove_user($1, $2)' }
    const removed = await logging<Removed | null>(statement, [id, auditJson(audit)])
    return removed === null
      ? undefined
      : { user: userOf(removed.user), ended: [...before, ...removed.ended], head: headOf(removed.log.head) }
  }
