// A server secret is changed under a running service by the commands that an operator runs, in their order: nobody is signed
// out. Orders that would lose something are refused, and a secret that is lost can be given up.

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { command } from '../command.ts'
import { startServiceProcess, until } from '../faults/service-process.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'symbolon-secrets-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Row {
  readonly secret: string
  readonly state: string
  readonly sessions: number
  readonly keys: number
}

it('a secret is made, promoted, sealed under, and the old one dropped; nobody is signed out', { timeout: 180_000 }, async () => {
  const data = join(folder, 'data')
  const file = join(folder, 'secrets')
  const first = 'the first secret of this service, long enough'
  writeFileSync(file, `# of the service\n${first}\n`, { mode: 0o600 })
  const env = { SYMBOLON_SECRETS_FILE: file }
  const service = await startServiceProcess(data, { env })
  const all = { ...env, SYMBOLON_DATA: data, SYMBOLON_PORT: '0', SYMBOLON_ADMIN_PORT: '0', SYMBOLON_LOG_LEVEL: 'silent' }
  const cli = (words: string, more: Readonly<Record<string, string>> = {}) => command([...words.split(' '), '--dev'], { ...all, ...more })
  const status = async () => JSON.parse((await cli('secrets status --json')).out) as Row[]
  const lines = () => readFileSync(file, 'utf8').trim().split('\n')
  try {
    await service.register()
    let people = [await service.signIn('ada@example.com'), await service.signIn('bob@example.com')]
    const refreshAll = async () => {
      const next = []
      for (const one of people) next.push(await service.refresh(one))
      people = next
    }
    const [{ secret: x }] = (await status()) as [Row]
    expect(await status()).toEqual([{ secret: x, state: 'seals', sessions: 2, keys: 2, attempts: 0 }])

    // The second: known, not yet sealing; nothing of it is printed.
    const made = await cli('secrets new --json')
    const [{ secret: y }] = JSON.parse(made.out) as [{ secret: string }]
    expect(lines()).toEqual(['# of the service', first, expect.stringMatching(/^[\w-]{64}$/)])
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(made.out + made.err).not.toContain(lines()[2])
    await service.stop('SIGTERM')
    await service.start(env)
    await refreshAll()
    expect((await status()).map(({ secret, state }) => [secret, state])).toEqual([
      [x, 'seals'],
      [y, 'opens'],
    ])
    expect((await cli(`secrets drop ${x}`)).err).toContain('the one that seals')

    // The first: what is sealed under the old one must not be lost sight of.
    expect((await cli(`secrets promote ${y}`)).code).toBe(0)
    expect([lines()[0], lines()[2]]).toEqual(['# of the service', first])
    const early = await cli(`secrets drop ${x}`)
    expect([early.code, early.err]).toEqual([1, expect.stringMatching(/Still sealed under .*2 sessions, 2 signing keys.*secrets rotate/)])
    expect(lines()).toHaveLength(3)

    // The service still seals under the old one, and knows the other: sealed again beside it, killed, and again.
    const killed = await cli('secrets rotate', { SYMBOLON_CRASH_POINT: 'reseal.committed' })
    expect(killed.code).toBeNull()
    expect((await status()).map(({ sessions, keys }) => [sessions, keys])).toEqual([
      [0, 2],
      [2, 0],
    ])
    await refreshAll()
    const rotated = await cli('secrets rotate --json')
    expect([rotated.code, JSON.parse(rotated.out)]).toEqual([0, { secret: y, sessions: 2, keys: 0, attempts: 2, unopened: 0 }])
    await refreshAll()
    people.push(await service.signIn('carl@example.com'))
    expect((await status()).map(({ sessions }) => sessions)).toEqual([2, 1])

    // Started anew it seals under the new one, and seals what is left again by itself.
    await service.stop('SIGTERM')
    await service.start(env)
    await refreshAll()
    await until('the service has sealed all again', async () => (await status()).find(({ secret }) => secret === x)?.sessions === 0)
    await refreshAll()
    const dropped = await cli(`secrets drop ${x}`)
    expect([dropped.code, lines().length]).toEqual([0, 2])
    expect(lines()).not.toContain(first)
    await service.stop('SIGTERM')
    await service.start(env)
    await refreshAll()
    expect((await cli('doctor --json')).out).not.toContain('not configured')

    // Lost: a start is refused with a sentence, until the secret is put back or given up.
    await service.stop('SIGTERM')
    const kept = readFileSync(file, 'utf8')
    writeFileSync(file, `${first}, and another one\n`, { mode: 0o600 })
    const refused = await cli('serve')
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining(`symbolon secrets drop ${y} --revoke`)])
    writeFileSync(file, kept, { mode: 0o600 })
    await service.start(env)
    await refreshAll()
    await service.stop('SIGTERM')
    writeFileSync(file, `${first}, and another one\n`, { mode: 0o600 })
    expect((await cli(`secrets drop ${y}`)).err).toContain('which is not configured')
    expect((await cli(`secrets drop ${'0'.repeat(16)}`)).err).toContain('There is no secret')
    const given = await cli(`secrets drop ${y} --revoke`)
    expect([given.code, given.err]).toEqual([0, expect.stringContaining('3 sessions, 2 signing keys')])
    await service.start(env)
    for (const one of people) await expect(service.refresh(one)).rejects.toThrow(/answered 401|answered 503/)
    await service.refresh(await service.signIn('ada@example.com'))
  } finally {
    await service.stop('SIGKILL')
  }
})

it('says what to change by hand when secrets do not come from a file', async () => {
  const env = { SYMBOLON_DATA: join(folder, 'by-hand'), SYMBOLON_SECRETS: 'a secret from the environment that is long enough' }
  const run = (words: string) => command([...words.split(' '), '--dev'], env)
  const [{ secret }] = JSON.parse((await run('secrets status --json')).out) as [{ secret: string }]
  for (const words of ['secrets new', `secrets promote ${secret}`])
    expect((await run(words)).err).toMatch(/^Secrets come from SYMBOLON_SECRETS\. .*on every node; restart them\./)
  expect((await run(`secrets drop ${secret}`)).err).toContain('the one that seals')
  expect((await run('secrets drop nonsense')).err).toContain('named by its id')
})
