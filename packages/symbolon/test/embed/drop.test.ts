// A server secret is dropped only when no node seals under it any more: what a forgotten one seals afterwards nobody could open.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createAuth, createUpkeep } from '#embed'
import { servingPrefix } from '#stores/rows'
import { openSqliteStore } from '#stores/sqlite'
import { createBrowser, signInOver } from '../setting/browser.ts'

let data: string
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'symbolon-drop-'))
})
afterEach(() => rmSync(data, { recursive: true, force: true }))

const older = 'the older secret of this service, long enough'
const newer = 'the newer secret of this service, long enough'
const options = (...secrets: string[]) => ({ issuer: 'http://localhost:3000/auth', dev: true, data, secrets })
const start = async (...secrets: string[]) => {
  const auth = createAuth(options(...secrets))
  await auth.ready()
  return auth
}

it('refuses while a node that was forgotten seals under it, --revoke or not, and drops it once that one is gone', async () => {
  const forgotten = await start(older, newer)
  const restarted = await start(newer, older)
  const upkeep = await createUpkeep(options(newer, older))
  try {
    const [, old] = upkeep.secretIds as [string, string]
    await upkeep.reseal(() => {})
    expect((await upkeep.status()).filter(({ secret }) => secret === old)).toMatchObject([{ sessions: 0, keys: 0, attempts: 0 }])
    for (const revoke of [false, true])
      await expect(upkeep.drop(old, revoke, 'test')).rejects.toThrow(/^A node still seals under [0-9a-f]{16}: restart it with the new file/)
    await forgotten.close()
    expect(await upkeep.drop(old, false, 'test')).toEqual({ sessions: 0, keys: 0 })
  } finally {
    await upkeep.close()
    await forgotten.close()
    await restarted.close()
  }
})

const storeOf = () => openSqliteStore({ path: join(data, 'symbolon.db') })
interface Left {
  readonly upkeep: Awaited<ReturnType<typeof createUpkeep>>
  readonly old: string
  readonly store: Awaited<ReturnType<typeof storeOf>>
  readonly file: Libsql.Database
}
/** One session is left sealed under the older secret; the care of the store, the store, and its file. */
async function withLeft(run: (left: Left) => Promise<void>): Promise<void> {
  const auth = await start(older, newer)
  const browser = createBrowser('http://localhost:3000', (request) => auth.handler(request))
  expect((await signInOver(browser, '/auth', 'ada@example.com')).status).toBe(200)
  await auth.close()
  const upkeep = await createUpkeep(options(newer, older))
  const [, old] = upkeep.secretIds as [string, string]
  const store = await storeOf()
  const file = new Libsql(join(data, 'symbolon.db'))
  try {
    await run({ upkeep, old, store, file })
  } finally {
    file.close()
    await store.close()
    await upkeep.close()
  }
}

it('asks for nodes before it counts: one may seal in what was counted, and end', () =>
  withLeft(async ({ upkeep, old, store, file }) => {
    await upkeep.reseal(() => {})
    await store.leases.take(`${servingPrefix}node`, `node ${old}`, 60_000)
    const dropped = upkeep.drop(old, false, 'test')
    // Gone before the first part is counted.
    file.exec(`UPDATE leases SET until = 0 WHERE name = '${servingPrefix}node'`)
    await expect(dropped).rejects.toThrow(/^A node still seals under/)
    expect(await upkeep.drop(old, false, 'test')).toEqual({ sessions: 0, keys: 0 })
  }))

it('asks once more before it forgets the secret: one may have begun meanwhile', () =>
  withLeft(async ({ upkeep, old, store, file }) => {
    // As if a node began while the session is given up.
    file.exec(`CREATE TRIGGER begins AFTER UPDATE ON sessions BEGIN
      INSERT OR REPLACE INTO leases VALUES ('${servingPrefix}late', 'late ${old}', ${Date.now() + 600_000}, NULL); END`)
    await expect(upkeep.drop(old, true, 'test')).rejects.toThrow(
      /^1 sessions and 2 keys were given up already; the secret is still noted. A node still seals under/,
    )
    expect(await store.seals.noted()).toContain(old)
    file.exec('DROP TRIGGER begins')
    await store.leases.release(`${servingPrefix}late`, `late ${old}`, false)
    await upkeep.drop(old, true, 'test')
    expect(await store.seals.noted()).not.toContain(old)
  }))

it('refuses while a node runs that does not say under which it seals: one of an older version', () =>
  withLeft(async ({ upkeep, old, store }) => {
    await store.leases.take(`${servingPrefix}older`, 'older', 60_000)
    await upkeep.reseal(() => {})
    await expect(upkeep.drop(old, true, 'test')).rejects.toThrow(
      /^A node of an older version runs, and may seal under [0-9a-f]{16}: restart/,
    )
    await store.leases.release(`${servingPrefix}older`, 'older', false)
    // One that seals under another keeps nobody from it.
    await store.leases.take(`${servingPrefix}newer`, `newer ${upkeep.secretIds[0]}`, 60_000)
    expect(await upkeep.drop(old, false, 'test')).toEqual({ sessions: 0, keys: 0 })
  }))
