// `npm start` as a visitor meets it: sign in by code in Chromium, call the three lanes, change a role, revoke from a second
// browser and see who refuses; axe finds nothing.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AxeBuilder } from '@axe-core/playwright'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'symbolon-playground-'))
let started: ChildProcess
let browser: Browser
let service: string
let playground: string

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

beforeAll(async () => {
  const [port, admin, own] = [await freePort(), await freePort(), await freePort()]
  service = `http://localhost:${port}`
  playground = `http://localhost:${own}`
  started = spawn(process.execPath, ['scripts/start.mjs'], {
    cwd: root,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '',
      SYMBOLON_DATA: join(folder, 'data'),
      SYMBOLON_PORT: String(port),
      SYMBOLON_ADMIN_PORT: String(admin),
      PLAYGROUND_PORT: String(own),
    },
    stdio: 'ignore',
  })
  for (
    let i = 0;
    i < 1200 &&
    !(await fetch(playground).then(
      (response) => response.ok,
      () => false,
    ));
    i++
  )
    await new Promise((resolve) => setTimeout(resolve, 50))
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}, 90_000)
afterAll(async () => {
  await browser.close()
  const gone = new Promise((resolve) => started.once('exit', resolve))
  started.kill('SIGTERM')
  await gone
  rmSync(folder, { recursive: true, force: true })
})

async function signIn(): Promise<Page> {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage()
  await page.goto(playground)
  await page.click('a.primary')
  await page.fill('#identifier', 'ada@example.com')
  await page.click('button.primary')
  await page.waitForSelector('#code')
  const outbox = (await (await fetch(`${service}/dev/outbox`)).json()) as { text: string }[]
  await page.fill('#code', /\b\d{6}\b/.exec(outbox.at(-1)?.text ?? '')?.[0] ?? '')
  await page.waitForURL(`${playground}/`)
  await page.waitForSelector('.lanes')
  return page
}
const call = async (page: Page, level: string, says: RegExp) => {
  await page
    .getByRole('region', { name: `level ${level}` })
    .getByRole('button')
    .first()
    .click()
  await expect
    .poll(() =>
      page
        .getByRole('region', { name: `level ${level}` })
        .getByRole('status')
        .textContent(),
    )
    .toMatch(says)
}

it('shows both halves at work', async () => {
  const page = await signIn()
  await call(page, 'public', /answered without asking/)
  await call(page, 'token', /decided locally/)
  await call(page, 'session', /decided by the live session/)
  await page.getByRole('button', { name: 'Change role' }).click()
  await expect.poll(() => page.getByLabel("The server's half").textContent()).toContain('editor')
  await call(page, 'session', /decided by the live session/)
  expect((await new AxeBuilder({ page }).analyze()).violations.map(({ id }) => id)).toEqual([])
  expect(await page.evaluate(() => document.documentElement.scrollHeight <= 800)).toBe(true)

  const other = await signIn()
  await other.locator('.devices button').first().click()
  await expect.poll(() => other.locator('.timeline').textContent()).toContain('was ended')
  await page.getByRole('region', { name: 'level session' }).getByRole('button').first().click()
  // The first browser's session is gone: its session lane refuses, and it is signed out.
  await expect
    .poll(
      async () =>
        (await page.locator('.hero').count()) > 0 ||
        /refused/.test((await page.getByRole('region', { name: 'level session' }).getByRole('status').textContent()) ?? ''),
    )
    .toBe(true)
}, 60_000)
