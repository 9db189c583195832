// The revocation log: read in pages, given a new id, told of single tokens. Every other verb that revokes writes it with
// what it changes (`write.ts`). Notices say only that it is worth looking; what was logged stands in the table.

import type { FeedStore } from '#core'
import { type Row, revocationOf } from '#stores/rows'
import type { Driver } from './driver.ts'
import { auditJson, headOf, type Logged, type Verbs } from './write.ts'

export const feedFunctions = `
CREATE FUNCTION @revoke_token(jti text, until bigint, lines jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  now bigint;
BEGIN
  -- Whoever revokes the same one waits here, and then sees that it is done.
  PERFORM 1 FROM @feed_head WHERE tenant = 'main' FOR UPDATE;
  now := @time();
  IF EXISTS (SELECT 1 FROM @feed WHERE kind = 'token' AND id = jti) THEN
    RETURN json_build_object('log', @log('[]', now));
  END IF;
  PERFORM @write_audit(lines, now, NULL);
  RETURN json_build_object('log', @log(jsonb_build_array(jsonb_build_object('kind', 'token', 'id', jti, 'expires', until)), now));
END $$;
CREATE FUNCTION @renew_feed(feed text) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
  UPDATE @feed_head SET feed_id = left(replace(gen_random_uuid()::text, '-', ''), 16) WHERE tenant = 'main' AND feed_id = feed;
  -- The old one stays known as one that the log had.
  IF FOUND THEN INSERT INTO @meta VALUES ('feed ' || feed, '') ON CONFLICT (name) DO NOTHING; END IF;
  RETURN @head();
END $$;
CREATE FUNCTION @compact_feed(most integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  now bigint := @time();
  n bigint;
BEGIN
  DELETE FROM @feed WHERE ctid = ANY(ARRAY(SELECT ctid FROM @feed WHERE expires < now ORDER BY expires LIMIT most));
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
`

const page = `SELECT coalesce(json_agg(json_build_array(seq, tenant, kind, id, epoch, state, at, expires) ORDER BY seq), '[]'::json)
  FROM (SELECT * FROM @feed WHERE tenant = 'main' AND seq > $1 ORDER BY seq LIMIT $2) p`

/** The verbs. */
export function createFeed(driver: Driver, { call, background, logging }: Verbs): FeedStore {
  return {
    async head() {
      const [row] = await driver.read({ name: 'head', text: "SELECT feed_id, seq::float8 FROM @feed_head WHERE tenant = 'main'" }, [])
      return { feedId: row?.[0] as string, seq: row?.[1] as number }
    },
    async after(seq, limit) {
      const [row] = await driver.read({ name: 'feed_after', text: page }, [seq, limit])
      return ((row?.[0] ?? []) as readonly Row[]).map((one) => revocationOf(one))
    },
    async hasToken(jti) {
      const [row] = await driver.read({ name: 'has_token', text: "SELECT EXISTS (SELECT 1 FROM @feed WHERE kind = 'token' AND id = $1)" }, [
        jti,
      ])
      return row?.[0] === true
    },
    async revokeToken(jti, expires, audit) {
      const statement = { name: 'revoke_token', text: 'SELECT @revoke_token($1, $2, $3)' }
      const { log } = await logging<{ log: Logged }>(statement, [jti, Math.floor(expires), auditJson(audit)])
      return headOf(log.head)
    },
    renew: async (feedId) => headOf(await call({ name: 'renew_feed', text: 'SELECT @renew_feed($1)' }, [feedId])),
    compact: async (limit) => Number(await background({ name: 'compact_feed', text: 'SELECT @compact_feed($1)' }, [limit])),
  }
}
