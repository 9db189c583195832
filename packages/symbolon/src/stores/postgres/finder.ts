// The read behind every check of a session: what session, user and client are at, as one statement sees them that began
// after the check. Checks of one moment share a statement. Whole rows come only where their mark is not the one they were
// remembered by.

import type { Client, Session, SessionSnapshot, User } from '#core'
import { clientColumns, clientOf, type Row, sessionColumns, sessionOf, userColumns, userOf } from '#stores/rows'
import type { Driver } from './driver.ts'
import { createGroup } from './group.ts'
import { selection } from './write.ts'

const bytes: ReadonlySet<string> = new Set(['credential_hash', 'sealed_key'])
const sessionNumbers: ReadonlySet<string> = new Set([
  'user_epoch',
  'client_epoch',
  'created_at',
  'auth_time',
  'expires_at',
  'idle',
  'last_seen_at',
  'generation',
  'predecessor',
  'replaced',
  'rotated_at',
  'seen',
  'recovered',
  'revoked_at',
])
const client = `json_build_array(c.mark, ${selection(clientColumns, 'c')})::text`
// One array of texts: written and read several times as fast as a JSON array of values with types of their own.
const whole = [
  's.mark::text',
  'u.mark::text',
  ...sessionColumns.map((name) => (bytes.has(name) ? `encode(s.${name}, 'hex')` : `s.${name}::text`)),
  ...userColumns.map((name) => `u.${name}::text`),
].join(', ')
/** Where session and user begin, behind the place asked for, the client if it has changed, and the marks. */
const at = { session: 4, user: 4 + sessionColumns.length } as const
const numbers: readonly number[] = [
  ...sessionColumns.flatMap((name, i) => (sessionNumbers.has(name) ? [at.session + i] : [])),
  ...userColumns.flatMap((name, i) => (name === 'epoch' || name === 'created_at' ? [at.user + i] : [])),
]
/** The time as `@time()` takes it, without its call, and whether single tokens were revoked. */
const shared = `greatest(@wall(), (SELECT at FROM @clock))::float8, EXISTS (SELECT 1 FROM @feed WHERE kind = 'token')`

/**
 * `$1` sids, `$2` and `$3` the marks of session and user that are remembered for each, `$4` and `$5` clients and their marks.
 * Those whose marks are the remembered ones are told by their places alone.
 */
const many = `
  WITH known AS MATERIALIZED (SELECT ARRAY(SELECT m.id FROM unnest($4::text[], $5::bigint[]) AS m(id, mark)
    JOIN @clients c ON c.tenant = 'main' AND c.id = m.id AND c.mark = m.mark) AS apps)
  SELECT ${shared}, f.same, f.rest
  FROM (
    SELECT string_agg(k.n::text, ',') FILTER (WHERE x.same) AS same, json_agg(ARRAY[k.n::text, CASE WHEN NOT s.client_id = ANY(known.apps) THEN (
        SELECT ${client} FROM @clients c WHERE c.tenant = s.tenant AND c.id = s.client_id) END, ${whole}]) FILTER (WHERE x.same IS NOT TRUE) AS rest
    FROM known
    CROSS JOIN unnest($1::text[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS k(sid, s, u, n)
    JOIN @sessions s ON s.sid = k.sid
    JOIN @users u ON u.id = s.user_id
    CROSS JOIN LATERAL (SELECT s.mark = k.s AND u.mark = k.u AND s.client_id = ANY(known.apps) AS same) x) f`

/** The same of one, which is found in less time; `$4` are the marks of the clients that are remembered. */
const one = `SELECT ${shared}, CASE WHEN x.same THEN '1' END, CASE WHEN x.same IS NOT TRUE THEN
    json_build_array(ARRAY['1', CASE WHEN NOT c.mark = ANY($4::bigint[]) THEN ${client} END, ${whole}]) END
  FROM @sessions s
  JOIN @users u ON u.id = s.user_id
  JOIN @clients c ON c.tenant = s.tenant AND c.id = s.client_id
  CROSS JOIN LATERAL (SELECT s.mark = $2::bigint AND u.mark = $3::bigint AND c.mark = ANY($4::bigint[]) AS same) x
  WHERE s.sid = $1`

const plain = /^[\w-]+$/
/** Sids and ids of clients are letters that an array's text takes as they are; what somebody else calls so is left to the driver to escape. */
const texts = (items: readonly string[]) => (items.length > 0 && items.every((one) => plain.test(one)) ? `{"${items.join('","')}"}` : items)
const marks = (items: readonly (number | null)[]) => `{${items.map((one) => one ?? 'NULL').join(',')}}`

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

/** Creates the reader. */
export function createFinder(driver: Pick<Driver, 'read'>): (sid: string) => Promise<SessionSnapshot | undefined> {
  let known = new Map<string, Known>()
  let older = new Map<string, Known>()
  const clients = new Map<string, { readonly mark: number; readonly client: Client }>()
  let glimpsed = new Set<string>()
  let last = 0
  const recall = (sid: string) => known.get(sid) ?? older.get(sid)
  const remember = (sid: string, one: Known) => {
    if (known.size >= remembered) {
      older = known
      known = new Map()
    }
    known.set(sid, one)
  }
  /** What comes but once is not remembered: among millions hardly any comes again soon, and to keep it costs more than to read it. */
  const meet = (sid: string, one: Known) => {
    if (glimpsed.delete(sid) || recall(sid) !== undefined) return remember(sid, one)
    if (glimpsed.size >= 2 * remembered) glimpsed = new Set()
    glimpsed.add(sid)
  }

  type Clients = ReadonlyMap<string, { readonly mark: number; readonly client: Client }>
  const clientMarks = (clients: Clients) => marks([...clients.values()].map(({ mark }) => mark))
  const readOne = (sid: string, before: Known | undefined, clients: Clients) =>
    driver.read({ name: 'find_one', text: one }, [sid, before?.mark ?? null, before?.userMark ?? null, clientMarks(clients)])
  const readMany = (sids: readonly string[], before: readonly (Known | undefined)[], clients: Clients) =>
    driver.read({ name: 'find', text: many }, [
      texts(sids),
      marks(before.map((one) => one?.mark ?? null)),
      marks(before.map((one) => one?.userMark ?? null)),
      texts([...clients.keys()]),
      clientMarks(clients),
    ])

  return createGroup({
    flights: 2,
    perGroup: 500,
    patience: 700,
    async run(asked: readonly string[]) {
      const sids = [...new Set(asked)]
      const before = sids.map(recall)
      // What is known of clients when it is sent, whatever another statement learns meanwhile.
      const then = new Map(clients)
      const [row] = await (sids.length === 1 ? readOne(sids[0] as string, before[0], then) : readMany(sids, before, then))
      // One that is not there has no row at all.
      if (row === undefined) return asked.map(() => undefined)
      const [time, tokens, same, rest] = row as unknown as readonly [number, boolean, string | null, readonly (string | null)[][] | null]
      // Another server may have taken over meanwhile, whose clock is behind.
      last = Math.max(last, time)
      const found = new Map<string, SessionSnapshot>()
      const note = (sid: string, { session, user }: Known, client: Client) => {
        const snapshot = { now: last, session, user, client }
        found.set(sid, tokens ? { ...snapshot, tokensRevoked: true } : snapshot)
      }
      if (same !== null)
        for (const n of same.split(',')) {
          const sid = sids[Number(n) - 1] as string
          const one = before[Number(n) - 1] as Known
          if (!known.has(sid)) remember(sid, one)
          note(sid, one, then.get(one.session.clientId)?.client as Client)
        }
      for (const columns of rest ?? []) {
        const values: unknown[] = columns
        for (const place of numbers) if (columns[place] !== null) values[place] = Number(columns[place])
        const [n, changed, mark, userMark] = columns as [string, string | null, string, string]
        const [session, user] = [sessionOf(values, at.session), userOf(values, at.user)]
        const one = { mark: Number(mark), userMark: Number(userMark), session, user }
        let client = then.get(session.clientId)?.client
        if (changed !== null) {
          const [clientMark, ...row] = JSON.parse(changed) as Row
          client = clientOf(row)
          if (clients.size >= clientsRemembered) clients.clear()
          clients.set(client.id, { mark: clientMark as number, client })
        }
        if (client === undefined) continue
        const sid = sids[Number(n) - 1] as string
        meet(sid, one)
        note(sid, one, client)
      }
      return asked.map((sid) => found.get(sid))
    },
  })
}
