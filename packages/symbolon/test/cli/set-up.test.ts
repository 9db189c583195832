// Everything that an operator types on the first day, in its order, for people and for machines.

import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { setCommandLine } from '../setting/command-line.ts'

const { set, cli: run } = setCommandLine()

it('sets up, proves and lists', async () => {
  const data = join(set.folder, 'data')
  const configuration = join(set.folder, 'symbolon.config.jsonc')
  const cli = (words: string) => run([...words.split(' '), '--config', configuration])
  const rows = async (words: string) => JSON.parse((await cli(`${words} --json`)).out) as Record<string, unknown>[]
  const modeOf = (file: string) => statSync(file).mode & 0o777

  const init = await cli(`init --issuer https://auth.example.com --data ${data}`)
  expect(init.code).toBe(0)
  expect(init.out).toMatch(/symbolon doctor --config/)
  expect([join(data, 'admin-keys'), configuration, join(data, 'secrets')].map(modeOf)).toEqual([0o600, 0o600, 0o600])
  expect((await cli(`init --data ${data}`)).err).toMatch(/is there already/)

  expect(await rows('users create Ada@Example.com --roles admin,editor')).toMatchObject([
    { email: 'ada@example.com', roles: ['admin', 'editor'] },
  ])
  expect((await cli('users create ada@example.com')).code).toBe(1)
  expect(await rows('users disable ada@example.com')).toMatchObject([{ status: 'disabled', epoch: 2 }])
  expect(await rows('users bump-epoch ada@example.com')).toMatchObject([{ epoch: 3 }])

  const keys = async () => (await rows('keys list')) as { kid: string; state: string }[]
  expect(await keys()).toHaveLength(2)
  const kid = (await keys()).find(({ state }) => state === 'active')?.kid ?? ''
  const unsure = await cli(`keys revoke ${kid}`)
  expect([unsure.code, unsure.err.trim().split('\n').length]).toEqual([2, 1])
  expect(unsure.err).toContain('--now')
  expect((await keys()).find((key) => key.kid === kid)?.state).toBe('active')
  expect(await rows(`keys revoke ${kid} --now`)).toMatchObject([{ kid, state: 'revoked' }])
  expect((await keys()).map(({ state }) => state).sort()).toEqual(['active', 'next', 'revoked'])
  for (const none of ['nothing', `-${'A'.repeat(42)}`]) expect((await cli(`keys revoke ${none} --now`)).err).toContain('none of that id')

  expect((await cli('sessions list ada@example.com')).out).toContain('No live sessions')
  const [client] = await rows('clients create API --id api --audiences https://auth.example.com')
  expect(client?.client_secret).toMatch(/^sys_/)
  expect(readFileSync(join(data, 'symbolon.db')).includes(Buffer.from(client?.client_secret as string))).toBe(false)
  const inspected = await cli('token inspect a.b.c')
  expect([inspected.code, inspected.out]).toEqual([1, expect.stringContaining('refused')])

  expect((await cli('token inspect syo_abc')).out).toMatch(/^refused: invalid_token \(an opaque token that cannot be opened here\)/)

  // The mail server of the template does not run here.
  const doctor = await cli('doctor')
  expect(doctor.code).toBe(1)
  expect(doctor.out).toMatch(/^ok {4}store/m)
  expect(doctor.out).toMatch(/^MEND {2}mail/m)
})

it('has help, and refuses what it does not know', async () => {
  expect((await run(['nonsense'])).code).toBe(2)
  expect((await run(['--help'])).out).toContain('doctor')
})
