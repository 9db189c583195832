// Starts that are refused: one sentence that says what to mend, a code of 1, and nothing on standard output.

import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import { readConfiguration } from '../../src/server/configuration.ts'
import { setCommandLine } from '../setting/command-line.ts'

const { set, cli: run } = setCommandLine()
type Env = Readonly<Record<string, string>>
let folder: string
let data: string
beforeEach(() => {
  folder = mkdtempSync(join(set.folder, 'start-'))
  data = join(folder, 'data')
})
const cli = (words: string, env: Env = {}) => run(words.split(' '), { env: { SYMBOLON_DATA: data, ...env } })
const ports = { SYMBOLON_PORT: '0', SYMBOLON_ADMIN_PORT: '0' }
/** Makes the data directory, as any command does. */
const touch = async (env: Env = {}) => expect((await cli('keys list --dev', env)).code).toBe(0)

it.each<[string, () => Promise<Env> | Env, RegExp]>([
  ['an unknown variable', () => ({ SYMBOLON_PROT: '1' }), /no variable SYMBOLON_PROT/],
  ['a port that is none', () => ({ SYMBOLON_PORT: 'x' }), /SYMBOLON_PORT must be a port/],
  [
    'a file for a directory',
    () => {
      writeFileSync(join(folder, 'file'), '')
      return { SYMBOLON_DATA: join(folder, 'file', 'data') }
    },
    /data directory .* cannot be written/,
  ],
  [
    'a corrupt database',
    async () => {
      await touch()
      for (const name of ['symbolon.db-wal', 'symbolon.db-shm']) rmSync(join(data, name), { force: true })
      writeFileSync(join(data, 'symbolon.db'), 'not a database '.repeat(1000))
      return {}
    },
    /is not a database/,
  ],
  [
    'a secret that others can read',
    async () => {
      await touch()
      chmodSync(join(data, 'secret'), 0o644)
      return {}
    },
    /can be read by others/,
  ],
  [
    'another secret than the keys were sealed with',
    async () => {
      await touch()
      rmSync(join(data, 'secret'))
      return {}
    },
    /cannot be opened with the server secrets given/,
  ],
  [
    'admin keys that others can read',
    async () => {
      expect((await cli('admin-key create one --dev')).code).toBe(0)
      expect(statSync(join(data, 'admin-keys')).mode & 0o777).toBe(0o600)
      await touch()
      chmodSync(join(data, 'admin-keys'), 0o640)
      return {}
    },
    /admin-keys can be read by others; .*chmod 600 /,
  ],
  [
    'secrets from two places',
    async () => {
      const secrets = join(folder, 'secrets')
      writeFileSync(secrets, 'x'.repeat(40), { mode: 0o600 })
      await touch({ SYMBOLON_SECRETS_FILE: secrets })
      return { SYMBOLON_SECRETS: 'x'.repeat(40), SYMBOLON_SECRETS_FILE: secrets }
    },
    /given twice, by SYMBOLON_SECRETS and by SYMBOLON_SECRETS_FILE; remove SYMBOLON_SECRETS/,
  ],
  // node's own recursive mkdir never comes back from here.
  ...(existsSync('/proc/self')
    ? [['a place where nothing can be made', () => ({ SYMBOLON_DATA: '/proc/symbolon' }), /data directory .* cannot be written/] as const]
    : []),
])('refuses %s', async (_, prepare, sentence) => {
  const { code, out, err } = await cli('serve --dev', { ...ports, ...(await prepare()) })
  expect([code, out]).toEqual([1, ''])
  expect(err.trim().split('\n')).toHaveLength(1)
  expect(err).toMatch(sentence)
})

it.each<[string, boolean, object]>([
  ['secrets', true, { secrets: ['x'.repeat(40)] }],
  ['a password for mails', true, { delivery: { smtp: { url: 'smtps://ada@example.com:pass@mail.example.com', from: 'a@example.com' } } }],
  ['a password in a query', true, { database: { url: 'postgres://db.example/symbolon?user=symbolon&password=pass' } }],
  ['a password for the database', true, { database: { url: 'postgres://symbolon:pass@db.example/symbolon' } }],
  [
    'none of them',
    false,
    { database: { url: 'postgres://symbolon@db.example/symbolon' }, delivery: { smtp: { url: 'smtp://127.0.0.1:25' } } },
  ],
])('looks who may read a configuration in which there are %s', (_, is, settings) => {
  const file = join(folder, 'private.jsonc')
  const read = () => readConfiguration({ env: {}, dev: true, file })
  writeFileSync(file, JSON.stringify(settings), { mode: 0o600 })
  expect(read).not.toThrow()
  chmodSync(file, 0o644)
  if (is) expect(read).toThrow(/can be read by others; .*chmod 600/)
  else expect(read).not.toThrow()
  rmSync(file)
})

it('refuses a secret beside the file that its configuration names', async () => {
  const file = join(folder, 'symbolon.config.jsonc')
  writeFileSync(file, '{ "secretsFile": "secrets" }')
  const { code, err } = await cli(`serve --dev --config ${file}`, { ...ports, SYMBOLON_SECRETS: 'x'.repeat(40) })
  expect(code).toBe(1)
  expect(err).toMatch(/by SYMBOLON_SECRETS and by secretsFile in .*symbolon.config.jsonc; remove SYMBOLON_SECRETS/)
})

it.each([
  ['serve', /issuer is missing/],
  ['serve --config nowhere.json', /cannot be read/],
])('refuses %j without development', async (words, sentence) => {
  const { code, err } = await cli(words)
  expect(code).toBe(1)
  expect(err).toMatch(sentence)
})
