// People: created, found, listed, changed. A change of roles or status grows the epoch and is logged to the feed;
// disabling ends the sessions; all in one transaction that holds the user's row first.

import type { User, UserStore } from '#core'
import { type Row, userColumns, userOf } from '#stores/rows'
import type { Driver } from './driver.ts'
import { createEnding } from './ending.ts'
import { createLookup } from './lookup.ts'
import { createRemoval } from './removal.ts'
import { auditLines, feedLife, headOf, type Logged, Refusal, selection, type Verbs } from './write.ts'

const row = `json_build_array(${selection(userColumns, 'u')})`

export const userFunctions = `
CREATE FUNCTION @create_user(asked jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint := @time();
BEGIN
  INSERT INTO @users (id, tenant, email, roles, status, epoch, created_at)
    VALUES (asked->>'id', 'main', asked->>'email', asked->>'roles', 'active', 1, now) ON CONFLICT (tenant, email) DO NOTHING;
  IF NOT FOUND THEN RETURN NULL; END IF;
  PERFORM @write_audit(asked->'audit', now, NULL);
  RETURN (SELECT ${row} FROM @users u WHERE u.id = asked->>'id');
END $$;
CREATE FUNCTION @change_user(person text, change jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
  before record;
  entries jsonb := '[]';
  ended text[] := '{}';
  new_roles text;
  new_status text;
BEGIN
  SELECT * INTO before FROM @users WHERE id = person FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  now := @time();
  new_roles := coalesce(change->>'roles', before.roles);
  new_status := coalesce(change->>'status', before.status);
  IF (change->>'bump')::boolean OR new_roles <> before.roles OR new_status <> before.status THEN
    UPDATE @users SET mark = DEFAULT, roles = new_roles, status = new_status, epoch = epoch + 1 WHERE id = person;
    entries := jsonb_build_array(jsonb_build_object('kind', 'user', 'id', person, 'epoch', before.epoch + 1, 'expires', now + ${feedLife.user}));
    IF new_status = 'disabled' THEN
      SELECT @end_sessions(coalesce(array_agg(sid), '{}'), 'user_disabled', now) INTO ended FROM @sessions WHERE user_id = person AND revoked_at IS NULL;
      entries := entries || @ended_entries(ended, now);
    END IF;
    PERFORM @write_audit(change->'audit', now, NULL);
  END IF;
  RETURN json_build_object('ended', ended, 'log', @log(entries, now), 'user', (SELECT ${row} FROM @users u WHERE u.id = person));
END $$;
`

/** The verbs. */
export function createUsers(driver: Driver, { call, logging }: Verbs): UserStore {
  // One look into the index for each: joined, all users may be walked by the index's first column, as long as a plan lives that was made when they were few.
  const by = (where: string) =>
    `SELECT k.n::integer, ${row} FROM unnest($1::text[]) WITH ORDINALITY AS k(key, n) CROSS JOIN LATERAL (SELECT * FROM @users u WHERE ${where} OFFSET 0) u`
  const endMost = createEnding(driver, { logging })
  const byId = createLookup(driver, { name: 'find_users', text: by('u.id = k.key') }, userOf)
  const byEmail = createLookup(driver, { name: 'find_emails', text: by("u.tenant = 'main' AND u.email = k.key") }, userOf)
  return {
    async create({ id, email, roles }, audit) {
      const asked = { id, email, roles: JSON.stringify(roles), audit: auditLines(audit) }
      try {
        const made = await call<Row | null>({ name: 'create_user', text: 'SELECT @create_user($1)' }, [JSON.stringify(asked)])
        return made === null ? 'conflict' : userOf(made)
      } catch (error) {
        // Somebody else may still put this address back.
        if (error instanceof Refusal) return 'conflict'
        throw error
      }
    },
    find: (by) => ('id' in by ? byId(by.id) : byEmail(by.email)),
    async list(after, limit) {
      const text = `SELECT ${row} FROM @users u WHERE u.tenant = 'main' AND u.id > $1 ORDER BY u.id LIMIT $2`
      return (await driver.read({ name: 'list_users', text }, [after ?? '', limit])).map((one) => userOf(one[0] as Row))
    },
    async change(id, { roles, status, bump }, audit) {
      const change = { ...(roles !== undefined && { roles: JSON.stringify(roles) }), status, bump: bump === true, audit: auditLines(audit) }
      type Changed = { user: Row; ended: string[]; log: Logged }
      const before = status === 'disabled' ? await endMost(id, null, 'user_disabled') : []
      const changed = await logging<Changed | null>({ name: 'change_user', text: 'SELECT @change_user($1, $2)' }, [
        id,
        JSON.stringify(change),
      ])
      if (changed === null) return undefined
      const user: User = userOf(changed.user)
      return { user, ended: [...before, ...changed.ended], head: headOf(changed.log.head) }
    },
    remove: createRemoval({ call, logging }, endMost),
  }
}
