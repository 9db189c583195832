// An application's own say when somebody changes their address: it is asked once, by who has proven the new one.

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { EmailChangeContext } from '#core'
import { createBrowser } from '../setting/browser.ts'
import { fresh, moving, wrong } from '../setting/moving.ts'
import { startService, type TestService } from '../setting/server.ts'

const asked: EmailChangeContext[] = []
let run: (c: EmailChangeContext) => void | Promise<void> = () => {}
let service: TestService
beforeAll(async () => {
  service = await startService({
    clients: [{ id: 'app', name: 'App', transport: 'cookie' }],
    budgets: { startPerAddress: { limit: 10_000, window: '1h' }, verifyPerAddress: { limit: 10_000, window: '1h' } },
    hooks: {
      beforeEmailChanged: {
        budget: '200ms',
        onFailure: 'deny',
        run: (c) => {
          asked.push(c)
          return run(c)
        },
      },
    },
  })
})
beforeEach(() => void asked.splice(0))
afterAll(() => service.close())
/** A service whose hooks defer when they fail. */
async function deferring(test: (page: ReturnType<typeof moving> & { readonly origin: string }) => Promise<void>) {
  const hook = { budget: '200ms', onFailure: 'defer', run: () => run({} as never) } as const
  const other = await startService({
    clients: [{ id: 'app', name: 'App', transport: 'cookie' }],
    hooks: { beforeEmailChanged: hook, beforeUserCreated: hook },
  })
  try {
    await test({ ...moving(() => other), origin: other.origin })
  } finally {
    await other.close()
  }
}
const { mailsTo, codeTo, undoTo, person, begin, verify, change, idOf, isAlive } = moving(() => service)

it('lets a change pass, and is asked once, by who has proven the address', async () => {
  run = () => {}
  const { email, browser } = await person()
  const [wanted, id] = [fresh(), await idOf(email)]
  const { change_id } = await begin(browser, wanted)
  const code = await codeTo(wanted)
  expect((await verify(browser, change_id, wrong(code))).status).toBe(401)
  expect(asked).toEqual([])
  expect(await verify(browser, change_id, code)).toMatchObject({ status: 200, email: wanted })
  expect(asked).toEqual([expect.objectContaining({ userId: id, email: wanted, earlier: email, roles: [], clientId: 'app' })])
})

it.each([
  ['denies', (c: EmailChangeContext) => c.deny()],
  ['throws', () => Promise.reject(new Error('no'))],
  ['is late', () => new Promise<void>(() => {})],
  [
    'denies, and then throws',
    (c: EmailChangeContext) => {
      c.deny()
      throw new Error('no')
    },
  ],
] as const)('keeps the old address where it %s', async (_, how) => {
  run = how
  const { email, browser } = await person()
  const wanted = fresh()
  const id = await idOf(email)
  expect(await change(browser, wanted)).toMatchObject({ status: 403, code: 'denied' })
  expect([await idOf(email), await idOf(wanted)]).toEqual([id, undefined])
  expect(await isAlive(browser)).toBe(true)
  expect((await mailsTo(email)).some(({ text }) => text.includes('/account/undo'))).toBe(false)
})

it('puts the change off on its page, by the form that takes the same code again', async () => {
  await deferring(async (page) => {
    run = () => {}
    const { email, browser } = await page.person()
    const wanted = fresh()
    run = () => Promise.reject(new Error('no'))
    const headers = { accept: 'text/html' }
    const send = async (path: string, form: Record<string, string>) => {
      const account = await (await browser.fetch('/account', { headers })).text()
      const form_token = /name="form_token" value="([^"]+)"/.exec(account)?.[1] ?? ''
      return browser.fetch(path, { method: 'POST', headers, body: new URLSearchParams({ form_token, ...form }) })
    }
    const begun = await (await send('/account/email', { email: wanted })).text()
    const change_id = /name="change_id" value="([^"]+)"/.exec(begun)?.[1] ?? ''
    const given = { change_id, email: wanted, code: (await page.codeTo(wanted)) ?? '' }
    const put = await send('/account/email/code', given)
    expect([put.status, put.headers.get('retry-after')]).toEqual([503, '1'])
    const text = await put.text()
    expect(text).toContain(change_id)
    expect(text).toContain('This cannot be done right now. Please try again shortly.')
    expect(await page.idOf(email)).toBeDefined()
    run = () => {}
    expect((await send('/account/email/code', given)).status).toBe(303)
    expect([await page.idOf(email), await page.idOf(wanted)]).toEqual([undefined, expect.any(String)])
  })
})

it('puts a sign-in off on its pages, by the form that takes the same code again, and by the link', async () => {
  await deferring(async (page) => {
    for (const way of ['code', 'link'] as const) {
      run = () => Promise.reject(new Error('no'))
      const [email, browser, headers] = [fresh(), createBrowser(page.origin), { accept: 'text/html' }]
      const fieldOf = (text: string, name: string) => new RegExp(`name="${name}" value="([^"]+)"`).exec(text)?.[1] ?? ''
      const send = (path: string, form: Record<string, string>) =>
        browser.fetch(path, { method: 'POST', headers, body: new URLSearchParams(form) })
      const start = await (await browser.fetch('/login', { headers })).text()
      const asked = await (await send('/login', { form_token: fieldOf(start, 'form_token'), client_id: 'app', identifier: email })).text()
      let [path, form]: [string, Record<string, string>] = ['', {}]
      if (way === 'code') {
        const login_id = fieldOf(asked, 'login_id')
        const code = (await page.codeTo(email)) ?? ''
        ;[path, form] = ['/login/code', { form_token: fieldOf(asked, 'form_token'), client_id: 'app', login_id, code }]
      } else {
        await browser.fetch(`/login/link?token=${/token=(\S+)$/m.exec((await page.mailsTo(email)).at(-1)?.text ?? '')?.[1]}`)
        const shown = await (await browser.fetch('/login/link', { headers })).text()
        ;[path, form] = ['/login/link', { form_token: fieldOf(shown, 'form_token') }]
      }
      const put = await send(path, form)
      expect([way, put.status, put.headers.get('retry-after')]).toEqual([way, 503, '1'])
      const text = await put.text()
      expect([text.includes(`action="${path}"`), text.includes('Please try again shortly.')]).toEqual([true, true])
      run = () => {}
      expect([way, (await send(path, form)).status]).toEqual([way, 303])
    }
  })
})

it('is not asked where an operator changes an address, or a change is undone', async () => {
  run = () => {}
  const { email, browser } = await person()
  expect((await change(browser, fresh())).status).toBe(200)
  run = (c) => c.deny()
  asked.splice(0)
  const page = createBrowser(service.origin)
  await page.fetch((await undoTo(email)) ?? '')
  const form_token = /name="form_token" value="([^"]+)"/.exec(await (await page.fetch('/account/undo')).text())?.[1] ?? ''
  await page.fetch('/account/undo', { method: 'POST', body: new URLSearchParams({ form_token }) })
  const id = await idOf(email)
  expect(id).toBeDefined()
  expect(await service.auth.users.changeEmail(id ?? '', fresh(), { actor: 'support' })).toMatchObject({ ok: true })
  expect(asked).toEqual([])
})
