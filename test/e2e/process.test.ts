// The built service as a process: it starts, refuses in one sentence, stops in order, and loses nothing to kill -9.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../free-port.ts'

const main = fileURLToPath(new URL('../../packages/symbolon/dist/cli/main.js', import.meta.url))

let folder: string
let data: string
let running: ChildProcess[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'symbolon-process-'))
  data = join(folder, 'data')
})
afterEach(async () => {
  for (const child of running) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  running = []
  rmSync(folder, { recursive: true, force: true })
})

type Env = Record<string, string>
const envOf = (env: Env = {}) => ({ PATH: process.env.PATH ?? '', SYMBOLON_DATA: data, ...env })
const cli = (words: string[], env: Env = {}) =>
  spawnSync(process.execPath, [main, ...words], { cwd: folder, env: envOf(env), encoding: 'utf8', timeout: 20_000 })

async function serve(env: Env = {}, ports?: { port: number; admin: number }) {
  const { port, admin } = ports ?? { port: await freePort(), admin: await freePort() }
  const child = spawn(process.execPath, [main, 'serve', '--dev'], {
    cwd: folder,
    env: envOf({ SYMBOLON_PORT: String(port), SYMBOLON_ADMIN_PORT: String(admin), ...env }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.push(child)
  let printed = ''
  child.stdout?.on('data', (chunk) => {
    printed += chunk
  })
  child.stderr?.on('data', (chunk) => {
    printed += chunk
  })
  // With everything read that it printed.
  const gone = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  )
  const origin = `http://localhost:${port}`
  for (let i = 0; i < 400; i++) {
    if (child.exitCode !== null || child.signalCode !== null) break
    if (
      await fetch(`${origin}/readyz`).then(
        (response) => response.ok,
        () => false,
      )
    )
      break
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  const post = (path: string, body: unknown, headers: Env = {}) =>
    fetch(origin + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
  return { child, gone, origin, ports: { port, admin }, post, printed: () => printed }
}
type Service = Awaited<ReturnType<typeof serve>>

/** Registers a native client, which needs no cookies. */
const registerNative = () => expect(cli(['clients', 'create', 'Native', '--id', 'native', '--transport', 'native', '--dev']).status).toBe(0)
async function codeOf(service: Service): Promise<string> {
  const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { text: string }[]
  return /\b\d{6}\b/.exec(outbox.at(-1)?.text ?? '')?.[0] ?? ''
}
async function start(service: Service): Promise<string> {
  const response = await service.post('/v1/login/start', { method: 'email_otp', identifier: 'ada@example.com', client_id: 'native' })
  return ((await response.json()) as { login_id: string }).login_id
}
async function signIn(service: Service) {
  const login_id = await start(service)
  return (await (await service.post('/v1/login/verify', { login_id, code: await codeOf(service) })).json()) as {
    refresh_token: string
    access_token: string
  }
}
const refresh = async (service: Service, refresh_token: string) => {
  const response = await service.post('/v1/session/refresh', { refresh_token })
  return { status: response.status, body: (await response.json()) as { refresh_token: string; code?: string } }
}

describe('the process', () => {
  it('starts, says where it is in at most eight lines, stops at SIGTERM, and starts again on the same data', async () => {
    const first = await serve()
    await expect.poll(first.printed).toContain('Ctrl-C')
    expect(first.printed()).toContain(`${first.origin}/login`)
    expect(first.printed().trim().split('\n').length).toBeLessThanOrEqual(8)
    expect(statSync(join(data, 'admin.key')).mode & 0o777).toBe(0o600)
    first.child.kill('SIGTERM')
    expect(await first.gone).toEqual({ code: 0, signal: null })
    const second = await serve({}, first.ports)
    expect((await fetch(`${second.origin}/readyz`)).status).toBe(200)
  })

  it('says in one sentence when its port is taken', async () => {
    const first = await serve()
    const second = await serve({ SYMBOLON_DATA: join(folder, 'other') }, first.ports)
    expect((await second.gone).code).toBe(1)
    expect(second.printed()).toMatch(/^Port \d+ is in use; .*SYMBOLON_PORT=\d+$/m)
  })

  it('refuses in one sentence, and ends', () => {
    const { status, stdout, stderr } = cli(['serve', '--dev'], { SYMBOLON_PROT: '1' })
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^[^\n]*no variable SYMBOLON_PROT[^\n]*\n$/)
  })
})

it('what `init` prints last is a command that serves, and says where it listens', async () => {
  mkdirSync(join(folder, 'bin'))
  writeFileSync(join(folder, 'bin', 'symbolon'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, { mode: 0o755 })
  const last = cli(['init', '--issuer', 'https://auth.example.com', '--data', data, '--config', 'my config.jsonc'])
    .stdout.trim()
    .split('\n')
    .at(-1)
  expect(last).toMatch(/^symbolon serve /)
  const child = spawn('/bin/sh', ['-c', `exec ${last}`], {
    cwd: folder,
    env: { PATH: `${join(folder, 'bin')}:${process.env.PATH}`, SYMBOLON_PORT: '0', SYMBOLON_ADMIN_PORT: '0', SYMBOLON_HOST: '127.0.0.1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.push(child)
  const gone = new Promise((resolve) => child.once('exit', (code) => resolve(code)))
  let printed = ''
  await new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        printed += chunk
        if (printed.includes('Ctrl-C')) resolve()
      })
  })
  const [listens, operator] = [/listens +(127\.0\.0\.1:\d+)$/m.exec(printed)?.[1], /operator +(http:\S+)$/m.exec(printed)?.[1]]
  expect((await fetch(`http://${listens}/readyz`)).status).toBe(200)
  expect((await fetch(`${operator}/users`)).status).toBe(401)
  child.kill('SIGTERM')
  expect(await gone).toBe(0)
})

describe('kill -9', () => {
  /** A data directory with somebody who is signed in, and somebody who is about to be; each test gets a copy. */
  let made: {
    readonly folder: string
    readonly ports: { port: number; admin: number }
    readonly login_id: string
    readonly code: string
  } & Awaited<ReturnType<typeof signIn>>
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'symbolon-process-'))
    data = join(folder, 'data')
    registerNative()
    const service = await serve()
    const signedIn = await signIn(service)
    const login_id = await start(service)
    made = { folder, ports: service.ports, login_id, code: await codeOf(service), ...signedIn }
    service.child.kill('SIGTERM')
    await service.gone
  })
  afterAll(() => rmSync(made.folder, { recursive: true, force: true }))
  beforeEach(() => cpSync(join(made.folder, 'data'), data, { recursive: true }))

  it.each(['login.charged', 'commit.before', 'commit.after', 'login.opened'])('at %s of a sign-in strands nobody', async (crashPoint) => {
    const { login_id, code, ports } = made
    const crashing = await serve({ SYMBOLON_CRASH_POINT: crashPoint }, ports)
    await crashing.post('/v1/login/verify', { login_id, code }).catch(() => {})
    expect((await crashing.gone).signal).toBe('SIGKILL')
    const after = await serve({}, ports)
    const again = await after.post('/v1/login/verify', { login_id, code })
    // Before the session was committed the code still counts; after it, it is used up. Either way a new one works.
    expect(again.status).toBe(crashPoint === 'login.opened' ? 401 : 200)
    expect((await signIn(after)).refresh_token).toMatch(/^syt_/)
  })

  it.each(['rotate.before', 'commit.before', 'commit.after', 'rotate.committed'])(
    'at %s of a refresh signs nobody out',
    async (crashPoint) => {
      const { refresh_token, ports } = made
      const crashing = await serve({ SYMBOLON_CRASH_POINT: crashPoint }, ports)
      await crashing.post('/v1/session/refresh', { refresh_token }).catch(() => {})
      expect((await crashing.gone).signal).toBe('SIGKILL')
      const after = await serve({}, ports)
      const answered = await refresh(after, refresh_token)
      expect(answered.status).toBe(200)
      expect((await refresh(after, answered.body.refresh_token)).status).toBe(200)
    },
  )

  it('after a revocation was committed keeps it', async () => {
    const { refresh_token, access_token, ports } = made
    const crashing = await serve({ SYMBOLON_CRASH_POINT: 'revoke.committed' }, ports)
    await fetch(`${crashing.origin}/v1/session`, { method: 'DELETE', headers: { authorization: `Bearer ${access_token}` } }).catch(() => {})
    expect((await crashing.gone).signal).toBe('SIGKILL')
    const after = await serve({}, ports)
    expect(await refresh(after, refresh_token)).toMatchObject({ status: 401, body: { code: 'session_revoked' } })
  })
})
