// A step-up as a person meets it: a route that wants a fresh proof answers 401, or sends a navigation to the hosted page; the
// page says what is asked, a code proves it, and the request goes on. In Chromium, with and without JavaScript.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import express from 'express'
import Database from 'libsql'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { createAuth } from 'symbolon'
import { createGuard } from 'symbolon/express'
import { toNodeHandler } from 'symbolon/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { overflows, violations } from '../accessible.ts'
import { startChromium } from '../chromium.ts'

const folder = mkdtempSync(join(tmpdir(), 'symbolon-step-up-'))
const pictures = process.env.SYMBOLON_PICTURES
let server: Server
let browser: Browser
let origin: string
let auth: ReturnType<typeof createAuth>
/** How old a proof may be; the routes ask again at each request. */
const fresh = '1m'
const act = { type: 'transfer', text: 'Pay 20 € to Bob', parameters: { to: 'Bob', amount: '20.00 €' } }

declare global {
  var client: import('@symbolon/client').Client
  var paid: string
}

beforeAll(async () => {
  const entry = fileURLToPath(new URL('../../packages/client/src/index.ts', import.meta.url))
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: 'esm', write: false, conditions: ['@symbolon/source'] })
  const page = `<!doctype html><html lang="en"><title>shop</title><script type="module">
import { createClient } from '/client.js'
const client = (globalThis.client = createClient({ issuer: location.origin + '/auth' }))
const pay = async (order, confirmation) => {
  const answer = await client.fetch('/transfers', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ order, confirmation }) })
  if (client.stepUp(answer, { resume: order, action: ${JSON.stringify(act)} })) return
  document.title = globalThis.paid = await answer.text()
}
globalThis.pay = pay
const back = client.steppedUp()
if (back !== undefined) pay(back.resume, back.confirmation)
else document.title = 'ready'
</script>`
  const app = express()
  server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  origin = `http://localhost:${(server.address() as AddressInfo).port}`
  auth = createAuth({
    issuer: `${origin}/auth`,
    dev: true,
    data: folder,
    clients: [{ id: 'app', name: 'Example', transport: 'cookie', returnTo: ['/private', '/shop'] }],
    budgets: { startPerAddress: { limit: 1000, window: '1h' }, startPerAccount: { limit: 1000, window: '1h' } },
  })
  const guard = createGuard(auth)
  app.use(toNodeHandler(auth))
  app.get('/client.js', (_, res) => void res.type('js').send(outputFiles[0]?.text))
  app.get('/shop', (_, res) => void res.type('html').send(page))
  const loginUrl = '/auth/login'
  app.get('/private', guard('session', { maxAuthAge: fresh, loginUrl }), (_, res) => void res.type('html').send('<title>private</title>'))
  app.get('/quiet', guard('session', { maxAuthAge: fresh }), (_, res) => void res.send('quiet'))
  app.get('/any', guard('token'), (_, res) => void res.send('any'))
  app.get('/local', guard('token', { maxAuthAge: fresh }), (_, res) => void res.send('local'))
  app.post('/transfers', express.json(), guard('session', { maxAuthAge: fresh, credential: 'bearer' }), async (req, res) => {
    const confirmation = String(req.body.confirmation)
    if (req.auth.kind !== 'user') return void res.sendStatus(403)
    const taken = await auth.confirmations.consume({ confirmation, sid: req.auth.sid, action: act })
    res.status(taken.ok ? 201 : 403).send(taken.ok ? `paid ${req.body.order}` : taken.code)
  })
  await auth.ready()
  browser = await startChromium()
})
afterAll(async () => {
  await browser?.close()
  server.closeAllConnections()
  server.close()
  await auth.close()
  rmSync(folder, { recursive: true, force: true })
})

const mails = async (email: string) => {
  const outbox = (await (await fetch(`${origin}/auth/dev/outbox`)).json()) as { to: string; text: string }[]
  return outbox.filter(({ to }) => to === email)
}
const code = async (email: string) =>
  /\b\d{6}\b/.exec((await mails(email)).findLast(({ text }) => /\b\d{6}\b/.test(text))?.text ?? '')?.[0] ?? ''
const clean = async (page: Page) => expect(await violations(page)).toEqual([])
const fits = async (page: Page) => expect(await overflows(page)).toBe(false)
const picture = async (page: Page, name: string) => {
  if (pictures === undefined) return
  mkdirSync(pictures, { recursive: true })
  await page.screenshot({ path: join(pictures, `${name}.png`) })
}
async function open<T>(options: BrowserContextOptions, run: (page: Page) => Promise<T>): Promise<T> {
  const context = await browser.newContext(options)
  try {
    return await run(await context.newPage())
  } finally {
    await context.close()
  }
}
/** Signs in by the pages, and comes back where a proof is fresh still. */
async function signIn(page: Page, email: string, script = true): Promise<void> {
  await page.goto(`${origin}/auth/login`)
  await page.fill('#identifier', email)
  await page.click('button.primary')
  await page.waitForSelector('#code')
  await page.fill('#code', await code(email))
  if (!script) await page.click('button.primary')
  await page.waitForURL(`${origin}/auth/account`)
}
const tokenOf = async (page: Page) => (await page.context().cookies()).find(({ name }) => name === 'symbolon-token')?.value
const sidOf = async (page: Page) => (await page.context().cookies()).find(({ name }) => name === 'symbolon')?.value.slice(4, 26)
/** Makes the proof older than that, where it is kept. */
async function grow(page: Page): Promise<void> {
  const asked = async () => (await page.request.get(`${origin}/quiet`)).status()
  expect(await asked()).toBe(200)
  const db = new Database(join(folder, 'symbolon.db'), { timeout: 10_000 })
  const older = db.prepare('UPDATE sessions SET auth_time = auth_time - 61000, revision = revision + 1 WHERE sid = ?')
  const { changes } = older.run([await sidOf(page)])
  db.close()
  expect(changes).toBe(1)
  expect(await asked()).toBe(401)
}

describe.each([
  ['light-1280', { viewport: { width: 1280, height: 800 }, colorScheme: 'light' }],
  ['dark-320', { viewport: { width: 320, height: 640 }, colorScheme: 'dark' }],
  ['german-320', { viewport: { width: 320, height: 640 }, locale: 'de-DE' }],
] satisfies [string, BrowserContextOptions][])('in %s', (name, options) => {
  it('a navigation is led to the page, and back to what it wanted: the same session, raised', () =>
    open(options, async (page) => {
      const email = `${name}@example.com`
      await signIn(page, email)
      const sid = await sidOf(page)
      await grow(page)
      const sent = (await mails(email)).length
      const answer = await page.request.get(`${origin}/private`, { maxRedirects: 0, headers: { accept: 'text/html' } })
      expect([answer.status(), answer.headers().location]).toEqual([303, '/auth/login?return_to=%2Fprivate&step_up=1&max_age=60'])
      await page.goto(`${origin}/private`)
      expect(page.url()).toContain('/auth/login?')
      expect(await page.textContent('main')).toContain(email)
      await clean(page)
      await fits(page)
      await picture(page, `${name}-ask`)
      // Nothing is sent by looking, and nothing changed.
      await page.reload()
      expect((await mails(email)).length).toBe(sent)
      await page.click('button.primary')
      await page.waitForSelector('#code')
      const all = await mails(email)
      expect(all.length).toBe(sent + 1)
      expect(all.at(-1)?.text).toMatch(
        name === 'german-320' ? /Code, mit dem Sie Example bestätigen/ : /code to confirm to Example that it is you/,
      )
      await clean(page)
      await fits(page)
      const right = await code(email)
      await page.fill('#code', right === '000000' ? '000001' : '000000')
      await page.waitForSelector('#problem:not(:empty)')
      await clean(page)
      await picture(page, `${name}-code`)
      await page.fill('#code', right)
      await page.waitForURL(`${origin}/private`)
      expect(await page.title()).toBe('private')
      expect(await sidOf(page)).toBe(sid)
      expect((await page.context().cookies()).find((cookie) => cookie.name === 'symbolon')?.value).toMatch(/^syc_.{22}\.2\./)
    }))
})

it('works without JavaScript, and a token cookie of before does not stand in its way', () =>
  open({ javaScriptEnabled: false }, async (page) => {
    await signIn(page, 'plain@example.com', false)
    expect((await page.request.get(`${origin}/local`)).status()).toBe(200)
    await grow(page)
    // One that was minted from a proof as old: the token of before tells of it as it was.
    await page.context().clearCookies({ name: 'symbolon-token' })
    expect((await page.request.get(`${origin}/any`)).status()).toBe(200)
    const before = await tokenOf(page)
    expect(before).toBeDefined()
    const refused = await page.request.get(`${origin}/local`)
    expect([refused.status(), refused.headers()['www-authenticate']]).toEqual([
      401,
      expect.stringMatching(/^Bearer .*error="insufficient_user_authentication".*max_age="60"/),
    ])
    await page.goto(`${origin}/private`)
    await page.click('button.primary')
    await page.fill('#code', await code('plain@example.com'))
    await page.click('button.primary')
    await page.waitForURL(`${origin}/private`)
    expect(await page.title()).toBe('private')
    // The token in the cookie is older than the step-up: one is minted that proves as much as the session does.
    await grow(page)
    await page.goto(`${origin}/private`)
    await page.click('button.primary')
    await page.fill('#code', await code('plain@example.com'))
    await page.click('button.primary')
    await page.waitForURL(`${origin}/private`)
    expect(await tokenOf(page)).toBe(before)
    expect((await page.request.get(`${origin}/local`)).status()).toBe(200)
    expect(await tokenOf(page)).not.toBe(before)
  }))

it('a script’s request is led there by the client, bound to one act, and goes on when the person is back', () =>
  open({ viewport: { width: 1280, height: 800 } }, async (page) => {
    const email = 'shop@example.com'
    await signIn(page, email)
    await grow(page)
    await page.goto(`${origin}/shop`)
    await page.waitForFunction(() => document.title === 'ready')
    await page.evaluate(() => (globalThis as unknown as { pay(order: number): void }).pay(7)).catch(() => {})
    await page.waitForURL(/step_up=1/)
    expect(await page.textContent('section.act')).toContain('Pay 20 € to Bob')
    expect(await page.textContent('section.act dl')).toContain('20.00 €')
    await clean(page)
    await picture(page, 'act-ask')
    await page.click('button.primary')
    await page.waitForSelector('#code')
    expect(await page.textContent('section.act')).toContain('Pay 20 € to Bob')
    expect((await mails(email)).at(-1)?.text).toContain('With it you confirm: Pay 20 € to Bob')
    await clean(page)
    await picture(page, 'act-code')
    await page.fill('#code', await code(email))
    await page.waitForFunction(() => document.title === 'paid 7')
    // It was taken out of the address, and what was resumed is not resumed again.
    expect(page.url()).toBe(`${origin}/shop`)
    await page.reload()
    await page.waitForFunction(() => document.title === 'ready')
  }))

it('returns to listed addresses only, and takes no act that hides something, no form of another session and no sign-in’s code', () =>
  open({}, async (page) => {
    const email = 'bad@example.com'
    await signIn(page, email)
    const status = async (query: string) => (await page.goto(`${origin}/auth/login?step_up=1&${query}`))?.status()
    expect(await status('return_to=https%3A%2F%2Fevil.example%2F')).toBe(400)
    expect(await status('action=%7B')).toBe(400)
    expect(await status(`action=${encodeURIComponent(JSON.stringify({ ...act, extra: 1 }))}`)).toBe(400)
    expect(await status('max_age=x')).toBe(400)
    // What nobody here can reach is said, and sends nothing.
    expect(await status('acr_values=urn%3Asymbolon%3Aacr%3Apasskey')).toBe(400)
    expect(await page.textContent('#problem')).toContain('in any way that you have set up')
    expect(await status('return_to=%2Fprivate')).toBe(200)
    const token = await page.inputValue('input[name=form_token]')
    const post = (path: string, form: Record<string, string>, headers: Record<string, string> = { origin }) =>
      page.request.post(`${origin}/auth/login/${path}`, { form, headers, maxRedirects: 0 })
    expect((await post('step-up', { form_token: 'x' })).status()).toBe(403)
    expect((await post('step-up', { form_token: token }, { origin: 'https://evil.example' })).status()).toBe(403)
    const hidden = { ...act, text: 'Pay 20 \u202e to Bob' }
    expect((await post('step-up', { form_token: token, action: JSON.stringify(hidden) })).status()).toBe(400)
    expect((await post('step-up', { form_token: token })).status()).toBe(200)
    const signing = await page.request.post(`${origin}/auth/v1/login/start`, {
      data: { method: 'email_otp', identifier: email },
      headers: { origin },
    })
    const { login_id } = (await signing.json()) as { login_id: string }
    const taken = await post('step-up/code', { form_token: token, login_id, code: await code(email) })
    expect(taken.status()).toBe(401)
    expect(taken.headers()['set-cookie']).toBeUndefined()
    // Another session's page is not this one's.
    await open({}, async (other) => {
      await signIn(other, 'other@example.com')
      const answer = await other.request.post(`${origin}/auth/login/step-up`, { form: { form_token: token }, headers: { origin } })
      expect(answer.status()).toBe(403)
    })
  }))

it('sends who is signed in nowhere to the sign-in, and from there to what was wanted', () =>
  open({}, async (page) => {
    await page.goto(`${origin}/auth/login?step_up=1&max_age=60&return_to=%2Fprivate`)
    expect(page.url()).toBe(`${origin}/auth/login?return_to=%2Fprivate`)
    await page.fill('#identifier', 'new@example.com')
    await page.click('button.primary')
    await page.waitForSelector('#code')
    await page.fill('#code', await code('new@example.com'))
    await page.waitForURL(`${origin}/private`)
    expect(await page.title()).toBe('private')
  }))
