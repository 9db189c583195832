// Moving everything from one store to another, whichever kinds they are. The source is closed to services first, so that
// nothing is written behind the copy; the target is opened last, after both sides were read again and compared. Whatever
// ends it in between, the same command goes on. Secrets and admin keys lie in no store and are never touched.

import { createHash, randomBytes } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { FeedHead } from '@symbolon/protocol'
import {
  type CloseOutcome,
  type CopiedTable,
  type CopyPosition,
  type CopySide,
  type CopyStanding,
  copiedTables,
  keyOfRow,
  sentenceOfClosing,
} from '#stores/rows'
import { openSqliteCopy, placeOf } from '#stores/sqlite'
import { prepareData } from './data.ts'
import { refuseOption } from './options.ts'
import { loadPostgres } from './store.ts'

/** How far a move is. */
export interface CopyProgress {
  readonly doing: 'copying' | 'comparing'
  readonly table: string
  /** Rows of this table. */
  readonly done: number
  readonly total: number
  /** Of the whole move, from 0 to 1. */
  readonly part: number
}

/** What a move came to. */
export interface Copied {
  readonly from: string
  readonly to: string
  /** Whether it had come to its end before, so that nothing was left to do. */
  readonly before: boolean
  readonly tables: readonly { readonly table: string; readonly rows: number; readonly sha256: string }[]
  readonly feed: FeedHead | null
}

/** How a move is run. `stopped`: asked between two pages; `progress`: hears of each page. */
export interface CopyRun {
  readonly stopped?: () => boolean
  readonly progress?: (progress: CopyProgress) => void
}

interface OpenSide extends CopySide {
  readonly place: string
}

const perPage = 1000

/**
 * Opens what a person names: a data directory, `sqlite:FILE`, or a database's address with its schema behind `#`.
 * `create`: it may be new. Throws `invalid_option` with a sentence.
 */
async function openSide(address: string, create: boolean): Promise<OpenSide> {
  if (/^postgres(?:ql)?:/.test(address)) {
    if (!/^postgres(?:ql)?:\/\/./.test(address) || !URL.canParse(address))
      throw refuseOption('A database is named by an address such as postgres://symbolon@db.example/symbolon#schema.')
    const url = new URL(address)
    const schema = url.hash.slice(1) || 'symbolon'
    url.hash = ''
    if (!/^[a-z_][a-z0-9_]{0,39}$/.test(schema))
      throw refuseOption('The schema behind # must be a plain name in lower case like #symbolon.')
    const postgres = await loadPostgres()
    return { ...(await postgres.openPostgresCopy({ url: url.href, schema, create })), place: postgres.placeOf(url.href, schema) }
  }
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(address))
    throw refuseOption('A store is a data directory, sqlite:FILE, or an address that begins with postgres://.')
  const named = resolve(address.replace(/^sqlite:/, ''))
  const isFile = address.startsWith('sqlite:') || (existsSync(named) && statSync(named).isFile())
  const path = isFile ? named : join(named, 'symbolon.db')
  if (!create && !existsSync(path)) throw refuseOption(`There is no data of Symbolon in ${placeOf(path)}; mend its path.`)
  if (create && !isFile) prepareData(named)
  return { ...(await openSqliteCopy({ path })), place: placeOf(path) }
}

function refuseInUse(place: string, { ms }: Extract<CloseOutcome, { outcome: 'in_use' }>): Error {
  return refuseOption(
    `${place} is in use by a service or a command; stop it and run this again (one that was killed holds it for ${Math.ceil(ms / 1000)} s more).`,
  )
}

/** Refuses two sides that must not be joined; nothing has been changed yet. */
function checkSides(from: OpenSide, here: CopyStanding, to: OpenSide, there: CopyStanding): void {
  if (here.closing?.side === 'to') throw refuseOption(sentenceOfClosing(here.closing, from.place))
  if (here.closing?.complete === true && here.closing.other !== to.place) throw refuseOption(sentenceOfClosing(here.closing, from.place))
  const held = there.closing
  if (held?.side === 'from') throw refuseOption(sentenceOfClosing(held, to.place))
  if (held !== undefined && held.feedId !== here.feedId)
    throw refuseOption(`${to.place} holds an unfinished copy of other data, of ${held.other}; name an empty one.`)
  if (held === undefined && there.feedId === here.feedId)
    throw refuseOption(`${to.place} holds this very data, or a copy of it, already; name an empty one.`)
  if (held === undefined && there.people > 0) throw refuseOption(`${to.place} has users or sessions of its own; name an empty one.`)
}

/** Moves everything from one store to another. Throws `invalid_option` or what the stores throw, with a sentence. */
export async function copyStore(fromAddress: string, toAddress: string, run: CopyRun = {}): Promise<Copied> {
  const from = await openSide(fromAddress, false)
  let to: OpenSide | undefined
  try {
    to = await openSide(toAddress, true)
    return await move(from, to, run)
  } finally {
    await to?.end()
    await from.end()
  }
}

async function move(from: OpenSide, to: OpenSide, run: CopyRun): Promise<Copied> {
  const here = await from.standing()
  const there = await to.standing()
  const ends = { from: from.place, to: to.place }
  if (there.closing === undefined && here.closing?.complete === true && there.arrived === here.closing.move)
    return { ...ends, before: true, tables: [], feed: null }
  checkSides(from, here, to, there)

  const { feedId } = here
  const fresh = randomBytes(12).toString('base64url')
  const complete = here.closing?.complete ?? false
  const closed = await from.close({ side: 'from', feedId, move: fresh, other: to.place, complete })
  if (closed.outcome === 'in_use') throw refuseInUse(from.place, closed)
  if (closed.outcome !== 'closed') throw refuseOption(`${from.place} cannot be closed.`)
  // Where nothing has begun, what was open stays so.
  const undo = async () => {
    if (here.closing === undefined) await from.open(null)
  }
  const reached = await to.close({ side: 'to', feedId, move: closed.move, other: from.place, complete: false }).catch(async (error) => {
    await undo()
    throw error
  })
  if (reached.outcome !== 'closed') {
    await undo()
    throw reached.outcome === 'in_use' ? refuseInUse(to.place, reached) : refuseOption(`${to.place} is not empty; name an empty one.`)
  }

  const totals = new Map<string, number>()
  for (const table of copiedTables) totals.set(table.name, await from.count(table))
  const all = [...totals.values()].reduce((sum, one) => sum + one, 0)
  let past = 0
  const tell = (doing: CopyProgress['doing'], table: CopiedTable, done: number) => {
    if (run.stopped?.() === true)
      throw refuseOption('Stopped before the end; run the same command again to go on. Until then no service starts on either side.')
    const half = doing === 'copying' ? 0 : all
    run.progress?.({
      doing,
      table: table.name,
      done,
      total: totals.get(table.name) ?? 0,
      part: all === 0 ? 1 : (half + past + done) / (2 * all),
    })
  }
  for (const table of copiedTables) {
    await copyTable(from, to, table, (done) => tell('copying', table, done))
    past += totals.get(table.name) ?? 0
  }
  past = 0
  const tables: Copied['tables'][number][] = []
  for (const table of copiedTables) {
    tables.push(await compare(from, to, table, (done) => tell('comparing', table, done)))
    past += totals.get(table.name) ?? 0
  }
  const [head] = await to.page(copiedTables[copiedTables.length - 1] as CopiedTable, null, 1)

  // First the source says where everything is, then the target opens: never are both open.
  if (!(await from.complete(closed.move, to.place)))
    throw refuseOption(`${from.place} was opened again, or is being moved elsewhere; ${to.place} stays closed.`)
  await to.open({ move: closed.move, now: closed.now, lasting: here.lasting })
  return { ...ends, before: false, tables, feed: { feedId: String(head?.[1]), seq: Number(head?.[2]) } }
}

/** Copies what is missing of a table, a page at a time, the next one read meanwhile. */
async function copyTable(from: CopySide, to: CopySide, table: CopiedTable, tell: (done: number) => void): Promise<void> {
  let done = await to.count(table)
  let rows = await from.page(table, await to.last(table), perPage)
  tell(done)
  for (let last = rows.at(-1); last !== undefined; last = rows.at(-1)) {
    const [next] = await Promise.all([from.page(table, keyOfRow(table, last), perPage), to.put(table, rows)])
    done += rows.length
    rows = next
    tell(done)
  }
}

/** Reads a table on both sides, in order of key; both must be the same to the byte. */
async function compare(from: CopySide, to: CopySide, table: CopiedTable, tell: (done: number) => void) {
  const [theirs, ours] = await Promise.all([summary(from, table, () => {}), summary(to, table, tell)])
  if (theirs.rows !== ours.rows || theirs.sha256 !== ours.sha256)
    throw refuseOption(
      `The copy differs from its source in ${table.name} (${theirs.rows} rows there, ${ours.rows} here); it stays closed. Empty the target (drop its schema, or delete its file) and copy again.`,
    )
  return { table: table.name, ...ours }
}

async function summary(side: CopySide, table: CopiedTable, tell: (done: number) => void) {
  const hash = createHash('sha256')
  let rows = 0
  for (let after: CopyPosition = null; ; ) {
    const page = await side.page(table, after, perPage)
    for (const row of page) hash.update(`${JSON.stringify(row)}\n`)
    rows += page.length
    tell(rows)
    const last = page.at(-1)
    if (last === undefined) return { rows, sha256: hash.digest('hex') }
    after = keyOfRow(table, last)
  }
}

/** Opens a source to services again; where its data was moved to, or null when it was not closed. Throws `invalid_option` for a half copy. */
export async function reopenStore(
  address: string,
): Promise<{ readonly place: string; readonly other: string | null; readonly complete: boolean }> {
  const side = await openSide(address, false)
  try {
    const { closing } = await side.standing()
    if (closing?.side === 'to') throw refuseOption(sentenceOfClosing(closing, side.place))
    if (closing !== undefined) await side.open(null)
    return { place: side.place, other: closing?.other ?? null, complete: closing?.complete ?? false }
  } finally {
    await side.end()
  }
}
