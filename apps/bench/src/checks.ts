// Live checks and refreshes on PostgreSQL, in this process: against one prepared query for each check, and against
// better-auth's refresh of a session.

import { createHash, timingSafeEqual } from 'node:crypto'
import { Pool } from 'pg'
import { type Figures, sideBySide } from './figures.ts'
import { credentialAt, drawn, loadPostgres } from './load.ts'
import type { PostgresServer } from './postgres-server.ts'
import { rateOf } from './rates.ts'
import { openRival } from './rival.ts'
import { connections, openPostgresCore } from './rooms.ts'

const floors: Readonly<Record<number, number>> = { 1: 0.8, 64: 4, 512: 8 }
const caller = { ip: null, userAgent: null }

/** Measures on a database with `sessions` sessions. */
export async function measureChecks(figures: Figures, server: PostgresServer, database: string, sessions: number): Promise<void> {
  const open = await openPostgresCore(server.url(database))
  await loadPostgres(server.url(database), 'symbolon', { from: 0, to: sessions }, figures.begin)
  await server.sql(database, 'ANALYZE')
  const { core } = open
  // Activity is written each second, as a node does.
  const flushing = setInterval(() => void core.sessions.flush().catch(() => {}), 1000)
  const pool = new Pool({ connectionString: server.url(database), max: connections })
  try {
    const credentials = drawn(5000, sessions, false).map(credentialAt)
    const pick = (n: number) => credentials[(n * 7919) % credentials.length] as string
    const check = async (n: number) => {
      const checked = await core.sessions.check(pick(n), 'cookie')
      if (!checked.ok) throw new Error(checked.code)
    }
    const text = `SELECT s.*, u.email, u.roles, u.status AS user_status, u.epoch, c.status AS client_status, c.epoch AS client_epoch_now, c.policy
      FROM symbolon.sessions s JOIN symbolon.users u ON u.id = s.user_id JOIN symbolon.clients c ON c.tenant = s.tenant AND c.id = s.client_id
      WHERE s.sid = $1`
    const single = async (n: number) => {
      const credential = pick(n)
      const [row] = (await pool.query({ name: 'check', text, values: [credential.slice(4, 26)] })).rows
      const alive = row?.revoked_at === null && Number(row.expires_at) > Date.now() && row.user_status === 'active'
      if (!alive || !timingSafeEqual(createHash('sha256').update(credential).digest(), row.credential_hash)) throw new Error('refused')
    }
    for (const callers of [1, 64, 512]) {
      figures.begin(`live checks, ${callers} at once`)
      const count = callers === 1 ? 2000 : 10_000
      const rates = await sideBySide(5, {
        single: () => rateOf(callers, count, single),
        ours: () => rateOf(callers, callers === 1 ? count : 4 * count, check),
      })
      figures.put(`pg.check.c${callers}.per_s`, rates.median.ours, '/s')
      figures.put(`pg.check.c${callers}.vs_single`, rates.ratio('ours', 'single'), '×', `≥ ${floors[callers]}`)
    }

    figures.begin('refresh (rotate and mint, durable), 64 sessions at once, against better-auth')
    const rivalDatabase = 'rival_refresh'
    await server.sql('postgres', `CREATE DATABASE ${rivalDatabase}`)
    const rival = await openRival(server.url(rivalDatabase), 0)
    try {
      await rival.migrate()
      const cookies = await rival.signUp(64)
      const headers = cookies.map((cookie) => new Headers({ cookie }))
      const newest = async () => String((await server.sql(rivalDatabase, 'SELECT min("updatedAt") AS at FROM session'))[0]?.at)
      const before = await newest()
      const theirs = async (_: number, at: number) => {
        const found = await rival.auth.api.getSession({ headers: headers[at] as Headers })
        if (found === null) throw new Error('better-auth knows no session')
      }
      const natives = drawn(64, sessions, true).map(credentialAt)
      const ours = async (_: number, at: number) => {
        const outcome = await core.sessions.refresh({ credential: natives[at], kind: 'token', background: false, caller })
        if (!outcome.ok || outcome.outcome !== 'rotated') throw new Error(outcome.ok ? outcome.outcome : outcome.code)
        natives[at] = outcome.credential
      }
      const rates = await sideBySide(5, { theirs: () => rateOf(64, 640, theirs), ours: () => rateOf(64, 2560, ours) })
      if ((await newest()) === before) throw new Error('better-auth did not write.')
      figures.put('pg.refresh.c64.per_s', rates.median.ours, '/s')
      figures.put('pg.refresh.c64.vs_better_auth', rates.ratio('ours', 'theirs'), '×', '≥ 4')
    } finally {
      await rival.pool.end()
    }
  } finally {
    clearInterval(flushing)
    await pool.end()
    await open.store.close()
  }
}
