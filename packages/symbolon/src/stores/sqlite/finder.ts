// The read behind every check of a session: what session, user and client are at, made anew for each check and as one
// statement sees them. Checks of one turn of the event loop share a statement, which begins after the last of them.

import type { Client, Session, SessionSnapshot, User } from '#core'
import { clientColumns, clientOf, columns, type Row, sessionColumns, sessionOf, sessionSelection, userColumns, userOf } from '#stores/rows'
import type { Driver } from './driver.ts'

const marks = "s.revision, u.epoch, c.revision, s.user_id, s.client_id, EXISTS (SELECT 1 FROM feed WHERE kind = 'token')"
const joined = 'JOIN users u ON u.id = s.user_id JOIN clients c ON c.tenant = s.tenant AND c.id = s.client_id'
const one = `SELECT ${marks} FROM sessions s ${joined} WHERE s.sid = ?`
// As one JSON text: many small rows cost several times as much when each of their columns crosses from the database by itself.
const many = `SELECT json_group_array(json_array(${marks}, s.sid)) FROM json_each(?) asked JOIN sessions s ON s.sid = asked.value ${joined}`
const perStatement = 500
const remembered = 10_000

const whole = `SELECT ${sessionSelection.join(', ')}, ${columns(userColumns, 'u')}, ${columns(clientColumns, 'c')}, EXISTS (SELECT 1 FROM feed WHERE kind = 'token')
  FROM sessions s ${joined} WHERE s.sid = ?`
const userAt = sessionColumns.length
const clientAt = userAt + userColumns.length
const tokensAt = clientAt + clientColumns.length

/** The snapshot of a session within a transaction that wrote it, of which nothing is remembered: it may be undone. */
export function readSnapshot(db: Driver, sid: string, now: number): SessionSnapshot | undefined {
  const row = db.sql(whole).get(sid)
  if (row === undefined) return undefined
  const snapshot = { now, session: sessionOf(row), user: userOf(row, userAt), client: clientOf(row, clientAt) }
  return row[tokensAt] === 1 ? { ...snapshot, tokensRevoked: true } : snapshot
}

/** Reads snapshots, each as of the moment that its statement began. */
export interface SnapshotReader {
  read(sid: string, now: () => number): SessionSnapshot | undefined
  readMany(sids: readonly string[], now: () => number): ReadonlyMap<string, SessionSnapshot>
}

/** Prepares it. Columns are read again only when their row moved on since they were read; every update adds to a revision. */
export function prepareSnapshot(db: Driver): SnapshotReader {
  const single = db.sql(`SELECT ${sessionSelection.join(', ')}, revision FROM sessions s WHERE sid = ?`)
  const sessions = new Map<string, { readonly revision: number; readonly session: Session }>()
  const users = new Map<string, User>()
  const clients = new Map<string, { readonly revision: number; readonly client: Client }>()

  const sessionAs = (sid: string, revision: number): Session | undefined => {
    const known = sessions.get(sid)
    if (known !== undefined && known.revision === revision) return known.session
    const row = single.get(sid)
    if (row === undefined) return undefined
    const session = sessionOf(row)
    if (sessions.size >= remembered) sessions.clear()
    sessions.set(sid, { revision: row[sessionColumns.length] as number, session })
    return session
  }
  const userAs = (id: string, epoch: number): User | undefined => {
    const known = users.get(id)
    if (known !== undefined && known.epoch === epoch) return known
    const row = db.sql(`SELECT ${columns(userColumns)} FROM users WHERE id = ?`).get(id)
    if (row === undefined) return undefined
    const user = userOf(row)
    if (users.size >= remembered) users.clear()
    users.set(id, user)
    return user
  }
  const clientAs = (id: string, revision: number): Client | undefined => {
    const known = clients.get(id)
    if (known !== undefined && known.revision === revision) return known.client
    const row = db.sql(`SELECT ${columns(clientColumns)}, revision FROM clients WHERE tenant = 'main' AND id = ?`).get(id)
    if (row === undefined) return undefined
    const client = clientOf(row)
    if (clients.size >= remembered) clients.clear()
    clients.set(id, { revision: row[clientColumns.length] as number, client })
    return client
  }
  const snapshotOf = (row: Row, sid: string, now: number): SessionSnapshot | undefined => {
    const session = sessionAs(sid, row[0] as number)
    const user = userAs(row[3] as string, row[1] as number)
    const client = clientAs(row[4] as string, row[2] as number)
    if (session === undefined || user === undefined || client === undefined) return undefined
    return row[5] === 1 ? { now, session, user, client, tokensRevoked: true } : { now, session, user, client }
  }

  return {
    read(sid, now) {
      const row = db.sql(one).get(sid)
      return row === undefined ? undefined : snapshotOf(row, sid, now())
    },
    readMany(sids, now) {
      const found = new Map<string, SessionSnapshot>()
      for (let from = 0; from < sids.length; from += perStatement) {
        const text = db.sql(many).get(JSON.stringify(sids.slice(from, from + perStatement)))?.[0] as string
        for (const row of JSON.parse(text) as readonly Row[]) {
          const sid = row[6] as string
          const snapshot = snapshotOf(row, sid, now())
          if (snapshot !== undefined) found.set(sid, snapshot)
        }
      }
      return found
    },
  }
}

interface Asked {
  readonly answer: Promise<SessionSnapshot | undefined>
  resolve(snapshot: SessionSnapshot | undefined): void
  reject(error: unknown): void
}

/** What reads a session for a check: gathers what is asked in one turn of the event loop. `fault` makes an error ours. */
export function createFinder(reader: SnapshotReader, now: () => number, fault: (error: unknown) => unknown) {
  let asked = new Map<string, Asked>()
  const readAll = () => {
    const these = asked
    asked = new Map()
    try {
      if (these.size === 1) {
        for (const [sid, { resolve }] of these) resolve(reader.read(sid, now))
        return
      }
      const found = reader.readMany([...these.keys()], now)
      for (const [sid, { resolve }] of these) resolve(found.get(sid))
    } catch (error) {
      const ours = fault(error)
      for (const { reject } of these.values()) reject(ours)
    }
  }
  return (sid: string): Promise<SessionSnapshot | undefined> => {
    const known = asked.get(sid)
    if (known !== undefined) return known.answer
    const settle = {} as Pick<Asked, 'resolve' | 'reject'>
    const answer = new Promise<SessionSnapshot | undefined>((resolve, reject) => Object.assign(settle, { resolve, reject }))
    asked.set(sid, { answer, ...settle })
    if (asked.size === 1) setImmediate(readAll)
    return answer
  }
}
