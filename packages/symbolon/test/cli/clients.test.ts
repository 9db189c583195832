// `symbolon clients`: a service's whole life on the command line, on a real data directory.

import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { setCommandLine } from '../setting/command-line.ts'

const { set, dev: cli, rows } = setCommandLine()

it('clients are registered, shown, changed, given and robbed of secrets, and turned off and on', async () => {
  const pair = generateKeyPairSync('ed25519')
  const [jwks, whole] = [join(set.folder, 'jwks.json'), join(set.folder, 'private.json')]
  writeFileSync(jwks, JSON.stringify({ keys: [{ ...pair.publicKey.export({ format: 'jwk' }), kid: 'one' }] }))
  writeFileSync(whole, JSON.stringify({ ...pair.privateKey.export({ format: 'jwk' }), kid: 'one' }))

  const create = ['clients', 'create', 'Reports', '--id', 'reports', '--scopes', 'a,b', '--audiences', 'https://api.example']
  const refused = await cli(...create, '--keys', whole)
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('keys')])
  expect(refused.out + refused.err).not.toContain(pair.privateKey.export({ format: 'jwk' }).d)
  const [made] = await rows(...create, '--keys', jwks, '--format', 'opaque', '--lifetime', '1h', '--targets', 'https://other.example')
  expect(made).toMatchObject({
    id: 'reports',
    scopes: ['a', 'b'],
    audiences: ['https://api.example'],
    targets: ['https://other.example'],
    format: 'opaque',
    lifetime: '3600s',
    keys: ['one'],
    secrets: 1,
    client_secret: expect.stringMatching(/^sys_/),
  })
  const shown = await cli('clients', 'show', 'reports', '--json')
  expect(shown.out).not.toContain('sys_')
  expect((await rows('clients', 'list')).map(({ id }) => id)).toEqual(['app', 'reports'])

  expect(await rows('clients', 'update', 'reports', '--lifetime', '2m', '--scopes', 'a', '--name', 'R')).toMatchObject([
    { name: 'R', scopes: ['a'], lifetime: '120s', targets: ['https://other.example'], format: 'opaque', keys: ['one'] },
  ])
  expect((await cli('clients', 'update', 'reports', '--lifetime', '2h')).code).toBe(1)
  expect((await cli('clients', 'update', 'reports', '--format', 'other')).err).toContain('jwt or opaque')
  expect((await cli('clients', 'update', 'nobody', '--name', 'x')).err).toContain('none of that id')

  const [rotated] = await rows('clients', 'rotate-secret', 'reports')
  expect(rotated?.client_secret).not.toBe(made?.client_secret)
  expect(await rows('clients', 'show', 'reports')).toMatchObject([{ secrets: 2 }])
  expect(await rows('clients', 'remove-secret', 'reports')).toMatchObject([{ secrets: 1 }])
  expect(await rows('clients', 'disable', 'reports')).toMatchObject([{ status: 'disabled' }])
  expect(await rows('clients', 'enable', 'reports')).toMatchObject([{ status: 'active' }])
  expect((await cli('clients', 'rotate-secret', 'app')).code).toBe(1)
})
