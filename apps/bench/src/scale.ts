// Ten million sessions against ten thousand on PostgreSQL, a million on SQLite: a check, a refresh and the list of a user's
// sessions, drawn at random from all; sizes; and checks while a million rows that are over are deleted.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measureCleanUp } from './clean-up.ts'
import { type Figures, sideBySide } from './figures.ts'
import { credentialAt, drawn, isNative, loadPostgres, openSqliteLoader, type Part, userOf } from './load.ts'
import { type PostgresServer, startServer } from './postgres-server.ts'
import { rateOf } from './rates.ts'
import { connections, openCore, openPostgresCore } from './rooms.ts'

const few = 10_000
const caller = { ip: null, userAgent: null }
const short = (n: number) => (n % 1_000_000 === 0 ? `${n / 1_000_000}m` : n % 1000 === 0 ? `${n / 1000}k` : `${n}`)

type Core = Awaited<ReturnType<typeof openPostgresCore>>['core']

/** What is asked of one store, each time of sessions drawn at random from all of them. Returns microseconds of one call, 64 callers at once. */
function asker(core: Core, sessions: number) {
  const checks = 20_000
  const refreshes = 1000
  const lists = 4000
  const touches = 1000
  const touched = new Set<number>()
  /** Credentials that a refresh replaced. */
  const replaced = new Map<number, string>()
  const draw = (native: boolean) => {
    for (;;) {
      const n = Math.floor(Math.random() * sessions)
      if (isNative(n) === native) return n
    }
  }
  return {
    async check() {
      const drawn = Array.from({ length: checks }, () => credentialAt(draw(false)))
      // Not the user's activity: what is written down of it depends on how often each session comes, not on how many there are.
      const rate = await rateOf(64, checks, async (n) => {
        const checked = await core.sessions.check(drawn[n], 'cookie', { background: true })
        if (!checked.ok) throw new Error(checked.code)
      })
      return 1_000_000 / rate
    },
    async refresh() {
      const numbers = new Set<number>()
      while (numbers.size < refreshes) numbers.add(draw(true))
      const drawn = [...numbers].map((n) => [n, replaced.get(n) ?? credentialAt(n)] as const)
      const rate = await rateOf(64, drawn.length, async (at) => {
        const [n, credential] = drawn[at] as (typeof drawn)[number]
        const outcome = await core.sessions.refresh({ credential, kind: 'token', background: false, caller })
        if (!outcome.ok || outcome.outcome !== 'rotated') throw new Error(outcome.ok ? outcome.outcome : outcome.code)
        replaced.set(n, outcome.credential)
      })
      return 1_000_000 / rate
    },
    /** Writing down that sessions were used, in the batches in which a node does it. */
    async touch() {
      const numbers = new Set<number>()
      while (numbers.size < touches) numbers.add(draw(false))
      // None twice: it is written again only after a minute.
      for (const n of numbers) if (touched.has(n)) numbers.delete(n)
      for (const n of numbers) {
        touched.add(n)
        await core.sessions.check(credentialAt(n), 'cookie')
      }
      const began = performance.now()
      await core.sessions.flush()
      return ((performance.now() - began) * 1000) / numbers.size
    },
    async list() {
      const users = Array.from({ length: lists }, () => userOf(Math.floor(Math.random() * sessions)))
      const rate = await rateOf(64, lists, async (n) => {
        const found = await core.sessions.list(users[n])
        if (found.length === 0) throw new Error('no sessions')
      })
      return 1_000_000 / rate
    },
  }
}

/**
 * Checks of sessions that the node does not know, whatever their number: each run has a node of its own, which is shown every
 * session once. Returns microseconds of one check, 64 callers at once.
 */
function stranger(open: () => ReturnType<typeof openPostgresCore>, sessions: number) {
  const [warm, checks] = [640, 6800]
  return async () => {
    const { core, store } = await open()
    const credentials = drawn(warm + checks, sessions, false).map(credentialAt)
    const check = async (credential: string | undefined) => {
      const checked = await core.sessions.check(credential, 'cookie', { background: true })
      if (!checked.ok) throw new Error(checked.code)
    }
    await rateOf(64, warm, (n) => check(credentials[n]))
    const rate = await rateOf(64, checks, (n) => check(credentials[warm + n]))
    await store.close()
    return 1_000_000 / rate
  }
}

/** Sessions that are over, beside so many that live. */
const overOf = (sessions: number) => Math.min(1_000_000, sessions)

/** Loads those that live and those that are over in turns, as they lie in a table that has been in use. */
async function interleave(sessions: number, load: (part: Part) => Promise<void> | void): Promise<void> {
  const turns = 50
  const part = (all: number, turn: number) => Math.floor((all * turn) / turns / 4) * 4
  for (let turn = 0; turn < turns; turn++) {
    // Whoever wants to end it is heard between two turns.
    await new Promise((resolve) => setImmediate(resolve))
    await load({ from: part(sessions, turn), to: part(sessions, turn + 1) })
    await load({ from: sessions + part(overOf(sessions), turn), to: sessions + part(overOf(sessions), turn + 1), over: true })
  }
}

/** Both sizes in turn. */
async function compare(figures: Figures, name: string, size: string, many: Core, of: number, small: Core): Promise<void> {
  const [big, little] = [asker(many, of), asker(small, few)]
  // PostgreSQL's are compared by themselves: there the node remembers ten thousand, and of millions none.
  for (const what of name === 'pg' ? (['refresh', 'list', 'touch'] as const) : (['check', 'refresh', 'list', 'touch'] as const)) {
    figures.begin(`${name}: ${what}, ${size} against 10k`)
    const us = await sideBySide(what === 'touch' ? 3 : 5, { many: big[what], few: little[what] })
    figures.put(`${name}.${what}.${size}.us`, us.median.many, 'µs')
    figures.put(`${name}.${what}.${size}.vs_10k`, us.ratio('many', 'few'), '×')
  }
}

/** Checks: of so many against the same of ten thousand, and against those that the node remembers. */
async function compareChecks(figures: Figures, url: string, size: string, of: number, small: Core): Promise<void> {
  figures.begin(`pg: check, ${size} against 10k`)
  const us = await sideBySide(9, {
    many: stranger(() => openPostgresCore(url, 'big'), of),
    few: stranger(() => openPostgresCore(url, 'small'), few),
    remembered: asker(small, few).check,
  })
  figures.put(`pg.check.${size}.us`, us.median.many, 'µs')
  figures.put(`pg.check.${size}.vs_10k`, us.ratio('many', 'few'), '×', '≤ 1.5')
  figures.put('pg.check.remembered.us', us.median.remembered, 'µs')
  figures.put(`pg.check.${size}.vs_remembered`, us.ratio('many', 'remembered'), '×')
}

async function putSizes(figures: Figures, server: PostgresServer, size: string, rows: number): Promise<void> {
  const found = await server.sql(
    'scale',
    `SELECT c.relname AS name, pg_relation_size(c.oid)::float8 AS bytes FROM pg_class c
     WHERE c.relnamespace = 'big'::regnamespace AND c.relkind IN ('r', 'i') AND c.relname ~ '^(sessions|users)' ORDER BY 2 DESC`,
  )
  let all = 0
  for (const { name, bytes } of found as readonly { name: string; bytes: number }[]) {
    if (name.startsWith('sessions')) all += bytes
    figures.put(`pg.size.${size}.${name}`, bytes / 1_048_576, 'MB')
  }
  figures.put(`pg.size.${size}.per_session`, all / rows, 'bytes')
}

async function measurePostgresScale(figures: Figures, sessions: number): Promise<void> {
  // As a server is set up whose tables are to stay in memory.
  const server = await startServer({ share: 0.4, huge: true })
  const size = short(sessions)
  try {
    figures.note(`${server.settings}; ${connections} connections`)
    await server.sql('postgres', 'CREATE DATABASE scale')
    const url = server.url('scale')
    const small = await openPostgresCore(url, 'small')
    await loadPostgres(url, 'small', { from: 0, to: few }, figures.begin)
    const big = await openPostgresCore(url, 'big')
    const began = performance.now()
    await interleave(sessions, (part) => loadPostgres(url, 'big', part, figures.begin))
    figures.put(`pg.load.${size}.s`, (performance.now() - began) / 1000, 's')
    await putSizes(figures, server, size, sessions + overOf(sessions))
    // As it is after years: what autovacuum has been at. The connections that planned before are kept: so it is in life.
    figures.begin('VACUUM ANALYZE, CHECKPOINT')
    await server.sql('scale', 'VACUUM ANALYZE')
    await server.sql('scale', 'CHECKPOINT')
    // And in memory, which is what is said of it: what a disk adds is another matter.
    figures.begin('reading tables and indexes into memory')
    await server.sql('scale', 'CREATE EXTENSION pg_prewarm')
    await server.sql(
      'scale',
      "SELECT sum(pg_prewarm(c.oid)) FROM pg_class c WHERE c.relnamespace = 'big'::regnamespace AND c.relname ~ '^(sessions|users)' AND c.relkind IN ('r', 'i')",
    )
    await compareChecks(figures, url, size, sessions, small.core)
    await compare(figures, 'pg', size, big.core, sessions, small.core)
    await small.store.close()

    const { check } = steady(big.core, sessions)
    await measureCleanUp(figures, 'cleanup', '≤ 2', {
      core: big.core,
      leases: big.store.leases,
      check,
      rate: 1000,
      minutes: 4,
      over: overOf(sessions),
    })
    await big.store.close()
  } finally {
    server.stop()
  }
}

/** Checks of sessions drawn at random beforehand, so that drawing them takes no time. */
function steady(core: Core, sessions: number) {
  const drawn: string[] = []
  while (drawn.length < 20_000) {
    const n = Math.floor(Math.random() * sessions)
    if (!isNative(n)) drawn.push(credentialAt(n))
  }
  let at = 0
  return {
    async check() {
      const checked = await core.sessions.check(drawn[at++ % drawn.length], 'cookie', { background: true })
      if (!checked.ok) throw new Error(checked.code)
    },
  }
}

async function measureSqliteScale(figures: Figures, sessions: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-bench-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  const size = short(sessions)
  try {
    const opened = async (name: string, load: (one: (part: Part) => void) => Promise<void> | void) => {
      const path = join(folder, `${name}.db`)
      await (await openCore(path)).store.close()
      const loader = openSqliteLoader(path, figures.begin)
      await load(loader.load)
      loader.close()
      return openCore(path)
    }
    const big = await opened('big', (load) => interleave(sessions, load))
    const small = await opened('small', (load) => load({ from: 0, to: few }))
    await compare(figures, 'sqlite', size, big.core, sessions, small.core)
    await small.store.close()
    const { check } = steady(big.core, sessions)
    await measureCleanUp(figures, 'sqlite.cleanup', undefined, {
      core: big.core,
      leases: big.store.leases,
      check,
      rate: 1000,
      minutes: 2,
      over: overOf(sessions),
    })
    await big.store.close()
  } finally {
    process.removeListener('exit', remove)
    remove()
  }
}

/** Measures on PostgreSQL. */
export async function measurePostgresSize(figures: Figures, sessions: number): Promise<void> {
  if (sessions !== 10_000_000) figures.note(`scale: with ${sessions} sessions, not with 10,000,000; the names of the figures say so`)
  await measurePostgresScale(figures, sessions)
}

/** Measures on SQLite, with a million sessions at most. */
export const measureSqliteSize = (figures: Figures, sessions: number): Promise<void> =>
  measureSqliteScale(figures, Math.min(1_000_000, sessions))
