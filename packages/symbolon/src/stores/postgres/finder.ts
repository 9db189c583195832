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

/** `$1` sids, `$2` and `$3` the marks of session and user that are remembered for each, `$4` and `$5` clients and their marks. */
const text = `SELECT @time()::float8, EXISTS (SELECT 1 FROM @feed WHERE kind = 'token'), (
  SELECT json_agg(json_build_array(k.n, s.mark, CASE WHEN s.mark IS DISTINCT FROM k.s THEN ${session} END,
    u.mark, CASE WHEN u.mark IS DISTINCT FROM k.u THEN ${user} END, c.mark, s.client_id, CASE WHEN m.id IS NULL THEN ${client} END))
  FROM unnest($1::text[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS k(sid, s, u, n)
  JOIN @sessions s ON s.sid = k.sid
  JOIN @users u ON u.id = s.user_id
  JOIN @clients c ON c.tenant = s.tenant AND c.id = s.client_id
  LEFT JOIN unnest($4::text[], $5::bigint[]) AS m(id, mark) ON m.id = c.id AND m.mark = c.mark)`

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
  let last = 0
  const recall = (sid: string) => known.get(sid) ?? older.get(sid)
  const remember = (sid: string, one: Known) => {
    if (known.size >= remembered) {
      older = known
      known = new Map()
    }
    known.set(sid, one)
  }

  return createGroup({
    flights: 2,
    perGroup: 500,
    patience: 700,
    async run(asked: readonly string[]) {
      const sids = [...new Set(asked)]
      const before = sids.map(recall)
      const values = [
        sids,
        before.map((one) => one?.mark ?? null),
        before.map((one) => one?.userMark ?? null),
        [...clients.keys()],
      ] as const
      // What is known of clients when it is sent, whatever another statement learns meanwhile.
      const then = new Map(clients)
      const marks = [...then.values()].map(({ mark }) => mark)
      const [row] = await driver.read({ name: 'find', text }, [...values, marks])
      // Another server may have taken over meanwhile, whose clock is behind.
      last = Math.max(last, row?.[0] as number)
      const found = new Map<string, SessionSnapshot>()
      for (const [n, mark, s, userMark, u, clientMark, clientId, c] of (row?.[2] ?? []) as readonly [
        number,
        number,
        Row | null,
        number,
        Row | null,
        number,
        string,
        Row | null,
      ][]) {
        const held = before[n - 1]
        const one: Known =
          s === null && u === null && held !== undefined
            ? held
            : {
                mark,
                userMark,
                session: s === null ? (held as Known).session : sessionOf(s),
                user: u === null ? (held as Known).user : userOf(u),
              }
        let app = then.get(clientId)?.client
        if (c !== null) {
          app = clientOf(c)
          if (clients.size >= clientsRemembered) clients.clear()
          clients.set(clientId, { mark: clientMark, client: app })
        }
        const sid = sids[n - 1] as string
        if (one !== held || !known.has(sid)) remember(sid, one)
        const snapshot = { now: last, session: one.session, user: one.user, client: app as Client }
        found.set(sid, row?.[1] === true ? { ...snapshot, tokensRevoked: true } : snapshot)
      }
      return asked.map((sid) => found.get(sid))
    },
  })
}
