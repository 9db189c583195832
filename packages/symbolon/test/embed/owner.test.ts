// Whose files are that root leaves in a data directory of somebody else: an operator's command beside a service that runs as
// another user must not shut it out. Only root can give anything away, so only root can see it.

import { chownSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuth } from 'symbolon'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ownSecret, rewriteSecretFile, writeSecretFile } from '../../src/embed/data.ts'
import { writeMark } from '../../src/embed/mark.ts'

const [service, other] = [54_321, 54_322]
const ownerOf = (path: string) => {
  const { uid, gid, mode } = statSync(path)
  return [uid, gid, mode & 0o777]
}

describe.skipIf(process.geteuid?.() !== 0)('what root writes into a service’s data directory', () => {
  let data: string
  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), 'symbolon-owner-'))
    chownSync(data, service, service)
  })
  afterEach(() => rmSync(data, { recursive: true, force: true }))

  it('is the service’s: secrets, their replacements, and the mark', async () => {
    writeSecretFile(join(data, 'one'), 'x')
    ownSecret(data, 'two')
    rewriteSecretFile(join(data, 'three'), 'x')
    await writeMark(data, { feedId: '00000000000000aa', seq: 1, kids: [] })
    for (const name of ['one', 'two', 'three', 'high-water'])
      expect([name, ...ownerOf(join(data, name))]).toEqual([name, service, service, 0o600])
  })

  it('stays the owner’s when it is replaced', () => {
    const path = join(data, 'secrets')
    writeSecretFile(path, 'x')
    chownSync(path, other, other)
    rewriteSecretFile(path, 'y')
    expect(ownerOf(path)).toEqual([other, other, 0o600])
  })

  it('is the service’s when a command opens the store first: every file', async () => {
    const auth = createAuth({ issuer: 'http://localhost:3000', dev: true, data })
    await auth.ready()
    // The files beside the database are there while it is open.
    const names = readdirSync(data)
    expect(names).toContain('symbolon.db-wal')
    for (const name of names) expect([name, ...ownerOf(join(data, name))]).toEqual([name, service, service, 0o600])
    await auth.close()
    for (const name of readdirSync(data)) expect([name, ...ownerOf(join(data, name))]).toEqual([name, service, service, 0o600])
  })
})
