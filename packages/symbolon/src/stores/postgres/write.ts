// What every verb that writes stands on, in the database itself: its time, audit lines, and the feed, whose head row is
// taken last, so that nobody waits behind it for anything but its commit. Numbers are in commit order because of that row.

import type { FeedHead, Revocation } from '@symbolon/protocol'
import type { AuditDraft } from '#core'
import { type Row, revocationOf } from '#stores/rows'
import type { Driver, Statement, Value } from './driver.ts'
import { type PgFault, refusalCode } from './faults.ts'

/** Access tokens of sessions and users live 900 s at most, clients' own 3,600 s; 120 s of room. A new key is news for a day. Milliseconds. */
export const feedLife = { user: 1_020_000, client: 3_720_000, published: 86_400_000 } as const

/** Whether a session `s` lives; `now` is the time. */
export const live = 's.revoked_at IS NULL AND s.expires_at > now AND s.last_seen_at + s.idle > now'
/** The same under what a new session of its client gets, which may be stricter by now than when it was opened. */
export const liveBeside = (session: string) =>
  `${live} AND s.last_seen_at + (${session}->>'idle')::bigint > now AND s.created_at + (${session}->>'absolute')::bigint > now`

/** `@time()`: milliseconds since 1970 by the database's clock, never less than was noted. `@refuse`: ends a verb without a trace. `@log`: gives entries their numbers. */
export const writeFunctions = `
CREATE FUNCTION @wall() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint';
-- In PL/pgSQL although it is one expression: a function in SQL is planned anew in each statement that calls it.
CREATE FUNCTION @time() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN greatest(@wall(), (SELECT at FROM @clock));
END $$;
CREATE FUNCTION @keep_time() RETURNS bigint LANGUAGE sql VOLATILE AS
  'UPDATE @clock SET at = @wall() WHERE at < @wall() RETURNING at';
CREATE FUNCTION @refuse(outcome jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = '${refusalCode}', MESSAGE = outcome::text;
END $$;
CREATE FUNCTION @write_audit(lines jsonb, now bigint, of_user text) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  INSERT INTO @audit (at, tenant, event, user_id, sid, client_id, ip, detail)
  SELECT now, 'main', l->>'event', coalesce(of_user, l->>'userId'), l->>'sid', l->>'clientId', l->>'ip', l->>'detail'
  FROM jsonb_array_elements(lines) WITH ORDINALITY AS x(l, n) ORDER BY n;
END $$;
CREATE FUNCTION @head() RETURNS json LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN (SELECT json_build_array(feed_id, seq) FROM @feed_head WHERE tenant = 'main');
END $$;
CREATE FUNCTION @log(entries jsonb, now bigint) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  n bigint := jsonb_array_length(entries);
  last bigint;
  feed text;
  written json;
BEGIN
  IF n = 0 THEN
    RETURN json_build_object('head', @head(), 'logged', '[]'::json);
  END IF;
  UPDATE @feed_head SET seq = seq + n WHERE tenant = 'main' RETURNING seq, feed_id INTO last, feed;
  WITH w AS (
    INSERT INTO @feed (tenant, seq, kind, id, epoch, state, at, expires)
    SELECT 'main', last - n + o, e->>'kind', e->>'id', (e->>'epoch')::bigint, e->>'state', now, (e->>'expires')::bigint
    FROM jsonb_array_elements(entries) WITH ORDINALITY AS x(e, o)
    RETURNING seq, tenant, kind, id, epoch, state, at, expires)
  SELECT json_agg(json_build_array(seq, tenant, kind, id, epoch, state, at, expires) ORDER BY seq) INTO written FROM w;
  PERFORM pg_notify('@channel', '');
  RETURN json_build_object('head', json_build_array(feed, last), 'logged', written);
END $$;
`

/** What a verb that may log gives back beside its own. */
export interface Logged {
  readonly head: readonly [string, number]
  readonly logged: readonly Row[]
}

/** Calls verbs in the database. */
export interface Verbs {
  /** The single value of a call; a refusal's outcome if it refused. */
  call<T>(statement: Statement, values: readonly Value[]): Promise<T>
  /** The same in the background, where nobody waits for it. */
  background<T>(statement: Statement, values: readonly Value[]): Promise<T>
  /** The same for one that may log; listeners hear of it before the caller. `walking`: in the background, for one that walks through a table. */
  logging<T extends { readonly log: Logged } | null>(statement: Statement, values: readonly Value[], walking?: 'walking'): Promise<T>
}

/** A call that was refused; `outcome` is the answer. */
export class Refusal extends Error {
  readonly outcome: unknown
  constructor(outcome: unknown) {
    super('refused')
    this.outcome = outcome
  }
}

/** Creates the caller. `told` hears of what was logged, after its commit. */
export function createVerbs(driver: Driver, told: (entries: readonly Revocation[]) => void): Verbs {
  const answerOf = async <T>(rows: Promise<readonly Row[]>): Promise<T> => {
    try {
      return (await rows)[0]?.[0] as T
    } catch (error) {
      const fault = error as PgFault
      if (fault.code === refusalCode) throw new Refusal(JSON.parse(fault.message))
      throw error
    }
  }
  const call = <T>(statement: Statement, values: readonly Value[]) => answerOf<T>(driver.write(statement, values))
  const background = <T>(statement: Statement, values: readonly Value[]) => answerOf<T>(driver.background(statement, values))
  return {
    call,
    background,
    async logging<T extends { readonly log: Logged } | null>(statement: Statement, values: readonly Value[], walking?: 'walking') {
      const answer = await (walking === undefined ? call : background)<T>(statement, values)
      if (answer !== null && answer.log.logged.length > 0) told(answer.log.logged.map((row) => revocationOf(row)))
      return answer
    },
  }
}

/** The answer, or what a refusal answers instead. */
export async function orRefusal<T, R>(answer: Promise<T>): Promise<T | R> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof Refusal) return error.outcome as R
    throw error
  }
}

/** A head as the database says it. */
export const headOf = ([feedId, seq]: readonly [string, number]): FeedHead => ({ feedId, seq })

/** Audit lines for the database. */
export const auditLines = (lines: readonly AuditDraft[]) =>
  lines.map(({ detail, ...line }) => ({ ...line, detail: JSON.stringify(detail) }))
/** The same as text. */
export const auditJson = (lines: readonly AuditDraft[]) => JSON.stringify(auditLines(lines))

/** Bytes as the database takes them. */
export const hex = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')

/** A row whose columns at `places` are bytes in hexadecimal, as bytes. */
export function withBytes(row: Row, places: readonly number[]): Row {
  const made = [...row]
  for (const at of places) made[at] = new Uint8Array(Buffer.from(row[at] as string, 'hex'))
  return made
}

/** What to select for a record: its columns, those of bytes in hexadecimal. */
export const selection = (names: readonly string[], alias: string, bytes: readonly string[] = []) =>
  names.map((name) => (bytes.includes(name) ? `encode(${alias}.${name}, 'hex')` : `${alias}.${name}`)).join(', ')
