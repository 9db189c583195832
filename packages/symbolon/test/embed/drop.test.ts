// A server secret is dropped only when no node seals under it any more: what a forgotten one seals afterwards nobody could open.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createAuth, createUpkeep } from '#embed'

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
