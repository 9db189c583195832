// Millions of sessions, straight into the tables: every row as a sign-in leaves it, with a credential that verifies. A
// session's secrets are derived from its number, so that any of all can be drawn again and none need be kept.

import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { Client } from 'pg'
import type { Figures } from './figures.ts'
import { rooms, secret } from './rooms.ts'

const crypto = rooms.crypto.createCrypto([secret])
const hour = 3_600_000
const day = 24 * hour

/** Of four sessions three are of browsers, one of a native client; a user has four. */
const perUser = 4
/** Session `n` is of a native client, whose credential rotates. */
export const isNative = (n: number) => n % perUser === perUser - 1
/** The user whose session `n` is. */
export const userOf = (n: number) =>
  `usr_${createHash('sha256')
    .update(`${Math.floor(n / perUser)}`)
    .digest('base64url')
    .slice(0, 21)}A`

interface Made {
  readonly sid: string
  readonly credential: string
  readonly credentialHash: Uint8Array
  readonly sealedKey: Uint8Array
}

function make(n: number): Made {
  let drawn = 0
  const random = (bytes: number) => new Uint8Array(createHash('sha256').update(`session ${n} ${drawn++}`).digest().subarray(0, bytes))
  return rooms.credential.newCredential({ ...crypto, random }, isNative(n) ? 'token' : 'cookie')
}

/** The first credential of session `n`. */
export const credentialAt = (n: number): string => make(n).credential

/** Numbers of sessions that a browser, or a native client, holds, spread over all. */
export function drawn(count: number, of: number, native: boolean): number[] {
  const found = new Set<number>()
  const there = Math.floor(of / perUser) * (native ? 1 : perUser - 1)
  while (found.size < Math.min(count, there)) {
    const n = Math.floor(Math.random() * of)
    if (isNative(n) === native) found.add(n)
  }
  return [...found]
}

const agents = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0',
]

/** What is loaded: sessions `from` to `to`, alive, or over for two days: half of them by their absolute end, half left idle. */
export interface Part {
  readonly from: number
  readonly to: number
  readonly over?: boolean
}

const idle = 14 * day
const absolute = 90 * day

/** A session's times: signed in within the last ten days, last used within the last. */
function timesOf(n: number, now: number, over: boolean) {
  const seen = now - ((n * 7919) % day) - 2 * 60_000
  if (!over) {
    const created = seen - ((n * 104_729) % (9 * day))
    return { created, expires: created + absolute, seen }
  }
  const left = n % 2 === 0 ? now - absolute - 3 * day : now - idle - 3 * day
  return { created: left, expires: left + absolute, seen: n % 2 === 0 ? left + absolute - day : left }
}

const perStatement = 4000

const insertUsers = (schema: string) => `
  INSERT INTO ${schema}.users (id, tenant, email, roles, status, epoch, created_at)
  SELECT 'usr_' || left(translate(encode(sha256(n::text::bytea), 'base64'), '+/', '-_'), 21) || 'A', 'main', 'user' || n || '@example.com',
    '["member"]', 'active', 1, $3 FROM generate_series($1::bigint, $2::bigint) n`

const insertSessions = (schema: string) => `
  INSERT INTO ${schema}.sessions (sid, tenant, kind, parent, client_id, user_id, user_epoch, client_epoch, created_at, auth_time, acr, amr,
    expires_at, idle, last_seen_at, ip, user_agent, binding, generation, predecessor, replaced, rotated_at, seen, recovered, credential_hash,
    sealed_key, revoked_at, revoked_reason)
  SELECT sid, 'main', CASE WHEN native THEN 'token' ELSE 'cookie' END, NULL, CASE WHEN native THEN 'native' ELSE 'app' END, owner, 1, 1, created,
    created, 'urn:symbolon:acr:email', '["otp"]', ends, ${idle}, last, '192.0.2.' || last % 256, agent, NULL, 1, NULL, NULL, created, 1, 0,
    decode(hash, 'hex'), decode(sealed, 'hex'), NULL, NULL
  FROM unnest($1::text[], $2::boolean[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[])
    AS x(sid, native, owner, created, ends, last, agent, hash, sealed)`

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** Loads a database whose tables are there. Its indexes grow with the rows, as in life. */
export async function loadPostgres(
  url: string,
  schema: string,
  { from, to, over = false }: Part,
  progress: Figures['begin'],
): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query('SET synchronous_commit = off; SET jit = off')
    const now = Date.now()
    let sent: Promise<unknown> = Promise.resolve()
    for (let at = from; at < to; at += perStatement) {
      const end = Math.min(to, at + perStatement)
      const columns: unknown[][] = Array.from({ length: 9 }, () => [])
      for (let n = at; n < end; n++) {
        const { sid, credentialHash, sealedKey } = make(n)
        const { created, expires, seen } = timesOf(n, now, over)
        const row = [sid, isNative(n), userOf(n), created, expires, seen, agents[n % agents.length], hex(credentialHash), hex(sealedKey)]
        for (const [column, value] of row.entries()) columns[column]?.push(value)
      }
      // Rows are made while those before them are written.
      await sent
      const users = [Math.ceil(at / perUser), Math.ceil(end / perUser) - 1, now - 10 * day]
      sent = Promise.all([
        client.query({ name: 'users', text: insertUsers(schema), values: users }),
        client.query({ name: 'sessions', text: insertSessions(schema), values: columns }),
      ])
      sent.catch(() => {})
      if (at % 100_000 < perStatement) progress(`loading ${over ? 'sessions that are over' : 'sessions'}: number ${at}`)
    }
    await sent
  } finally {
    await client.end()
  }
}

/** The same for a file that no store has open, in one connection for all parts. */
export function openSqliteLoader(path: string, progress: Figures['begin']) {
  const db = new (createRequire(import.meta.url)('libsql'))(path)
  // Nothing is kept of a load that does not come to its end.
  db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000')
  const user = db.prepare(
    "INSERT INTO users (id, tenant, email, roles, status, epoch, created_at) VALUES (?, 'main', ?, '[\"member\"]', 'active', 1, ?)",
  )
  const session = db.prepare(`
    INSERT INTO sessions (sid, tenant, kind, parent, client_id, user_id, user_epoch, client_epoch, created_at, auth_time, acr, amr, expires_at, idle,
      last_seen_at, ip, user_agent, binding, generation, predecessor, replaced, rotated_at, seen, recovered, credential_hash, sealed_key,
      revoked_at, revoked_reason, revision) VALUES (?, 'main', ?, NULL, ?, ?, 1, 1, ?, ?, 'urn:symbolon:acr:email', '["otp"]', ?, ${idle}, ?, ?, ?, NULL, 1, NULL,
      NULL, ?, 1, 0, ?, ?, NULL, NULL, 0)`)
  const now = Date.now()
  return {
    load({ from, to, over = false }: Part) {
      if (from % 100_000 < to - from) progress(`loading ${over ? 'sessions that are over' : 'sessions'}: number ${from}`)
      db.exec('BEGIN')
      for (let n = from; n < to; n++) {
        const { sid, credentialHash, sealedKey } = make(n)
        const { created, expires, seen } = timesOf(n, now, over)
        if (n % perUser === 0) user.run([userOf(n), `user${n / perUser}@example.com`, now - 10 * day])
        const [kind, client] = isNative(n) ? ['token', 'native'] : ['cookie', 'app']
        const agent = agents[n % agents.length]
        const bytes = [Buffer.from(credentialHash), Buffer.from(sealedKey)]
        session.run([sid, kind, client, userOf(n), created, created, expires, seen, `192.0.2.${seen % 256}`, agent, created, ...bytes])
      }
      db.exec('COMMIT')
    },
    close: () => db.close(),
  }
}
