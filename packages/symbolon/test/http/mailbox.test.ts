// The development mailbox in a real browser: a mail as it will be read, in a frame that can do nothing, and pages in an
// operator's own words.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { overflows, violations } from '../../../../test/accessible.ts'
import { startChromium } from '../../../../test/chromium.ts'
import { createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
let chromium: Browser
beforeAll(async () => {
  chromium = await startChromium()
  service = await startService({
    brand: {
      name: 'Acme',
      accent: '#7a3cff',
      logo: '/logo.svg',
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
  // The application's own, on the issuer's host.
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="88" height="44"><rect width="88" height="44"/></svg>'
  await page.route('**/logo.svg', (route) => route.fulfill({ contentType: 'image/svg+xml', body: svg }))
  await page.goto(`${service.origin}/dev/mailbox`)
  await page.locator('.mail', { hasText: 'is your code' }).getByText('Read it').click()
  const inside = page.frameLocator('iframe.mail-html')
  await inside.getByText('Here it is:').waitFor()
  expect(await inside.locator('body > div').evaluate((one) => getComputedStyle(one).borderTopColor)).toBe('rgb(122, 60, 255)')
  const logos = [page.locator('img.logo'), inside.getByAltText('Acme')]
  for (const logo of logos) await expect.poll(() => logo.evaluate((one) => (one as HTMLImageElement).naturalWidth)).toBe(88)
  expect(await inside.locator('body').evaluate(() => self.origin)).toBe('null')
  expect(await page.locator('pre').textContent()).toContain('Here it is:')
  expect(strange).toEqual([])
  expect(await violations(page)).toEqual([])
  expect(await overflows(page)).toBe(false)
  await context.close()
})

it('lets a mail run, send and open nothing, by its headers alone', async () => {
  // What a mail would do if something in it were not escaped: under the headers that the service gives it, and under none.
  const given = await fetch(`${service.origin}/dev/mailbox/html?id=1`)
  const policy = given.headers.get('content-security-policy') ?? ''
  expect(policy).toMatch(/^sandbox;.* form-action 'none'; frame-ancestors 'self';/)
  const body = `<!doctype html>${await given.text()}<script>fetch('/ran-script')</script><img src="data:x" onerror="fetch('/ran-error')">
<link rel="stylesheet" href="/ran-style"><iframe src="/ran-frame"></iframe>`
  const ran = new Set<string>()
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/ran') === true) ran.add(request.url)
    const held = request.url === '/held' ? { 'content-security-policy': policy } : {}
    response.writeHead(200, { 'content-type': 'text/html', ...held }).end(request.url === '/held' || request.url === '/free' ? body : '')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const page = await chromium.newPage()
  try {
    const visit = async (path: string) => {
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, { waitUntil: 'networkidle' })
      return [...ran].sort()
    }
    expect(await visit('/held')).toEqual([])
    expect(await visit('/free')).toEqual(['/ran-error', '/ran-frame', '/ran-script', '/ran-style'])
  } finally {
    await page.close()
    server.closeAllConnections()
    server.close()
  }
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
