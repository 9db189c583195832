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
