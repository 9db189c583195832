// Every page that the service can show, in each of its states, in a real browser: one walk through all of them, and the same
// questions asked of each. Who exports a new page without a row here fails.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'libsql'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startChromium } from '../../../../test/chromium.ts'
import { deviceIn } from '../setting/device.ts'
import { inspect, type Witness, withoutScript, witness } from '../setting/inspection.ts'
import { startService, type TestService } from '../setting/server.ts'

/** What is shown, by which page, under which heading. */
const states = {
  'no mail yet': ['MailboxPage', 'Mailbox'],
  'who signs in': ['IdentifierPage', 'Sign in to Example'],
  'no address': ['IdentifierPage', 'Sign in to Example'],
  'the code': ['CodePage', 'Enter your code'],
  'a wrong code': ['CodePage', 'Enter your code'],
  'a login that is gone': ['IdentifierPage', 'Sign in to Example'],
  'a link where it was started': ['LinkPage', 'Sign in to Example'],
  'a link elsewhere': ['LinkPage', 'Another browser started this'],
  'a link elsewhere, a wrong code': ['LinkPage', 'Another browser started this'],
  'a link that was used': ['NoticePage', 'This link cannot be used any more'],
  'an account at its first sign-in': ['AccountPage', 'Your account'],
  'an account with much in it, all of it open': ['AccountPage', 'Your account'],
  'a passkey as well': ['PasskeyPage', 'Now your passkey'],
  'a passkey for next time': ['OfferPage', 'Sign in faster next time'],
  'no passkey yet': ['EnrolPage', 'One more step: a passkey'],
  'a passkey that was refused': ['EnrolPage', 'One more step: a passkey'],
  'no room': ['LimitPage', 'You are signed in on too many devices'],
  'one of them was gone already': ['LimitPage', 'You are signed in on too many devices'],
  'who it is, again': ['StepUpPage', 'Confirm it is you'],
  'an act': ['StepUpPage', 'Confirm it is you'],
  'no way to show it': ['StepUpPage', 'Confirm it is you'],
  'an act, by a code': ['StepUpCodePage', 'Confirm it is you'],
  'an act, by a wrong code': ['StepUpCodePage', 'Confirm it is you'],
  'an act, by a passkey': ['StepUpKeyPage', 'Confirm it is you'],
  'no address to have': ['AddressPage', 'Change address'],
  'a code to another address': ['AddressCodePage', 'Confirm the new address'],
  'a wrong code to it': ['AddressCodePage', 'Confirm the new address'],
  'an address to put back': ['UndoPage', 'Take your account back?'],
  'one that somebody else has': ['UndoPage', 'Take your account back?'],
  'an address that was put back': ['NoticePage', 'The change is undone'],
  'a way back that was used': ['NoticePage', 'This link cannot be used any more'],
  'signed out': ['NoticePage', 'You are signed out'],
  deleted: ['NoticePage', 'Your account is deleted'],
  'a bad return address': ['NoticePage', 'That did not work'],
  'a form from elsewhere': ['NoticePage', 'That did not work'],
  'no such page': ['NoticePage', 'That did not work'],
  'all mails': ['MailboxPage', 'Mailbox'],
  'one mail': ['MailPage', 'is your code'],
} as const
type State = keyof typeof states

const email = 'ada@example.com'
const act = JSON.stringify({ type: 'transfer', text: 'Pay 20 € to Bob', parameters: { to: 'Bob', amount: '20.00 EUR' } })
const desktop = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

let service: TestService
let chromium: Browser
let plain: Page
const seen: State[] = []
beforeAll(async () => {
  chromium = await startChromium()
  const often = { limit: 1000, window: '1h' } as const
  service = await startService({
    clients: [
      { id: 'app', name: 'Example', transport: 'cookie' },
      { id: 'firm', name: 'Firm', transport: 'cookie', policy: { acr: 'urn:symbolon:acr:passkey', enrol: 'required' } },
      { id: 'shop', name: 'Shop', transport: 'cookie', policy: { enrol: 'offered' } },
      { id: 'vault', name: 'Vault', transport: 'cookie', policy: { acr: 'urn:symbolon:acr:passkey', maxSessions: 9 } },
    ],
    session: { max: 2, onLimit: 'ask' },
    budgets: { startPerAddress: often, startPerAccount: often, verifyPerAddress: often },
  })
  plain = await (await chromium.newContext({ javaScriptEnabled: false })).newPage()
})
afterAll(async () => {
  await chromium.close()
  await service.close()
})

/** A browser with an authenticator in it. */
interface Person {
  readonly page: Page
  readonly witness: Witness
  answers(yes: boolean): Promise<unknown>
}
async function person(userAgent?: string): Promise<Person> {
  const context = await chromium.newContext({ viewport: { width: 1280, height: 800 }, ...(userAgent !== undefined && { userAgent }) })
  const page = await context.newPage()
  const { answers } = await deviceIn(page)
  await answers(false)
  return { page, witness: witness(context, service.origin), answers }
}

const mails = async () =>
  ((await (await fetch(`${service.origin}/dev/outbox`)).json()) as { text: string }[]).filter(({ text }) => /^ +\d{6}$/m.test(text))
const code = async () => /^ +(\d{6})$/m.exec((await mails()).at(-1)?.text ?? '')?.[1] ?? ''
const wrongCode = async () => ((await code()) === '000000' ? '000001' : '000000')
const link = async () => /^http\S+\/login\/link\S+/m.exec((await mails()).at(-1)?.text ?? '')?.[0] ?? ''

/** The page as it stands, asked everything. */
async function look({ page, witness }: Person, state: State): Promise<void> {
  seen.push(state)
  // One that looks for mails by itself must not do so in the midst of this.
  await page.evaluate(() => {
    for (let timer = Number(setTimeout(() => {})); timer > 0; timer--) clearTimeout(timer)
  })
  expect(await page.textContent('h1'), state).toContain(states[state][1])
  const wrong = [...(await inspect(page)), ...witness.faults()]
  // The same document where no script runs.
  await plain.route('**', async (route) => route.fulfill({ contentType: 'text/html', body: await witness.document() }), { times: 1 })
  await plain.goto(`${service.origin}/`)
  wrong.push(...(await plain.evaluate(withoutScript)).map((one) => `without JavaScript: ${one}`))
  expect.soft(wrong, state).toEqual([])
}
const go = (who: Person, path: string) => who.page.goto(service.origin + path)
async function ask(who: Person, query = '', as = email): Promise<void> {
  await go(who, `/login${query}`)
  await who.page.fill('#identifier', as)
  await who.page.click('form[action="/login"] button.primary')
  await who.page.waitForSelector('#code')
}
/** Fills in a code, and waits for the answer. */
const type = async ({ page }: Person, digits: string) => {
  await Promise.all([page.waitForEvent('load'), page.fill('#code', digits)])
}
const press = async ({ page }: Person, selector: string) => {
  await Promise.all([page.waitForEvent('load'), page.locator(selector).first().click()])
}
/** Spoils a hidden field, as a page would be that is from elsewhere or too old. */
const spoil = ({ page }: Person, name: string) =>
  page
    .locator(`input[name="${name}"]`)
    .first()
    .evaluate((one) => ((one as HTMLInputElement).value = 'A'.repeat(86)))

let ada: Person
let other: Person

it('signing in', async () => {
  ada = await person()
  other = await person(desktop)
  await go(ada, '/dev/mailbox')
  await look(ada, 'no mail yet')
  await go(ada, '/login')
  await look(ada, 'who signs in')
  await ada.page.fill('#identifier', 'ada@example')
  await press(ada, 'form[action="/login"] button.primary')
  await look(ada, 'no address')
  await spoil(ada, 'form_token')
  await ada.page.fill('#identifier', email)
  await press(ada, 'form[action="/login"] button.primary')
  await look(ada, 'a form from elsewhere')
  await ask(ada)
  await look(ada, 'the code')
  await type(ada, await wrongCode())
  await look(ada, 'a wrong code')
  await spoil(ada, 'login_id')
  await type(ada, await code())
  await look(ada, 'a login that is gone')
})

it('links', async () => {
  await ask(ada)
  const first = await link()
  await ada.page.goto(first)
  await look(ada, 'a link where it was started')
  await other.page.goto(first)
  await look(other, 'a link elsewhere')
  await type(other, await wrongCode())
  await look(other, 'a link elsewhere, a wrong code')
  await press(ada, 'button.primary')
  await ada.page.waitForURL('**/account')
  await look(ada, 'an account at its first sign-in')
  await ada.page.goto(first)
  await look(ada, 'a link that was used')
})

it('more wanted', async () => {
  await ask(other)
  await type(other, await code())
  await go(ada, '/account')
  await ada.answers(true)
  await press(ada, 'button[data-passkey="add"]')
  await ada.answers(false)
  await ada.page.evaluate(() => {
    for (const one of document.querySelectorAll('details')) one.open = true
  })
  expect(await ada.page.locator('ul.devices li').count()).toBe(3)
  await look(ada, 'an account with much in it, all of it open')

  const third = await person()
  await ask(third)
  await type(third, await code())
  await look(third, 'no room')
  await third.page
    .locator('input[name="end"]')
    .first()
    .evaluate((one) => ((one as HTMLInputElement).value = 'nobody'))
  await press(third, 'ul.devices button')
  await look(third, 'one of them was gone already')
  await ask(third, '?client_id=vault')
  await type(third, await code())
  await look(third, 'a passkey as well')
  await ask(third, '?client_id=firm', 'bob@example.com')
  await type(third, await code())
  await look(third, 'no passkey yet')
  await Promise.all([
    third.page.waitForEvent('load'),
    third.page.evaluate(() => document.querySelector<HTMLFormElement>('form[data-passkey="enrol"]')?.submit()),
  ])
  // The page's script moves the focus; what it did not do by then is found by the look.
  await third.page.waitForFunction(() => document.activeElement !== document.body, undefined, { timeout: 5000 }).catch(() => {})
  await look(third, 'a passkey that was refused')
  await ask(third, '?client_id=shop', 'carol@example.com')
  await type(third, await code())
  await look(third, 'a passkey for next time')
})

it('stepping up', async () => {
  await go(ada, '/login?step_up=1&max_age=0')
  await look(ada, 'who it is, again')
  await go(ada, `/login?step_up=1&max_age=0&action=${encodeURIComponent(act)}`)
  await look(ada, 'an act')
  await press(ada, 'button[value="passkey"]')
  await look(ada, 'an act, by a passkey')
  await go(ada, `/login?step_up=1&max_age=0&action=${encodeURIComponent(act)}`)
  await press(ada, 'button[value="email_otp"]')
  await look(ada, 'an act, by a code')
  await type(ada, await wrongCode())
  await look(ada, 'an act, by a wrong code')
  await go(ada, '/login?step_up=1&acr_values=urn:example:none')
  await look(ada, 'no way to show it')
})

it('another address', async () => {
  const eve = await person()
  const change = async (to: string) => {
    await go(eve, '/account')
    await eve.page.click('details:has(form[action="/account/email"]) summary')
    await eve.page.fill('#email', to)
    await press(eve, 'form[action="/account/email"] button')
  }
  await ask(eve, '', 'eve@example.com')
  await type(eve, await code())
  await change('EVE@example.com')
  await look(eve, 'no address to have')
  await eve.page.fill('#email', 'eva@example.com')
  await press(eve, 'form[action="/account/email"] button')
  await look(eve, 'a code to another address')
  await type(eve, await wrongCode())
  await look(eve, 'a wrong code to it')
  await type(eve, await code())
  expect(await eve.page.textContent('.lead.who')).toBe('eva@example.com')

  const sent = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { text: string }[]
  const undo = /^http\S+\/account\/undo\S+/m.exec(sent.at(-1)?.text ?? '')?.[0] ?? ''
  await eve.page.goto(undo)
  expect(eve.page.url()).toBe(`${service.origin}/account/undo`)
  await look(eve, 'an address to put back')
  // As it can be where two stores were made one.
  const db = new Database(join(String(service.auth.settings.data), 'symbolon.db'))
  db.exec(
    "INSERT INTO users (id, tenant, email, roles, status, epoch, created_at) VALUES ('usr_x', 'main', 'eve@example.com', '[]', 'active', 1, 0)",
  )
  await press(eve, 'button.primary')
  await look(eve, 'one that somebody else has')
  db.exec("DELETE FROM users WHERE id = 'usr_x'")
  db.close()
  await press(eve, 'button.primary')
  await look(eve, 'an address that was put back')
  await eve.page.goto(undo)
  await look(eve, 'a way back that was used')
})

it('notices, errors and the mailbox', async () => {
  await go(ada, `/login?return_to=${encodeURIComponent('https://evil.example/')}`)
  await look(ada, 'a bad return address')
  await go(ada, '/nothing')
  await look(ada, 'no such page')
  await go(ada, '/dev/mailbox')
  await look(ada, 'all mails')
  await press(ada, '.mail:has-text("is your code") a')
  await look(ada, 'one mail')
  await go(other, '/account')
  await press(other, 'ul.devices li:has(.dot:not(.open)) form button')
  await look(other, 'signed out')
  // Who has a passkey would be asked for it first, since a client wants one.
  await ask(other, '', 'dave@example.com')
  await type(other, await code())
  await other.page.waitForURL('**/account')
  await other.page.click('details:has(form[action="/account/delete"]) summary')
  await press(other, 'form[action="/account/delete"] button')
  await look(other, 'deleted')
})

it('sends a form once on a slow line, however often it is pressed', async () => {
  const { page } = await person()
  const cdp = await page.context().newCDPSession(page)
  const sent: string[] = []
  // Forms, and not what the script asks when somebody is there.
  page.on(
    'request',
    (request) => void (request.isNavigationRequest() && request.method() === 'POST' && sent.push(new URL(request.url()).pathname)),
  )
  await page.goto(`${service.origin}/login`)
  await page.fill('#identifier', 'slow@example.com')
  await cdp.send('Network.emulateNetworkConditions', { offline: false, latency: 800, downloadThroughput: 50_000, uploadThroughput: 50_000 })
  await page.evaluate(() => {
    const button = document.querySelector<HTMLElement>('form[action="/login"] button.primary')
    button?.click()
    setTimeout(() => button?.click(), 100)
  })
  await page.waitForSelector('#code')
  expect(sent).toEqual(['/login'])
  await page.context().close()
})

it('left no page and no state out', () => {
  const folder = new URL('../../src/http/pages/', import.meta.url)
  const pages = readdirSync(folder)
    .filter((name) => name.endsWith('.tsx'))
    .flatMap((name) =>
      [...readFileSync(new URL(name, folder), 'utf8').matchAll(/^(?:export )?function ([A-Z]\w+Page)\b/gm)].map(([, page]) => page),
    )
  // What no way of signing in leads to yet that this service has: `choose-pages.test.ts`.
  const elsewhere = ['ChoosePage']
  expect([...new Set(Object.values(states).map(([page]) => page)), ...elsewhere].sort()).toEqual(pages.sort())
  expect(seen.toSorted()).toEqual(Object.keys(states).sort())
})
