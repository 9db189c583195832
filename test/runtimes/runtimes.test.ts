// The built verifier under every runtime that it is said to run on: one suite in Node 20 and 24, Bun, Deno and workerd,
// against a real service over HTTP. Each runtime gets sessions of its own.

import { execFile, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBrowser, signInOver } from '../../packages/symbolon/test/setting/browser.ts'
import { startService, type TestService } from '../../packages/symbolon/test/setting/server.ts'
import { freePort } from '../free-port.ts'
import { installPinned } from '../pinned.ts'
import { makeVectors } from './vectors.ts'

interface Report {
  readonly runtime: string
  readonly cases: readonly { readonly name: string; readonly ok: boolean; readonly detail: string; readonly ms: number }[]
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const here = fileURLToPath(new URL('.', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'symbolon-runtimes-'))
const pinned = installPinned('test/runtimes', 'Bun, Deno, workerd and Node 24')
const bin = (name: string) => join(pinned ?? '', '.bin', name)
const vectors = makeVectors()
let service: TestService
let secret: string
/** Hands every request on to the service, but holds those whose path is in `holding`. */
const holding = { path: '', held: 0 }
const gate = createServer(async (request, response) => {
  if (holding.path !== '' && request.url?.includes(holding.path)) {
    holding.held++
    return
  }
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk)
  const { host: _, connection: __, ...headers } = request.headers as Record<string, string>
  const body = chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}
  const answer = await fetch(service.origin + request.url, { method: request.method ?? 'GET', headers, ...body })
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(await answer.text())
})
/** Sends every request on to the service. */
const redirecting = createServer((request, response) => response.writeHead(307, { location: service.origin + request.url }).end())

/** What a user has after installing: the packages as they would be published, and jose. */
function installBuilt(): void {
  const scope = join(folder, 'node_modules/@symbolon')
  for (const name of ['protocol', 'verifier']) {
    mkdirSync(join(scope, name), { recursive: true })
    for (const part of ['package.json', 'dist']) cpSync(join(root, 'packages', name, part), join(scope, name, part), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules/jose'), join(folder, 'node_modules/jose'))
}

/** A folder with the suite and the sessions it is to try. */
async function prepare(name: string): Promise<string> {
  const path = join(folder, name)
  mkdirSync(path)
  for (const file of ['suite.mjs', 'main.mjs', 'worker.mjs']) cpSync(join(here, file), join(path, file))
  const session = async (email: string) => {
    const browser = createBrowser(service.origin)
    await signInOver(browser, '', email)
    const { access_token } = (await (await browser.fetch('/v1/session/token', { method: 'POST', json: {} })).json()) as {
      access_token: string
    }
    return { token: access_token, cookie: [...browser.jar].map((pair) => pair.join('=')).join('; ') }
  }
  const one = await session(`${name}@example.com`)
  const other = await session(`${name}@example.org`)
  const portOf = (server: Server) => (server.address() as AddressInfo).port
  const elsewhere = `http://localhost:${portOf(redirecting)}`
  const config = {
    issuer: service.origin,
    clientId: 'api',
    clientSecret: secret,
    follow: name.endsWith('snapshot') ? 'snapshot' : 'stream',
    vectors,
    redirecting: elsewhere,
    gate: `http://localhost:${portOf(gate)}`,
    ...one,
    other: other.token,
  }
  writeFileSync(join(path, 'config.json'), JSON.stringify(config))
  writeFileSync(join(path, 'package.json'), JSON.stringify({ type: 'module' }))
  return path
}

/** Runs a program to its own end; what it printed. Still there shortly before the test is over, it is killed and has failed. */
const runs = (cwd: string, program: string, ...args: string[]) =>
  new Promise<Report>((resolve, reject) => {
    const env = { PATH: process.env.PATH ?? '', HOME: cwd, DENO_DIR: join(cwd, '.deno'), DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' }
    execFile(program, args, { cwd, env, timeout: 100_000, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      if (error !== null) return reject(new Error(`${program} ended by ${error.signal ?? error.code}: ${stdout}\n${stderr}`))
      resolve(JSON.parse(stdout) as Report)
    })
  })

/** Serves the worker as wrangler would: one bundled module, in workerd. */
async function serveWorker(cwd: string) {
  await build({
    absWorkingDir: cwd,
    entryPoints: ['worker.mjs'],
    outfile: 'bundle.mjs',
    bundle: true,
    format: 'esm',
    target: 'es2022',
    conditions: ['workerd', 'worker'],
    external: ['cloudflare:workers'],
  })
  const port = await freePort()
  writeFileSync(
    join(cwd, 'workerd.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "bundle.mjs", esModule = embed "bundle.mjs")],
      compatibilityDate = "2026-11-01",
      globalOutbound = "out",
    )),
    (name = "out", network = (allow = ["local", "private", "public"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
`,
  )
  const child = spawn(bin('workerd'), ['serve', 'workerd.capnp'], { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
  const gone = new Promise((resolve) => child.once('exit', resolve))
  const origin = `http://127.0.0.1:${port}`
  // Without a credential, the guard asks nobody.
  const there = () =>
    fetch(`${origin}/token`).then(
      ({ status }) => status,
      () => 0,
    )
  await expect.poll(there, { timeout: 20_000 }).toBe(401)
  return {
    origin,
    async close() {
      child.kill('SIGTERM')
      await gone
    },
  }
}

async function runsWorker(cwd: string): Promise<Report> {
  const worker = await serveWorker(cwd)
  try {
    return (await (await fetch(worker.origin)).json()) as Report
  } finally {
    await worker.close()
  }
}

beforeAll(async () => {
  expect(existsSync(join(root, 'packages/verifier/dist/index.js')), 'packages are built').toBe(true)
  installBuilt()
  service = await startService()
  for (const server of [redirecting, gate]) await new Promise<void>((resolve) => server.listen(0, resolve))
  const made = await service.auth.clients.create(
    { id: 'api', name: 'API', transport: 'service', audiences: [service.origin], scopes: ['revocations:read'] },
    'test',
  )
  if (!made.ok) throw new Error(made.code)
  secret = made.secret ?? ''
})
afterAll(async () => {
  for (const server of [redirecting, gate]) {
    server.closeAllConnections()
    server.close()
  }
  await service.close()
  rmSync(folder, { recursive: true, force: true })
})

const deno = ['run', '--no-prompt', '--cached-only', '--node-modules-dir=manual', '--allow-net', 'main.mjs']
const runtimes: readonly (readonly [string, RegExp, (cwd: string) => Promise<Report>])[] = [
  ['this Node', /^Node /, (cwd) => runs(cwd, process.execPath, 'main.mjs')],
  ['Node 24', /^Node 24\./, (cwd) => runs(cwd, bin('node'), 'main.mjs')],
  ['Bun', /^Bun 1\./, (cwd) => runs(cwd, bin('bun'), 'main.mjs')],
  ['Deno', /^Deno 2\./, (cwd) => runs(cwd, bin('deno'), ...deno)],
  ['workerd', /^workerd$/, runsWorker],
  ['this Node, by snapshot', /^Node /, (cwd) => runs(cwd, process.execPath, 'main.mjs')],
  ['workerd, by snapshot', /^workerd$/, runsWorker],
]

describe('the built verifier', () => {
  it.each(runtimes.filter(([name]) => pinned !== undefined || name.startsWith('this Node')))('under %s', async (name, version, run) => {
    const report = await run(await prepare(name.toLowerCase().replace(/\W+/g, '-')))
    expect(report.runtime).toMatch(version)
    expect(report.cases.filter(({ ok }) => !ok)).toEqual([])
    expect(report.cases.length).toBeGreaterThanOrEqual(6)
  })
})

describe.runIf(pinned !== undefined)('a worker', () => {
  it('keeps its verifier between requests, and no request waits for one whose client went away', async () => {
    const path = await prepare('worker')
    const { token } = JSON.parse(readFileSync(join(path, 'config.json'), 'utf8')) as { token: string }
    const worker = await serveWorker(path)
    const headers = { authorization: `Bearer ${token}` }
    const ask = async (level: string) => {
      const response = await fetch(`${worker.origin}/${level}`, { headers, signal: AbortSignal.timeout(10_000) })
      return [response.status, ((await response.json()) as { checked?: string }).checked]
    }
    /** A client that goes away while the worker waits for the service. */
    const leave = async (level: string, held: string) => {
      Object.assign(holding, { path: held, held: 0 })
      const gone = new AbortController()
      const asked = fetch(`${worker.origin}/${level}`, { headers, signal: gone.signal }).catch(() => undefined)
      await expect.poll(() => holding.held, { timeout: 10_000 }).toBeGreaterThan(0)
      gone.abort()
      await asked
      holding.path = ''
    }
    try {
      await leave('token', '/v1/revocations')
      // The next one asks about its token, and when the snapshot comes at last needs not ask again.
      expect((await ask('token'))[0]).toBe(200)
      await expect.poll(() => ask('token'), { timeout: 20_000, interval: 250 }).toEqual([200, 'local'])
      await leave('session', '/introspect')
      await expect.poll(() => ask('session'), { timeout: 20_000, interval: 250 }).toEqual([200, 'live'])
      expect(await ask('token')).toEqual([200, 'local'])
    } finally {
      await worker.close()
    }
  })
})
