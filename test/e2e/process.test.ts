// The built service as a process: it starts, refuses in one sentence, stops in order, and loses nothing to kill -9.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
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
  const gone = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.once('exit', (code, signal) => resolve({ code, signal })),
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

  it.each<[string, () => Env, RegExp]>([
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
      () => {
        expect(cli(['keys', 'list', '--dev']).status).toBe(0)
        for (const name of ['symbolon.db-wal', 'symbolon.db-shm']) rmSync(join(data, name), { force: true })
        writeFileSync(join(data, 'symbolon.db'), 'not a database '.repeat(1000))
        return {}
      },
      /is not a database/,
    ],
    [
      'a secret that others can read',
      () => {
        expect(cli(['keys', 'list', '--dev']).status).toBe(0)
        chmodSync(join(data, 'secret'), 0o644)
        return {}
      },
      /can be read by others/,
    ],
    [
      'another secret than the keys were sealed with',
      () => {
        expect(cli(['keys', 'list', '--dev']).status).toBe(0)
        rmSync(join(data, 'secret'))
        return {}
      },
      /cannot be opened with the server secrets given/,
    ],
    [
      'admin keys that others can read',
      () => {
        expect(cli(['admin-key', 'create', 'one', '--dev']).status).toBe(0)
        expect(statSync(join(data, 'admin-keys')).mode & 0o777).toBe(0o600)
        expect(cli(['keys', 'list', '--dev']).status).toBe(0)
        chmodSync(join(data, 'admin-keys'), 0o640)
        return {}
      },
      /admin-keys can be read by others; .*chmod 600 /,
    ],
    [
      'secrets from two places',
      () => {
        const secrets = join(folder, 'secrets')
        writeFileSync(secrets, 'x'.repeat(40), { mode: 0o600 })
        expect(cli(['keys', 'list', '--dev'], { SYMBOLON_SECRETS_FILE: secrets }).status).toBe(0)
        return { SYMBOLON_SECRETS: 'x'.repeat(40), SYMBOLON_SECRETS_FILE: secrets }
      },
      /given twice, by SYMBOLON_SECRETS and by SYMBOLON_SECRETS_FILE; remove SYMBOLON_SECRETS/,
    ],
    [
      'a secret beside the file that its configuration names',
      () => {
        writeFileSync(join(folder, 'symbolon.config.jsonc'), '{ "secretsFile": "secrets" }')
        return { SYMBOLON_SECRETS: 'x'.repeat(40) }
      },
      /by SYMBOLON_SECRETS and by secretsFile in symbolon.config.jsonc; remove SYMBOLON_SECRETS/,
    ],
    // node's own recursive mkdir never comes back from here.
    ...(existsSync('/proc/self')
      ? [['a place where nothing can be made', () => ({ SYMBOLON_DATA: '/proc/symbolon' }), /data directory .* cannot be written/] as const]
      : []),
  ])('refuses %s in one sentence', async (_, prepare, sentence) => {
    const { status, stdout, stderr } = cli(['serve', '--dev'], { SYMBOLON_PORT: '0', SYMBOLON_ADMIN_PORT: '0', ...prepare() })
    expect(status).toBe(1)
    expect(stdout).toBe('')
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stderr).toMatch(sentence)
  })

  it.each([
    [['serve'], /issuer is missing/],
    [['serve', '--config', 'nowhere.json'], /cannot be read/],
  ])('refuses %j without development', (words, sentence) => {
    const { status, stderr } = cli(words)
    expect(status).toBe(1)
    expect(stderr).toMatch(sentence)
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
  }, 60_000)
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

describe('the command line', () => {
  it('sets up, proves and lists, for people and for machines', () => {
    const init = cli(['init', '--issuer', 'https://auth.example.com', '--data', data])
    expect(init.status).toBe(0)
    expect(init.stdout).toMatch(/symbolon doctor --config/)
    expect(statSync(join(data, 'admin-keys')).mode & 0o777).toBe(0o600)
    const configuration = join(folder, 'symbolon.config.jsonc')
    expect(statSync(configuration).mode & 0o777).toBe(0o600)
    expect(statSync(join(data, 'secrets')).mode & 0o777).toBe(0o600)
    expect(cli(['init', '--data', data]).stderr).toMatch(/is there already/)
    const made = cli(['users', 'create', 'Ada@Example.com', '--roles', 'admin,editor', '--json'])
    expect(JSON.parse(made.stdout)).toMatchObject([{ email: 'ada@example.com', roles: ['admin', 'editor'] }])
    expect(cli(['users', 'create', 'ada@example.com']).status).toBe(1)
    expect(JSON.parse(cli(['users', 'disable', 'ada@example.com', '--json']).stdout)).toMatchObject([{ status: 'disabled', epoch: 2 }])
    expect(JSON.parse(cli(['users', 'bump-epoch', 'ada@example.com', '--json']).stdout)).toMatchObject([{ epoch: 3 }])
    const keys = () => JSON.parse(cli(['keys', 'list', '--json']).stdout) as { kid: string; state: string }[]
    expect(keys()).toHaveLength(2)
    const kid = keys().find(({ state }) => state === 'active')?.kid ?? ''
    const unsure = cli(['keys', 'revoke', kid])
    expect([unsure.status, unsure.stderr.trim().split('\n').length]).toEqual([2, 1])
    expect(unsure.stderr).toContain('--now')
    expect(keys().find((key) => key.kid === kid)?.state).toBe('active')
    expect(JSON.parse(cli(['keys', 'revoke', kid, '--now', '--json']).stdout)).toMatchObject([{ kid, state: 'revoked' }])
    expect(
      keys()
        .map(({ state }) => state)
        .sort(),
    ).toEqual(['active', 'next', 'revoked'])
    for (const none of ['nothing', `-${'A'.repeat(42)}`]) expect(cli(['keys', 'revoke', none, '--now']).stderr).toContain('none of that id')
    expect(cli(['sessions', 'list', 'ada@example.com']).stdout).toContain('No live sessions')
    const client = JSON.parse(
      cli(['clients', 'create', 'API', '--id', 'api', '--audiences', 'https://auth.example.com', '--json']).stdout,
    ) as { client_secret: string }[]
    expect(client[0]?.client_secret).toMatch(/^sys_/)
    expect(readFileSync(join(data, 'symbolon.db')).includes(Buffer.from(client[0]?.client_secret ?? ''))).toBe(false)
    const inspected = cli(['token', 'inspect', 'a.b.c'])
    expect([inspected.status, inspected.stdout]).toEqual([1, expect.stringContaining('refused')])
    // The mail server of the template does not run here.
    const doctor = cli(['doctor'])
    expect(doctor.status).toBe(1)
    expect(doctor.stdout).toMatch(/^ok {4}store/m)
    expect(doctor.stdout).toMatch(/^MEND {2}mail/m)
    expect(cli(['nonsense']).status).toBe(2)
    expect(cli(['--help']).stdout).toContain('doctor')
  }, 60_000)
})
