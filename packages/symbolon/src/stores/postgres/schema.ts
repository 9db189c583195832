// The tables and functions and how they came to be: numbered steps, forward only, under a lock that only one process can
// hold. Steps expand: an older version of Symbolon runs on beside a newer one, until a step says from which version on it
// cannot. So a function that is there keeps its meaning, and a new meaning gets a new name.

import { SymbolonError } from '@symbolon/protocol'
import { addressFunctions, changeAddress } from './addresses.ts'
import { attemptFunctions, guessFunctions, loginFunctions } from './attempts.ts'
import { clientFunctions } from './clients.ts'
import { closingFunctions } from './closing.ts'
import type { Driver, Query } from './driver.ts'
import { faultOf, isLocked } from './faults.ts'
import { feedFunctions } from './feed.ts'
import { enrolOne, finishFunctions, finishGroupFunctions } from './finish.ts'
import { userNow } from './glance.ts'
import { keyFunctions } from './keys.ts'
import { leaseFunctions } from './leases.ts'
import { limitFunctions, spendFunctions } from './limits.ts'
import { passkeyFunctions, passkeySchema } from './passkeys.ts'
import { proofFunctions } from './proof.ts'
import { raiseFunctions } from './raise.ts'
import { removalFunctions } from './removal.ts'
import { restoreFunctions } from './restores.ts'
import { sealFunctions } from './seals.ts'
import { sessionFunctions } from './sessions.ts'
import { sweepFunctions } from './sweep.ts'
import { userFunctions } from './users.ts'
import { deliveryNotes, webhookSchema } from './webhooks.ts'
import { writeFunctions } from './write.ts'

/**
 * One step, a transaction. `needs`: the oldest number of steps that a version must know to run on what this one leaves.
 * `indexes`: built beside those who read and write, before the step.
 */
interface Step {
  readonly sql: string
  readonly needs?: number
  readonly indexes?: readonly { readonly name: string; readonly on: string }[]
}

const tables = `
CREATE TABLE @meta (name text COLLATE "C" PRIMARY KEY, value text NOT NULL);
CREATE TABLE @clock (tenant text COLLATE "C" PRIMARY KEY, at bigint NOT NULL);
CREATE TABLE @users (
  id text COLLATE "C" PRIMARY KEY, tenant text COLLATE "C" NOT NULL, email text COLLATE "C" NOT NULL, roles text NOT NULL,
  status text NOT NULL, epoch bigint NOT NULL, created_at bigint NOT NULL, mark bigint NOT NULL, UNIQUE (tenant, email));
CREATE TABLE @clients (
  id text COLLATE "C" NOT NULL, tenant text COLLATE "C" NOT NULL, name text NOT NULL, transport text NOT NULL, status text NOT NULL,
  epoch bigint NOT NULL, origins text NOT NULL, return_to text NOT NULL, secret_hashes text NOT NULL, scopes text NOT NULL,
  audiences text NOT NULL, policy text NOT NULL, created_at bigint NOT NULL, keys text NOT NULL, token_format text NOT NULL,
  mark bigint NOT NULL, PRIMARY KEY (tenant, id));
CREATE TABLE @sessions (
  sid text COLLATE "C" PRIMARY KEY, tenant text COLLATE "C" NOT NULL, kind text NOT NULL, parent text COLLATE "C",
  client_id text COLLATE "C" NOT NULL, user_id text COLLATE "C" NOT NULL, user_epoch bigint NOT NULL, client_epoch bigint NOT NULL,
  created_at bigint NOT NULL, auth_time bigint NOT NULL, acr text NOT NULL, amr text NOT NULL, expires_at bigint NOT NULL,
  idle bigint NOT NULL, last_seen_at bigint NOT NULL, ip text, user_agent text, binding text, generation bigint NOT NULL,
  predecessor bigint, replaced bigint, rotated_at bigint NOT NULL, seen smallint NOT NULL, recovered integer NOT NULL,
  credential_hash bytea NOT NULL, sealed_key bytea NOT NULL, revoked_at bigint, revoked_reason text, mark bigint NOT NULL)
  WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX sessions_of_user ON @sessions (user_id, created_at);
CREATE INDEX sessions_of_parent ON @sessions (parent) WHERE parent IS NOT NULL;
CREATE INDEX sessions_by_end ON @sessions (expires_at);
CREATE INDEX sessions_by_revoked ON @sessions (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE TABLE @keys (
  kid text COLLATE "C" PRIMARY KEY, tenant text COLLATE "C" NOT NULL, alg text NOT NULL, state text NOT NULL, public_jwk text NOT NULL,
  sealed_private bytea NOT NULL, created_at bigint NOT NULL, changed_at bigint NOT NULL);
CREATE TABLE @attempts (
  id_hash text COLLATE "C" PRIMARY KEY, tenant text COLLATE "C" NOT NULL, client_id text COLLATE "C" NOT NULL, purpose text NOT NULL,
  method text NOT NULL, sealed_identifier bytea NOT NULL, binding_hash text, code_hash bytea NOT NULL, tries integer NOT NULL,
  max_tries integer NOT NULL, sends integer NOT NULL, created_at bigint NOT NULL, expires_at bigint NOT NULL,
  resend_at bigint NOT NULL, consumed_at bigint) WITH (fillfactor = 80);
CREATE INDEX attempts_by_end ON @attempts (expires_at);
CREATE TABLE @budgets (tenant text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, arrival bigint NOT NULL, PRIMARY KEY (tenant, key));
CREATE INDEX budgets_by_arrival ON @budgets (arrival);
CREATE TABLE @used (tenant text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, expires bigint NOT NULL, PRIMARY KEY (tenant, key));
CREATE INDEX used_by_end ON @used (expires);
CREATE TABLE @audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at bigint NOT NULL, tenant text COLLATE "C" NOT NULL, event text NOT NULL,
  user_id text COLLATE "C", sid text COLLATE "C", client_id text COLLATE "C", ip text, detail text NOT NULL);
CREATE INDEX audit_of_user ON @audit (user_id, id);
CREATE TABLE @feed (
  tenant text COLLATE "C" NOT NULL, seq bigint NOT NULL, kind text NOT NULL, id text COLLATE "C" NOT NULL, epoch bigint, state text,
  at bigint NOT NULL, expires bigint, PRIMARY KEY (tenant, seq));
CREATE INDEX feed_by_end ON @feed (expires) WHERE expires IS NOT NULL;
CREATE INDEX feed_of_tokens ON @feed (id) WHERE kind = 'token';
CREATE TABLE @feed_head (tenant text COLLATE "C" PRIMARY KEY, feed_id text NOT NULL, seq bigint NOT NULL) WITH (fillfactor = 10);
CREATE TABLE @leases (name text COLLATE "C" PRIMARY KEY, holder text, until bigint NOT NULL, ran_at bigint) WITH (fillfactor = 10);
INSERT INTO @feed_head VALUES ('main', left(replace(gen_random_uuid()::text, '-', ''), 16), 0);
INSERT INTO @clock VALUES ('main', 0);
INSERT INTO @meta VALUES ('swept', ''), ('steps', '0'), ('needs', '0');
`

/** A row's mark is drawn anew at each change, so that no copy that went back in time can pass for what was remembered of it. */
const marks = `
CREATE FUNCTION @mark() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT (random() * 9007199254740991)::bigint';
ALTER TABLE @users ALTER mark SET DEFAULT @mark();
ALTER TABLE @clients ALTER mark SET DEFAULT @mark();
ALTER TABLE @sessions ALTER mark SET DEFAULT @mark();
`

/**
 * A session says what its user is at (`user_now`, of those that live), and its mark tells of that too: so a check looks at one
 * row. Whatever changes a user changes the sessions in the same transaction; opening a session holds the user's row, so that none
 * is missed. And what is looked up by an id alone, a hash finds in two thirds of the time, however many there are.
 */
const sessionsOfUsers = `
ALTER TABLE @sessions ADD COLUMN user_now text;
CREATE FUNCTION @note_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.user_now := (SELECT ${userNow('u')} FROM @users u WHERE u.id = NEW.user_id);
  RETURN NEW;
END $$;
CREATE FUNCTION @note_users() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  person text := OLD.id;
  state text := CASE WHEN TG_OP = 'UPDATE' THEN ${userNow('NEW')} END;
BEGIN
  PERFORM 1 FROM @sessions WHERE user_id = person AND revoked_at IS NULL ORDER BY sid FOR NO KEY UPDATE;
  UPDATE @sessions SET mark = DEFAULT, user_now = state WHERE user_id = person AND revoked_at IS NULL;
  RETURN NULL;
END $$;
CREATE TRIGGER note_user BEFORE INSERT ON @sessions FOR EACH ROW EXECUTE FUNCTION @note_user();
CREATE TRIGGER note_users AFTER UPDATE OR DELETE ON @users FOR EACH ROW EXECUTE FUNCTION @note_users();
`

/** The same functions, for a database that has them in words that do the same and take longer. */
const again = (sql: string) => sql.replaceAll('CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION')

const steps: readonly Step[] = [
  {
    sql: [
      tables,
      marks,
      writeFunctions,
      limitFunctions,
      leaseFunctions,
      feedFunctions,
      sessionFunctions,
      sweepFunctions,
      userFunctions,
      clientFunctions,
      keyFunctions,
      attemptFunctions,
      closingFunctions,
      sealFunctions,
      restoreFunctions,
    ].join('\n'),
  },
  {
    sql: [sessionsOfUsers, 'ALTER TABLE @budgets SET (fillfactor = 50);', again(limitFunctions), again(sessionFunctions)].join('\n'),
    indexes: [{ name: 'sessions_by_sid', on: '@sessions USING hash (sid)' }],
  },
  { sql: [spendFunctions, loginFunctions, finishFunctions].join('\n') },
  { sql: webhookSchema },
  { sql: passkeySchema },
  { sql: raiseFunctions },
  { sql: removalFunctions },
  { sql: [again(spendFunctions), finishGroupFunctions].join('\n') },
  { sql: [addressFunctions, again(removalFunctions), again(finishGroupFunctions)].join('\n') },
  { sql: [again(spendFunctions), again(guessFunctions), again(sessionFunctions), again(finishGroupFunctions)].join('\n') },
  { sql: [again(enrolOne), proofFunctions, again(changeAddress), passkeyFunctions].join('\n') },
  { sql: again(changeAddress) },
  { sql: again(deliveryNotes) },
  { sql: [again(limitFunctions), again(spendFunctions), again(sessionFunctions), again(finishGroupFunctions)].join('\n') },
]

/** How many steps this version knows. */
export const known = steps.length

/** Where a database stands: how many steps it has seen, and how many a version must know to run on it. */
export interface Standing {
  readonly steps: number
  readonly needs: number
}

const sentence = (text: string, code: 'store_corrupt' | 'store_unavailable') => {
  const error = new SymbolonError(code, { detail: text, retryAfter: 5 })
  error.message = text
  return error
}

/** By a look into the catalogue's tables: `to_regclass` may remember from before a lock was waited for that nothing was there. */
async function isThere(query: Query, schema: string): Promise<boolean> {
  const text = "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = 'meta'"
  return (await query(text, [schema])).length > 0
}

/** Where the database stands; no steps when there is nothing of ours in it. */
export async function standing(driver: Pick<Driver, 'alone' | 'schema'>): Promise<Standing> {
  return driver.alone(async (query) => {
    if (!(await isThere(query, driver.schema))) return { steps: 0, needs: 0 }
    const rows = await query("SELECT name, value FROM @meta WHERE name IN ('steps', 'needs')")
    const value = (name: string) => Number(rows.find((row) => row[0] === name)?.[1] ?? 0)
    return { steps: value('steps'), needs: value('needs') }
  })
}

/** Refuses a database that a version too new for this one has changed, or one that is behind. */
export function checkStanding({ steps: seen, needs }: Standing): void {
  if (needs > known)
    throw sentence(
      'The database was changed by a newer version of Symbolon that this one cannot run beside; run that version.',
      'store_corrupt',
    )
  if (seen < known)
    throw sentence('The tables of Symbolon are missing or older than this version; run: symbolon migrate up', 'store_unavailable')
}

/** How long what others hold may keep a step, and whoever comes after it on that table, waiting. Milliseconds. */
const mostHeld = 500
/** How long a step is tried, and another process's steps are waited for. Milliseconds. */
const mostTried = 600_000

/** What brings a database on: statements that run by themselves, and then a transaction. */
interface Part {
  readonly alone: readonly string[]
  readonly together: string
}

/** The parts from where a database stands: one where there is nothing yet and nobody who reads, else one for each step. */
function partsFrom(driver: Pick<Driver, 'render' | 'schema'>, from: number): readonly Part[] {
  const parts = steps.slice(from).map(({ sql, needs, indexes = [] }, n) => {
    const noted = [`UPDATE @meta SET value = '${from + n + 1}' WHERE name = 'steps';`]
    if (needs !== undefined) noted.push(`UPDATE @meta SET value = greatest(value::int, ${needs})::text WHERE name = 'needs';`)
    const rendered = (texts: readonly string[]) => texts.map((text) => driver.render(text).trim())
    if (from === 0) {
      const built = indexes.map(({ name, on }) => `CREATE INDEX ${name} ON ${on};`)
      return { alone: [], together: rendered([sql, ...built, ...noted]).join('\n') }
    }
    // What a try before left of an index may be good for nothing.
    const beside = indexes.flatMap(({ name, on }) => [
      `DROP INDEX CONCURRENTLY IF EXISTS @${name};`,
      `CREATE INDEX CONCURRENTLY ${name} ON ${on};`,
    ])
    return { alone: rendered(beside), together: rendered([sql, ...noted]).join('\n') }
  })
  if (from > 0) return parts
  return [{ alone: [], together: [`CREATE SCHEMA IF NOT EXISTS ${driver.schema};`, ...parts.map(({ together }) => together)].join('\n') }]
}

/** Gives up where somebody holds a table for long. */
const transaction = (together: string) => `BEGIN;\nSET LOCAL lock_timeout = ${mostHeld};\n${together}\nCOMMIT;`

/** The SQL that brings a database from where it stands to where this version wants it. */
export function migrationSql(driver: Pick<Driver, 'render' | 'schema'>, { steps: from }: Standing): string {
  if (from >= known) return ''
  const texts = partsFrom(driver, from).flatMap(({ alone, together }) => [...alone, transaction(together)])
  return `${texts.join('\n')}\n`
}

const pause = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms))

/** Builds a part's indexes; again where that and an older version's wait for the same lock are in each other's way. */
async function build(query: Query, alone: readonly string[]): Promise<void> {
  const until = performance.now() + mostTried
  for (;;) {
    try {
      for (const statement of alone) await query(statement)
      return
    } catch (error) {
      if (faultOf(error) !== 'conflict' || performance.now() > until) throw error
      await pause(1000 + Math.random() * 1000)
    }
  }
}

/** Runs a part's transaction; again where somebody holds a table, so that nobody else waits behind it for long. */
async function take(query: Query, together: string, say: (text: string) => void): Promise<void> {
  const until = performance.now() + mostTried
  for (let turn = 1; ; turn++) {
    try {
      await query(transaction(together))
      return
    } catch (error) {
      await query('ROLLBACK')
      if (!isLocked(error) || performance.now() > until) throw error
      if (turn === 1) say('Somebody holds a table that a step changes; it is tried again, for ten minutes.')
      await pause(1000 + Math.random() * 1000)
    }
  }
}

/** Brings the database up to date, once, however many processes begin at the same time; returns how many steps were taken. `say` hears what takes long. */
export async function migrate(driver: Driver, say: (text: string) => void = () => {}): Promise<number> {
  const before = await standing(driver)
  if (before.needs > known) checkStanding(before)
  if (before.steps >= known) return 0
  return driver.apart(async (query) => {
    // Asked for again and again: an index that is built waits for every statement under way, one that waits for this lock among them.
    const lock = async () => (await query('SELECT pg_try_advisory_lock(hashtextextended($1, 0))', [`symbolon ${driver.schema}`]))[0]?.[0]
    const until = performance.now() + mostTried
    for (let turn = 1; (await lock()) !== true; turn++) {
      if (turn === 1) say('Another process is changing the tables; waiting until it is done.')
      if (performance.now() > until)
        throw sentence('Another process has been changing the tables of Symbolon for ten minutes.', 'store_unavailable')
      await pause(200)
    }
    // Another process may have done it meanwhile.
    const rows = (await isThere(query, driver.schema)) ? await query("SELECT value FROM @meta WHERE name = 'steps'") : []
    const seen = Number(rows[0]?.[0] ?? 0)
    for (const { alone, together } of seen < known ? partsFrom(driver, seen) : []) {
      if (alone.length > 0) say('Building an index beside those who read and write; with millions of rows this takes minutes.')
      await build(query, alone)
      await take(query, together, say)
    }
    return Math.max(0, known - seen)
  })
}
