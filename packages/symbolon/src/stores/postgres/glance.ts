// The read behind every live check: as much of a session, its user and client as a check looks at, as one statement sees
// them that began after the check. Checks of one moment share a statement. Rows come only where their mark is not the one
// that they were remembered by; a session's mark is drawn anew with every change of it and of its user.

import type { Client, SessionGlance } from '#core'
import { clientColumns, clientOf, listOf, type Row } from '#stores/rows'
import type { Driver } from './driver.ts'
import { createGroup } from './group.ts'
import { createTimes, moment, numberArray, textArray } from './moment.ts'
import { selection } from './write.ts'

/** What a check looks at of a user, as it stands in the rows of the user's sessions. */
export const userNow = (alias: string) => `concat_ws(E'\\x1f', ${alias}.status, ${alias}.epoch, ${alias}.roles)`

const client = `json_build_array(c.mark, ${selection(clientColumns, 'c')})::text`
// One text for all rows, taken apart at letters that none of these can hold: numbers, hexadecimal, ids, names of classes, and
// JSON, which writes control characters as escapes. Written and read in a third of the time that a JSON array of values takes.
const columns = [
  's.mark',
  's.created_at',
  's.auth_time',
  's.acr',
  's.amr',
  's.expires_at',
  's.idle',
  's.last_seen_at',
  's.generation',
  "coalesce(s.predecessor::text, '')",
  's.rotated_at',
  's.seen',
  "encode(s.credential_hash, 'hex')",
  "coalesce(s.revoked_at::text, '')",
  's.client_id',
  's.user_id',
  "coalesce(s.base_acr, '')",
  "coalesce(s.base_amr, '')",
  // Rows that were there before it was noted in them have none.
  `coalesce(s.user_now, (SELECT ${userNow('u')} FROM @users u WHERE u.id = s.user_id))`,
] as const
/** Behind the place asked for, and the client if it has changed. */
const at = 2
const fieldCount = at + columns.length + 2
const [field, row] = ['\u001f', '\u001e']

/**
 * `$1` sids, `$2` the mark that is remembered of each, `$3` and `$4` clients and their marks. Those whose marks are the
 * remembered ones are told by their places alone.
 */
const many = `
  WITH known AS MATERIALIZED (SELECT ARRAY(SELECT m.id FROM unnest($3::text[], $4::bigint[]) AS m(id, mark)
    JOIN @clients c ON c.tenant = 'main' AND c.id = m.id AND c.mark = m.mark) AS apps)
  SELECT ${moment}, f.same, f.rest
  FROM (
    SELECT string_agg(k.n::text, ',') FILTER (WHERE x.same) AS same,
      string_agg(concat_ws(E'\\x1f', k.n, CASE WHEN s.client_id = ANY(known.apps) THEN '' ELSE (
        SELECT ${client} FROM @clients c WHERE c.tenant = s.tenant AND c.id = s.client_id) END, ${columns.join(', ')}), E'\\x1e')
        FILTER (WHERE x.same IS NOT TRUE) AS rest
    FROM known
    CROSS JOIN unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS k(sid, mark, n)
    JOIN @sessions s ON s.sid = k.sid
    CROSS JOIN LATERAL (SELECT s.mark = k.mark AND s.client_id = ANY(known.apps) AS same) x) f`

/** The same of one, which is found in less time; `$3` are the marks of the clients that are remembered. */
const one = `SELECT ${moment}, CASE WHEN x.same THEN '1' END, CASE WHEN x.same IS NOT TRUE THEN
    concat_ws(E'\\x1f', 1, CASE WHEN c.mark = ANY($3::bigint[]) THEN '' ELSE ${client} END, ${columns.join(', ')}) END
  FROM @sessions s
  JOIN @clients c ON c.tenant = s.tenant AND c.id = s.client_id
  CROSS JOIN LATERAL (SELECT s.mark = $2::bigint AND c.mark = ANY($3::bigint[]) AS same) x
  WHERE s.sid = $1`

const remembered = 10_000
const clientsRemembered = 50

/** How many sessions that came but once are told apart from new ones. A power of two. */
const glimpses = 65_536
const mostLists = 1000

interface Known extends Pick<SessionGlance, 'session' | 'user'> {
  readonly mark: number
  readonly clientId: string
}

/** A text of its own: what is cut from another one keeps the whole of that in memory. */
const ownText = (text: string) => Buffer.from(text).toString()

/** The same with texts and bytes of its own, to be kept. */
const ownOf = ({ mark, session, clientId, user }: Known, sid: string): Known => ({
  mark,
  session: {
    ...session,
    sid,
    acr: ownText(session.acr),
    baseAcr: session.baseAcr === null ? null : ownText(session.baseAcr),
    credentialHash: new Uint8Array(session.credentialHash),
  },
  clientId: ownText(clientId),
  user: { ...user, id: ownText(user.id) },
})

/** Reads the lists that stand in many rows once each. Bounded. */
function createLists() {
  const lists = new Map<string, readonly string[]>()
  return (json: string): readonly string[] => {
    const before = lists.get(json)
    if (before !== undefined) return before
    const list = Object.freeze(listOf(json))
    if (lists.size < mostLists) lists.set(ownText(json), list)
    return list
  }
}

/** Session and user from the fields of a row. */
function knownOf(sid: string, fields: readonly string[], list: (json: string) => readonly string[]): Known {
  const text = (n: number) => fields[at + n] as string
  const number = (n: number) => Number(fields[at + n])
  const numberOrNull = (n: number) => (fields[at + n] === '' ? null : Number(fields[at + n]))
  return {
    mark: number(0),
    session: {
      sid,
      createdAt: number(1),
      authTime: number(2),
      acr: text(3),
      amr: list(text(4)),
      baseAcr: text(16) === '' ? null : text(16),
      baseAmr: text(17) === '' ? null : list(text(17)),
      expiresAt: number(5),
      idle: number(6),
      lastSeenAt: number(7),
      generation: number(8),
      predecessor: numberOrNull(9),
      rotatedAt: number(10),
      seen: text(11) === '1',
      credentialHash: Buffer.from(text(12), 'hex'),
      revokedAt: numberOrNull(13),
    },
    clientId: text(14),
    user: { id: text(15), status: text(18) as SessionGlance['user']['status'], epoch: number(19), roles: list(text(20)) },
  }
}

/** Creates the reader. */
export function createGlance(driver: Pick<Driver, 'read'>): (sid: string) => Promise<SessionGlance | undefined> {
  let known = new Map<string, Known>()
  let older = new Map<string, Known>()
  const clients = new Map<string, { readonly mark: number; readonly client: Client }>()
  const glimpsed = new Int32Array(glimpses)
  const list = createLists()
  const times = createTimes()
  const recall = (sid: string) => known.get(sid) ?? older.get(sid)
  const remember = (sid: string, one: Known) => {
    if (known.size >= remembered) {
      older = known
      known = new Map()
    }
    known.set(sid, one)
  }
  /** What comes but once is not remembered: among millions hardly any comes again soon, and to keep it costs more than to read it. */
  const meet = (sid: string, one: Known, again: boolean) => {
    let trace = 0
    for (let at = 0; at < sid.length; at++) trace = (Math.imul(trace, 31) + sid.charCodeAt(at)) | 0
    const place = trace & (glimpses - 1)
    if (!again && glimpsed[place] !== trace) {
      glimpsed[place] = trace
      return
    }
    const key = ownText(sid)
    remember(key, ownOf(one, key))
  }

  type Clients = ReadonlyMap<string, { readonly mark: number; readonly client: Client }>
  const clientMarks = (clients: Clients) => numberArray([...clients.values()].map(({ mark }) => mark))
  const readOne = (sid: string, before: Known | undefined, clients: Clients) =>
    driver.read({ name: 'glance_one', text: one }, [sid, before?.mark ?? null, clientMarks(clients)])
  const readMany = (sids: readonly string[], before: readonly (Known | undefined)[], clients: Clients) =>
    driver.read({ name: 'glance', text: many }, [
      textArray(sids),
      numberArray(before.map((one) => one?.mark ?? null)),
      textArray([...clients.keys()]),
      clientMarks(clients),
    ])

  return createGroup({
    flights: 2,
    perGroup: 500,
    // Up to here one statement for all costs the node and the database less than two of half the size at once.
    shared: 100,
    patience: 700,
    async run(asked: readonly string[]) {
      const sids = [...new Set(asked)]
      const before = sids.map(recall)
      // What is known of clients when it is sent, whatever another statement learns meanwhile.
      const then = new Map(clients)
      const [answer] = await (sids.length === 1 ? readOne(sids[0] as string, before[0], then) : readMany(sids, before, then))
      // One that is not there has no row at all.
      if (answer === undefined) return asked.map(() => undefined)
      const [time, tokens, same, rest] = answer as unknown as readonly [number, boolean, string | null, string | null]
      const now = times(time)
      const found: (SessionGlance | undefined)[] = sids.map(() => undefined)
      const note = (place: number, { session, user }: Known, client: Client) => {
        found[place] = tokens ? { now, session, user, client, tokensRevoked: true } : { now, session, user, client }
      }
      if (same !== null)
        for (const n of same.split(',')) {
          const place = Number(n) - 1
          const sid = sids[place] as string
          const one = before[place] as Known
          if (!known.has(sid)) remember(one.session.sid, one)
          note(place, one, then.get(one.clientId)?.client as Client)
        }
      for (const text of rest?.split(row) ?? []) {
        const fields = text.split(field)
        // What is missing has no field: a session without its user or client is none.
        if (fields.length !== fieldCount) continue
        const [n, changed] = fields as [string, string]
        const place = Number(n) - 1
        const sid = sids[place] as string
        const one = knownOf(sid, fields, list)
        let client = then.get(one.clientId)?.client
        if (changed !== '') {
          const [mark, ...values] = JSON.parse(changed) as Row
          client = clientOf(values)
          if (clients.size >= clientsRemembered) clients.clear()
          clients.set(client.id, { mark: mark as number, client })
        }
        if (client === undefined) continue
        meet(sid, one, before[place] !== undefined)
        note(place, one, client)
      }
      const places = sids.length === asked.length ? null : new Map(sids.map((sid, at) => [sid, at]))
      const answers = places === null ? found : asked.map((sid) => found[places.get(sid) as number])
      return answers
    },
  })
}
