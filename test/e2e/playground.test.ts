// `npm start` as a visitor meets it: sign in by code in Chromium, call the three lanes, make tokens die and see when both
// verifiers knew, cut the feed and see them ask live, then refuse, then recover; axe finds nothing.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { violations } from '../accessible.ts'
import { startChromium } from '../chromium.ts'
import { freePort } from '../free-port.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'symbolon-playground-'))
let started: ChildProcess
let browser: Browser
let service: string
let playground: string

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
  browser = await startChromium()
})
afterAll(async () => {
  await browser.close()
  const gone = new Promise((resolve) => started.once('exit', resolve))
  started.kill('SIGTERM')
  await gone
  rmSync(folder, { recursive: true, force: true })
})

/** A browser of its own, signed in. Each test has its own user, so that none meets another's sessions. */
async function signIn(email: string, before?: Page): Promise<Page> {
  const page = before ?? (await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage())
  await page.goto(playground)
  await page.click('a.primary')
  await page.fill('#identifier', email)
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
const entry = (page: Page, text: string | RegExp) => page.locator('.timeline li').filter({ hasText: text })
/** Both rows of the newest such entry, once both say `says`. */
const rows = async (page: Page, text: string, says: RegExp, timeout = 10_000): Promise<string[]> => {
  const both = entry(page, text).first().locator('.row .num')
  await expect.poll(async () => (await both.allTextContents()).filter((one) => says.test(one)).length, { timeout }).toBe(2)
  return both.allTextContents()
}
/** Presses a button, and expects that both verifiers stopped accepting, within their bound, and why. */
const kills = async (page: Page, button: string, text: string, code: string) => {
  await page.getByRole('button', { name: button, exact: true }).click()
  for (const one of await rows(page, text, new RegExp(`^[\\d,.]+ ms · ${code}$`)))
    expect(Number.parseFloat(one.replace(',', ''))).toBeLessThan(5000)
  expect(await page.getByRole('status').allTextContents()).toContainEqual(expect.stringMatching(/A stopped accepting after .*ms/))
}
/** What both verifiers do now. */
const both = async (page: Page, does: string, timeout: number) =>
  expect.poll(() => page.locator('.verifier .says').allTextContents(), { timeout }).toEqual([does, does])
const fits = async (page: Page) => {
  expect(await violations(page)).toEqual([])
  expect(await page.evaluate(() => [document.documentElement.scrollHeight <= 800, document.documentElement.scrollWidth <= 1280])).toEqual([
    true,
    true,
  ])
}

it('shows both halves at work', async () => {
  const page = await signIn('ada@example.com')
  await call(page, 'public', /answered without asking/)
  // Both APIs take turns.
  await call(page, 'token', /API B: decided locally/)
  await call(page, 'token', /API A: decided locally/)
  await call(page, 'session', /decided by the live session/)
  await fits(page)

  const other = await signIn('ada@example.com')
  await other.locator('.devices button').first().click()
  await expect.poll(() => other.locator('.timeline').textContent()).toContain('was ended')
  // The first browser notices by itself.
  await expect.poll(() => page.locator('.hero').count()).toBe(1)
})

it('shows when each verifier stopped accepting', async () => {
  const page = await signIn('grace@example.com')
  const other = await signIn('grace@example.com')
  const minted = (one: Page, times: number) => expect.poll(() => entry(one, 'a new token was minted').count()).toBe(times)

  await kills(page, 'Change role', 'the role “editor” was given', 'claims_stale')
  await expect.poll(() => page.getByLabel("The server's half").textContent()).toContain('editor')
  for (const one of [page, other]) await minted(one, 1)
  await kills(page, 'Revoke key', 'the signing key was revoked', 'token_revoked')
  for (const one of [page, other]) await minted(one, 2)
  await call(page, 'token', /decided locally/)
  await kills(page, 'Sign out that browser', 'the session on', 'session_revoked')
  await expect.poll(() => other.locator('.hero').count()).toBe(1)
  await fits(page)

  // The only one left: this browser's own.
  await page.getByRole('button', { name: 'Sign out that browser', exact: true }).click()
  await page.waitForSelector('.hero')
  await rows(page, 'this browser was signed out', /ms · session_revoked$/)

  await signIn('grace@example.com', page)
  await page.getByRole('button', { name: 'Disable user', exact: true }).click()
  await page.waitForSelector('.hero')
  await rows(page, 'the user was disabled', /ms · session_revoked$/)
  await fits(page)
  await page.getByRole('button', { name: 'Enable the user again' }).click()
  await expect.poll(() => page.locator('.outcome').textContent()).toMatch(/enabled again/)
  await signIn('grace@example.com', page)
})

it('shows the bound, the fallback, the refusal and the recovery', async () => {
  const page = await signIn('alan@example.com')
  await both(page, 'decides locally', 10_000)
  // By keyboard: an arrow turns the switch.
  await page.getByRole('radio', { name: 'connected' }).focus()
  await page.keyboard.press('ArrowRight')
  await rows(page, 'the feed was cut', /as before/)
  // Nobody tells the verifiers of this one: they find out when they ask, as late as their bound lets them.
  await page.getByRole('button', { name: 'Change role', exact: true }).click()
  await rows(page, 'the role “editor” was given', /ms · claims_stale$/, 15_000)
  await both(page, 'asks live', 15_000)
  await call(page, 'token', /decided by the live session/)
  await fits(page)

  await page.getByRole('radio', { name: 'introspection cut too' }).click()
  await both(page, 'refuses: revocation_unknown', 15_000)
  await call(page, 'token', /refused: revocation_unknown/)
  await rows(page, 'the feed and introspection were cut', /ms · revocation_unknown$/)
  await page.setViewportSize({ width: 320, height: 640 })
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320)
  expect(await violations(page)).toEqual([])
  await page.setViewportSize({ width: 1280, height: 800 })

  await page.getByRole('radio', { name: 'connected' }).click()
  // As soon as the followers' pause before they reconnect is over.
  await both(page, 'decides locally', 30_000)
  await rows(page, 'everything is connected again', /ms · decides locally$/)
  await call(page, 'token', /decided locally/)
})

it('asks for more than a session: a fresh proof, a passkey, and a confirmation of one act', async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
  const page = await context.newPage()
  const cdp = await context.newCDPSession(page)
  await cdp.send('WebAuthn.enable', { enableUI: false })
  const key = { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true } as const
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: { ...key, automaticPresenceSimulation: false },
  })
  const answers = (enabled: boolean) => cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled })
  await signIn('edsger@example.com', page)
  const half = (name: string) => page.getByLabel(name).textContent()
  await expect.poll(() => half("The server's half")).toContain('urn:symbolon:acr:email')
  // Just signed in: the proof is fresh.
  await page.getByRole('button', { name: 'fresh proof' }).click()
  await expect.poll(() => page.locator('.timeline').textContent()).toContain('POST /fresh passed at email')

  // Who has no passkey is told so, and can come back.
  await page.getByRole('button', { name: 'passkey', exact: true }).click()
  await page.waitForSelector('#problem:not(:empty)')
  await page.click('.plain a')
  await expect.poll(() => page.locator('.timeline').textContent()).toContain('POST /strong refused: step_up_required')

  await page.goto(`${service}/account`)
  await answers(true)
  await page.click('button[data-passkey="add"]')
  await page.waitForSelector('[data-passkey="account"] ul.devices li')
  await page.goto(playground)
  await page.getByRole('button', { name: 'passkey', exact: true }).click()
  await page.click('button[value="passkey"]')
  await page.locator('form[data-passkey="sign-in"] button').click()
  await page.waitForURL(`${playground}/`)
  await expect.poll(() => page.locator('.timeline').textContent()).toContain('POST /strong passed at passkey')
  expect(await page.locator('.timeline').textContent()).toContain('acr_values="urn:symbolon:acr:passkey"')
  for (const name of ["The server's half", "The client's half"])
    await expect.poll(() => half(name), { timeout: 20_000 }).toContain('urn:symbolon:acr:passkey')

  await page.getByRole('button', { name: 'Transfer 42 € to Ada' }).click()
  expect(await page.locator('section.act').textContent()).toContain('Transfer 42 € to Ada')
  await page.click('button[value="passkey"]')
  await page.locator('form[data-passkey="sign-in"] button').click()
  await page.waitForURL(`${playground}/`)
  await expect.poll(() => page.locator('.timeline').textContent()).toContain('POST /payments passed at passkey')
  expect(await page.locator('.timeline').textContent()).toContain('with a confirmation of the act')
  expect(page.url()).not.toContain('confirmation')
  // The line of code is that of the last call.
  const code = () => page.getByRole('region', { name: 'level session' }).locator('code').textContent()
  expect(await code()).toContain('confirmations.consume')
  await call(page, 'session', /decided by the live session/)
  expect(await code()).toContain('/transfers')
  if (process.env.SYMBOLON_PICTURES !== undefined) await page.screenshot({ path: join(process.env.SYMBOLON_PICTURES, 'playground.png') })
  await fits(page)
})
