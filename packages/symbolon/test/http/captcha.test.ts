// The proof of work before a mail, over the API and on the page in a real browser.

import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { violations } from '../../../../test/accessible.ts'
import { startChromium } from '../../../../test/chromium.ts'
import { startService, type TestService } from '../setting/server.ts'
import { work } from '../setting/work.ts'

let service: TestService
let chromium: Browser
beforeAll(async () => {
  chromium = await startChromium()
  service = await startService({
    signIn: { captcha: 'always' },
    clients: [
      { id: 'app', name: 'App', transport: 'cookie' },
      { id: 'free', name: 'Free', transport: 'cookie', policy: { captcha: 'never' } },
    ],
  })
})
afterAll(async () => {
  await chromium.close()
  await service.close()
})

const start = (body: Readonly<Record<string, unknown>>) =>
  fetch(`${service.origin}/v1/login/start`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: service.origin },
    body: JSON.stringify({ method: 'email_otp', identifier: 'ada@example.com', ...body }),
  })
const mails = async () => ((await (await fetch(`${service.origin}/dev/outbox`)).json()) as unknown[]).length

it('tells over the API what to answer, and takes the answer once', async () => {
  const refused = await start({})
  expect(refused.status).toBe(403)
  const problem = (await refused.json()) as { code: string; challenge: Parameters<typeof work>[0] }
  expect(problem).toMatchObject({ code: 'captcha_required', challenge: { type: 'proof_of_work', algorithm: 'SHA-256', bits: 16 } })
  const captcha = work(problem.challenge)
  const before = await mails()
  expect((await start({ captcha })).status).toBe(200)
  expect((await start({ captcha })).status).toBe(403)
  expect(await mails()).toBe(before + 1)
  for (const bad of [1, '', 'x'.repeat(2001), null, ['a'], {}]) expect((await start({ captcha: bad })).status).toBe(400)
  expect((await start({ client_id: 'free' })).status).toBe(200)
  // A passkey costs nobody a mail.
  expect((await start({ method: 'passkey', identifier: undefined })).status).toBe(200)
})

it('does it on the page while the person types, and again when it took too long', async () => {
  const context = await chromium.newContext()
  const page = await context.newPage()
  const sent: string[] = []
  page.on('request', (request) => void (request.method() === 'POST' && sent.push(new URL(request.url()).pathname)))
  await page.goto(`${service.origin}/login`)
  expect(await violations(page)).toEqual([])
  await page.fill('#identifier', 'eve@example.com')
  // Pressed twice, it goes once.
  await page.evaluate(() => {
    const button = document.querySelector<HTMLElement>('form[action="/login"] button.primary')
    button?.click()
    button?.click()
  })
  await page.waitForSelector('#code')
  expect(sent).toEqual(['/login'])
  await page.goto(`${service.origin}/login`)
  await page.fill('#identifier', 'eve@example.com')
  // What was shown long ago counts no more: the page comes again, with the address in it.
  await page.evaluate(() => {
    const form = document.querySelector<HTMLFormElement>('form[data-work]')
    const field = form?.elements.namedItem('captcha')
    if (field instanceof HTMLInputElement) field.value = 'old'
    form?.submit()
  })
  await page.waitForSelector('#problem:not(:empty)')
  expect(await page.inputValue('#identifier')).toBe('eve@example.com')
  await page.click('form[action="/login"] button.primary')
  await page.waitForSelector('#code')
  await context.close()
})

it('says without JavaScript that it needs it, and sends nothing', async () => {
  const context = await chromium.newContext({ javaScriptEnabled: false })
  const page = await context.newPage()
  const before = await mails()
  await page.goto(`${service.origin}/login`)
  expect(await page.textContent('noscript')).toContain('JavaScript')
  await page.fill('#identifier', 'plain@example.com')
  await page.click('form[action="/login"] button.primary')
  expect(await page.isVisible('#code')).toBe(false)
  expect(await page.textContent('#problem')).not.toBe('')
  expect(await mails()).toBe(before)
  await page.goto(`${service.origin}/login?client_id=free`)
  expect(await page.locator('noscript').count()).toBe(0)
  await context.close()
})
