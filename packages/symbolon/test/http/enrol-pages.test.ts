// A passkey made while signing in, on the hosted pages in a real browser: behind a code, and behind a link; or offered.

import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { overflows, violations } from '../../../../test/accessible.ts'
import { startChromium } from '../../../../test/chromium.ts'
import { deviceIn } from '../setting/device.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
let chromium: Browser
beforeAll(async () => {
  chromium = await startChromium()
  service = await startService({
    clients: [
      { id: 'firm', name: 'Firm', transport: 'cookie', policy: { acr: 'urn:symbolon:acr:passkey', enrol: 'required' } },
      { id: 'shop', name: 'Shop', transport: 'cookie', policy: { enrol: 'offered' }, returnTo: ['/healthz'] },
    ],
  })
})
afterAll(async () => {
  await chromium.close()
  await service.close()
})

const mail = async (email: string) => {
  const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; subject: string; text: string }[]
  return outbox.filter(({ to }) => to === email).at(-1)
}
async function open(run: (page: Page) => Promise<void>, options: BrowserContextOptions = {}): Promise<void> {
  const context = await chromium.newContext(options)
  try {
    await run(await context.newPage())
  } finally {
    await context.close()
  }
}
/** Proves the mailbox by what the mail brings. */
async function prove(page: Page, email: string, by: 'code' | 'link', query = '?client_id=firm'): Promise<void> {
  await page.goto(`${service.origin}/login${query}`)
  await page.fill('#identifier', email)
  await page.click('form[action="/login"] button.primary')
  await page.waitForSelector('#code')
  const { text = '' } = (await mail(email)) ?? {}
  // A complete code is sent by the page's script.
  if (by === 'code') await page.fill('#code', /\b\d{6}\b/.exec(text)?.[0] ?? '')
  else {
    await page.goto(/http\S+\/login\/link\S+/.exec(text)?.[0] ?? '')
    await page.click('form[action="/login/link"] button.primary')
  }
}
const button = 'form[data-passkey="enrol"] button'
const signedIn = async (page: Page) => (await page.context().cookies()).some(({ name }) => name === 'symbolon')

it.each([
  ['code', { viewport: { width: 1280, height: 800 } }],
  ['link', { viewport: { width: 320, height: 640 }, colorScheme: 'dark', locale: 'de-DE' }],
] satisfies ['code' | 'link', BrowserContextOptions][])('is made behind a %s, and opens the session', (by, options) =>
  open(async (page) => {
    const problems: string[] = []
    page.on('console', (message) => void (message.type() === 'error' && problems.push(message.text())))
    const { answers } = await deviceIn(page)
    const email = `${by}-firm@example.com`
    await prove(page, email, by)
    await page.waitForSelector(button)
    expect(await violations(page)).toEqual([])
    expect(await overflows(page)).toBe(false)
    expect(await signedIn(page)).toBe(false)
    await page.focus(button)
    await page.keyboard.press('Enter')
    await page.waitForURL(`${service.origin}/account`)
    expect(await page.locator('[data-passkey="account"] ul.devices li').count()).toBe(1)
    const session = await (await page.request.get(`${service.origin}/v1/session`)).json()
    expect(session).toMatchObject({ acr: 'urn:symbolon:acr:passkey' })
    expect((await mail(email))?.subject).toMatch(/passkey/i)
    expect(problems).toEqual([])
    // From now on it is asked for; by the field of the address it would sign in at once.
    await answers(false)
    await page.context().clearCookies()
    await prove(page, email, by)
    await page.waitForSelector('form[data-passkey="sign-in"] button')
    await answers(true)
    await page.click('form[data-passkey="sign-in"] button')
    await page.waitForURL(`${service.origin}/account`)
  }, options),
)

it('says without JavaScript that it needs it, and opens nothing', () =>
  open(
    async (page) => {
      await page.goto(`${service.origin}/login?client_id=firm`)
      await page.fill('#identifier', 'plain-firm@example.com')
      await page.click('form[action="/login"] button.primary')
      await page.fill('#code', /\b\d{6}\b/.exec((await mail('plain-firm@example.com'))?.text ?? '')?.[0] ?? '')
      await page.click('button.primary')
      expect(await page.textContent('noscript')).toContain('JavaScript')
      expect(await page.isVisible(button)).toBe(false)
      expect(await signedIn(page)).toBe(false)
    },
    { javaScriptEnabled: false },
  ))

const offered = '?client_id=shop&return_to=%2Fhealthz'
it('is offered to who has none, and made there', () =>
  open(async (page) => {
    const { answers } = await deviceIn(page)
    await prove(page, 'buyer@example.com', 'link', offered)
    await page.waitForURL('**/login/offer?*')
    expect(await signedIn(page)).toBe(true)
    await page.click('button[data-passkey="add"]')
    await page.waitForURL(`${service.origin}/healthz`)
    // Who has one is not asked again, nor is anybody where it is not offered.
    await answers(false)
    await page.context().clearCookies()
    await prove(page, 'buyer@example.com', 'link', offered)
    await page.waitForURL(`${service.origin}/healthz`)
    await prove(page, 'guest@example.com', 'link', '?client_id=app')
    await page.waitForURL(`${service.origin}/account`)
  }))

it.each([true, false])('is not offered again in a browser where it was put off; with JavaScript: %s', (javaScriptEnabled) =>
  open(
    async (page) => {
      const email = `later-${javaScriptEnabled}@example.com`
      await prove(page, email, 'link', offered)
      await page.waitForURL('**/login/offer?*')
      await page.click('form[action="/login/offer"] button')
      await page.waitForURL(`${service.origin}/healthz`)
      await prove(page, email, 'link', offered)
      await page.waitForURL(`${service.origin}/healthz`)
      // And it leads nowhere but to addresses of the client's list.
      expect((await page.goto(`${service.origin}/login/offer?client_id=shop&return_to=https://evil.example`))?.status()).toBe(400)
      await page.context().clearCookies()
      expect((await page.goto(`${service.origin}/login/offer?client_id=shop`))?.status()).toBe(401)
    },
    { javaScriptEnabled },
  ),
)
