// Every command with input that cannot stand: one sentence, a code that is not 0, and never where in our code it was noticed.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { setCommandLine } from '../setting/command-line.ts'

const { set, cli: run } = setCommandLine()
beforeAll(() => {
  for (const [name, text] of Object.entries({
    data: '{"data":5}',
    clients: '{"clients":5}',
    nobody: '{"clients":[null]}',
    secrets: '{"secretsFile":5}',
  }))
    writeFileSync(join(set.folder, `${name}.json`), text)
})

const cli = (words: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  run(
    words.map((word) => word.replace('FOLDER', set.folder)),
    { env: { SYMBOLON_PORT: '0', SYMBOLON_ADMIN_PORT: '0', ...env } },
  )
const none = 'A'.repeat(22)

it.each<[string, number, RegExp]>([
  ['nonsense', 2, /unknown command/],
  ['users nonsense', 2, /unknown command/],
  ['users list --nonsense', 2, /unknown option/],
  ['users list extra', 2, /too many arguments/],
  ['users create', 2, /missing required argument 'email'/],
  ['users create nonsense', 1, /not an e-mail address/],
  ['users create ada@example.com --roles a!', 1, /^Roles are short names/],
  ['users show nobody', 1, /no such user/],
  ['users roles nobody admin', 1, /no such user/],
  ['users disable nobody@example.com', 1, /no such user/],
  ['users enable nobody', 1, /no such user/],
  ['users bump-epoch nobody', 1, /no such user/],
  ['sessions list nobody', 1, /no such user/],
  ['sessions revoke', 2, /missing required argument 'sid'/],
  ['sessions revoke nothing', 1, /no live session/],
  [`sessions revoke ${none}`, 1, /no live session/],
  ['sessions revoke-all', 2, /Name a user, or a client/],
  ['sessions revoke-all nobody', 1, /no such user/],
  ['sessions revoke-all --client nobody', 1, /no such client/],
  ['sessions explain nothing', 1, /no live session/],
  [`sessions explain ${none}`, 1, /no live session/],
  ['clients create', 2, /missing required argument 'name'/],
  ['clients create X --transport pigeon', 2, /--transport is/],
  ['clients create X --id X!', 1, /--id is a short name/],
  ['clients create X --id app', 1, /exists already/],
  ['clients create X --return-to nowhere', 1, /--return-to takes exact addresses/],
  ['clients create X --origins *', 1, /--origins are exact/],
  ['clients create X --scopes a"b', 1, /--scopes are words/],
  ['clients create X --lifetime long', 2, /--lifetime is a duration/],
  ['clients create X --lifetime 2h', 1, /--lifetime is from/],
  ['clients create X --format other', 2, /--format is jwt or opaque/],
  ['clients create X --keys FOLDER/nothing', 1, /cannot be read as a JWK set/],
  ['clients show nobody', 1, /no such client/],
  ['clients update nobody --name x', 1, /none of that id/],
  ['clients rotate-secret nobody', 1, /none of that id/],
  ['clients remove-secret nobody', 1, /none of that id/],
  ['clients disable nobody', 1, /none of that id/],
  ['clients enable nobody', 1, /none of that id/],
  ['clients bump-epoch nobody', 1, /none of that id/],
  ['keys revoke', 2, /missing required argument 'kid'/],
  ['keys revoke nothing', 2, /needs --now/],
  ['keys revoke nothing --now', 1, /none of that id/],
  ['admin-key create X!', 1, /needs a short name/],
  ['admin-key remove nobody', 1, /no admin key of that name/],
  ['token inspect', 1, /^refused/],
  ['feed tail --nonsense', 2, /unknown option/],
  ['serve --drain soon', 2, /--drain must be a duration/],
  ['serve --drain 6m', 2, /at most 5m/],
  ['serve extra', 2, /too many arguments/],
  ['serve --config FOLDER/nothing', 1, /cannot be read/],
  ['serve --config FOLDER/data.json', 1, /data must be the path/],
  ['serve --config FOLDER/clients.json', 1, /clients is not valid/],
  ['serve --config FOLDER/nobody.json', 1, /clients\[0\] is not valid/],
  ['serve --config FOLDER/secrets.json', 1, /secretsFile must be the path/],
  ['admin-key list --config FOLDER/data.json', 1, /data must be the path/],
])('%s', async (line, code, sentence) => {
  const words = line.split(' ')
  const env: Record<string, string> = line.includes('.json') ? { SYMBOLON_DATA: '', SYMBOLON_APP_NAME: 'x' } : {}
  const refused = await cli([...words, '--dev'], env)
  expect(refused.code).toBe(code)
  const said = refused.err === '' ? refused.out : refused.err
  expect(said).toMatch(sentence)
  expect(said.trim().split('\n')).toHaveLength(1)
  expect(refused.out + refused.err).not.toMatch(/\bat .*:\d+:\d+|ENOENT|TypeError/)
})

it.each<[string, RegExp]>([
  ['init --issuer nothing', /issuer must be an address/],
  ['init --data FOLDER/data.json', /cannot be written/],
  ['init --data FOLDER/other --config FOLDER/missing/file', /cannot be written; make its directory/],
])('%s', async (line, sentence) => {
  const refused = await cli(line.split(' '))
  expect([refused.code, refused.out]).toEqual([1, ''])
  expect(refused.err).toMatch(sentence)
})

it.each(['users list', 'keys list', 'feed tail --once', 'token inspect a.b.c', 'sessions revoke-all --client app'])(
  '%s with another secret than the store was sealed with',
  async (line) => {
    expect((await cli([...'keys list --dev'.split(' ')])).code).toBe(0)
    const refused = await cli([...line.split(' '), '--dev'], { SYMBOLON_SECRETS: 'x'.repeat(40) })
    expect([refused.code, refused.out]).toEqual([1, ''])
    expect(refused.err).toMatch(/cannot be opened with the server secrets given/)
  },
)

it('makes an admin key where nothing is yet', async () => {
  const made = await cli(['admin-key', 'create', 'one', '--dev', '--json'], { SYMBOLON_DATA: join(set.folder, 'new', 'data') })
  expect([made.code, JSON.parse(made.out)]).toEqual([0, [{ name: 'one', admin_key: expect.stringMatching(/^sya_/) }]])
})
