// Symbolon on PostgreSQL: live checks against single queries, refreshes and guarded routes against better-auth, each on one
// server of its own. What it is like with millions of sessions is a part of its own: scale.

import { measureChecks } from './checks.ts'
import type { Figures } from './figures.ts'
import { measureHttpPostgres } from './http-postgres.ts'
import { measureNodes } from './nodes.ts'
import { startServer } from './postgres-server.ts'
import { connections } from './rooms.ts'

/** Measures. */
export async function measurePostgres(figures: Figures): Promise<void> {
  const server = await startServer()
  try {
    figures.note(`${server.settings}; ${connections} connections each`)
    await server.sql('postgres', 'CREATE DATABASE checks')
    await measureChecks(figures, server, 'checks', 100_000)
    await measureHttpPostgres(figures, server, 'checks', 100_000)
    await measureNodes(figures, server, 'checks', 100_000)
  } finally {
    server.stop()
  }
}
