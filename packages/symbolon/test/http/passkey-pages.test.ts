// Passkeys on the hosted pages in a real browser with an authenticator of its own: added, used by the button and from the
// field, on a second device, removed; and what is left of it without JavaScript.

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
      { id: 'app', name: 'Example', transport: 'cookie', returnTo: ['/healthz'] },
      { id: 'mail', name: 'Mail only', transport: 'cookie', policy: { methods: ['email_otp'] } },
    ],
    budgets: { startPerAddress: { limit: 1000, window: '1h' } },
  })
})
afterAll(async () => {
  await chromium.close()
  await service.close()
})

/** Runs beside a client that takes nobody without a passkey; as long as there is one, a mail changes nobody's passkeys. */
async function besideStrict<T>(run: () => Promise<T>): Promise<T> {
  const policy = { acr: 'urn:symbolon:acr:passkey' }
  await service.auth.clients.create({ id: 'strict', name: 'Strict', transport: 'cookie', policy }, 'test')
  await service.auth.clients.change('strict', { status: 'active' }, 'test')
  try {
    return await run()
  } finally {
    await service.auth.clients.change('strict', { status: 'disabled' }, 'test')
  }
}

async function open<T>(run: (page: Page) => Promise<T>, options: BrowserContextOptions = {}): Promise<T> {
  const context = await chromium.newContext(options)
  try {
    return await run(await context.newPage())
  } finally {
    await context.close()
  }
}
const code = async (email: string) => {
  const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; text: string }[]
  return /\b\d{6}\b/.exec(outbox.filter((mail) => mail.to === email).at(-1)?.text ?? '')?.[0] ?? ''
}
const link = async (email: string) => {
  const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; text: string }[]
  return /http\S+\/login\/link\S+/.exec(outbox.filter((mail) => mail.to === email).at(-1)?.text ?? '')?.[0] ?? ''
}
async function signIn(page: Page, email: string): Promise<void> {
  await page.goto(`${service.origin}/login`)
  await page.fill('#identifier', email)
  await page.click('form[action="/login"] button.primary')
  await page.waitForSelector('#code')
  await page.fill('#code', await code(email))
  await page.waitForURL(`${service.origin}/account`)
}
const addButton = 'button[data-passkey="add"]'
const list = '[data-passkey="account"] ul.devices li'
async function add(page: Page, count = 1): Promise<void> {
  await page.click(addButton)
  await page.waitForSelector(`${list}:nth-child(${count})`)
}
async function signOut(page: Page): Promise<void> {
  await page.goto(`${service.origin}/account`)
  await page.click('ul.devices li:has(.dot:not(.open)) form[action="/account/sign-out"] button')
  await page.waitForSelector('.plain a')
}
const clean = async (page: Page) => expect(await violations(page)).toEqual([])
const fits = async (page: Page) => expect(await overflows(page)).toBe(false)
const passkeyButton = 'form[data-passkey="sign-in"] button'

it('asks the service for nothing until somebody is there', () =>
  open(async (page) => {
    const asked: string[] = []
    page.on('request', (request) => void (request.url().includes('/v1/') && asked.push(new URL(request.url()).pathname)))
    // A browser on a busy machine may tell a page of a pointer that nobody has moved: not before somebody moves it here.
    await page.addInitScript(() => {
      const still = (event: Event) => event.stopImmediatePropagation()
      window.addEventListener('pointermove', still, true)
      Object.assign(globalThis, { arrive: () => window.removeEventListener('pointermove', still, true) })
    })
    await page.goto(`${service.origin}/login`)
    await page.waitForSelector(passkeyButton)
    await page.waitForLoadState('networkidle')
    expect(asked).toEqual([])
    await page.evaluate(() => (globalThis as unknown as { arrive(): void }).arrive())
    await page.mouse.move(100, 100)
    await page.mouse.move(200, 200)
    await expect.poll(() => asked).toEqual(['/v1/login/start'])
  }))

it.each([
  ['light, 1280 px', { viewport: { width: 1280, height: 800 }, colorScheme: 'light' }],
  ['dark, 320 px, German', { viewport: { width: 320, height: 640 }, colorScheme: 'dark', locale: 'de-DE' }],
] satisfies [string, BrowserContextOptions][])('adds one, signs out, and signs in by the button: %s', (name, options) =>
  open(async (page) => {
    const problems: string[] = []
    page.on('console', (message) => void (message.type() === 'error' && problems.push(message.text())))
    page.on('pageerror', (error) => void problems.push(String(error)))
    const device = await deviceIn(page)
    const email = `${name.replace(/\W/g, '').toLowerCase()}@example.com`
    await device.answers(false)
    await signIn(page, email)
    await device.answers(true)
    await clean(page)
    await add(page)
    await clean(page)
    await fits(page)
    const [held] = await device.credentials()
    expect(Buffer.from(held?.userHandle ?? '', 'base64')).toHaveLength(64)
    await page.locator(`${list} details summary`).first().click()
    await page.fill(`${list} input[name="name"]`, 'Kitchen')
    await clean(page)
    await page.click(`${list} form[action$="/rename"] button`)
    await page.waitForSelector(`${list} b:text-is("Kitchen")`)
    await signOut(page)
    await device.answers(false)
    await page.goto(`${service.origin}/login?return_to=/healthz`)
    await page.waitForSelector(passkeyButton)
    await clean(page)
    await fits(page)
    await device.answers(true)
    await page.click(passkeyButton)
    await page.waitForURL(`${service.origin}/healthz`)
    const session = (await (await page.request.get(`${service.origin}/v1/session`)).json()) as { user: { email: string }; acr: string }
    expect(session).toMatchObject({ user: { email }, acr: 'urn:symbolon:acr:passkey', amr: ['swk', 'user', 'mfa'] })
    expect(problems).toEqual([])
  }, options),
)

it('signs in from the field, without a button and without a name', () =>
  open(async (page) => {
    const device = await deviceIn(page)
    await device.answers(false)
    await signIn(page, 'field@example.com')
    await device.answers(true)
    await add(page)
    await signOut(page)
    await page.goto(`${service.origin}/login`)
    expect(await page.getAttribute('#identifier', 'autocomplete')).toBe('username webauthn')
    // This browser's person picks from the list as soon as it is there.
    await page.mouse.move(200, 200)
    await page.waitForURL(`${service.origin}/account`)
    expect(await page.textContent('.who')).toBe('field@example.com')
  }))

it('keeps one for each device, and refuses the one that was removed', () =>
  open(async (page) => {
    const email = 'two@example.com'
    const first = await deviceIn(page)
    await first.answers(false)
    await signIn(page, email)
    await first.answers(true)
    await add(page)
    await open(async (other) => {
      const second = await deviceIn(other, false)
      await second.answers(false)
      await signIn(other, email)
      await second.answers(true)
      await add(other, 2)
      expect(await other.textContent(`${list}:nth-child(2) .about`)).toContain('on one device')
      // The first one's device is lost: it is removed here.
      await other.locator(`${list}:nth-child(1) details summary`).nth(1).click()
      await clean(other)
      await other.click(`${list}:nth-child(1) form[action$="/remove"] button`)
      await other.waitForFunction((selector) => document.querySelectorAll(selector).length === 1, list)
      await signOut(other)
      await other.goto(`${service.origin}/login`)
      await other.click(passkeyButton)
      await other.waitForURL(`${service.origin}/account`)
      const [held] = await second.credentials()
      expect(held?.signCount).toBeGreaterThan(1)
    })
    await page.context().clearCookies()
    await page.goto(`${service.origin}/login`)
    await page.click(passkeyButton)
    await page.waitForSelector('#problem:not(:empty)')
    expect(await page.textContent('#problem')).toContain('did not sign you in')
    await clean(page)
    expect((await page.context().cookies()).some(({ name }) => name === 'symbolon')).toBe(false)
    // And the way by mail is still there, on the same page.
    expect(await first.credentials()).toHaveLength(1)
    await first.answers(false)
    await signIn(page, email)
    // Its keychain hears on the account page that the one it holds is good no more.
    await expect.poll(() => first.credentials()).toHaveLength(0)
  }))

it('says so when a device holds one already, and when it cannot verify anybody', () =>
  open(async (page) => {
    const device = await deviceIn(page)
    await device.answers(false)
    await signIn(page, 'again@example.com')
    await device.answers(true)
    await add(page)
    await page.click(addButton)
    await page.waitForSelector('[data-passkey="account"] [role="alert"]:not(:empty)')
    expect(await page.textContent('[data-passkey="account"] [role="alert"]')).toContain('already')
    expect(await device.credentials()).toHaveLength(1)
  }))

it('asks for the one that is there before another is added, where a client lets nobody in by mail', () =>
  besideStrict(() =>
    open(async (page) => {
      const device = await deviceIn(page)
      await device.answers(false)
      await signIn(page, 'guarded@example.com')
      await device.answers(true)
      await add(page)
      await page.click(addButton)
      await page.waitForURL(/\/login\?.*step_up=1/)
      await clean(page)
      expect(await page.locator('button[name="method"]').evaluateAll((all) => all.map((one) => one.getAttribute('value')))).toEqual([
        'passkey',
      ])
      await page.click('button[name="method"]')
      await page.click(passkeyButton)
      await page.waitForURL(`${service.origin}/account`)
      await page.click(addButton)
      await page.waitForSelector('[data-passkey="account"] [role="alert"]:not(:empty)')
      expect(await page.textContent('[data-passkey="account"] [role="alert"]')).toContain('already')
    }),
  ))

it.each(['code', 'link'])('asks for the passkey behind a mail’s %s, where the client wants both', (way) =>
  besideStrict(() =>
    open(async (page) => {
      const device = await deviceIn(page)
      const email = `${way}@example.com`
      await device.answers(false)
      await signIn(page, email)
      await device.answers(true)
      await add(page)
      await signOut(page)
      await device.answers(false)
      await page.goto(`${service.origin}/login?client_id=strict`)
      await page.fill('#identifier', email)
      await page.click('form[action="/login"] button.primary')
      await page.waitForSelector('#code')
      if (way === 'code') await page.fill('#code', await code(email))
      else {
        await page.goto(await link(email))
        await page.click('form[action="/login/link"] button.primary')
      }
      await page.waitForSelector(passkeyButton)
      await clean(page)
      await fits(page)
      expect((await page.context().cookies()).some(({ name }) => name === 'symbolon')).toBe(false)
      await device.answers(true)
      await page.click(passkeyButton)
      await page.waitForURL(`${service.origin}/account`)
      const session = await (await page.request.get(`${service.origin}/v1/session`)).json()
      expect(session).toMatchObject({ acr: 'urn:symbolon:acr:passkey', amr: ['otp', 'swk', 'user', 'mfa'] })
    }),
  ),
)

it('without JavaScript: names and removes, says what needs a script, and signs in by mail', () =>
  open(async (page) => {
    const device = await deviceIn(page)
    await device.answers(false)
    await signIn(page, 'plain@example.com')
    await device.answers(true)
    await add(page)
    const cookies = await page.context().cookies()
    await open(
      async (plain) => {
        await plain.context().addCookies(cookies)
        await plain.goto(`${service.origin}/account`)
        expect(await plain.isVisible(addButton)).toBe(false)
        expect(await plain.textContent('[data-passkey="account"] noscript')).toContain('JavaScript')
        await plain.locator(`${list} details summary`).first().click()
        await plain.fill(`${list} input[name="name"]`, 'By hand')
        await plain.click(`${list} form[action$="/rename"] button`)
        expect(await plain.textContent(`${list} b`)).toBe('By hand')
        await plain.locator(`${list} details summary`).nth(1).click()
        await plain.click(`${list} form[action$="/remove"] button`)
        expect(await plain.locator(list).count()).toBe(0)
        await plain.goto(`${service.origin}/login`)
        expect(await plain.isVisible(passkeyButton)).toBe(false)
        expect(await plain.isVisible('#identifier')).toBe(true)
      },
      { javaScriptEnabled: false },
    )
  }))

it('takes forms from its own pages only', async () => {
  const form = (path: string, headers: Record<string, string>) =>
    fetch(service.origin + path, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: 'form_token=x&client_id=app&login_id=x&response=%7B%7D',
    })
  for (const headers of [{}, { origin: 'https://evil.example' }, { origin: service.origin, 'sec-fetch-site': 'same-origin' }])
    expect((await form('/login/code', headers as Record<string, string>)).status).toBe(403)
})

it('is offered only by clients that take it', () =>
  open(async (page) => {
    await page.goto(`${service.origin}/login?client_id=mail`)
    expect(await page.locator(passkeyButton).count()).toBe(0)
    expect(await page.getAttribute('#identifier', 'autocomplete')).toBe('email')
  }))

it('weighs little: thirty kilobytes before the script for passkeys, sixty with it', () =>
  open(async (page) => {
    const isScript = (url: string) => url.includes('/assets/passkeys-')
    const sizes: Promise<{ url: string; size: number }>[] = []
    page.on('response', (response) => sizes.push(response.body().then(({ length }) => ({ url: response.url(), size: length }))))
    const script = page.waitForResponse((response) => isScript(response.url()))
    await page.goto(`${service.origin}/login`, { waitUntil: 'networkidle' })
    await script
    const came = await Promise.all(sizes)
    const sum = (some: typeof came) => some.reduce((all, { size }) => all + size, 0)
    const [plain, all] = [sum(came.filter(({ url }) => !isScript(url))), sum(came)]
    expect(plain).toBeGreaterThan(3000)
    expect(plain).toBeLessThan(30_000)
    expect(all).toBeGreaterThan(plain)
    expect(all).toBeLessThan(60_000)
    console.log(`sign-in page: ${plain} bytes, with the script for passkeys ${all}`)
  }))

it('steps a session up by a passkey, which is then the least that is asked for', () =>
  open(async (page) => {
    await deviceIn(page)
    await signIn(page, 'higher@example.com')
    const levelOf = async () =>
      ((await (await page.request.get(`${service.origin}/v1/session`)).json()) as { acr: string; sid: string }).acr
    const wanted = '/login?step_up=1&acr_values=urn%3Asymbolon%3Aacr%3Apasskey&return_to=%2Fhealthz'
    // Who has none is told so.
    expect((await page.goto(service.origin + wanted))?.status()).toBe(400)
    expect(await page.locator('button[name=method]').count()).toBe(0)
    await page.goto(`${service.origin}/account`)
    await add(page)
    expect(await levelOf()).toBe('urn:symbolon:acr:email')
    await page.goto(service.origin + wanted)
    expect(await page.locator('button[name=method]').allTextContents()).toEqual(['Use a passkey'])
    await clean(page)
    await page.click('button[name=method]')
    await page.waitForSelector(passkeyButton)
    await clean(page)
    await fits(page)
    await page.click(passkeyButton)
    await page.waitForURL(`${service.origin}/healthz`)
    expect(await levelOf()).toBe('urn:symbolon:acr:passkey')
    // A code is less than the session has by now; a plain step-up offers both to who has less.
    await page.goto(`${service.origin}/login?step_up=1&max_age=0`)
    expect(await page.locator('button[name=method]').allTextContents()).toEqual(['Use a passkey'])
    await page.click('button[name=method]')
    await page.waitForSelector(passkeyButton)
    // What no key of this person signed proves nothing, and leaves the session as it is.
    const form = await page.evaluate(() => {
      const [held] = document.querySelectorAll<HTMLFormElement>('form[data-passkey="sign-in"]')
      return Object.fromEntries([...new FormData(held)].map(([name, value]) => [name, String(value)]))
    })
    const answer = await page.request.post(`${service.origin}/login/step-up/code`, {
      form: { ...form, response: '{"id":"x"}' },
      headers: { origin: service.origin },
      maxRedirects: 0,
    })
    expect([answer.status(), answer.headers()['set-cookie']]).toEqual([401, undefined])
    expect(await answer.text()).toContain('Use a passkey')
    expect(await levelOf()).toBe('urn:symbolon:acr:passkey')
    await open(async (other) => {
      await deviceIn(other)
      await signIn(other, 'both@example.com')
      await add(other)
      await other.goto(`${service.origin}/login?step_up=1&max_age=0`)
      expect(await other.locator('button[name=method]').allTextContents()).toEqual(['Send me a code', 'Use a passkey'])
      await clean(other)
      await fits(other)
    })
  }))
