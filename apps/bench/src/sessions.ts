// Sessions on SQLite: a live check, minting, refreshing against raw durable commits, and the race.

import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Figures, median, sideBySide, spent } from './figures.ts'
import { fill, openCore } from './rooms.ts'

const caller = { ip: null, userAgent: null }

/** Measures. */
export async function measureSessions(figures: Figures): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-bench-'))
  const open = await openCore(join(folder, 'symbolon.db'))
  const { core } = open
  try {
    figures.begin('filling 100,000 sessions')
    const cookies = await fill(open, 100_000, 'app')
    figures.begin('session check and mint')
    // One at a time, and 64 that come in the same turn, as on a busy server; not their first use, which is written down.
    const some = cookies.filter((_, i) => i % 20 === 0)
    const check = async (from: number, together: number) => {
      const part = Array.from({ length: together }, (_, j) => some[((from + j) * 7919) % some.length] as string)
      for (const one of await Promise.all(part.map((cookie) => core.sessions.check(cookie, 'cookie'))))
        if (!one.ok) throw new Error(one.code)
    }
    const mint = async (from: number) => {
      const minted = await core.sessions.refresh({ credential: some[from % some.length], kind: 'cookie', background: true, caller })
      if (!minted.ok) throw new Error(minted.code)
    }
    for (let i = 0; i < some.length; i++) await check(i, 1)
    await core.sessions.flush()
    const cpuOf = async (count: number, run: (from: number) => Promise<void>) => {
      const { cpu } = await spent(async () => {
        for (let i = 0; i < count; i++) await run(i)
      })
      return cpu / count
    }
    const reads = await sideBySide(3, {
      alone: () => cpuOf(10_000, (i) => check(i, 1)),
      together: () => cpuOf(500, (i) => check(i * 64, 64)),
      mint: () => cpuOf(2000, mint),
    })
    figures.put('session.check.us', reads.median.alone, 'µs CPU')
    figures.put('session.check.c64.us', reads.median.together / 64, 'µs CPU')
    figures.put('mint.us', reads.median.mint, 'µs CPU')

    figures.begin('refresh (rotate and mint, durable) against raw commits')
    // The same driver, file system and pragmas: one row changed in one commit.
    const Database = createRequire(import.meta.url)('libsql')
    const raw = new Database(join(folder, 'raw.db'))
    raw.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, b BLOB)')
    raw.prepare('INSERT INTO t VALUES (1, 0, ?)').run([Buffer.alloc(64)])
    const change = raw.prepare('UPDATE t SET n = n + 1, b = ? WHERE id = 1')
    const refreshing = await fill(open, 64, 'native')
    const once = async (at: number) => {
      const outcome = await core.sessions.refresh({ credential: refreshing[at], kind: 'token', background: false, caller })
      if (!outcome.ok) throw new Error(outcome.code)
      refreshing[at] = outcome.credential
    }
    const rate = (count: number, us: number) => (count / us) * 1_000_000
    const rates = await sideBySide(5, {
      commit: async () => {
        const { wall } = await spent(() => {
          for (let i = 0; i < 400; i++) change.run([Buffer.alloc(64, i)])
        })
        return rate(400, wall)
      },
      c1: async () => {
        const { wall } = await spent(async () => {
          for (let i = 0; i < 400; i++) await once(0)
        })
        return rate(400, wall)
      },
      c64: async () => {
        const { wall } = await spent(async () => {
          await Promise.all(
            refreshing.map(async (_, at) => {
              for (let i = 0; i < 40; i++) await once(at)
            }),
          )
        })
        return rate(64 * 40, wall)
      },
    })
    raw.close()
    figures.put('refresh.sqlite.c1.per_s', rates.median.c1, '/s')
    figures.put('refresh.sqlite.c1.vs_commit', rates.ratio('c1', 'commit'), '×', '≥ 0.6')
    figures.put('refresh.sqlite.c64.vs_c1', rates.ratio('c64', 'c1'), '×', '≥ 3')

    figures.begin('1,000 rounds of 50 copies of one refresh')
    let forks = 0
    let signouts = 0
    let [credential] = await fill(open, 1, 'native')
    const walls: number[] = []
    for (let round = 0; round < 1000; round++) {
      const began = performance.now()
      const copies = await Promise.all(
        Array.from({ length: 50 }, () => core.sessions.refresh({ credential, kind: 'token', background: false, caller })),
      )
      walls.push(performance.now() - began)
      const next = new Set(copies.map((one) => (one.ok ? one.credential : '')))
      if (copies.some((one) => !one.ok)) signouts++
      if (next.size !== 1 || copies.filter((one) => one.outcome === 'rotated').length !== 1) forks++
      credential = [...next].find((one) => one !== '') ?? credential
    }
    figures.put('race.ms', median(walls), 'ms')
    figures.put('race.forks', forks, '', '0')
    figures.put('race.signouts', signouts, '', '0')
  } finally {
    await open.store.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
