// A node that ends while somebody holds the row of a session: what waits for that row has no other turn.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createAuth } from '#embed'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'
import { createBrowser, signInOver } from '../setting/browser.ts'

let server: Postgres
let folder: string
beforeAll(async () => {
  server = await startPostgres(['fsync=off'])
  folder = mkdtempSync(join(tmpdir(), 'symbolon-closing-'))
})
afterAll(() => {
  server.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** A node whose one session was just shown for the first time, while its row is held. */
async function holding() {
  const database = await server.create()
  const failed: string[] = []
  const observe = (event: { readonly event: string; readonly detail?: unknown }) => {
    if (event.event === 'flush.failed') failed.push(String(event.detail))
  }
  const data = join(folder, database)
  const issuer = 'http://localhost:3000'
  const auth = createAuth({ issuer, dev: true, data, database: server.url(database), observe })
  await auth.ready()
  const browser = createBrowser(issuer, (request) => auth.handler(request))
  expect((await signInOver(browser, '', 'ada@example.com')).status).toBe(200)
  const holder = server.hold(database, 'SELECT 1 FROM symbolon.sessions FOR UPDATE')
  await holder.holds
  expect((await browser.fetch('/v1/session')).status).toBe(200)
  const isSeen = async () => (await server.sql(database, 'SELECT seen FROM symbolon.sessions'))[0]?.seen === 1
  expect(await isSeen()).toBe(false)
  const waits = async () =>
    (
      await server.sql(
        database,
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%touch%'`,
      )
    ).length > 0
  return { auth, holder, failed, isSeen, waits }
}

it('waits for it as long as the store does, and writes', async () => {
  const { auth, holder, failed, isSeen, waits } = await holding()
  let over = false
  const closed = auth.close().finally(() => {
    over = true
  })
  try {
    await expect.poll(async () => over || (await waits()), { interval: 5, timeout: 10_000 }).toBe(true)
  } finally {
    await holder.release()
    await closed
  }
  expect(await isSeen()).toBe(true)
  expect(failed).toEqual([])
})

it('does not wait longer, and says what is left', async () => {
  const { auth, holder, failed, isSeen } = await holding()
  try {
    await auth.close()
    // The database gives up first, unless it is slow: then this node does.
    const sentence = /^The last activity of 1 session was not written: (?:Somebody holds a lock|The (?:database|store) cannot be reached)/
    expect(failed).toEqual([expect.stringMatching(sentence)])
    expect(await isSeen()).toBe(false)
  } finally {
    await holder.release()
  }
})
