// Whole sessions, with their users and clients as one statement sees them that began after the call. Calls of one moment
// share a statement.

import type { SessionSnapshot } from '#core'
import { clientColumns, clientOf, type Row, sessionColumns, sessionOf, userColumns, userOf } from '#stores/rows'
import type { Driver } from './driver.ts'
import { createGroup } from './group.ts'
import { createTimes, moment, textArray } from './moment.ts'
import { selection } from './write.ts'

/** A session's columns as `sessionOf` reads them. */
export const sessionSelection = (alias: string, names: readonly string[] = sessionColumns) =>
  selection(names, alias, ['credential_hash', 'sealed_key'])

const text = `SELECT ${moment}, f.rows FROM (
  SELECT json_agg(json_build_array(k.n, json_build_array(${sessionSelection('s')}), json_build_array(${selection(userColumns, 'u')}),
    json_build_array(${selection(clientColumns, 'c')}))) AS rows
  FROM unnest($1::text[]) WITH ORDINALITY AS k(sid, n)
  JOIN @sessions s ON s.sid = k.sid
  JOIN @users u ON u.id = s.user_id
  JOIN @clients c ON c.tenant = s.tenant AND c.id = s.client_id) f`

/** A snapshot from whole rows. */
export function snapshotOf(now: number, [s, u, c, tokens]: readonly [Row, Row, Row, boolean]): SessionSnapshot {
  const snapshot = { now, session: sessionOf(s), user: userOf(u), client: clientOf(c) }
  return tokens ? { ...snapshot, tokensRevoked: true } : snapshot
}

/** Creates the reader. */
export function createFinder(driver: Pick<Driver, 'read'>): (sid: string) => Promise<SessionSnapshot | undefined> {
  const times = createTimes()
  return createGroup({
    flights: 2,
    perGroup: 500,
    shared: 32,
    patience: 700,
    async run(sids: readonly string[]) {
      const [row] = await driver.read({ name: 'find', text }, [textArray(sids)])
      const [time, tokens, rows] = row as unknown as readonly [number, boolean, readonly (readonly [number, Row, Row, Row])[] | null]
      const now = times(time)
      const found: (SessionSnapshot | undefined)[] = sids.map(() => undefined)
      for (const [n, s, u, c] of rows ?? []) found[n - 1] = snapshotOf(now, [s, u, c, tokens])
      return found
    },
  })
}
