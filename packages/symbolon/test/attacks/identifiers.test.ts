// Addresses that look like somebody's, or like one address and are two: nobody gets another person's code, nobody is signed in
// as somebody else, and one start sends one mail to the one mailbox that was written.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { createBrowser } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
beforeAll(async () => {
  const wide = { limit: 10_000, window: '1h' }
  service = await startService({ budgets: { startPerAddress: wide, startPerAccount: wide, verifyPerAddress: wide } })
})
afterAll(() => service.close())

type Mail = { to: string; text: string }
const outbox = async () => (await (await fetch(`${service.origin}/dev/outbox`)).json()) as Mail[]
const start = async (identifier: string) => {
  const one = createBrowser(service.origin)
  const before = (await outbox()).length
  const started = await one.fetch('/v1/login/start', { method: 'POST', json: { method: 'email_otp', identifier } })
  return { one, started, mails: (await outbox()).slice(before) }
}

it.each([
  ['Kelvin’s K', 'mar\u212a@example.com'],
  ['a dotless i', 'm\u0131ke@example.com'],
  ['a dotted I', 'M\u0130KE@example.com'],
  ['a long s', 'me\u017fs@example.com'],
  ['sharp s', 'stra\u00dfe@example.com'],
  ['Cyrillic', '\u0430da@example.com'],
  ['a domain in another script', 'ada@ex\u0430mple.com'],
  ['a full-width @', 'ada\uff20example.com'],
  ['a small @', 'ada\ufe6bexample.com'],
  ['full-width letters', '\uff41da@example.com'],
  ['a combining accent', 'a\u0301da@example.com'],
  ['an ideographic dot', 'ada@example\u3002com'],
  ['a one-dot leader', 'ada@example\u2024com'],
  ['a ligature', '\ufb01n@example.com'],
  ['a zero-width space', 'ada\u200b@example.com'],
  ['a soft hyphen', 'ad\u00ada@example.com'],
  ['an order of letters', 'ada\u202e@example.com'],
  ['a tab', 'ada@example.com\t'],
  ['a line break', 'ada@example.com\nBcc: eve@example.com'],
  ['a header', 'ada@example.com\r\nTo: eve@example.com'],
  ['a NUL', 'ada\u0000@example.com'],
  ['two addresses', 'ada@example.com,eve@example.com'],
  ['two addresses and a semicolon', 'ada@example.com;eve@example.com'],
  ['two at', 'ada@example.com@eve.example'],
  ['a name', 'Ada <ada@example.com>'],
  ['angle brackets', '<ada@example.com>'],
  ['quotes', '"ada"@example.com'],
  ['a quoted at', '"ada@example.com"@eve.example'],
  ['a comment', 'ada(eve)@example.com'],
  ['a route', '@eve.example:ada@example.com'],
  ['a dot behind', 'ada@example.com.'],
  ['two dots', 'ada..lovelace@example.com'],
  ['a dot before', '.ada@example.com'],
  ['an address of numbers', 'ada@127.0.0.1'],
  ['a literal', 'ada@[127.0.0.1]'],
  ['no domain', 'ada@localhost'],
  ['a percent sign for it', 'ada%40example.com'],
  ['mailto', 'mailto:ada@example.com'],
  ['255 letters', `${'a'.repeat(60)}@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.${'e'.repeat(7)}.com`],
  ['65 letters before it', `${'a'.repeat(65)}@example.com`],
])('refused, and nothing is sent: %s', async (_, identifier) => {
  const { started, mails } = await start(identifier)
  expect(started.status).toBe(400)
  expect(['invalid_identifier', 'invalid_request']).toContain(((await started.json()) as { code: string }).code)
  expect(mails).toEqual([])
})

it('each that is taken gets one mail, in the one form in which it is kept', async () => {
  for (const [typed, kept] of [
    ['  ADA@Example.COM ', 'ada@example.com'],
    ["o'brien+a.b%c!d@example.com", "o'brien+a.b%c!d@example.com"],
    ['ada@xn--exmple-cua.com', 'ada@xn--exmple-cua.com'],
    [`${'a'.repeat(64)}@example.com`, `${'a'.repeat(64)}@example.com`],
  ] as const) {
    const { started, mails } = await start(typed)
    expect(started.status).toBe(200)
    expect(mails.map(({ to }) => to)).toEqual([kept])
  }
})

it('aliases of one mailbox are people of their own, and the code of one is of no use for another', async () => {
  const all = ['ada@gmail.com', 'a.da@gmail.com', 'ada+x@gmail.com', 'ada@googlemail.com', 'ada@example.com']
  const users = new Set<string>()
  const codes: string[] = []
  for (const identifier of all) {
    const { one, started, mails } = await start(identifier)
    const { login_id } = (await started.json()) as { login_id: string }
    const code = /\b\d{6}\b/.exec(mails[0]?.text ?? '')?.[0] ?? ''
    for (const other of codes.filter((used) => used !== code).slice(0, 2))
      expect((await one.fetch('/v1/login/verify', { method: 'POST', json: { login_id, code: other } })).status).toBe(401)
    codes.push(code)
    const verified = await one.fetch('/v1/login/verify', { method: 'POST', json: { login_id, code } })
    const { session } = (await verified.json()) as { session: { user: { id: string; email: string } } }
    expect(session.user.email).toBe(identifier)
    users.add(session.user.id)
  }
  expect(users.size).toBe(all.length)
})
