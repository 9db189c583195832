// Guarded routes whose sessions are in PostgreSQL: CPU of the server's process for each request, against the same route
// bare, and against a route that asks better-auth.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Figures, sideBySide } from './figures.ts'
import { cpuOfRoutes, startTarget } from './http.ts'
import { credentialAt, drawn } from './load.ts'
import { heavyLoad } from './load-generator.ts'
import type { PostgresServer } from './postgres-server.ts'
import { openRival } from './rival.ts'
import { bearers, openPostgresCore } from './rooms.ts'

const floors: Readonly<Record<string, number>> = { fastify: 0.55, express: 0.85 }
const people = 64

/** Measures on a database that has `sessions` sessions in it. */
export async function measureHttpPostgres(figures: Figures, server: PostgresServer, database: string, sessions: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-bench-'))
  try {
    const { load, name } = await heavyLoad()
    figures.note(name)
    const cookies = drawn(1000, sessions, false).map(credentialAt)
    const open = await openPostgresCore(server.url(database))
    try {
      for (const framework of Object.keys(floors)) {
        const us = await cpuOfRoutes(
          13,
          ['bare', 'session'],
          () => startTarget(framework, folder, load, server.url(database)),
          () => bearers(open, cookies),
          (route) => figures.begin(`${framework}: ${route}, PostgreSQL`),
        )
        figures.put(`http.${framework}.session_pg.us`, us.median.session, 'µs CPU')
        figures.put(`http.${framework}.session_pg.vs_bare`, us.ratio('bare', 'session'), '×', `≥ ${floors[framework]}`)
      }
    } finally {
      await open.store.close()
    }

    figures.begin('better-auth: sign-ups')
    await server.sql('postgres', 'CREATE DATABASE rival')
    const rival = await openRival(server.url('rival'))
    await rival.migrate()
    const theirs = (await rival.signUp(people)).map((cookie) => ({ cookie }))
    await rival.pool.end()
    // As many people and the same kind of credential on both sides: the session cookie.
    const ours = cookies.slice(0, people).map((cookie) => ({ cookie: `symbolon=${cookie}` }))
    const targets = {
      ours: await startTarget('fastify', folder, load, server.url(database)),
      theirs: await startTarget('better-auth', folder, load, server.url('rival')),
    }
    try {
      const us = await sideBySide(3, {
        ours: () => {
          figures.begin('fastify /session by cookie, PostgreSQL')
          return targets.ours.cpuOf('/session', ours)
        },
        theirs: () => {
          figures.begin('fastify with better-auth')
          return targets.theirs.cpuOf('/session', theirs)
        },
      })
      figures.note('better-auth: all of a request in the server process on both sides, the bare route’s own cost not subtracted')
      figures.put('http.session_pg.us', us.median.ours, 'µs CPU')
      figures.put('http.better_auth.us', us.median.theirs, 'µs CPU')
      figures.put('http.session_pg.vs_better_auth', us.ratio('theirs', 'ours'), '×', '≥ 15')
    } finally {
      await targets.ours.stop()
      await targets.theirs.stop()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
