// The read behind every check of a session: what session, user and client are at, as one statement sees them that began
// after the check. Checks of one moment share a statement. Whole rows come only where their mark is not the one they were
// remembered by.

import type { Client, Session, SessionSnapshot, User } from '#core'
import { clientColumns, clientOf, type Row, sessionColumns, sessionOf, userColumns, userOf } from '#stores/rows'
import type { Driver } from './driver.ts'
import { createGroup } from './group.ts'
import { selection } from './write.ts'

const session = `json_build_array(${selection(sessionColumns, 's', ['credential_hash', 'sealed_key'])})`
const user = `json_build_array(${selection(userColumns, 'u')})`
const client = `json_build_array(${selection(clientColumns, 'c')})`

/** As `@time()`, written out: a function with a query in it is called, which would cost as much as the rest. */
const head = "(SELECT greatest(@wall(), at)::float8 FROM @clock), EXISTS (SELECT 1 FROM @feed WHERE kind = 'token')"

/** Which of what is remembered still is as it was: `$1` sids, `$2` and `$3` the marks of session and user, `$4` and `$5` clients and their marks. */
const same = {
  name: 'find_same',
  text: `SELECT ${head}, array_agg(k.n::integer),
    NOT EXISTS (SELECT 1 FROM unnest($4::text[], $5::bigint[]) AS m(id, mark)
      WHERE NOT EXISTS (SELECT 1 FROM @clients c WHERE c.tenant = 'main' AND c.id = m.id AND c.mark = m.mark))
    FROM unnest($1::text[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS k(sid, s, u, n)
    JOIN @sessions s ON s.sid = k.sid AND s.mark = k.s
    JOIN @users u ON u.id = s.user_id AND u.mark = k.u`,
}
/** The same for one: `$1` sid, `$2` to `$4` the marks of session, user and client. */
const sameOne = {
  name: 'find_same_one',
  text: `SELECT ${head} FROM @sessions s JOIN @users u ON u.id = s.user_id JOIN @clients c ON c.tenant = s.tenant AND c.id = s.client_id
    WHERE s.sid = $1 AND s.mark = $2 AND u.mark = $3 AND c.mark = $4`,
}
/** Whole rows: `$1` sids, `$2` and `$3` clients that need not be told again, and their marks. */
const whole = {
  name: 'find_whole',
  text: `SELECT ${head}, json_agg(json_build_array(k.n, s.mark, ${session}, u.mark, ${user}, c.mark, s.client_id, CASE WHEN m.id IS NULL THEN ${client} END))
    FROM unnest($1::text[]) WITH ORDINALITY AS k(sid, n)
    JOIN @sessions s ON s.sid = k.sid
    JOIN @users u ON u.id = s.user_id
    JOIN @clients c ON c.tenant = s.tenant AND c.id = s.client_id
    LEFT JOIN unnest($2::text[], $3::bigint[]) AS m(id, mark) ON m.id = c.id AND m.mark = c.mark`,
}

const remembered = 10_000
const clientsRemembered = 50

interface Known {
  readonly mark: number
  readonly session: Session
  readonly userMark: number
  readonly user: User
}

/** A snapshot from whole rows. */
export function snapshotOf(now: number, [s, u, c, tokens]: readonly [Row, Row, Row, boolean]): SessionSnapshot {
  const snapshot = { now, session: sessionOf(s), user: userOf(u), client: clientOf(c) }
  return tokens ? { ...snapshot, tokensRevoked: true } : snapshot
}

/** A list as the database takes it; written out here where nothing in it needs quotes, which is cheaper. */
function listOf(texts: readonly string[]): string | readonly string[] {
  const joined = texts.join(',')
  return /^[\w,-]*$/.test(joined) ? `{${joined}}` : texts
}

/** Creates the reader. */
export function createFinder(driver: Pick<Driver, 'read'>): (sid: string) => Promise<SessionSnapshot | undefined> {
  let known = new Map<string, Known>()
  let older = new Map<string, Known>()
  const clients = new Map<string, { readonly mark: number; readonly client: Client }>()
  let last = 0
  const recall = (sid: string) => known.get(sid) ?? older.get(sid)
  const remember = (sid: string, one: Known) => {
    if (known.size >= remembered) {
      older = known
      known = new Map()
    }
    known.set(sid, one)
  }
  /** Another server may have taken over meanwhile, whose clock is behind. */
  const timeOf = (row: Row | undefined) => {
    last = Math.max(last, row?.[0] as number)
    return last
  }
  type Found = Map<string, SessionSnapshot>
  const note = (found: Found, now: number, tokens: boolean, sid: string, { session, user }: Known, client: Client) =>
    found.set(sid, tokens ? { now, session, user, client, tokensRevoked: true } : { now, session, user, client })

  const readWhole = async (sids: readonly string[], found: Found): Promise<void> => {
    if (sids.length === 0) return
    // What is known of clients when it is sent, whatever another statement learns meanwhile.
    const then = new Map(clients)
    const marks = `{${[...then.values()].map(({ mark }) => mark).join(',')}}`
    const [row] = await driver.read(whole, [listOf(sids), listOf([...then.keys()]), marks])
    const now = timeOf(row)
    type Told = readonly [number, number, Row, number, Row, number, string, Row | null]
    for (const [n, mark, s, userMark, u, clientMark, clientId, c] of (row?.[2] ?? []) as readonly Told[]) {
      const one: Known = { mark, userMark, session: sessionOf(s), user: userOf(u) }
      let client = then.get(clientId)?.client
      if (c !== null) {
        client = clientOf(c)
        if (clients.size >= clientsRemembered) clients.clear()
        clients.set(clientId, { mark: clientMark, client })
      }
      const sid = sids[n - 1] as string
      remember(sid, one)
      note(found, now, row?.[1] === true, sid, one, client as Client)
    }
  }
  /** Answers from memory what the database says is as it was; returns the rest, which moved on or is gone. */
  const readSame = async (sids: readonly string[], held: readonly Known[], found: Found): Promise<readonly string[]> => {
    if (sids.length === 0) return []
    if (sids.length === 1) {
      const [sid, one] = [sids[0] as string, held[0] as Known]
      const app = clients.get(one.session.clientId)
      if (app === undefined) return sids
      const [row] = await driver.read(sameOne, [sid, one.mark, one.userMark, app.mark])
      if (row === undefined) return sids
      note(found, timeOf(row), row[1] === true, sid, one, app.client)
      return []
    }
    const then = new Map(clients)
    const list = (numbers: readonly number[]) => `{${numbers.join(',')}}`
    const marks = list([...then.values()].map(({ mark }) => mark))
    const values = [
      listOf(sids),
      list(held.map(({ mark }) => mark)),
      list(held.map(({ userMark }) => userMark)),
      listOf([...then.keys()]),
      marks,
    ]
    const [row] = await driver.read(same, values)
    const now = timeOf(row)
    if (row?.[3] === true)
      for (const n of (row[2] ?? []) as readonly number[]) {
        const one = held[n - 1] as Known
        const sid = sids[n - 1] as string
        const client = then.get(one.session.clientId)?.client
        if (client === undefined) continue
        if (!known.has(sid)) remember(sid, one)
        note(found, now, row[1] === true, sid, one, client)
      }
    return found.size === sids.length ? [] : sids.filter((sid) => !found.has(sid))
  }

  return createGroup({
    flights: 2,
    perGroup: 500,
    patience: 700,
    async run(asked: readonly string[]) {
      const [remembered, unknown]: [string[], string[]] = [[], []]
      const held: Known[] = []
      for (const sid of new Set(asked)) {
        const one = recall(sid)
        if (one === undefined) unknown.push(sid)
        else {
          remembered.push(sid)
          held.push(one)
        }
      }
      const found: Found = new Map()
      const others: Found = new Map()
      const [moved] = await Promise.all([readSame(remembered, held, found), readWhole(unknown, others)])
      await readWhole(moved, others)
      return asked.map((sid) => found.get(sid) ?? others.get(sid))
    },
  })
}
