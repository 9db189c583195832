// The hosted page of a sign-in that can be taken on in several ways: behind a code, and behind a link. Which ones there are
// says the person's account, and only to who has proven the mailbox.

import { afterEach, beforeEach, expect, it } from 'vitest'
import { overflows, violations } from '../../../../test/accessible.ts'
import { startChromium } from '../../../../test/chromium.ts'
import { createBrowser } from '../setting/browser.ts'
import { keyFactor, wordFactor } from '../setting/factors.ts'
import { handlerOf } from '../setting/handler.ts'
import { issuer, openSetting, type Setting } from '../setting/service.ts'

const { origin, pathname: mount } = new URL(issuer)
let setting: Setting
beforeEach(async () => {
  const owners = new Set<string>()
  const { factor } = keyFactor(owners)
  // What a page of passkeys is given.
  const begin = () => ({ options: { public_key: { challenge: 'AAAA' } }, state: 'question' })
  setting = await openSetting({
    policy: { methods: ['email_otp', 'email_link', 'passkey', 'word'], acr: 'urn:symbolon:acr:passkey', newDeviceNotice: false },
    factors: [{ ...factor, begin }, wordFactor(owners)],
  })
  const made = await setting.core.users.create({ email: 'ada@example.com' }, 'test')
  if (made.ok) owners.add(made.user.id)
})
afterEach(() => setting.close())

const fieldsOf = (page: string) =>
  Object.fromEntries([...page.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [name, value]))
/** Up to the code, with the mail at hand. */
async function begin() {
  const handler = handlerOf(setting)
  const browser = createBrowser(origin, (request) => handler(request, { ip: '192.0.2.1' }))
  const post = async (path: string, fields: Record<string, string | undefined>) => {
    const body = new URLSearchParams(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined))
    const answer = await browser.fetch(mount + path, { method: 'POST', headers: { accept: 'text/html' }, body })
    return { status: answer.status, page: await answer.text() }
  }
  const asked = fieldsOf(await (await browser.fetch(`${mount}/login`)).text())
  const { page } = await post('/login', { ...asked, identifier: 'ada@example.com' })
  const mail = setting.sent.at(-1)
  if (mail?.kind !== 'code') throw new Error('no mail')
  return { browser, post, fields: fieldsOf(page), code: mail.code, link: new URL(mail.link?.address ?? '') }
}
const buttons = (page: string) => [...page.matchAll(/name="method" value="(\w+)"[^>]*>([^<]+)</g)].map(([, method, text]) => [method, text])
const ways = [
  ['passkey', 'Use a passkey'],
  ['word', 'word'],
]

it('shows the ways of this person after the code, and goes the one that is chosen', async () => {
  const { post, fields, code, browser } = await begin()
  // Nothing was proven: there is nothing to choose yet, and nothing is told.
  const early = await post('/login/code', { ...fields, method: 'passkey' })
  expect([early.status, buttons(early.page)]).toEqual([400, []])

  const shown = await post('/login/code', { ...fields, code })
  expect([shown.status, buttons(shown.page)]).toEqual([200, ways])
  const next = fieldsOf(shown.page)
  // Neither a way that is none, nor two answers at once; the choice stays.
  const strange = await post('/login/code', { ...next, method: 'email_otp' })
  expect([strange.status, buttons(strange.page)]).toEqual([400, ways])
  expect(strange.page).toContain('role="alert"')
  expect((await post('/login/code', { ...next, method: 'passkey', code })).status).toBe(400)

  const taken = await post('/login/code', { ...next, method: 'passkey' })
  expect(taken.status).toBe(200)
  expect(taken.page).toContain('data-options="{&quot;challenge&quot;:&quot;AAAA&quot;}"')
  expect([...browser.jar.keys()].some((name) => name.endsWith('symbolon'))).toBe(false)
})

it('does the same behind a link', async () => {
  const { post, browser, link } = await begin()
  await browser.fetch(link.href)
  const pressed = fieldsOf(await (await browser.fetch(`${mount}/login/link`)).text())
  const shown = await post('/login/link', pressed)
  expect([shown.status, buttons(shown.page)]).toEqual([200, ways])
  // Opened anew, it stands where it stood.
  const again = await (await browser.fetch(`${mount}/login/link`)).text()
  expect(buttons(again)).toEqual(ways)
  const strange = await post('/login/link', { ...fieldsOf(again), method: 'bogus' })
  expect([strange.status, buttons(strange.page)]).toEqual([400, ways])
  const taken = await post('/login/link', { ...fieldsOf(strange.page), method: 'passkey' })
  expect(taken.status).toBe(200)
  expect(taken.page).toContain('data-passkey="sign-in"')
})

it.each([
  ['wide', { viewport: { width: 1280, height: 800 } }],
  ['narrow and dark', { viewport: { width: 320, height: 640 }, colorScheme: 'dark' }],
] as const)('can be read and pressed by everybody: %s', async (_, options) => {
  const { post, fields, code } = await begin()
  const { page: text } = await post('/login/code', { ...fields, code })
  const chromium = await startChromium()
  try {
    const page = await (await chromium.newContext(options)).newPage()
    await page.setContent(text)
    expect(await page.textContent('h1')).toBe('One more step')
    expect(await violations(page)).toEqual([])
    expect(await overflows(page)).toBe(false)
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => (document.activeElement as HTMLButtonElement).value)).toBe('passkey')
  } finally {
    await chromium.close()
  }
})
