// What a person who is signed in proves a change by: an attempt for it, used up with it, and their session, which lives. Who
// calls these holds the user's row between them: rows are locked in the order of every verb.

import { live } from './write.ts'

/** `@use_proof`: uses the attempt up, or refuses (`attempt_gone`). `@hold_session`: holds a session that lives, or refuses (`session_gone`). */
export const proofFunctions = `
CREATE FUNCTION @use_proof(wanted text, person text, proof jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
BEGIN
  PERFORM 1 FROM @attempts WHERE id_hash = proof->>'attempt' FOR UPDATE;
  now := @time();
  UPDATE @attempts SET consumed_at = now WHERE id_hash = proof->>'attempt' AND purpose = wanted AND user_id = person AND sid = proof->>'sid'
    AND consumed_at IS NULL AND coalesce(ends_at, expires_at) > now;
  IF NOT FOUND THEN PERFORM @refuse('{"outcome":"attempt_gone"}'); END IF;
END $$;
CREATE FUNCTION @hold_session(person text, held text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
BEGIN
  PERFORM 1 FROM @sessions WHERE sid = held FOR NO KEY UPDATE;
  now := @time();
  PERFORM 1 FROM @sessions s WHERE s.sid = held AND s.user_id = person AND ${live};
  IF NOT FOUND THEN PERFORM @refuse('{"outcome":"session_gone"}'); END IF;
END $$;
`
