// The tables and how they came to be: numbered steps, forward only, each in the transaction that notes it. Running them
// twice, or from two processes at once, changes nothing. Every table has a tenant.

import { SymbolonError } from '@symbolon/protocol'
import { begin, type Driver } from './driver.ts'

const steps: readonly string[] = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value) STRICT, WITHOUT ROWID;
  CREATE TABLE users (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, email TEXT NOT NULL, roles TEXT NOT NULL, status TEXT NOT NULL,
    epoch INTEGER NOT NULL, created_at INTEGER NOT NULL, UNIQUE (tenant, email)) STRICT, WITHOUT ROWID;
  CREATE TABLE clients (
    id TEXT NOT NULL, tenant TEXT NOT NULL, name TEXT NOT NULL, transport TEXT NOT NULL, status TEXT NOT NULL, epoch INTEGER NOT NULL,
    origins TEXT NOT NULL, return_to TEXT NOT NULL, secret_hashes TEXT NOT NULL, scopes TEXT NOT NULL, audiences TEXT NOT NULL,
    policy TEXT NOT NULL, created_at INTEGER NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY (tenant, id)) STRICT, WITHOUT ROWID;
  CREATE TABLE sessions (
    sid TEXT PRIMARY KEY, tenant TEXT NOT NULL, kind TEXT NOT NULL, parent TEXT, client_id TEXT NOT NULL, user_id TEXT NOT NULL,
    user_epoch INTEGER NOT NULL, client_epoch INTEGER NOT NULL, created_at INTEGER NOT NULL, auth_time INTEGER NOT NULL,
    acr TEXT NOT NULL, amr TEXT NOT NULL, expires_at INTEGER NOT NULL, idle INTEGER NOT NULL, last_seen_at INTEGER NOT NULL,
    ip TEXT, user_agent TEXT, binding TEXT, generation INTEGER NOT NULL, predecessor INTEGER, replaced INTEGER,
    rotated_at INTEGER NOT NULL, seen INTEGER NOT NULL, recovered INTEGER NOT NULL, credential_hash BLOB NOT NULL,
    sealed_key BLOB NOT NULL, revoked_at INTEGER, revoked_reason TEXT,
    revision INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
  CREATE INDEX sessions_of_user ON sessions (user_id, created_at);
  CREATE INDEX sessions_of_parent ON sessions (parent) WHERE parent IS NOT NULL;
  CREATE INDEX sessions_by_end ON sessions (expires_at);
  CREATE INDEX sessions_by_revoked ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;
  CREATE TABLE keys (
    kid TEXT PRIMARY KEY, tenant TEXT NOT NULL, alg TEXT NOT NULL, state TEXT NOT NULL, public_jwk TEXT NOT NULL,
    sealed_private BLOB NOT NULL, created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE attempts (
    id_hash TEXT PRIMARY KEY, tenant TEXT NOT NULL, client_id TEXT NOT NULL, purpose TEXT NOT NULL, method TEXT NOT NULL,
    sealed_identifier BLOB NOT NULL, binding_hash TEXT, code_hash BLOB NOT NULL, tries INTEGER NOT NULL, max_tries INTEGER NOT NULL,
    sends INTEGER NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, resend_at INTEGER NOT NULL,
    consumed_at INTEGER) STRICT, WITHOUT ROWID;
  CREATE INDEX attempts_by_end ON attempts (expires_at);
  CREATE TABLE budgets (tenant TEXT NOT NULL, key TEXT NOT NULL, arrival INTEGER NOT NULL, PRIMARY KEY (tenant, key)) STRICT, WITHOUT ROWID;
  CREATE INDEX budgets_by_arrival ON budgets (arrival);
  CREATE TABLE audit (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, tenant TEXT NOT NULL, event TEXT NOT NULL, user_id TEXT, sid TEXT,
    client_id TEXT, ip TEXT, detail TEXT NOT NULL) STRICT;
  CREATE INDEX audit_of_user ON audit (user_id, id);
  CREATE TABLE feed (
    tenant TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, epoch INTEGER, state TEXT,
    at INTEGER NOT NULL, expires INTEGER, PRIMARY KEY (tenant, seq)) STRICT, WITHOUT ROWID;
  CREATE INDEX feed_by_end ON feed (expires) WHERE expires IS NOT NULL;
  CREATE TABLE feed_head (tenant TEXT PRIMARY KEY, feed_id TEXT NOT NULL, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO feed_head VALUES ('main', lower(hex(randomblob(8))), 0);
  INSERT INTO meta VALUES ('clock', 0);
  INSERT INTO meta VALUES ('swept', '');
  `.replace('value) STRICT', 'value ANY) STRICT'),
  `
  ALTER TABLE clients ADD COLUMN keys TEXT NOT NULL DEFAULT '[]';
  ALTER TABLE clients ADD COLUMN token_format TEXT NOT NULL DEFAULT 'jwt';
  CREATE INDEX feed_of_tokens ON feed (id) WHERE kind = 'token';
  CREATE TABLE used (tenant TEXT NOT NULL, key TEXT NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (tenant, key)) STRICT, WITHOUT ROWID;
  CREATE INDEX used_by_end ON used (expires);
  `,
  'CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT, until INTEGER NOT NULL, ran_at INTEGER) STRICT, WITHOUT ROWID;',
  `
  ALTER TABLE attempts ADD COLUMN state TEXT;
  ALTER TABLE attempts ADD COLUMN step INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE attempts ADD COLUMN link_hash TEXT;
  ALTER TABLE attempts ADD COLUMN ends_at INTEGER;
  ALTER TABLE attempts ADD COLUMN user_agent TEXT;
  ALTER TABLE attempts ADD COLUMN return_to TEXT;
  ALTER TABLE attempts ADD COLUMN user_id TEXT;
  ALTER TABLE attempts ADD COLUMN proven TEXT;
  ALTER TABLE attempts ADD COLUMN sid TEXT;
  ALTER TABLE attempts ADD COLUMN need TEXT;
  ALTER TABLE attempts ADD COLUMN action TEXT;
  `,
  `
  CREATE TABLE targets (
    name TEXT PRIMARY KEY, tenant TEXT NOT NULL, lines TEXT NOT NULL, created_at INTEGER NOT NULL, named_at INTEGER NOT NULL,
    failures INTEGER NOT NULL, failing_since INTEGER, retry_at INTEGER NOT NULL, fault TEXT, delivered_at INTEGER) STRICT, WITHOUT ROWID;
  CREATE TABLE deliveries (
    target TEXT NOT NULL, audit_id INTEGER NOT NULL, tenant TEXT NOT NULL, since INTEGER NOT NULL, tries INTEGER NOT NULL,
    due_at INTEGER NOT NULL, parked_at INTEGER, fault TEXT, PRIMARY KEY (target, audit_id)) STRICT, WITHOUT ROWID;
  CREATE INDEX deliveries_due ON deliveries (target, due_at, audit_id) WHERE parked_at IS NULL;
  CREATE INDEX deliveries_parked ON deliveries (parked_at) WHERE parked_at IS NOT NULL;
  `,
  `
  CREATE TABLE passkeys (
    id TEXT NOT NULL, tenant TEXT NOT NULL, user_id TEXT NOT NULL, public_key BLOB NOT NULL, counter INTEGER NOT NULL,
    transports TEXT NOT NULL, backup_eligible INTEGER NOT NULL, backed_up INTEGER NOT NULL, aaguid TEXT NOT NULL, name TEXT NOT NULL,
    user_verified INTEGER NOT NULL, created_at INTEGER NOT NULL, last_used_at INTEGER, PRIMARY KEY (tenant, id)) STRICT, WITHOUT ROWID;
  CREATE INDEX passkeys_of_user ON passkeys (user_id, created_at);
  CREATE TABLE user_handles (
    tenant TEXT NOT NULL, user_id TEXT NOT NULL, handle TEXT NOT NULL, PRIMARY KEY (tenant, user_id)) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE sessions ADD COLUMN base_acr TEXT;
  ALTER TABLE sessions ADD COLUMN base_amr TEXT;
  ALTER TABLE sessions ADD COLUMN replaced_for TEXT;
  `,
  `
  CREATE TABLE address_undos (
    id_hash TEXT PRIMARY KEY, tenant TEXT NOT NULL, user_id TEXT NOT NULL, email TEXT NOT NULL, created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX address_undos_by_email ON address_undos (tenant, email);
  CREATE INDEX address_undos_of_user ON address_undos (user_id);
  CREATE INDEX address_undos_by_end ON address_undos (expires_at);
  `,
]

/** Brings a database up to date. Throws `store_corrupt` for one that a newer version made, and what SQLite says when somebody holds it for too long. */
export function migrate(driver: Driver, path: string): void {
  begin(driver)
  try {
    const version = Number(driver.sql('PRAGMA user_version').get()?.[0])
    if (version > steps.length) {
      const sentence = `The database ${path} was made by a newer version of Symbolon; run that version, or restore an older backup.`
      const error = new SymbolonError('store_corrupt', { detail: sentence })
      error.message = sentence
      throw error
    }
    for (const step of steps.slice(version)) driver.exec(step)
    driver.exec(`PRAGMA user_version = ${steps.length}`)
    driver.exec('COMMIT')
  } catch (error) {
    driver.exec('ROLLBACK')
    throw error
  }
}
