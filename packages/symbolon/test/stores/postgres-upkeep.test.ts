// What the store for many nodes does that nobody waits for: walks through tables that are not in memory, and the time that
// it notes each second.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { openPostgresStore } from '#stores/postgres'
import { closingName } from '#stores/rows'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'
import { createIsOpen } from '../../src/stores/postgres/closing.ts'
import { openDriver } from '../../src/stores/postgres/driver.ts'
import { client, sign } from '../suites/store/setting.ts'

let server: Postgres
beforeAll(async () => {
  server = await startPostgres(['fsync=off'])
})
afterAll(() => server.stop())

/** What is done when it succeeds, which on a slow machine may take more than one try. */
async function willing<T>(run: () => Promise<T>): Promise<T> {
  let done: T | undefined
  await until(async () => {
    done = await run().catch(() => undefined)
    return done !== undefined
  })
  return done as T
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000
  while (!(await holds())) {
    if (performance.now() > end) throw new Error('It did not come to hold in time.')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

it('walks through a table that answers later than a request may wait, and tells of what it ended', async () => {
  const database = await server.create()
  const url = server.url(database)
  const usual = await openPostgresStore({ url })
  const patience = 300
  const store = await willing(() => openPostgresStore({ url, patience }))
  try {
    await usual.clients.put(client('app'), null, [])
    const opened = await usual.sessions.open(sign())
    if (opened.outcome !== 'opened') throw new Error(opened.outcome)
    const { snapshot } = opened
    const { sid } = snapshot.session
    // The impatient one has a connection, and has run this before.
    await willing(async () => store.sessions.find(sid))
    const heard: string[] = []
    store.onRevocations((entries) => void heard.push(...entries.map(({ id }) => id)))

    const holder = server.hold(database, 'LOCK TABLE symbolon.sessions IN ACCESS EXCLUSIVE MODE')
    await holder.holds
    const outcome = (call: unknown) =>
      Promise.resolve(call).then(
        () => 'done',
        (error: { code?: string }) => error.code ?? String(error),
      )
    const refused = outcome(store.sessions.find(sid))
    const counted = store.seals.count('session', '')
    const walks = [
      counted,
      store.seals.page('session', { notUnder: '00' }, '', 10),
      store.sessions.revoke({ client: 'nobody' }, 'admin', []),
      store.sessions.revoke({ before: snapshot.now }, 'restored', []),
    ].map(outcome)
    // What somebody waits for is refused in time.
    expect(await refused).toBe('store_unavailable')
    const waits = `SELECT 1 FROM pg_stat_activity WHERE datname = '${database}' AND wait_event_type = 'Lock'
      AND clock_timestamp() - query_start > '${2 * patience} ms'`
    await Promise.race([Promise.all(walks), until(async () => (await server.sql(database, waits)).length > 0)])
    await holder.release()
    expect(await Promise.all(walks)).toEqual(['done', 'done', 'done', 'done'])
    expect(await counted).toMatchObject({ next: null })
    expect(heard).toEqual([sid])
    expect((await usual.feed.head()).seq).toBe(1)
    expect((await usual.sessions.find(sid))?.session.revokedReason).toBe('restored')
  } finally {
    await Promise.all([store.close(), usual.close()])
  }
})

it('notes the time about once a second, however many nodes there are, and to the last when one is closed', async () => {
  const database = await server.create()
  const nodes = [await openPostgresStore({ url: server.url(database) }), await openPostgresStore({ url: server.url(database) })]
  try {
    // A clock that is moved by hand, and what comes of each node's turn. It stands, so that one turn alone may write.
    await server.sql(
      database,
      `CREATE SEQUENCE symbolon.turns; CREATE SEQUENCE symbolon.writes; CREATE TABLE symbolon.hand AS SELECT at + 500000 AS at FROM symbolon.clock;
       CREATE OR REPLACE FUNCTION symbolon.wall() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT at FROM symbolon.hand';
       CREATE FUNCTION symbolon.tells() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval(TG_ARGV[0]); RETURN NEW; END $$;
       CREATE TRIGGER turn BEFORE UPDATE ON symbolon.clock FOR EACH STATEMENT EXECUTE FUNCTION symbolon.tells('symbolon.turns');
       CREATE TRIGGER write BEFORE UPDATE ON symbolon.clock FOR EACH ROW EXECUTE FUNCTION symbolon.tells('symbolon.writes')`,
    )
    const asked = async (text: string) => Number((await server.sql(database, `SELECT ${text} AS n`))[0]?.n)
    const turns = () => asked("coalesce(pg_sequence_last_value('symbolon.turns'), 0)")
    const writes = () => asked("coalesce(pg_sequence_last_value('symbolon.writes'), 0)")
    const behind = () => asked('(SELECT at FROM symbolon.hand) - (SELECT at FROM symbolon.clock)')
    const move = (ms: number) => server.sql(database, `UPDATE symbolon.hand SET at = at + ${ms}`)
    await until(async () => (await behind()) === 0)
    const before = await writes()
    await move(800)
    const from = await turns()
    await until(async () => (await turns()) >= from + 4)
    expect([await behind(), await writes()]).toEqual([800, before])
    await move(200)
    await until(async () => (await behind()) === 0)
    await move(700)
    await nodes.pop()?.close()
    expect(await behind()).toBe(0)
  } finally {
    await Promise.all(nodes.map((node) => node.close()))
  }
})

it('is asked once for all whether it is open, and never by a statement that was sent before', async () => {
  const url = server.url(await server.create())
  await (await openPostgresStore({ url })).close()
  const driver = openDriver({ url, schema: 'symbolon', connections: 4, patience: 900, observe: () => {} })
  try {
    let sent = 0
    const isOpen = createIsOpen({
      read(...asked) {
        sent++
        return driver.read(...asked)
      },
    })
    expect(new Set(await Promise.all(Array.from({ length: 500 }, isOpen)))).toEqual(new Set([true]))
    expect(sent).toBe(1)
    const first = isOpen()
    while (sent < 2) await new Promise((resolve) => setImmediate(resolve))
    const later = [isOpen(), isOpen()]
    await Promise.all([first, ...later])
    expect(sent).toBe(3)
    await driver.write({ name: 'close', text: "INSERT INTO @meta VALUES ($1, '{}')" }, [closingName])
    expect(await isOpen()).toBe(false)
  } finally {
    await driver.close()
  }
})
