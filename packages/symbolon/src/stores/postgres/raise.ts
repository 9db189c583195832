// A step-up: a session's next credential, with what was proven for it. Rows are locked in the order of every verb: attempt,
// user, session; the attempt is not used up when the session is not raised.

import type { Raise, RaiseOutcome, SessionStore } from '#core'
import { clientColumns, type Row, userColumns } from '#stores/rows'
import { sessionSelection, snapshotOf } from './finder.ts'
import { auditLines, hex, orRefusal, selection, type Verbs } from './write.ts'

/** Columns that an older node does not know, and the verb. */
export const raiseFunctions = `
ALTER TABLE @sessions ADD COLUMN base_acr text, ADD COLUMN base_amr text, ADD COLUMN replaced_for text;
CREATE FUNCTION @raise_session(asked jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
  owner text;
  standing text;
BEGIN
  PERFORM 1 FROM @attempts WHERE id_hash = asked->>'attempt' AND purpose = 'step_up' AND sid = asked->>'sid' FOR UPDATE;
  now := @time();
  UPDATE @attempts SET consumed_at = now WHERE id_hash = asked->>'attempt' AND purpose = 'step_up' AND sid = asked->>'sid'
    AND consumed_at IS NULL AND coalesce(ends_at, expires_at) > now;
  IF NOT FOUND THEN PERFORM @refuse('{"outcome":"attempt_gone"}'); END IF;
  SELECT user_id INTO owner FROM @sessions WHERE sid = asked->>'sid';
  SELECT status INTO standing FROM @users WHERE id = owner FOR NO KEY UPDATE;
  PERFORM 1 FROM @sessions WHERE sid = asked->>'sid' FOR NO KEY UPDATE;
  now := @time();
  PERFORM 1 FROM @sessions s WHERE s.sid = asked->>'sid' AND s.revoked_at IS NULL AND s.expires_at > now AND s.last_seen_at + s.idle > now;
  IF NOT FOUND THEN PERFORM @refuse('{"outcome":"session_gone"}'); END IF;
  IF standing IS DISTINCT FROM 'active' THEN PERFORM @refuse('{"outcome":"user_disabled"}'); END IF;
  UPDATE @sessions s SET mark = DEFAULT,
    replaced = CASE WHEN s.predecessor IS NOT NULL AND (s.seen = 0 OR now - s.rotated_at < (asked->>'window')::bigint)
      THEN s.predecessor ELSE s.generation END,
    replaced_for = asked->>'replacedFor', predecessor = NULL, generation = s.generation + 1, recovered = 0, seen = 0, rotated_at = now,
    auth_time = now, base_acr = coalesce(s.base_acr, s.acr), base_amr = coalesce(s.base_amr, s.amr), acr = asked->>'acr',
    amr = asked->>'amr', credential_hash = decode(asked->>'credentialHash', 'hex'), last_seen_at = greatest(s.last_seen_at, now)
    WHERE s.sid = asked->>'sid' AND s.generation = (asked->>'from')::bigint;
  IF NOT FOUND THEN PERFORM @refuse('{"outcome":"lost"}'); END IF;
  PERFORM @write_audit(asked->'audit', now, NULL);
  RETURN json_build_object('now', now, 'snapshot', (
    SELECT json_build_array(json_build_array(${sessionSelection('x')}), json_build_array(${selection(userColumns, 'u')}), json_build_array(${selection(clientColumns, 'c')}),
      EXISTS (SELECT 1 FROM @feed WHERE kind = 'token'))
    FROM @sessions x JOIN @users u ON u.id = x.user_id JOIN @clients c ON c.tenant = x.tenant AND c.id = x.client_id WHERE x.sid = asked->>'sid'));
END $$;
`

type Raised = { readonly now: number; readonly snapshot: [Row, Row, Row, boolean] }

/** The verb. */
export const createRaise =
  ({ call }: Pick<Verbs, 'call'>): SessionStore['raise'] =>
  (input: Raise): Promise<RaiseOutcome> => {
    const asked = {
      ...input,
      amr: JSON.stringify(input.amr),
      credentialHash: hex(input.credentialHash),
      audit: auditLines(input.audit),
    }
    const raised = call<Raised>({ name: 'raise_session', text: 'SELECT @raise_session($1)' }, [JSON.stringify(asked)])
    return orRefusal(raised.then(({ now, snapshot }) => ({ outcome: 'raised' as const, snapshot: snapshotOf(now, snapshot) })))
  }
