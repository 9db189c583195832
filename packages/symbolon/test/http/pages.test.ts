// The hosted pages in a real browser: with and without JavaScript, light and dark, narrow and wide, and by axe.

import { readFileSync } from 'node:fs'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { overflows, violations } from '../../../../test/accessible.ts'
import { startChromium } from '../../../../test/chromium.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
let chromium: Browser
beforeAll(async () => {
  chromium = await startChromium()
  service = await startService({
    clients: [{ id: 'app', name: 'Example', transport: 'cookie', returnTo: ['/healthz'] }],
    budgets: { startPerAddress: { limit: 1000, window: '1h' } },
  })
})
afterAll(async () => {
  await chromium.close()
  await service.close()
})

const code = async (email: string) => {
  const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; text: string }[]
  return /\b\d{6}\b/.exec(outbox.filter((mail) => mail.to === email).at(-1)?.text ?? '')?.[0] ?? ''
}
async function open<T>(options: BrowserContextOptions, run: (page: Page) => Promise<T>): Promise<T> {
  const context = await chromium.newContext(options)
  try {
    return await run(await context.newPage())
  } finally {
    await context.close()
  }
}
async function signIn(page: Page, email: string, query = ''): Promise<void> {
  await page.goto(`${service.origin}/login${query}`)
  await page.fill('#identifier', email)
  await page.click('button.primary')
  await page.waitForSelector('#code')
  await page.fill('#code', await code(email))
}
const clean = async (page: Page) => expect(await violations(page)).toEqual([])
const fits = async (page: Page) => expect(await overflows(page)).toBe(false)

describe.each([
  ['light, 1280 px', { viewport: { width: 1280, height: 800 }, colorScheme: 'light' }],
  ['dark, 320 px', { viewport: { width: 320, height: 640 }, colorScheme: 'dark' }],
  ['German', { viewport: { width: 320, height: 640 }, locale: 'de-DE' }],
] satisfies [string, BrowserContextOptions][])('in %s', (name, options) => {
  it('signs in, shows the devices and signs out; axe finds nothing on any step', () =>
    open(options, async (page) => {
      const email = `${name.replace(/\W/g, '').toLowerCase()}@example.com`
      await page.goto(`${service.origin}/login`)
      await clean(page)
      await fits(page)
      await page.fill('#identifier', email)
      await page.click('button.primary')
      await page.waitForSelector('#code')
      await clean(page)
      await fits(page)
      const right = await code(email)
      await page.fill('#code', right === '000000' ? '000001' : '000000')
      await page.waitForSelector('#problem:not(:empty)')
      await clean(page)
      await page.fill('#code', right)
      await page.waitForURL(`${service.origin}/account`)
      expect(await page.locator('ul.devices li').count()).toBe(1)
      expect(await page.locator('ul.activity li').count()).toBe(2)
      expect(await page.locator('ul.activity li .about').first().textContent()).toMatch(/Chrom.* · (127\.0\.0\.1|::1) · /)
      await clean(page)
      await fits(page)
      await page.click('ul.devices button')
      await page.waitForSelector('.plain a')
      await clean(page)
      expect((await page.context().cookies()).some((cookie) => cookie.name === 'symbolon')).toBe(false)
      await page.goto(`${service.origin}/account`)
      expect(new URL(page.url()).pathname).toBe('/login')
    }))
})

it.each([
  ['English, with JavaScript', { viewport: { width: 1280, height: 800 } }],
  ['German, without', { viewport: { width: 320, height: 640 }, locale: 'de-DE', colorScheme: 'dark', javaScriptEnabled: false }],
] satisfies [string, BrowserContextOptions][])('takes the data away and deletes the account, asked twice: %s', (name, options) =>
  open(options, async (page) => {
    const email = `${name.replace(/\W/g, '').toLowerCase()}@example.com`
    await signIn(page, email)
    if (options.javaScriptEnabled === false) await page.click('button.primary')
    await page.waitForURL(`${service.origin}/account`)
    const [file] = await Promise.all([page.waitForEvent('download'), page.click('a[href="/account/export"]')])
    expect(file.suggestedFilename()).toBe('account.json')
    expect(JSON.parse(readFileSync(await file.path(), 'utf8')).user.email).toBe(email)
    const button = page.locator('form[action="/account/delete"] button')
    expect(await button.isVisible()).toBe(false)
    await page.click('details:has(form[action="/account/delete"]) summary')
    // Without scripts axe cannot run; the page is the same.
    if (options.javaScriptEnabled !== false) await clean(page)
    await fits(page)
    await button.click()
    await page.waitForSelector('.plain a')
    expect((await page.context().cookies()).map((cookie) => cookie.name)).not.toContain('symbolon')
    expect(await service.auth.users.find({ email })).toBeUndefined()
    await page.goto(`${service.origin}/account`)
    expect(new URL(page.url()).pathname).toBe('/login')
  }),
)

it('sends a complete code once, whoever presses Enter as well', () =>
  open({}, async (page) => {
    const email = 'eager@example.com'
    await page.goto(`${service.origin}/login`)
    await page.fill('#identifier', email)
    await page.click('button.primary')
    await page.waitForSelector('#code')
    const right = await code(email)
    // In one go, so that both happen before the answer, as with a quick hand.
    const sent = await page.evaluate((digits) => {
      let count = 0
      document.addEventListener('submit', (event) => {
        if (!event.defaultPrevented) count++
      })
      const field = document.querySelector<HTMLInputElement>('#code') as HTMLInputElement
      field.value = digits
      field.dispatchEvent(new Event('input', { bubbles: true }))
      field.form?.requestSubmit()
      return count
    }, right)
    expect(sent).toBe(1)
    await page.waitForURL(`${service.origin}/account`)
  }))

it('works without JavaScript', () =>
  open({ javaScriptEnabled: false }, async (page) => {
    await signIn(page, 'plain@example.com')
    await page.click('button.primary')
    await page.waitForURL(`${service.origin}/account`)
    expect(await page.textContent('.who')).toBe('plain@example.com')
  }))

it('returns to listed addresses only', () =>
  open({}, async (page) => {
    await signIn(page, 'back@example.com', '?return_to=/healthz')
    await page.waitForURL(`${service.origin}/healthz`)
    for (const address of ['https://evil.example/', '//evil.example', '/\\evil.example', '/healthz?x', 'javascript:alert(1)']) {
      const response = await page.goto(`${service.origin}/login?return_to=${encodeURIComponent(address)}`)
      expect(response?.status(), address).toBe(400)
    }
  }))

it('takes forms from its own pages only', async () => {
  const form = (headers: Record<string, string>) =>
    fetch(`${service.origin}/login`, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: 'identifier=a%40example.com&form_token=x&client_id=app',
    })
  expect((await form({})).status).toBe(403)
  expect((await form({ origin: 'https://evil.example' })).status).toBe(403)
  expect((await form({ origin: service.origin, 'sec-fetch-site': 'same-origin' })).status).toBe(403)
})

it('never says in a page what was sent to it unescaped', () =>
  open({}, async (page) => {
    await page.goto(`${service.origin}/login?identifier=${encodeURIComponent('"><img src=x onerror=alert(1)>')}`)
    expect(await page.inputValue('#identifier')).toContain('<img')
    expect(await page.locator('img').count()).toBe(0)
  }))
