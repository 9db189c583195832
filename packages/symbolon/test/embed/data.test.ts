// The data directory and its secret files: modes, refusals, and many processes making one secret.

import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { ownSecret, prepareData, readSecretFile, writeSecretFile } from '../../src/embed/data.ts'

const root = mkdtempSync(join(tmpdir(), 'symbolon-data-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

it('makes the directory and its secret for the owner only, once', () => {
  const directory = join(root, 'one')
  prepareData(directory)
  const secret = ownSecret(directory, 'secret')
  expect(statSync(directory).mode & 0o777).toBe(0o700)
  expect(statSync(join(directory, 'secret')).mode & 0o777).toBe(0o600)
  expect(ownSecret(directory, 'secret')).toBe(secret)
  expect(secret.length).toBe(43)
})

it('lets the first writer win', () => {
  const path = join(root, 'race')
  expect(writeSecretFile(path, 'first')).toBe('first')
  expect(writeSecretFile(path, 'second')).toBe('first')
})

it('refuses a file that others can read, and takes it once they cannot', () => {
  const path = join(root, 'open')
  writeFileSync(path, 'x'.repeat(40), { mode: 0o600 })
  chmodSync(path, 0o644)
  expect(() => readSecretFile(path)).toThrow(/can be read by others/)
  chmodSync(path, 0o600)
  expect(readSecretFile(path)).toBe('x'.repeat(40))
})

it.skipIf(process.getuid?.() !== 0)('takes what systemd hands to a service, which shows as readable by root’s group (needs root)', () => {
  const path = join(root, 'credential')
  writeFileSync(path, 'x'.repeat(40))
  const given = (mode: number, uid: number, gid: number) => {
    chmodSync(path, mode)
    chownSync(path, uid, gid)
  }
  given(0o440, 0, 0)
  expect(readSecretFile(path)).toBe('x'.repeat(40))
  const others: readonly (readonly [number, number, number])[] = [
    [0o444, 0, 0],
    [0o640, 0, 0],
    [0o440, 0, 1],
    [0o440, 1, 0],
  ]
  for (const [mode, uid, gid] of others) {
    given(mode, uid, gid)
    expect(() => readSecretFile(path)).toThrow(/can be read by others/)
  }
})

it('makes what is missing above it too', () => {
  const directory = join(root, 'a', 'b', 'c')
  prepareData(directory)
  for (const one of [directory, join(root, 'a', 'b'), join(root, 'a')]) expect(statSync(one).mode & 0o777).toBe(0o700)
})

it('closes an open directory that is its own, and leaves alone one where others keep things', () => {
  const directory = join(root, 'shared')
  mkdirSync(directory)
  chmodSync(directory, 0o777)
  writeFileSync(join(directory, 'letter.txt'), '')
  expect(() => prepareData(directory)).toThrow(/open to others and holds other files/)
  expect(statSync(directory).mode & 0o777).toBe(0o777)
  rmSync(join(directory, 'letter.txt'))
  prepareData(directory)
  expect(statSync(directory).mode & 0o777).toBe(0o700)
  chmodSync(directory, 0o755)
  writeFileSync(join(directory, 'symbolon.db'), '')
  writeFileSync(join(directory, 'notes.txt'), '')
  prepareData(directory)
  expect(statSync(directory).mode & 0o777).toBe(0o700)
})

it('says in one sentence that a directory cannot be written', () => {
  const file = join(root, 'file')
  writeFileSync(file, '')
  expect(() => prepareData(join(file, 'below'))).toThrow(/cannot be written \(ENOTDIR\)/)
})
