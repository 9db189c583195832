// What a start refuses: sessions under a secret that is gone, and a store that is older than its mark.

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openSqliteStore } from '#stores/sqlite'
import { newCredential } from '../../src/core/credential.ts'
import { createAuth } from '../../src/embed/auth.ts'
import { createCrypto } from '../../src/embed/crypto.ts'
import { markPath, readMark } from '../../src/embed/mark.ts'
import { sign } from '../suites/store/setting.ts'

let data: string
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'symbolon-standing-'))
})
afterEach(() => rmSync(data, { recursive: true, force: true }))

const ours = 'a secret that is configured, of thirty-two bytes'
async function start(secrets: readonly string[] = [ours]) {
  const auth = createAuth({ issuer: 'http://localhost:3000', dev: true, data, secrets: [...secrets] })
  try {
    await auth.ready()
    return await auth.secrets.status()
  } finally {
    await auth.close()
  }
}

it('refuses sessions under a secret that is not configured, takes it back, and forgets it when none is left', async () => {
  await start()
  const lost = 'a secret that is not configured, of thirty-two bytes'
  const crypto = createCrypto([lost])
  const store = await openSqliteStore({ path: join(data, 'symbolon.db') })
  const { credential: _, ...session } = newCredential(crypto, 'token')
  await store.seals.note(crypto.secretIds)
  await store.sessions.open(sign({}, { ...session, clientId: 'app' }))
  await store.close()
  await expect(start()).rejects.toMatchObject({
    code: 'secret_missing',
    message: expect.stringMatching(/^1 session is sealed under .* put it back .* --revoke$/),
  })
  expect((await start([ours, lost])).map(({ place, sessions }) => [place, sessions])).toEqual([
    [1, 0],
    [2, 1],
  ])
  const again = await openSqliteStore({ path: join(data, 'symbolon.db') })
  await again.sessions.revoke({ sid: session.sid }, 'admin', [])
  await again.close()
  await start()
  const last = await openSqliteStore({ path: join(data, 'symbolon.db') })
  expect(await last.seals.noted()).toEqual(createCrypto([ours]).secretIds)
  await last.close()
})

it('holds the store against its mark: as far, farther, behind, damaged, and not to be told from another one', async () => {
  await start()
  const mark = readMark(data)
  expect(mark?.seq).toBeGreaterThan(0)
  await start()
  const put = (change: object) => writeFileSync(markPath(data), JSON.stringify({ feed: mark?.feedId, seq: mark?.seq, kids: [], ...change }))
  put({ seq: (mark?.seq ?? 0) - 1 })
  await start()
  expect(readMark(data)?.seq).toBe(mark?.seq)
  put({ seq: (mark?.seq ?? 0) + 1 })
  await expect(start()).rejects.toMatchObject({
    code: 'store_behind',
    message: expect.stringContaining('older than what was acknowledged'),
  })
  put({ feed: randomBytes(8).toString('hex') })
  await expect(start()).rejects.toMatchObject({ code: 'store_behind', message: expect.stringContaining('or another one') })
  writeFileSync(markPath(data), 'damaged')
  await expect(start()).rejects.toMatchObject({ code: 'store_behind', message: expect.stringContaining('is damaged') })
  rmSync(markPath(data))
  await start()
})
