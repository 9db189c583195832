// The development mailbox in a real browser: a mail as it will be read, in a frame that can do nothing, and pages in an
// operator's own words.

import { AxeBuilder } from '@axe-core/playwright'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createBrowser, signInOver } from '../setting/browser.ts'
import { startChromium } from '../setting/chromium.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
let chromium: Browser
beforeAll(async () => {
  chromium = await startChromium()
  service = await startService({
    brand: {
      name: 'Acme',
      accent: '#7a3cff',
      texts: {
        en: { pages: { signInTo: 'Enter {name}', resendIn: '{seconds} seconds (0 is now)' }, mails: { lead: 'Here it is:' } },
        de: { pages: { signInTo: 'Hinein zu {name}' }, errors: { login_failed: 'Der war es nicht.' } },
      },
    },
  })
  expect((await signInOver(createBrowser(service.origin), '', 'ada@example.com')).status).toBe(200)
})
afterAll(async () => {
  await chromium.close()
  await service.close()
})

it('shows a mail as text and as HTML, under the brand', async () => {
  const context = await chromium.newContext({ viewport: { width: 320, height: 640 } })
  const page = await context.newPage()
  const strange: string[] = []
  page.on('console', (message) => strange.push(message.text()))
  await page.goto(`${service.origin}/dev/mailbox`)
  await page.locator('.mail', { hasText: 'is your code' }).getByText('Read it').click()
  const inside = page.frameLocator('iframe.mail-html')
  await inside.getByText('Here it is:').waitFor()
  expect(await inside.locator('body > div').evaluate((one) => getComputedStyle(one).borderTopColor)).toBe('rgb(122, 60, 255)')
  expect(await inside.locator('body').evaluate(() => self.origin)).toBe('null')
  expect(await page.locator('pre').textContent()).toContain('Here it is:')
  expect(strange).toEqual([])
  expect((await new AxeBuilder({ page }).exclude('iframe').analyze()).violations).toEqual([])
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth)).toBe(true)
  await context.close()
})

it('lets a mail run, send and open nothing, in its frame and by itself', async () => {
  const page = await chromium.newPage()
  let held = true
  let ran: string[] = []
  await page.route('**/ran-*', async (route) => {
    ran.push(new URL(route.request().url()).pathname)
    await route.fulfill({ body: '' })
  })
  // What a mail would do if something in it were not escaped: under the headers that the service gives it, and under none.
  await page.route('**/dev/mailbox/html?*', async (route) => {
    const response = await route.fetch()
    const body = `${await response.text()}<script>fetch('/ran-script')</script><img src="data:x" onerror="fetch('/ran-error')">
<link rel="stylesheet" href="/ran-style"><iframe src="/ran-frame"></iframe><form action="/ran-form"><button>Go</button></form>`
    await route.fulfill(held ? { response, body } : { contentType: 'text/html', body })
  })
  const visit = async (path: string) => {
    ran = []
    await page.goto(`${service.origin}/dev/mailbox/${path}?id=1`)
    await page.waitForLoadState('networkidle')
    await (path === 'html' ? page : page.frameLocator('iframe.mail-html')).getByText('Go').click({ noWaitAfter: true })
    await page.waitForLoadState('networkidle')
    return ran
  }
  expect(await visit('mail')).toEqual([])
  expect(await visit('html')).toEqual([])
  held = false
  expect(await visit('html')).toEqual(expect.arrayContaining(['/ran-error', '/ran-frame', '/ran-script', '/ran-style']))
  await page.close()
})

it('has no mail that is not there', async () => {
  for (const path of ['mail?id=1', 'html?id=1']) expect((await fetch(`${service.origin}/dev/mailbox/${path}`)).status).toBe(200)
  for (const path of ['mail?id=99', 'html?id=99']) expect((await fetch(`${service.origin}/dev/mailbox/${path}`)).status).toBe(404)
  expect((await fetch(`${service.origin}/dev/mailbox/html?id=x`)).status).toBe(400)
})

it('says on pages what the operator says, in the language of who reads', async () => {
  for (const [locale, title] of [
    ['en-GB', 'Enter Acme'],
    ['de-DE', 'Hinein zu Acme'],
  ] as const) {
    const page = await chromium.newPage({ locale })
    await page.goto(`${service.origin}/login`)
    expect(await page.textContent('h1')).toBe(title)
    await page.fill('#identifier', `${locale.toLowerCase()}@example.com`)
    await page.click('button.primary')
    await page.waitForSelector('#code')
    if (locale === 'en-GB') expect(await page.textContent('button[data-until]')).toMatch(/^[1-9]\d* seconds \(0 is now\)$/)
    await page.fill('#code', '00000')
    await page.click('button.primary')
    if (locale === 'de-DE') await page.getByText('Der war es nicht.').waitFor()
    await page.close()
  }
})
