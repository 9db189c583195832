// What a stranger can put into a mail that this service sends in its own name: nothing but which browser they use, in our words.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
beforeAll(async () => {
  service = await startService({
    clients: [{ id: 'app', name: 'Example', transport: 'cookie' }],
    budgets: { startPerAddress: { limit: 1000, window: '1h' }, startPerAccount: { limit: 1000, window: '1h' } },
  })
})
afterAll(() => service.close())

/** The newest mail to somebody for whom a sign-in was started with these headers. */
async function mailFor(identifier: string, headers: Record<string, string>) {
  const started = await fetch(`${service.origin}/v1/login/start`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ method: 'email_otp', identifier }),
  })
  expect(started.status).toBe(200)
  const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as {
    to: string
    subject: string
    text: string
    html: string
  }[]
  const mail = outbox.filter(({ to }) => to === identifier).at(-1)
  if (mail === undefined) throw new Error('no mail')
  return mail
}

describe('the device in a mail', () => {
  // What a mail program would make a link, a number to call, or an order of.
  const written = [
    'Your account is locked, go to https://evil.example/login at once/1 x',
    'see http://evil.example/ please/1 (a',
    'evil.example/1.0 (Windows NT 10.0)',
    'evil.example',
    'com.evil.example/1.0 CFNetwork/1',
    'call 0800 123456 now/1.0 x',
    'write to help@evil.example/1 (iPhone; CPU iPhone OS 17_0 like Mac OS X)',
    'Windows NT 10 http://evil.example/ your bank/1 (',
    'Mozilla/5.0 (Linux; Android 9; http://evil.example/) evil.example/1',
    `${'A'.repeat(450)}/1 x`,
    '<a href=//evil.example>x</a>/1 (b',
  ]
  it.each(written.map((one) => [one.slice(0, 40), one] as const))('never says what a stranger wrote: %s', async (_, userAgent) => {
    const { subject, text, html } = await mailFor('ada@example.com', { 'user-agent': userAgent })
    const own = text.replace(/^http:\/\/localhost:\S+$/m, '')
    expect(own).not.toMatch(/evil|locked|bank|0800|AAAA|https?:|@/)
    expect(html).not.toMatch(/evil|locked|bank|0800|AAAA/)
    expect(subject).toMatch(/^\d{6} is your code for Example$/)
  })

  it.each([
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Asked for from Firefox on Linux.'],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1',
      'Safari on iOS',
    ],
    ['okhttp/4.9.0', 'Asked for from okhttp.'],
    ['Wallet/2.1 (iPhone; CPU iPhone OS 17_0 like Mac OS X)', 'Asked for from Wallet on iOS.'],
    ['curl/8.5.0', 'Asked for from curl.'],
    ['w3m', 'Asked for from An unknown device.'],
  ])('says which browser or program it is: %s', async (userAgent, expected) => {
    expect((await mailFor('ada@example.com', { 'user-agent': userAgent })).text).toContain(expected)
  })
})

it('has no host and no scheme in a link but the configured ones, whatever a request says of itself', async () => {
  const headers = {
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    'x-original-host': 'evil.example',
    'x-forwarded-prefix': '/evil',
    'x-original-url': '/evil',
    forwarded: 'for=1.2.3.4;host=evil.example;proto=https',
    referer: 'https://evil.example/',
    'accept-language': 'x-evil;q=1, "evil.example"',
  }
  const { text, html } = await mailFor('grace@example.com', headers)
  expect(text).not.toContain('evil')
  expect(html).not.toContain('evil')
  expect(text).toContain('Your code to sign in to Example:')
})
