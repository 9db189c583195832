// Magic links in a real browser and against what opens links by itself: scanners, previews, prefetch. Nothing but the
// starting browser's press, or the code of the same mail, ever uses one up.

import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { overflows, violations } from '../../../../test/accessible.ts'
import { startChromium } from '../../../../test/chromium.ts'
import { createBrowser } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
let chromium: Browser
beforeAll(async () => {
  chromium = await startChromium()
  service = await startService({
    clients: [
      { id: 'app', name: 'Example', transport: 'cookie', returnTo: ['/healthz'] },
      { id: 'plain', name: 'Plain', transport: 'cookie', policy: { methods: ['email_otp'] } },
      { id: 'few', name: 'Few', transport: 'cookie', returnTo: ['/healthz'], policy: { maxSessions: 1, onLimit: 'ask' } },
      { id: 'native', name: 'Native', transport: 'native' },
    ],
    budgets: { startPerAddress: { limit: 1000, window: '1h' }, startPerAccount: { limit: 1000, window: '1h' } },
  })
})
afterAll(async () => {
  await chromium.close()
  await service.close()
})

const mails = async (to: string) =>
  ((await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; subject: string; text: string }[]).filter(
    (mail) => mail.to === to,
  )
/** The newest mail with a code: what stands in it. */
async function mail(to: string) {
  const text = (await mails(to)).filter((one) => /^\d{6} /.test(one.subject)).at(-1)?.text ?? ''
  return { code: /\b\d{6}\b/.exec(text)?.[0] ?? '', link: /^http\S+\/login\/link\?token=\S+$/m.exec(text)?.[0] ?? '' }
}
const wrong = (code: string) => (code === '000000' ? '000001' : '000000')
async function open<T>(options: BrowserContextOptions, run: (page: Page, context: BrowserContext) => Promise<T>): Promise<T> {
  const context = await chromium.newContext(options)
  try {
    return await run(await context.newPage(), context)
  } finally {
    await context.close()
  }
}
async function start(page: Page, email: string, query = ''): Promise<Awaited<ReturnType<typeof mail>>> {
  await page.goto(`${service.origin}/login${query}`)
  await page.fill('#identifier', email)
  await page.click('button.primary')
  await page.waitForSelector('#code')
  return mail(email)
}
const clean = async (page: Page) => expect(await violations(page)).toEqual([])
const fits = async (page: Page) => expect(await overflows(page)).toBe(false)
const isSignedIn = async (context: BrowserContext) => (await context.cookies()).some((cookie) => cookie.name === 'symbolon')
const sessionsOf = async (email: string) => {
  const user = await service.auth.users.find({ email })
  return user === undefined ? [] : (await service.auth.sessions.list(user.id)).sessions
}

describe.each([
  ['light, 1280 px', { viewport: { width: 1280, height: 800 }, colorScheme: 'light' }],
  ['dark, 320 px, German', { viewport: { width: 320, height: 640 }, colorScheme: 'dark', locale: 'de-DE' }],
  ['no JavaScript', { javaScriptEnabled: false }],
] satisfies [string, BrowserContextOptions][])('with %s', (name, options) => {
  const withScript = !('javaScriptEnabled' in options)
  const email = (which: string) => `${which}.${name.replace(/\W/g, '').toLowerCase()}@example.com`

  it('signs in by one press where it was started, and leaves no token in any address', () =>
    open(options, async (page, context) => {
      const { link } = await start(page, email('here'), '?return_to=/healthz')
      const seen: string[] = []
      const referrers: string[] = []
      context.on('request', (request) => {
        seen.push(`${request.method()} ${new URL(request.url()).pathname}${new URL(request.url()).search === '' ? '' : '?'}`)
        referrers.push(request.headers().referer ?? '')
      })
      const tab = await context.newPage()
      await tab.goto(link)
      expect(tab.url()).toBe(`${service.origin}/login/link`)
      if (withScript) {
        await clean(tab)
        await fits(tab)
        expect(await tab.evaluate(() => history.length)).toBeLessThanOrEqual(2)
      }
      expect(await tab.locator('#code').count()).toBe(0)
      expect(await tab.textContent('.facts')).toContain(email('here'))
      // Looked at as often as one likes.
      await tab.reload()
      await tab.click('button.primary')
      await tab.waitForURL(`${service.origin}/healthz`)
      expect(await isSignedIn(context)).toBe(true)
      expect((await context.cookies()).some((cookie) => cookie.name === 'symbolon-link')).toBe(false)
      const token = new URL(link).searchParams.get('token') ?? '-'
      expect(seen.filter((one) => one.endsWith('?'))).toEqual(['GET /login/link?'])
      expect(referrers.some((one) => one.includes(token))).toBe(false)
      // Once.
      const again = await tab.goto(link)
      expect(again?.status()).toBe(410)
      if (withScript) await clean(tab)
      expect(await sessionsOf(email('here'))).toHaveLength(1)
    }))

  it('asks in any other browser for the code, signs in there, and not where it was started', () =>
    open(options, (page, context) =>
      open(options, async (other, elsewhere) => {
        const { link, code } = await start(page, email('there'))
        await other.goto(link)
        expect(await other.textContent('.facts')).toContain('Example')
        expect(await other.textContent('.facts')).toMatch(/Chrom\w+ on Linux · (?:127\.0\.0\.1|::1) · /)
        if (withScript) {
          await clean(other)
          await fits(other)
        }
        await other.fill('#code', wrong(code))
        if (!withScript) await other.click('button.primary')
        await other.waitForSelector('#problem:not(:empty)')
        if (withScript) await clean(other)
        await other.fill('#code', code)
        if (!withScript) await other.click('button.primary')
        await other.waitForURL(`${service.origin}/account`)
        expect([await isSignedIn(context), await isSignedIn(elsewhere)]).toEqual([false, true])
        await page.fill('#code', code)
        if (!withScript) await page.click('button.primary')
        await page.waitForSelector('#problem:not(:empty)')
        expect(await isSignedIn(context)).toBe(false)
        expect(await sessionsOf(email('there'))).toHaveLength(1)
      }),
    ))
})

it('leads back to an application that began the sign-in over the API', () =>
  open({}, async (page) => {
    await page.goto(`${service.origin}/login`)
    const begin = (return_to: string) =>
      page.request.post(`${service.origin}/v1/login/start`, {
        headers: { origin: service.origin },
        data: { method: 'email_otp', identifier: 'api@example.com', return_to },
      })
    expect(await (await begin('https://evil.example/')).json()).toMatchObject({ status: 400, code: 'invalid_return_to' })
    expect((await begin('/healthz')).status()).toBe(200)
    await page.goto((await mail('api@example.com')).link)
    await page.click('button.primary')
    await page.waitForURL(`${service.origin}/healthz`)
  }))

it('charges wrong codes elsewhere to the same five tries', () =>
  open({}, async (page, context) => {
    const { link, code } = await start(page, 'tries@example.com')
    await open({}, async (other) => {
      await other.goto(link)
      for (let i = 0; i < 5; i++) {
        await other.fill('#code', wrong(code))
        await other.waitForSelector(i < 4 ? '#problem:not(:empty)' : '.plain a')
        if (i < 4) await other.goto(`${service.origin}/login/link`)
      }
    })
    await page.fill('#code', code)
    await page.waitForSelector('#problem:not(:empty)')
    const tab = await context.newPage()
    expect((await tab.goto(link))?.status()).toBe(410)
    expect(await sessionsOf('tries@example.com')).toEqual([])
  }))

describe('what opens links by itself', () => {
  it('uses none up: GET, HEAD, prefetch, forms posted with what the page holds, scripts that press every button', () =>
    open({}, async (page, context) => {
      const { link } = await start(page, 'scanned@example.com')
      for (const method of ['GET', 'HEAD', 'GET', 'OPTIONS'])
        expect([303, 204, 405]).toContain((await fetch(link, { method, redirect: 'manual' })).status)
      // One that keeps cookies, reads the page, and posts its form, with and without what a browser adds.
      for (const headers of [{}, { origin: service.origin, 'sec-fetch-site': 'same-origin' }]) {
        const scanner = createBrowser(service.origin)
        expect((await scanner.fetch(link)).status).toBe(303)
        const html = await (await scanner.fetch('/login/link')).text()
        const token = /name="form_token" value="([^"]+)"/.exec(html)?.[1] ?? ''
        const post = (fields: Record<string, string>) =>
          scanner.fetch('/login/link', {
            method: 'POST',
            headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
            body: new URLSearchParams({ form_token: token, ...fields }),
          })
        expect((await post({})).status).toBe(401)
        expect((await post({ code: '' })).status).toBe(401)
        expect(scanner.jar.has('symbolon')).toBe(false)
      }
      // One that runs scripts.
      await open({}, async (robot, inside) => {
        await robot.goto(link)
        await robot.evaluate(() => {
          for (const form of document.forms) form.noValidate = true
          for (const button of document.querySelectorAll('button')) button.click()
        })
        await robot.waitForLoadState('networkidle')
        expect(await isSignedIn(inside)).toBe(false)
      })
      expect(await sessionsOf('scanned@example.com')).toEqual([])
      // The owner's press is as good as it was.
      await page.goto(link)
      await page.click('button.primary')
      await page.waitForURL(`${service.origin}/account`)
      expect(await isSignedIn(context)).toBe(true)
    }))

  it('is sent no token where nobody could use it: native clients, and clients without links', async () => {
    for (const client_id of ['native', 'plain', 'app']) {
      const one = createBrowser(service.origin)
      const headers = client_id === 'native' ? { origin: '' } : {}
      const body = { method: 'email_otp', identifier: `${client_id}@example.com`, client_id }
      const response =
        client_id === 'native'
          ? await fetch(`${service.origin}/v1/login/start`, {
              method: 'POST',
              headers: { 'content-type': 'application/json' },
              body: JSON.stringify(body),
            })
          : await one.fetch('/v1/login/start', { method: 'POST', json: body, headers })
      expect(response.status).toBe(200)
      const sent = await mail(`${client_id}@example.com`)
      expect([sent.code.length, sent.link !== '']).toEqual([6, client_id === 'app'])
    }
  })

  it('takes hosts from nowhere but the configuration', async () => {
    await createBrowser(service.origin).fetch('/v1/login/start', {
      method: 'POST',
      headers: { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' },
      json: { method: 'email_otp', identifier: 'host@example.com' },
    })
    expect((await mail('host@example.com')).link.startsWith(`${service.origin}/login/link?token=`)).toBe(true)
  })

  it.each(['', 'x', 'A'.repeat(86), `${'A'.repeat(85)}=`, '../../etc'])('refuses the token %j, and says nothing of it', async (token) => {
    const one = createBrowser(service.origin)
    const moved = await one.fetch(`/login/link?token=${encodeURIComponent(token)}`)
    expect([moved.status, moved.headers.get('location'), moved.headers.get('referrer-policy')]).toEqual([303, '/login/link', 'no-referrer'])
    expect(moved.headers.get('cache-control')).toMatch(/no-store/)
    const page = await one.fetch('/login/link', { headers: { accept: 'text/html' } })
    expect(page.status).toBe(410)
    if (token.length > 1) expect(await page.text()).not.toContain(token)
  })
})

describe.each([
  ['a code, light', 'code', { viewport: { width: 1280, height: 800 } }],
  ['a link, dark, 320 px', 'link', { viewport: { width: 320, height: 640 }, colorScheme: 'dark' }],
  ['a code elsewhere, no JavaScript', 'elsewhere', { javaScriptEnabled: false }],
] satisfies [string, string, BrowserContextOptions][])('at the limit of sessions, by %s', (name, way, options) => {
  it('asks which one ends, and goes on to where the person came from', () =>
    open(options, (page) =>
      open(options, async (other) => {
        const email = `full.${way}@example.com`
        const held = createBrowser(service.origin)
        const json = { method: 'email_otp', identifier: email, client_id: 'few' }
        const { login_id } = (await (await held.fetch('/v1/login/start', { method: 'POST', json })).json()) as { login_id: string }
        await held.fetch('/v1/login/verify', { method: 'POST', json: { login_id, code: (await mail(email)).code } })
        const { link, code } = await start(page, email, '?client_id=few&return_to=/healthz')
        const here = way === 'elsewhere' ? other : page
        if (way !== 'code') await here.goto(link)
        if (way !== 'link') await here.fill('#code', code)
        if (way === 'link' || 'javaScriptEnabled' in options) await here.click('button.primary')
        await here.waitForSelector('ul.devices li')
        expect(await here.locator('ul.devices li').count()).toBe(1)
        if (!('javaScriptEnabled' in options)) {
          await clean(here)
          await fits(here)
        }
        expect(await isSignedIn(here.context())).toBe(false)
        expect((await held.fetch('/v1/session')).status).toBe(200)
        await here.click('ul.devices button')
        await here.waitForURL(`${service.origin}/healthz`)
        expect(await isSignedIn(here.context())).toBe(true)
        expect((await held.fetch('/v1/session')).status, name).toBe(401)
        expect(await sessionsOf(email)).toHaveLength(1)
      }),
    ))
})

it('asks over the API too, and opens for what is named there', async () => {
  const begin = async (browser: ReturnType<typeof createBrowser>) => {
    const json = { method: 'email_otp', identifier: 'api@example.com', client_id: 'few' }
    return ((await (await browser.fetch('/v1/login/start', { method: 'POST', json })).json()) as { login_id: string }).login_id
  }
  const verify = (browser: ReturnType<typeof createBrowser>, json: object) => browser.fetch('/v1/login/verify', { method: 'POST', json })
  const [first, second] = [createBrowser(service.origin), createBrowser(service.origin)]
  expect((await verify(first, { login_id: await begin(first), code: (await mail('api@example.com')).code })).status).toBe(200)
  const login_id = await begin(second)
  const asked = await verify(second, { login_id, code: (await mail('api@example.com')).code })
  const step = (await asked.json()) as { state: string; sessions: { sid: string; device: string }[]; session?: unknown }
  expect([asked.status, step.state, step.session, second.jar.has('symbolon')]).toEqual([200, 'limit', undefined, false])
  const [session] = step.sessions
  expect(session?.device).toBe('node')
  for (const body of [{}, { code: '123456', end: session?.sid }, { end: '' }, { press: true }])
    expect((await verify(second, { login_id, ...body })).status).toBe(400)
  expect((await verify(second, { login_id, end: 'nobody' })).status).toBe(404)
  expect((await verify(first, { login_id, end: session?.sid })).status).toBe(401)
  const done = await verify(second, { login_id, end: session?.sid })
  expect([done.status, ((await done.json()) as { session: { current: boolean } }).session.current]).toEqual([200, true])
  expect([(await first.fetch('/v1/session')).status, (await second.fetch('/v1/session')).status]).toEqual([401, 200])
})

it('tells of a sign-in on a new device, and of none on a known one or of the first', async () => {
  const notices = async () => (await mails('told@example.com')).filter(({ subject }) => !/^\d{6} /.test(subject))
  const signIn = async (browser: ReturnType<typeof createBrowser>) => {
    const begun = await browser.fetch('/v1/login/start', { method: 'POST', json: { method: 'email_otp', identifier: 'told@example.com' } })
    const { login_id } = (await begun.json()) as { login_id: string }
    const { code } = await mail('told@example.com')
    expect((await browser.fetch('/v1/login/verify', { method: 'POST', json: { login_id, code } })).status).toBe(200)
  }
  const first = createBrowser(service.origin)
  await signIn(first)
  await signIn(first)
  expect(await notices()).toEqual([])
  await signIn(createBrowser(service.origin))
  const [notice, ...more] = await notices()
  expect(more).toEqual([])
  expect(notice?.subject).toBe('New sign-in to Example')
  expect(notice?.text).not.toMatch(/http|\d{6}/)
})
