// Webhooks of the service as a process: killed between a delivery and its note, it delivers again under the same id; and
// what an operator does on the command line.

import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readWebhookSecret, webhookSecret } from '@symbolon/protocol'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Receiver, startReceiver } from '../../packages/symbolon/test/setting/receiver.ts'
import { command } from '../command.ts'
import { startServiceProcess, until } from '../faults/service-process.ts'

const secret = webhookSecret(randomBytes(32))
let folder: string
let receiver: Receiver
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'symbolon-webhooks-'))
  receiver = await startReceiver([secret])
})
afterEach(() => {
  receiver.close()
  rmSync(folder, { recursive: true, force: true })
})
const targets = () => JSON.stringify([{ name: 'app', url: receiver.url, secrets: [secret], events: ['user.created', 'session.opened'] }])

it('delivers again under the same id when it is killed between a delivery and its note', async () => {
  const service = await startServiceProcess(join(folder, 'data'), {
    env: { SYMBOLON_WEBHOOKS: targets(), SYMBOLON_CRASH_POINT: 'webhook.sent' },
  })
  try {
    const made = await service.admin<{ id: string }>('POST', '/users', { email: 'ada@example.com' })
    await until('it was killed', () => service.exited())
    expect(receiver.got).toMatchObject([{ event: { type: 'user.created', data: { user_id: made.id } } }])
    await service.start({ SYMBOLON_WEBHOOKS: targets() })
    await until('it came again', () => receiver.got.length >= 2)
    expect(receiver.got[1]).toEqual(receiver.got[0])
    // And then no more: the next one is another event.
    const bob = await service.admin<{ id: string }>('POST', '/users', { email: 'bob@example.com' })
    await until('the next one came', () => receiver.got.length >= 3)
    expect(receiver.got[2]).toMatchObject({ event: { data: { user_id: bob.id } } })
    expect(receiver.got[2]?.id).not.toBe(receiver.got[0]?.id)
    expect(receiver.got).toHaveLength(3)
  } finally {
    await service.stop('SIGKILL')
  }
})

it('is looked at, tried and sent again on the command line', async () => {
  const file = join(folder, 'webhooks.json')
  writeFileSync(file, `// our own application\n${targets()}`, { mode: 0o600 })
  const env = { SYMBOLON_DATA: join(folder, 'data'), SYMBOLON_PORT: '0', SYMBOLON_ADMIN_PORT: '0', SYMBOLON_WEBHOOKS: file }
  const cli = (words: string, more = {}) => command([...words.split(' '), '--dev'], { ...env, ...more })
  const list = async () => JSON.parse((await cli('webhooks list --json')).out) as Record<string, unknown>[]
  const made = await cli('webhooks secret --json')
  expect(readWebhookSecret((JSON.parse(made.out) as [{ secret: string }])[0].secret)).toBeDefined()

  expect(await list()).toMatchObject([{ name: 'app', state: 'well', waiting: 0, parked: 0 }])
  expect(await cli('webhooks test app')).toMatchObject({ code: 0 })
  expect(receiver.got).toMatchObject([{ event: { type: 'webhook.test' } }])
  receiver.status = 500
  expect(await cli('webhooks test app')).toMatchObject({ code: 1, err: 'app did not take it: status 500.\n' })
  expect((await cli('webhooks test other')).err).toContain('There is no target other')

  const service = await startServiceProcess(join(folder, 'data'), { env: { SYMBOLON_WEBHOOKS: file } })
  try {
    await service.admin('POST', '/users', { email: 'ada@example.com' })
    await until('it fails', async () => (await list())[0]?.state === 'failing')
    expect((await list())[0]).toMatchObject({ waiting: 1, fault: 'status 500' })
    const sick = await cli('doctor')
    expect([sick.code, sick.out]).toEqual([
      1,
      expect.stringMatching(/MEND {2}webhooks: app fails since .* \(status 500\): 1 wait, 0 parked/),
    ])
    const { ports } = service
    const key = readFileSync(join(folder, 'data', 'admin.key'), 'utf8').trim()
    const metrics = async () =>
      (await fetch(`http://127.0.0.1:${ports.admin}/metrics`, { headers: { authorization: `Bearer ${key}` } })).text()
    expect(await metrics()).toMatch(/symbolon_webhook_backlog\{target="app",state="waiting"\} 1/)
    expect(await metrics()).toMatch(/symbolon_webhook_deliveries_total\{target="app",outcome="failed"\} [1-9]/)
    // While it still fails: it does not go by itself in between.
    expect((await cli('webhooks retry app --json')).out).toContain('"due": 1')
    receiver.status = 204
    await until('it came', async () => (await list())[0]?.state === 'well')
    expect(await metrics()).toMatch(/symbolon_webhook_backlog\{target="app",state="waiting"\} 0/)
    expect((await cli('doctor')).out).toMatch(/ok {4}webhooks: 1 told of what happens, none fails/)
  } finally {
    await service.stop('SIGTERM')
  }
  writeFileSync(join(folder, 'open.json'), targets(), { mode: 0o644 })
  for (const [value, sentence] of [
    ['{}', /names a file that is not there/],
    ['[1', /must be a list in JSON/],
    [join(folder, 'open.json'), /chmod 600/],
  ] as const)
    expect((await cli('webhooks list', { SYMBOLON_WEBHOOKS: value })).err).toMatch(sentence)
})
