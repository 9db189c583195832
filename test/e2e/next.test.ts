// examples/next as a user runs it: built by Next, served, on the service's own host. Signing in is real; route handlers,
// proxy, pages and a server action answer as their levels say, and pages neither rotate nor write.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, get, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type AuthObject, createAuth } from 'symbolon'
import { toNodeHandler } from 'symbolon/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Browser, createBrowser, signInOver } from '../../packages/symbolon/test/setting/browser.ts'
import { freePort } from '../free-port.ts'
import { installPinned } from '../pinned.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const example = join(root, 'examples/next')
const pinned = installPinned('test/e2e/next', 'Next')
const data = mkdtempSync(join(tmpdir(), 'symbolon-next-'))
let app: string
let auth: AuthObject
let server: Server
let next: ChildProcess | undefined
let origin: string
let log = ''

const listen = (one: Server) =>
  new Promise<number>((resolve) => one.listen(0, '127.0.0.1', () => resolve((one.address() as AddressInfo).port)))

/** The example in a folder below what is installed, with the packages as they would be published. */
function prepare(modules: string): string {
  const folder = mkdtempSync(join(dirname(modules), 'app-'))
  cpSync(example, folder, { recursive: true, filter: (path) => !/[/\\](?:node_modules|\.next)$/.test(path) })
  for (const name of ['protocol', 'verifier'])
    for (const part of ['package.json', 'dist'])
      cpSync(join(root, 'packages', name, part), join(folder, 'node_modules/@symbolon', name, part), { recursive: true })
  mkdirSync(join(folder, 'node_modules/jose'), { recursive: true })
  cpSync(join(root, 'node_modules/jose'), join(folder, 'node_modules/jose'), { recursive: true })
  return folder
}

beforeAll(async () => {
  if (pinned === undefined) return
  app = prepare(pinned)
  origin = `http://localhost:${await freePort()}`
  const issuer = `${origin}/auth`
  auth = createAuth({ issuer, dev: true, data })
  await auth.ready()
  const made = await auth.clients.create({ id: 'api', name: 'API', transport: 'service', audiences: [issuer] }, 'test')
  if (!made.ok) throw new Error(made.code)
  server = createServer(toNodeHandler(auth))
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: data,
    NODE_ENV: 'production' as const,
    NEXT_TELEMETRY_DISABLED: '1',
    SYMBOLON_ISSUER: issuer,
    SYMBOLON_SERVICE: `http://127.0.0.1:${await listen(server)}`,
    APP_CLIENT_SECRET: made.secret ?? '',
  }
  const bin = join(pinned, 'next/dist/bin/next')
  const built = spawnSync(process.execPath, [bin, 'build'], { cwd: app, env, encoding: 'utf8', timeout: 300_000 })
  expect(`${built.stdout}${built.stderr}`.split('\n').filter((line) => /error|failed/i.test(line))).toEqual([])
  expect(built.status).toBe(0)
  next = spawn(process.execPath, [bin, 'start', '-H', 'localhost', '-p', new URL(origin).port], { cwd: app, env })
  for (const stream of [next.stdout, next.stderr]) stream?.on('data', (chunk) => (log += chunk))
  const deadline = Date.now() + 60_000
  for (;;) {
    const status = await fetch(`${issuer}/readyz`).then(
      (response) => response.status,
      () => 0,
    )
    if (status === 200) break
    if (Date.now() > deadline) throw new Error(`Next does not lead to the service (${status}): ${log}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}, 420_000)
afterAll(async () => {
  if (pinned === undefined) return
  const gone = new Promise((resolve) => next?.once('exit', resolve))
  if (next?.kill('SIGTERM')) await gone
  server.closeAllConnections()
  server.close()
  await auth.close()
  for (const folder of [app, data]) rmSync(folder, { recursive: true, force: true })
})

async function signedIn(email: string): Promise<Browser> {
  const browser = createBrowser(origin)
  expect((await signInOver(browser, '/auth', email)).status).toBe(200)
  return browser
}
const tokenOf = async (browser: Browser) => {
  const response = await browser.fetch('/auth/v1/session/token', { method: 'POST', json: {} })
  return ((await response.json()) as { access_token: string }).access_token
}
/** Opens an address as a window does; `fetch` cannot, for it says what it is in `Sec-Fetch-Mode`. */
const navigate = (path: string) =>
  new Promise<readonly [number | undefined, string | undefined]>((resolve, reject) => {
    const headers = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'none' }
    get(origin + path, { headers }, (response) => {
      response.resume()
      resolve([response.statusCode, response.headers.location])
    }).once('error', reject)
  })
const headingOf = async (response: Response) => /<h1>(.*?)<\/h1>/.exec(await response.text())?.[1]

it('pins the same versions in the example as are tried', () => {
  const read = (folder: string) => JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
  const { dependencies, devDependencies } = read('examples/next')
  expect({ ...dependencies, ...devDependencies }).toEqual({ '@symbolon/verifier': '0.1.0', ...read('test/e2e/next').dependencies })
  expect(existsSync(join(example, 'proxy.ts'))).toBe(true)
})

describe.runIf(pinned !== undefined)('a Next application', () => {
  it.each(['/api/feed', '/api/edge'])('answers at %s for a token and for a cookie, and refuses strangers', async (path) => {
    const ada = await signedIn(`ada${path.at(-1)}@example.com`)
    const bearer = { headers: { authorization: `Bearer ${await tokenOf(ada)}` } }
    const refused = await fetch(origin + path)
    expect([refused.status, await refused.json()]).toEqual([401, expect.objectContaining({ code: 'missing_credential' })])
    expect(refused.headers.get('www-authenticate')).toContain('Bearer')
    const passed = await fetch(origin + path, bearer)
    expect([passed.status, await passed.json()]).toEqual([
      200,
      { hello: expect.stringMatching(/^usr_/), checked: expect.stringMatching(/^(?:local|live)$/) },
    ])
    // Before a verifier has caught up with the feed it asks live. By cookie: minted on the way once, and written back; the next one is decided locally.
    const first = await ada.fetch(path)
    expect(await first.json()).toMatchObject({ checked: 'live' })
    expect(first.headers.get('cache-control')).toContain('no-store')
    expect(ada.jar.has('symbolon-token')).toBe(true)
    expect(await (await ada.fetch(path)).json()).toMatchObject({ checked: expect.stringMatching(/^(?:local|live)$/) })
  })

  it('asks the session live for a transfer, and refuses other sites and ended sessions', async () => {
    const ada = await signedIn('transfers@example.com')
    const token = await tokenOf(ada)
    const post = (headers: Record<string, string>) => ada.fetch('/api/transfers', { method: 'POST', headers })
    const passed = await post({})
    expect([passed.status, await passed.json()]).toEqual([201, { by: expect.stringMatching(/^usr_/), checked: 'live' }])
    expect((await post({ origin: 'https://evil.example' })).status).toBe(403)
    const byToken = () => fetch(`${origin}/api/transfers`, { method: 'POST', headers: { authorization: `Bearer ${token}` } })
    expect((await byToken()).status).toBe(201)
    expect((await ada.fetch('/auth/v1/session', { method: 'DELETE' })).status).toBe(204)
    expect((await byToken()).status).toBe(401)
  })

  it('sends strangers from a page to sign in and back, and lets the others look', async () => {
    for (const path of ['/feed', '/devices']) {
      expect(await navigate(path)).toEqual([303, `/auth/login?return_to=${encodeURIComponent(path)}`])
      expect((await fetch(origin + path)).status).toBe(401)
    }
    expect(await navigate('/auth/login')).toEqual([200, undefined])
    const ada = await signedIn('pages@example.com')
    // The proxy mints and writes back, and the page behind it finds that token already.
    expect(await headingOf(await ada.fetch('/feed'))).toMatch(/^Feed of usr_\S+, checked (?:local|live)$/)
    expect(ada.jar.has('symbolon-token')).toBe(true)
    expect(await headingOf(await ada.fetch('/devices'))).toMatch(/^Devices of usr_\S+, checked live$/)
  })

  it('reads on a page without writing: no rotation, no cookie', async () => {
    expect(await headingOf(await fetch(origin))).toBe('Hello stranger')
    const ada = await signedIn('reads@example.com')
    const before = new Map(ada.jar)
    for (let i = 0; i < 3; i++) {
      const page = await ada.fetch('/')
      expect(page.headers.getSetCookie()).toEqual([])
      expect(await headingOf(page)).toMatch(/^Hello usr_/)
    }
    expect(ada.jar).toEqual(before)
    expect((await ada.fetch('/auth/v1/session')).status).toBe(200)
  })

  it('holds a server action to its level and to the cross-site rule', async () => {
    const ada = await signedIn('action@example.com')
    const html = await (await ada.fetch('/devices')).text()
    const act = async (headers: Record<string, string> = {}) => {
      const body = new FormData()
      for (const [, name = '', value = ''] of html.matchAll(/<input type="hidden" name="([^"]*)"(?: value="([^"]*)")?/g))
        body.append(name, value)
      const response = await ada.fetch('/devices', { method: 'POST', body, headers })
      return [response.status, response.headers.get('location')]
    }
    expect(await act()).toEqual([303, expect.stringMatching(/\/devices\?renamed=usr_/)])
    expect((await act({ origin: 'https://evil.example' }))[0]).toBe(403)
  })

  it('has nothing to complain about in its log', () => expect(log).not.toMatch(/⨯|error|unhandled/i))
})
