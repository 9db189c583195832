// Connections that end while nobody's statement runs on them, or while they are set up: the call is refused, and the process
// lives on. An error that no connection's owner hears would end it.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'
import { openDriver } from '../../src/stores/postgres/driver.ts'
import { storeError } from '../../src/stores/postgres/faults.ts'

let server: Postgres
let url: string
const unheard: unknown[] = []
const note = (error: unknown) => void unheard.push(error)
beforeAll(async () => {
  server = await startPostgres(['fsync=off'])
  url = server.url(await server.create())
  process.on('uncaughtException', note)
})
beforeEach(() => void unheard.splice(0))
afterAll(() => {
  process.off('uncaughtException', note)
  server.stop()
})

const open = (address: string) => openDriver({ url: address, schema: 'symbolon', connections: 4, patience: 900, observe: () => {} })
const one = { name: 'one', text: 'SELECT 1' }

it('of a job, between two of its statements', async () => {
  const driver = open(url)
  try {
    const done = driver.alone(async (query) => {
      const [row] = await query('SELECT pg_backend_pid()')
      await server.sql('postgres', 'SELECT pg_terminate_backend($1)', [row?.[0]])
      await expect.poll(async () => server.sql('postgres', 'SELECT 1 FROM pg_stat_activity WHERE pid = $1', [row?.[0]])).toEqual([])
      // The end of the connection is read before the next statement is sent.
      await new Promise((resolve) => setTimeout(resolve, 50))
      return query('SELECT 1')
    })
    await expect(done).rejects.toMatchObject({ code: 'store_unavailable' })
    expect(unheard).toEqual([])
    await expect.poll(() => driver.alone((query) => query('SELECT 2')).catch(() => 'refused')).toEqual([[2]])
  } finally {
    await driver.close()
  }
})

it('that is being set up', async () => {
  const target = new URL(url)
  const port = Number(target.port)
  let cut = true
  // Everything passes but the first question of ours.
  const way = createServer((socket) => {
    const on = connect(port, '127.0.0.1')
    for (const [from, to] of [
      [socket, on],
      [on, socket],
    ] as const) {
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
    }
    socket.on('data', (bytes) => (cut && bytes.includes('statement_timeout') ? on.destroy() : on.write(bytes)))
    on.on('data', (bytes) => socket.write(bytes))
  }).listen(0, '127.0.0.1')
  await once(way, 'listening')
  target.port = String((way.address() as AddressInfo).port)
  const driver = open(target.href)
  try {
    await expect(driver.read(one, [])).rejects.toMatchObject({ code: 'store_unavailable' })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(unheard).toEqual([])
    cut = false
    await expect.poll(() => driver.read(one, []).catch(() => 'refused'), { timeout: 5000 }).toEqual([[1]])
  } finally {
    await driver.close()
    way.close()
  }
})

it('that answered with a refusal, or that a statement took too long, is kept, and one that was cut is not', async () => {
  const driver = open(url)
  const pid = async () => (await driver.write({ name: 'pid', text: 'SELECT pg_backend_pid()' }, []))[0]?.[0]
  try {
    await server.sql(
      new URL(url).pathname.slice(1),
      `CREATE FUNCTION no() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{}' USING ERRCODE = 'SY001'; END $$`,
    )
    const before = await pid()
    for (let i = 0; i < 5; i++) await expect(driver.write({ name: 'no', text: 'SELECT no()' }, [])).rejects.toMatchObject({ code: 'SY001' })
    // As its own time-out ends it (57014), but at a time that is nobody else's, too.
    const slow = driver.write({ name: 'slow', text: 'SELECT pg_sleep(5)' }, []).catch((error) => error)
    const cancel = "SELECT pg_cancel_backend(pid) AS done FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'"
    await expect.poll(() => server.sql('postgres', cancel, [before]), { interval: 5 }).toEqual([{ done: true }])
    expect(await slow).toMatchObject({ code: 'store_unavailable', cause: { code: '57014' } })
    expect(await pid()).toBe(before)
    await server.sql('postgres', 'SELECT pg_terminate_backend($1)', [before])
    await expect.poll(() => pid().catch(() => before)).not.toBe(before)
    expect(unheard).toEqual([])
  } finally {
    await driver.close()
  }
})

it('names the chapter of the docs that has the grants', async () => {
  const named = /see “(.+)” in (docs\/\S+\.md)/.exec(storeError({ code: '42501' }).message) ?? []
  const root = new URL('../../../../', import.meta.url)
  expect(readFileSync(new URL(named[2] ?? 'nowhere', root), 'utf8')).toContain(`\n## ${named[1]}\n`)
})
