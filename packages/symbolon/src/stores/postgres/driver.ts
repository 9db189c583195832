// The one file that knows `pg`: pools of connections with time-outs and bounded queues, prepared statements by name, and
// the database's errors as ours. Reads and writes have pools of their own, so that writes that wait for a lock cannot keep
// checks from being made. A database that cannot be reached is refused at once until a probe has reached it again.

import { SymbolonError } from '@symbolon/protocol'
import { Client, type ClientConfig, Pool, type PoolClient } from 'pg'
import type { Row } from '#stores/rows'
import { faultOf, isAnswer, isFull, isLost, isOutside, isSilent, type PgFault, storeError } from './faults.ts'

/** What a statement takes; lists become arrays of the database. */
export type Value = number | string | null | readonly (string | number | null)[]

/** A statement, written with `@table` for a name in the schema. Prepared once for each name and connection. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/** How a database is reached. Times in milliseconds. */
export interface DriverOptions {
  readonly url: string
  /** A plain name in lower case. */
  readonly schema: string
  /** Overrides what the address says of TLS. */
  readonly ssl?: ClientConfig['ssl']
  /** Connections of this process in all, but for the one that listens. */
  readonly connections: number
  /** How long a statement may take in the database. */
  readonly patience: number
  readonly observe: (event: 'store.down' | 'store.up') => void
}

/** Asks one thing on a connection that is held; rows are arrays. Throws as `pg` does. */
export type Query = (text: string, values?: readonly Value[]) => Promise<readonly Row[]>

/** A database. */
export interface Driver {
  readonly schema: string
  /** `@name` becomes a name in the schema. */
  render(text: string): string
  /** Runs a prepared statement on the side that reads. Rows are arrays. Throws as `storeError` says. */
  read(statement: Statement, values: readonly Value[]): Promise<readonly Row[]>
  /** Runs one that writes, by itself a transaction; again when it met a deadlock. Throws a `PgFault` of the data as it is, all else as `storeError` says. */
  write(statement: Statement, values: readonly Value[]): Promise<readonly Row[]>
  /** Like `write`, on the one connection for what nobody waits for, with more time: clean-up. */
  background(statement: Statement, values: readonly Value[]): Promise<readonly Row[]>
  /** Runs on that connection, a minute for each statement. */
  alone<T>(run: (query: Query) => Promise<T>): Promise<T>
  /** Runs on a connection opened for it, however long its statements take: migrations. */
  apart<T>(run: (query: Query) => Promise<T>): Promise<T>
  /** Hears of notices on a channel; comes back by itself when the connection is lost. Returns the function that ends it. */
  listen(channel: string, heard: () => void): () => void
  close(): Promise<void>
}

const mostWaiting = 5000
/** Beside the statement's own time: the way there and back. Milliseconds. */
const way = 200
const probePause = 250
const again = 3
/** How long no more connections are asked for after the database had no room. Milliseconds. */
const moreAfter = 1000
/** What nobody waits for, and a command's own statements. Milliseconds. */
const background = 10_000
const byHand = 60_000

/** A server that hears nothing of us any more ends the connection within half a minute, where it would hold its place for hours. */
const silence = 'SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET tcp_user_timeout = 25000;'

const plainName = /^[a-z_][a-z0-9_]{0,39}$/

/** Whether a call waited too long for a connection that others use: the way to the database may be well. */
const isQueue = (error: unknown) => (error as Error | null)?.message === 'timeout exceeded when trying to connect'

/** Opens the pools; connects when something is asked. Throws `invalid_option` for a name that is not plain. */
export function openDriver(options: DriverOptions): Driver {
  const { schema, patience } = options
  if (!plainName.test(schema))
    throw new SymbolonError('invalid_option', { detail: 'the schema must be a plain name in lower case, such as symbolon' })
  const connection: ClientConfig = {
    connectionString: options.url,
    application_name: 'symbolon',
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ...(options.ssl !== undefined && { ssl: options.ssl }),
  }
  // Every statement of ours finds rows by an index, whatever its values. Planned once: for a list of sessions the planner takes a
  // plan for these very values to be cheaper each time, and making it costs three times the reading. And never by a walk through a
  // table that was small when it was planned.
  const settings = (statement: number, lock: number) =>
    `SET jit = off; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET statement_timeout = ${statement}; SET lock_timeout = ${lock}; SET idle_in_transaction_session_timeout = 10000;
     SET client_min_messages = warning; SET bytea_output = hex; ${silence}
     SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
     DO $$ BEGIN IF pg_is_in_recovery() THEN RAISE read_only_sql_transaction USING MESSAGE = 'this server is a standby'; END IF; END $$`
  /** Connections that each pool has open. */
  const standing = new WeakMap<Pool, number>()
  const pool = (max: number, statement: number, lock: number, wait: number, more = '') => {
    const made = new Pool({
      ...connection,
      max,
      connectionTimeoutMillis: wait,
      query_timeout: statement + way,
      idleTimeoutMillis: 60_000,
      // A connection is ours once it is set up, and leads to the primary.
      verify: (client: PoolClient, done: (error?: Error) => void) => {
        client.query(more + settings(statement, lock)).then(
          () => done(),
          (error) => done(error as Error),
        )
      },
    } as ConstructorParameters<typeof Pool>[0])
    // Connections end when the server does: idle ones, those of a job between its statements, and those that are being set up. Whoever
    // asks something of one is told so; what nobody heard would end the process.
    made.on('connect', (client) => {
      client.on('error', () => {})
      standing.set(made, (standing.get(made) ?? 0) + 1)
    })
    made.on('remove', () => void standing.set(made, (standing.get(made) ?? 1) - 1))
    made.on('error', () => {})
    return made
  }
  // Who waits for a connection, or for a statement, is answered in time to try elsewhere: in under two seconds for both.
  const wait = Math.round(patience * 0.7)
  const third = Math.max(2, Math.floor(options.connections / 3))
  // Reads join few rows to one each.
  const joins = 'SET enable_hashjoin = off; SET enable_mergejoin = off;'
  const makePools = () => ({
    reads: pool(third, patience, Math.round(patience * 0.8), wait, joins),
    writes: pool(Math.max(2, options.connections - third - 1), patience, Math.round(patience * 0.8), wait),
  })
  let pools = makePools()
  const jobs = pool(1, background, 2000, 10_000)

  const listeners = new Set<() => void>()
  let down = false
  let closed = false
  let probe: NodeJS.Timeout | undefined
  /** When the database last answered, over any connection. */
  let answered = Number.NEGATIVE_INFINITY
  const answersLately = () => performance.now() - answered < patience
  /** Whether the way to the database is lost. One write that hangs does not end what others are answered. */
  const isGone = (error: unknown) => isLost(error) && !(isSilent(error) && answersLately())
  const unavailable = (detail: string, cause?: unknown) => new SymbolonError('store_unavailable', { detail, cause, retryAfter: 2 })
  const refuse = () => {
    if (closed) throw unavailable('the store is closed')
    if (down) throw unavailable('the database cannot be reached')
  }
  const trip = () => {
    if (down || closed) return
    down = true
    options.observe('store.down')
    // Connections that are left lead nowhere, or to a server that is not the primary any more.
    const { reads, writes } = pools
    pools = makePools()
    for (const old of [reads, writes]) old.end().catch(() => {})
    for (const drop of listeners) drop()
    const look = async () => {
      const client = new Client({ ...connection, connectionTimeoutMillis: patience, query_timeout: patience + way })
      client.on('error', () => {})
      try {
        await client.connect()
        await client.query(settings(patience, patience))
        down = false
        options.observe('store.up')
      } catch {
        if (!closed) later(probePause + Math.random() * probePause)
      } finally {
        client.end().catch(() => {})
      }
    }
    const later = (ms: number) => {
      probe = setTimeout(look, ms)
      probe.unref()
    }
    later(probePause)
  }
  const texts = new Map<string, string>()
  const render = (text: string) => {
    let rendered = texts.get(text)
    if (rendered === undefined) {
      rendered = text.replace(/@(?=[a-z])/g, `${schema}.`)
      texts.set(text, rendered)
    }
    return rendered
  }
  /** Where the database has no room for one more connection, those that are there serve all, and more are asked for later. */
  const makeDo = (on: Pool) => {
    const { max } = on.options
    const fewer = Math.max(1, standing.get(on) ?? 0)
    if (fewer >= max) return
    on.options.max = fewer
    setTimeout(() => Object.assign(on.options, { max: Math.max(max, on.options.max) }), moreAfter).unref()
  }
  const connected = async (on: Pool): Promise<PoolClient> => {
    const began = performance.now()
    try {
      try {
        return await on.connect()
      } catch (error) {
        if (!isFull(error) || performance.now() - began > wait / 2) throw error
        makeDo(on)
        return await on.connect()
      }
    } catch (error) {
      // That one more cannot be opened does not end what others are answered.
      if (isOutside(error) && !isQueue(error) && answersLately()) throw unavailable('no connection to the database can be opened', error)
      throw error
    }
  }
  const run = async (on: Pool, { name, text }: Statement, values: readonly Value[]): Promise<readonly Row[]> => {
    refuse()
    if (on.waitingCount >= mostWaiting) throw new SymbolonError('try_later', { detail: 'too many wait for the database', retryAfter: 1 })
    try {
      const client = await connected(on)
      let failed: unknown
      try {
        const result = await client.query({ name, text: render(text), values: values as unknown[], rowMode: 'array' })
        answered = performance.now()
        return result.rows as unknown as readonly Row[]
      } catch (error) {
        failed = error
        if (isAnswer(error)) answered = performance.now()
        throw error
      } finally {
        // What the database answered leaves the connection as it was: a verb that refuses must not cost a new one.
        client.release(failed !== undefined && !isAnswer(failed))
      }
    } catch (error) {
      if (isQueue(error)) {
        // In the background it may be tried again: nothing was sent.
        const code = on === jobs ? 'try_later' : 'store_unavailable'
        throw new SymbolonError(code, { detail: 'the database is busy', cause: error, retryAfter: 1 })
      }
      if (isGone(error)) trip()
      throw error
    }
  }
  const written = async (on: () => Pool, statement: Statement, values: readonly Value[]) => {
    for (let turn = 1; ; turn++) {
      try {
        return await run(on(), statement, values)
      } catch (error) {
        const fault = faultOf(error)
        if (fault === 'conflict' && turn < again) {
          await new Promise((resolve) => setTimeout(resolve, 2 + Math.random() * 20 * turn))
          continue
        }
        if (fault === 'data') throw error as PgFault
        throw storeError(error)
      }
    }
  }
  const queryOf = (client: Pick<Client, 'query'>, most: number): Query => {
    const limit = { query_timeout: most }
    return async (text, values = []) => {
      const result = await client.query({ text: render(text), values: values as unknown[], rowMode: 'array', ...limit })
      return result.rows as unknown as readonly Row[]
    }
  }

  return {
    schema,
    render,
    async read(statement, values) {
      try {
        return await run(pools.reads, statement, values)
      } catch (error) {
        // Of what one caller asked: those who share the statement are asked for anew, without it.
        if (faultOf(error) === 'data') throw error as PgFault
        throw storeError(error)
      }
    },
    write: (statement, values) => written(() => pools.writes, statement, values),
    background: (statement, values) => written(() => jobs, statement, values),
    async alone(use) {
      refuse()
      let client: PoolClient
      try {
        client = await jobs.connect()
      } catch (error) {
        if (!isQueue(error) && isGone(error)) trip()
        throw storeError(error)
      }
      let failed: unknown
      try {
        await client.query(`SET statement_timeout = ${byHand}`)
        const answer = await use(queryOf(client, byHand + way))
        await client.query(`SET statement_timeout = ${background}`)
        return answer
      } catch (error) {
        failed = error
        throw error instanceof SymbolonError ? error : storeError(error)
      } finally {
        // Whatever was left open in it goes with it.
        client.release(failed !== undefined)
      }
    },
    async apart(use) {
      refuse()
      const client = new Client({ ...connection, connectionTimeoutMillis: 10_000 })
      client.on('error', () => {})
      try {
        await client.connect()
        await client.query(settings(0, 0))
        return await use(queryOf(client, 0))
      } catch (error) {
        throw error instanceof SymbolonError ? error : storeError(error)
      } finally {
        client.end().catch(() => {})
      }
    },
    listen(channel, heard) {
      let ended = false
      let client: Client | undefined
      let timer: NodeJS.Timeout | undefined
      const connect = async () => {
        const own = new Client({ ...connection, connectionTimeoutMillis: 5000 })
        client = own
        let over = false
        const lost = () => {
          if (over) return
          over = true
          listeners.delete(lost)
          own.end().catch(() => {})
          if (ended) return
          timer = setTimeout(connect, 500 + Math.random() * 1000)
          timer.unref()
        }
        listeners.add(lost)
        own.on('error', lost)
        own.on('end', lost)
        own.on('notification', heard)
        try {
          await own.connect()
          await own.query(`${silence} LISTEN ${channel}`)
          // What was told while nobody listened is not told again.
          heard()
        } catch {
          lost()
        }
      }
      void connect()
      return () => {
        ended = true
        clearTimeout(timer)
        client?.end().catch(() => {})
      }
    },
    async close() {
      if (closed) return
      closed = true
      clearTimeout(probe)
      await Promise.all([pools.reads.end(), pools.writes.end(), jobs.end()])
    },
  }
}
