// Sign-in by an e-mailed code, without delivery: start and verify, durable, 64 at once, against raw durable commits by the
// same driver on the same disk; by a passkey; and what the page for both weighs.

import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool } from 'pg'
import { type Figures, sideBySide, spent } from './figures.ts'
import { measurePages } from './pages.ts'
import { measurePasskey } from './passkey.ts'
import { findPrograms, startServer } from './postgres-server.ts'
import { rateOf } from './rates.ts'
import { connections, openCore, openPostgresCore } from './rooms.ts'

const inFlight = 64
/** Sign-ins in a round; on PostgreSQL as many raw commits stand against them, so that both sides are as warm. */
const signIns = 3000
const wide = { limit: 1_000_000, window: 60_000 }
// Everybody comes from everywhere: what bounds guessing is spent and written as always, and never used up.
const budgets = Object.fromEntries(
  ['startPerAccount', 'startPerAddress', 'startOverall', 'verifyPerAccount', 'verifyPerAddress', 'verifyPerDevice', 'verifyOverall'].map(
    (name) => [name, wide],
  ),
)

/** A core whose codes are caught, and one sign-in of a person there. */
async function openLogin(open: (doors: NonNullable<Parameters<typeof openCore>[2]>) => ReturnType<typeof openCore>) {
  const codes = new Map<string, string>()
  const queue = ({ to, code }: { readonly to?: string; readonly code?: string }) => void codes.set(to as string, code as string)
  const opened = await open({ queue, budgets })
  const caller = { ip: '192.0.2.1', userAgent: 'bench' }
  return {
    ...opened,
    async signIn(who: number): Promise<void> {
      const identifier = `person${who}@example.com`
      const by = { browser: null, device: null, caller }
      const started = await opened.core.login.start({ method: 'email_otp', identifier, clientId: 'native', ...by })
      if (!started.ok) throw new Error(started.code)
      const done = await opened.core.login.verify({ loginId: started.loginId, code: codes.get(identifier), replaces: null, ...by })
      if (!done.ok) throw new Error(done.code)
    },
  }
}

/** Rates of whole sign-ins, each caller a person of their own, half of them new. */
function signingIn(login: Awaited<ReturnType<typeof openLogin>>): () => Promise<number> {
  let round = 0
  return () => {
    const first = (round++ * signIns) / 2
    return rateOf(inFlight, signIns, (n) => login.signIn(first + n))
  }
}

/** Measures. */
export async function measureLogin(figures: Figures): Promise<void> {
  await measurePages(figures)
  await measurePasskey(figures)
  await measureSqlite(figures)
  if (findPrograms() === undefined) figures.note('login on PostgreSQL: not measured (PostgreSQL is not installed)')
  else await measurePostgres(figures)
}

async function measureSqlite(figures: Figures): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-bench-'))
  const login = await openLogin((doors) => openCore(join(folder, 'symbolon.db'), undefined, doors))
  try {
    figures.begin(`sign-ins by code on SQLite, ${inFlight} at once, against raw commits`)
    const Database = createRequire(import.meta.url)('libsql')
    const raw = new Database(join(folder, 'raw.db'))
    raw.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, b BLOB)')
    raw.prepare('INSERT INTO t VALUES (1, 0, ?)').run([Buffer.alloc(64)])
    const change = raw.prepare('UPDATE t SET n = n + 1, b = ? WHERE id = 1')
    const rates = await sideBySide(5, {
      // One connection that writes has one commit under way, however many ask.
      commit: async () => {
        const { wall } = await spent(() => {
          for (let i = 0; i < 400; i++) change.run([Buffer.alloc(64, i)])
        })
        return (400 / wall) * 1_000_000
      },
      ours: signingIn(login),
    })
    raw.close()
    figures.put('login.code.sqlite.per_s', rates.median.ours, '/s')
    figures.put('login.code.sqlite.vs_commit', rates.ratio('ours', 'commit'), '×', '≥ 0.25')
  } finally {
    await login.store.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measurePostgres(figures: Figures): Promise<void> {
  const server = await startServer()
  try {
    await server.sql('postgres', 'CREATE DATABASE login')
    const url = server.url('login')
    const login = await openLogin((doors) => openPostgresCore(url, undefined, doors))
    const pool = new Pool({ connectionString: url, max: connections })
    try {
      figures.begin(`sign-ins by code on PostgreSQL, ${inFlight} at once, against raw commits`)
      await pool.query('CREATE TABLE raw (id integer PRIMARY KEY, n integer NOT NULL, b bytea NOT NULL) WITH (fillfactor = 50)')
      await pool.query("INSERT INTO raw SELECT i, 0, decode(repeat('00', 64), 'hex') FROM generate_series(0, 63) i")
      const bytes = Buffer.alloc(64)
      const text = 'UPDATE raw SET n = n + 1, b = $2 WHERE id = $1'
      const rates = await sideBySide(5, {
        commit: () => rateOf(inFlight, signIns, async (_, at) => void (await pool.query({ name: 'raw', text, values: [at, bytes] }))),
        ours: signingIn(login),
      })
      figures.put('login.code.pg.per_s', rates.median.ours, '/s')
      figures.put('login.code.pg.vs_commit', rates.ratio('ours', 'commit'), '×', '≥ 0.25')
    } finally {
      await pool.end()
      await login.store.close()
    }
  } finally {
    server.stop()
  }
}
