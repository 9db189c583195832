// What an operator sees of revocations at a real service, by real commands: the log as it grows, who follows, and numbers.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createVerifier, type Verifier } from '@symbolon/verifier'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { command } from '../command.ts'
import { type ServiceProcess, startServiceProcess, until } from '../faults/service-process.ts'

const main = fileURLToPath(new URL('../../packages/symbolon/dist/cli/main.js', import.meta.url))
let data: string
let service: ServiceProcess
let secret: string
const children: ChildProcess[] = []
const verifiers: Verifier[] = []
const env = () => ({
  PATH: process.env.PATH ?? '',
  SYMBOLON_DATA: data,
  SYMBOLON_PORT: String(service.ports.port),
  SYMBOLON_ADMIN_PORT: String(service.ports.admin),
})

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), 'symbolon-operator-'))
  service = await startServiceProcess(data)
  secret = await service.register()
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  for (const one of verifiers) await one.close()
  await service.stop('SIGKILL')
  rmSync(data, { recursive: true, force: true })
})

it('`feed tail` prints each entry once, goes on over restarts of the service, and ends cleanly', async () => {
  const before = await service.signIn('ada@example.com')
  await service.signOut(before)
  const child = spawn(process.execPath, [main, 'feed', 'tail', '--dev', '--json'], { env: env(), stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  let printed = ''
  let complained = ''
  child.stdout.on('data', (chunk) => {
    printed += chunk
  })
  child.stderr.on('data', (chunk) => {
    complained += chunk
  })
  const gone = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
  const entries = () =>
    printed
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { seq: number; kind: string; id: string })
  const ids = () => entries().map(({ id }) => id)
  /** Somebody signs in and out; the entry comes. */
  const told = async (email: string) => {
    const one = await service.signIn(email)
    await service.signOut(one)
    await until(`tail tells of ${email}`, () => ids().includes(one.facts.sid ?? ''), 10_000)
  }
  // What was there before, and what comes.
  await until('tail tells of what was', () => ids().includes(before.facts.sid ?? ''), 10_000)
  await told('bob@example.com')
  for (const signal of ['SIGTERM', 'SIGKILL', 'SIGKILL'] as const) {
    await service.stop(signal)
    await service.start()
    await told(`after-${signal.toLowerCase()}-${ids().length}@example.com`)
  }
  expect(child.exitCode).toBeNull()
  child.kill('SIGINT')
  expect([await gone, complained]).toEqual([{ code: 0, signal: null }, ''])
  const seqs = entries().map(({ seq }) => seq)
  expect(seqs).toEqual(seqs.map((_, i) => (seqs[0] as number) + i))
  // The same log, for people.
  const once = spawnSync(process.execPath, [main, 'feed', 'tail', '--dev', '--once'], { env: env(), encoding: 'utf8', timeout: 20_000 })
  expect([once.status, once.stdout.trim().split('\n').length]).toEqual([0, seqs.length])
})

it('`doctor` and metrics show each follower, and what a verifier knows', async () => {
  // Beside this process, whose verifiers go on following meanwhile.
  const doctor = async (more: Record<string, string> = {}) => {
    const { out } = await command(['doctor', '--dev', '--json'], { ...env(), ...more })
    return (JSON.parse(out) as { check: string; ok: boolean; says: string }[])
      .filter(({ check }) => check === 'follower')
      .map(({ ok, says }) => `${ok} ${says}`)
      .sort()
  }
  expect(await doctor()).toEqual([])
  const { client_secret: other } = await service.admin<{ client_secret: string }>('POST', '/clients', {
    id: 'billing',
    name: 'Billing',
    transport: 'service',
    audiences: [service.origin],
    scopes: ['revocations:read'],
  })
  const follow = (clientId: string, clientSecret: string, mode: 'stream' | 'long_poll') => {
    const verifier = createVerifier({ issuer: service.origin, clientId, clientSecret, follow: mode })
    verifiers.push(verifier)
    return verifier
  }
  const api = follow('api', secret, 'stream')
  const billing = follow('billing', other, 'long_poll')
  await Promise.all([api.ready(), billing.ready()])
  await until('both are seen', async () => (await doctor()).length === 2, 20_000)
  expect(await doctor()).toEqual([
    expect.stringMatching(/^true api by stream since \S+Z, at [0-9a-f]{16}\.\d+$/),
    expect.stringMatching(/^true billing by long_poll since \S+Z, at [0-9a-f]{16}\.\d+$/),
  ])
  // Whom nobody let in sees none.
  expect(await doctor({ SYMBOLON_ADMIN_KEY: 'wrong' })).toEqual([])

  const value = (text: string, name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
  const one = await service.signIn('eve@example.com')
  await service.signOut(one)
  await until('the API knows', () => api.status().entries > 0)
  expect(await api.verify(one.accessToken)).toMatchObject({ ok: false, code: 'session_revoked' })
  const scrape = async () => {
    const authorization = `Bearer ${readFileSync(join(data, 'admin.key'), 'utf8').trim()}`
    return (await fetch(`http://127.0.0.1:${service.ports.admin}/metrics`, { headers: { authorization } })).text()
  }
  const served = await scrape()
  expect(value(served, 'symbolon_feed_followers')).toBe(2)
  expect(value(served, 'symbolon_feed_entries_told_total')).toBeGreaterThan(0)
  // The service's own guards hear of the same log, in the same words.
  for (const text of [served, api.metrics()]) {
    expect(value(text, 'revocation_staleness_seconds')).toBeLessThan(2)
    expect(value(text, 'revocation_entries')).toBeGreaterThan(0)
    expect(value(text, 'revocation_delay_seconds_count')).toBeGreaterThan(0)
    expect(value(text, 'revocation_delay_seconds_bucket{le="\\+Inf"}')).toBe(value(text, 'revocation_delay_seconds_count'))
    for (const name of ['reconnects', 'fallbacks', 'refused_unknown']) expect(value(text, `revocation_${name}_total`)).toBe(0)
    // Each name once (Prometheus refuses a page that says one twice).
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
    expect(new Set(names).size).toBe(names.length)
  }

  // Without the service: what was asked, and what could not be known, is counted.
  const patient = await service.signIn('dan@example.com')
  const ask = () => api.check(patient.accessToken, 'token', { maxStaleness: '1s' })
  expect(await ask()).toMatchObject({ ok: true })
  await service.stop('SIGKILL')
  await until('the bound has passed', () => api.status().stalenessMs > 1000)
  expect(await ask()).toMatchObject({ ok: false, status: 503 })
  const blind = api.metrics()
  expect(value(blind, 'revocation_staleness_seconds')).toBeGreaterThan(1)
  for (const name of ['reconnects', 'fallbacks', 'refused_unknown']) expect(value(blind, `revocation_${name}_total`)).toBeGreaterThan(0)
})
