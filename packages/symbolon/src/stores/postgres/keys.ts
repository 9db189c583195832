// Signing keys, sealed: listed, inserted and moved from state to state, all or nothing, and told to the feed with it. One
// change at a time, whichever nodes begin together. A revoked key keeps its row, so that nobody can put it back, but not
// its private half: nothing may sign with it again.

import type { KeyStore } from '#core'
import { keyColumns, keyOf, type Row } from '#stores/rows'
import type { Driver } from './driver.ts'
import { auditLines, feedLife, headOf, hex, type Logged, orRefusal, selection, type Verbs, withBytes } from './write.ts'

const row = `json_build_array(${selection(keyColumns, 'k', ['sealed_private'])})`

export const keyFunctions = `
CREATE FUNCTION @change_keys(change jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
  one jsonb;
  entries jsonb := '[]';
BEGIN
  LOCK TABLE @keys IN SHARE ROW EXCLUSIVE MODE;
  now := @time();
  IF EXISTS (SELECT 1 FROM @keys WHERE tenant = 'main' AND state = change->>'whenNone') THEN PERFORM @refuse('{"outcome":"lost"}'); END IF;
  FOR one IN SELECT x FROM jsonb_array_elements(change->'move') x LOOP
    UPDATE @keys SET state = one->>'to', changed_at = now, sealed_private = CASE WHEN one->>'to' = 'revoked' THEN '' ELSE sealed_private END
      WHERE kid = one->>'kid' AND state = one->>'from';
    IF NOT FOUND THEN PERFORM @refuse('{"outcome":"lost"}'); END IF;
  END LOOP;
  FOR one IN SELECT x FROM jsonb_array_elements(change->'insert') x LOOP
    INSERT INTO @keys (${keyColumns.join(', ')})
      VALUES (one->>'kid', 'main', one->>'alg', one->>'state', one->>'publicJwk', decode(one->>'sealedPrivate', 'hex'), now, now);
    entries := entries || jsonb_build_object('kind', 'key', 'id', one->>'kid', 'state', 'published', 'expires', now + ${feedLife.published});
  END LOOP;
  FOR one IN SELECT x FROM jsonb_array_elements(change->'move') x WHERE x->>'to' = 'revoked' LOOP
    entries := entries || jsonb_build_object('kind', 'key', 'id', one->>'kid', 'state', 'revoked', 'expires', NULL);
  END LOOP;
  PERFORM @write_audit(change->'audit', now, NULL);
  RETURN json_build_object('log', @log(entries, now));
END $$;
`

/** The verbs. */
export function createKeys(driver: Driver, { logging }: Verbs): KeyStore {
  const listed = `SELECT @time()::float8, coalesce(json_agg(${row} ORDER BY k.created_at, k.kid), '[]'::json) FROM @keys k WHERE k.tenant = 'main'`
  return {
    async list() {
      const [found] = await driver.read({ name: 'list_keys', text: listed }, [])
      return { now: found?.[0] as number, keys: ((found?.[1] ?? []) as readonly Row[]).map((one) => keyOf(withBytes(one, [5]))) }
    },
    change({ insert, move, whenNone, audit }) {
      const made = insert.map(({ kid, alg, state, publicJwk, sealedPrivate }) => ({
        kid,
        alg,
        state,
        publicJwk: JSON.stringify(publicJwk),
        sealedPrivate: hex(sealedPrivate),
      }))
      const change = { insert: made, move, whenNone, audit: auditLines(audit) }
      const answer = logging<{ log: Logged }>({ name: 'change_keys', text: 'SELECT @change_keys($1)' }, [JSON.stringify(change)])
      return orRefusal(answer.then(({ log }) => ({ outcome: 'changed' as const, head: headOf(log.head) })))
    },
  }
}
