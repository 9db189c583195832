// The client in two real tabs, on a real service: tokens, retries, sign-out, and answers that are lost, late or overtaken.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createGuard } from '@symbolon/verifier/node'
import { build } from 'esbuild'
import type { Browser, Page } from 'playwright-core'
import { createAuth } from 'symbolon'
import { toNodeHandler } from 'symbolon/node'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startChromium } from '../../../test/chromium.ts'

const folder = mkdtempSync(join(tmpdir(), 'symbolon-client-'))
let server: Server
let origin: string
let auth: ReturnType<typeof createAuth>
let browser: Browser
let user: string
/** Mints asked of the service, and calls that the API got. */
const counted = { mints: 0, calls: 0 }

declare global {
  var client: import('@symbolon/client').Client
  var changes: boolean[]
  var stop: boolean
}

beforeAll(async () => {
  const entry = fileURLToPath(new URL('../src/index.ts', import.meta.url))
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: 'esm', write: false, conditions: ['@symbolon/source'] })
  const script = outputFiles[0]?.text ?? ''
  const page = `<!doctype html><title>t</title><script type="module">import { createClient } from '/client.js'
globalThis.client = createClient({ issuer: location.origin + '/auth' }); globalThis.changes = []; client.onChange((s) => changes.push(s.signedIn)); document.title = 'ready'</script>`
  const routes: Record<string, (request: never, response: never) => unknown> = {}
  server = createServer((request, response) => {
    if (request.url === '/client.js') return void response.setHeader('content-type', 'text/javascript').end(script)
    if (request.url === '/auth/v1/session/token') counted.mints++
    const route = routes[request.url ?? '']
    if (route !== undefined) return void route(request as never, response as never)
    handle(request, response, () => void response.setHeader('content-type', 'text/html').end(page))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://localhost:${(server.address() as AddressInfo).port}`
  auth = createAuth({ issuer: `${origin}/auth`, dev: true, data: folder, budgets: { startPerAddress: { limit: 1000, window: '1h' } } })
  const handle = toNodeHandler(auth)
  const guard = createGuard(auth)
  routes['/never'] = (_, response) => {
    counted.calls++
    const headers = { 'content-type': 'application/problem+json' }
    ;(response as ServerResponse).writeHead(401, headers).end('{"code":"claims_stale"}')
  }
  const api = guard('token', { credential: 'bearer' })((request, response) => {
    const chunks: Uint8Array[] = []
    const stream = request as unknown as NodeJS.ReadableStream
    stream.on('data', (chunk: Uint8Array) => chunks.push(chunk))
    stream.on('end', () =>
      response.end(JSON.stringify({ sub: request.auth.sub, roles: request.auth.roles, body: Buffer.concat(chunks).toString() })),
    )
  })
  routes['/session'] = guard('session', { credential: 'bearer' })((_, response) => response.end('{}'))
  routes['/api'] = (request, response) => {
    counted.calls++
    return api(request, response)
  }
  await auth.ready()
  browser = await startChromium()
})
afterAll(async () => {
  await browser.close()
  server.closeAllConnections()
  server.close()
  await auth.close()
  rmSync(folder, { recursive: true, force: true })
})

let count = 0
let tabs: Page[] = []
beforeEach(async () => {
  const context = await browser.newContext()
  user = `user${++count}@example.com`
  const first = await context.newPage()
  await first.goto(`${origin}/auth/login`)
  await first.fill('#identifier', user)
  await first.click('button.primary')
  await first.waitForSelector('#code')
  const outbox = (await (await fetch(`${origin}/auth/dev/outbox`)).json()) as { to: string; text: string }[]
  await first.fill('#code', /\b\d{6}\b/.exec(outbox.filter((mail) => mail.to === user).at(-1)?.text ?? '')?.[0] ?? '')
  await first.waitForURL(`${origin}/auth/account`)
  tabs = [first, await context.newPage()]
  for (const tab of tabs) {
    await tab.goto(origin)
    await tab.waitForFunction(() => document.title === 'ready')
  }
  return () => context.close()
})

const call = (tab: Page, init: { method?: string; body?: string } = {}) =>
  tab.evaluate(async (one) => {
    const response = await globalThis.client.fetch('/api', one)
    return {
      status: response.status,
      body: response.ok ? ((await response.json()) as { roles: string[]; body: string; sub: string }) : null,
    }
  }, init)

it('mints once for many calls at once, and carries the token', async () => {
  const [tab] = tabs as [Page, Page]
  let mints = 0
  await tab.route('**/v1/session/token', (route) => {
    mints++
    return route.continue()
  })
  const answers = await tab.evaluate(() =>
    Promise.all(Array.from({ length: 10 }, async () => (await globalThis.client.fetch('/api')).status)),
  )
  expect(answers).toEqual(Array(10).fill(200))
  expect(mints).toBe(1)
})

it('mints again when roles changed, and repeats the request with its body once', async () => {
  const [tab] = tabs as [Page, Page]
  expect((await call(tab)).body?.roles).toEqual([])
  const { id } = (await auth.users.find({ email: user })) ?? { id: '' }
  await auth.users.change(id, { roles: ['editor'] }, 'test')
  expect(await call(tab, { method: 'POST', body: 'hello' })).toMatchObject({ status: 200, body: { roles: ['editor'], body: 'hello' } })
})

it('repeats a Request with its body', async () => {
  const [tab] = tabs as [Page, Page]
  expect((await call(tab)).body?.roles).toEqual([])
  const { id } = (await auth.users.find({ email: user })) ?? { id: '' }
  await auth.users.change(id, { roles: ['editor'] }, 'test')
  const answer = await tab.evaluate(async () =>
    (await globalThis.client.fetch(new Request('/api', { method: 'POST', body: 'hello' }))).json(),
  )
  expect(answer).toMatchObject({ roles: ['editor'], body: 'hello' })
})

it('notices that the session was ended when an API says so', async () => {
  const [tab] = tabs as [Page, Page]
  const asked = () => tab.evaluate(async () => (await globalThis.client.fetch('/session')).status)
  expect(await asked()).toBe(200)
  const { id } = (await auth.users.find({ email: user })) ?? { id: '' }
  await auth.sessions.revoke({ user: id }, 'admin', { actor: 'test' })
  expect(await asked()).toBe(401)
  expect(await tab.evaluate(() => globalThis.changes.at(-1))).toBe(false)
})

it('signs nobody out over a lost answer, a 503 or no network', async () => {
  const [tab] = tabs as [Page, Page]
  const spoil = [
    (route: import('playwright-core').Route) => route.abort(),
    (route: import('playwright-core').Route) => route.fulfill({ status: 503, body: '{}' }),
  ]
  for (const how of spoil) {
    await tab.route('**/v1/session/token', how)
    expect(
      await tab.evaluate(() =>
        globalThis.client.getToken().then(
          () => 'token',
          (error: { code: string }) => error.code,
        ),
      ),
    ).toBe('unreachable')
    await tab.unroute('**/v1/session/token')
    // One that still comes to its end as before may be shared by the next caller.
    await expect.poll(async () => (await call(tab)).status).toBe(200)
    await tab.reload()
    await tab.waitForFunction(() => document.title === 'ready')
  }
  expect(await tab.evaluate(() => globalThis.changes.includes(false))).toBe(false)
})

it('tells the other tab of a sign-out, and a late answer brings nobody back', async () => {
  const [first, second] = tabs as [Page, Page]
  expect([(await call(first)).status, (await call(second)).status]).toEqual([200, 200])
  await second.route('**/v1/session/token', async (route) => {
    // The answer of before the sign-out arrives after it.
    const response = await route.fetch()
    await second.evaluate(() => globalThis.client.signOut())
    await route.fulfill({ response })
  })
  await second.reload()
  await second.waitForFunction(() => document.title === 'ready')
  const late = await second.evaluate(() =>
    globalThis.client.getToken().then(
      () => 'token',
      () => 'none',
    ),
  )
  expect(late).toBe('none')
  await first.waitForFunction(() => globalThis.changes.at(-1) === false)
  expect(await first.evaluate(() => globalThis.client.session())).toBeNull()
  expect((await call(first)).status).toBe(401)
})

it('gives its token to no other origin', async () => {
  const [tab] = tabs as [Page, Page]
  await call(tab)
  let seen: string | undefined = 'not asked'
  await tab.route('http://elsewhere.example/**', (route) => {
    seen = route.request().headers().authorization
    return route.fulfill({ status: 200, headers: { 'access-control-allow-origin': '*' }, body: '' })
  })
  await tab.evaluate(() => globalThis.client.fetch('http://elsewhere.example/'))
  expect(seen).toBeUndefined()
})

describe('while twenty requests of a tab run at a time', () => {
  /** Keeps twenty going until the tab is told to stop; the statuses of all. */
  const rush = (tab: Page) =>
    tab.evaluate(async () => {
      const statuses: number[] = []
      globalThis.stop = false
      const one = async () => {
        while (!globalThis.stop) statuses.push((await globalThis.client.fetch('/api')).status)
      }
      await Promise.all(Array.from({ length: 20 }, one))
      return statuses
    })
  const until = async (condition: () => boolean) => {
    for (const end = Date.now() + 10_000; !condition(); await new Promise((resolve) => setTimeout(resolve, 5)))
      if (Date.now() > end) throw new Error('it did not come')
  }
  /** Runs a rush in both tabs, with a change in the middle of it. */
  const during = async (change: () => Promise<unknown>) => {
    for (const tab of tabs) expect((await call(tab)).status).toBe(200)
    const before = { ...counted }
    const rushes = tabs.map(rush)
    await until(() => counted.calls > before.calls + 100)
    await change()
    const { calls } = counted
    await until(() => counted.calls > calls + 300)
    for (const tab of tabs) await tab.evaluate(() => void Object.assign(globalThis, { stop: true }))
    const statuses = (await Promise.all(rushes)).flat()
    for (const tab of tabs) expect(await tab.evaluate(() => globalThis.changes.includes(false))).toBe(false)
    return { statuses: new Set(statuses), mints: counted.mints - before.mints }
  }

  it('a change of roles costs each tab a mint or two, no request, and nobody is signed out', async () => {
    const { id } = (await auth.users.find({ email: user })) ?? { id: '' }
    const { statuses, mints } = await during(() => auth.users.change(id, { roles: ['editor'] }, 'test'))
    expect([...statuses]).toEqual([200])
    expect(mints).toBeGreaterThanOrEqual(2)
    expect(mints).toBeLessThanOrEqual(4)
    for (const tab of tabs) expect((await call(tab)).body?.roles).toEqual(['editor'])
  })

  it('so does a signing key that is revoked', async () => {
    const kid = (await auth.keys.list()).find(({ state }) => state === 'active')?.kid ?? ''
    const { statuses, mints } = await during(() => auth.keys.revoke(kid, { now: true }, 'test'))
    expect([...statuses]).toEqual([200])
    expect(mints).toBeGreaterThanOrEqual(2)
    expect(mints).toBeLessThanOrEqual(4)
  })

  it('an API that always calls tokens stale gets each request twice, or thrice if it shared a mint, and the tab gives up', async () => {
    const [tab] = tabs as [Page, Page]
    await call(tab)
    let before = { ...counted }
    const never = (times: number) =>
      tab.evaluate((length) => Promise.all(Array.from({ length }, async () => (await globalThis.client.fetch('/never')).status)), times)
    expect(await never(1)).toEqual([401])
    expect([counted.calls - before.calls, counted.mints - before.mints]).toEqual([2, 1])
    before = { ...counted }
    expect(await never(20)).toEqual(Array(20).fill(401))
    expect(counted.calls - before.calls).toBeLessThanOrEqual(60)
    expect(counted.mints - before.mints).toBeLessThan(15)
  })
})

it('does not take an answer under way for a fresh one when that turns out to be as old', async () => {
  const [tab] = tabs as [Page, Page]
  await call(tab)
  const { id } = (await auth.users.find({ email: user })) ?? { id: '' }
  await auth.users.change(id, { roles: ['first'] }, 'test')
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let minted = () => {}
  const under = new Promise<void>((resolve) => {
    minted = resolve
  })
  await tab.route('**/v1/session/token', async (route) => {
    const response = await route.fetch()
    minted()
    await held
    await route.fulfill({ response })
  })
  const mine = call(tab)
  await under
  // Minted with the first roles; they change again before the answer arrives.
  await auth.users.change(id, { roles: ['second'] }, 'test')
  const { calls } = counted
  const another = call(tab)
  for (const end = Date.now() + 5000; counted.calls === calls && Date.now() < end; ) await new Promise((resolve) => setTimeout(resolve, 5))
  release()
  expect(await another).toMatchObject({ status: 200, body: { roles: ['second'] } })
  // Whose token was minted for it repeats once, and hears the truth.
  expect((await mine).status).toBe(401)
  expect((await call(tab)).status).toBe(200)
})

it('says that the issuer cannot be reached, not that the caller is unknown, when a stale token cannot be renewed', async () => {
  const [tab] = tabs as [Page, Page]
  await call(tab)
  const { id } = (await auth.users.find({ email: user })) ?? { id: '' }
  await auth.users.change(id, { roles: ['other'] }, 'test')
  await tab.route('**/v1/session/token', (route) => route.fulfill({ status: 503, body: '{}' }))
  const outcome = await tab.evaluate(() =>
    globalThis.client.fetch('/api').then(
      ({ status }) => String(status),
      (error: { code: string }) => error.code,
    ),
  )
  expect(outcome).toBe('unreachable')
  await tab.unroute('**/v1/session/token')
  expect((await call(tab)).body?.roles).toEqual(['other'])
  expect(await tab.evaluate(() => globalThis.changes.includes(false))).toBe(false)
})
