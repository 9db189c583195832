// Where a person is sent after a sign-in, a step-up or an offer: exactly to what stands on the client's list, through every door
// that takes an address, and nowhere that only looks like it. What is refused uses nothing up.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Browser, createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

const listed = ['/healthz', 'https://shop.example/back']
const wide = { limit: 10_000, window: '1h' }
let service: TestService
let known: Browser
beforeAll(async () => {
  service = await startService({
    clients: [
      { id: 'app', name: 'App', transport: 'cookie', returnTo: listed, policy: { enrol: 'offered' } },
      { id: 'other', name: 'Other', transport: 'cookie', returnTo: ['https://other.example/'] },
    ],
    budgets: { startPerAddress: wide, startPerAccount: wide, verifyPerAddress: wide, verifyPerAccount: wide, verifyPerDevice: wide },
  })
  known = createBrowser(service.origin)
  expect((await signInOver(known, '', 'known@example.com')).status).toBe(200)
})
afterAll(() => service.close())

const hostile = [
  '//evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  '/\t/evil.example',
  '/\n/evil.example',
  'https://evil.example',
  'https:evil.example',
  'javascript:alert(1)',
  'data:text/html,evil',
  ' /healthz',
  '/healthz ',
  '/healthz\u0000',
  '/healthz\r\nlocation: https://evil.example',
  '/healthz/../..//evil.example',
  '/HEALTHZ',
  '/healthz?evil',
  '/healthz#evil',
  '/healthz@evil.example',
  '/%68ealthz',
  '/login/link?token=evil',
  'https://shop.example/back.evil',
  'https://shop.example/back/../evil',
  'https://shop.example@evil.example/back',
  'https://shop.example:443/back',
  'https://shop.example./back',
  'https://shop.example\u3002evil.example/back',
  'https://\u0455hop.example/back',
  'HTTPS://SHOP.EXAMPLE/back',
  'http://shop.example/back',
  'https://other.example/',
]
const formTokenOf = (page: string) => /name="form_token" value="([^"]+)"/.exec(page)?.[1] ?? ''
const codeFor = async (to: string) => {
  const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; text: string }[]
  return /\b\d{6}\b/.exec(outbox.filter((mail) => mail.to === to).at(-1)?.text ?? '')?.[0] ?? ''
}
const form = (one: Browser, path: string, fields: Record<string, string>) =>
  one.fetch(path, { method: 'POST', headers: { accept: 'text/html' }, body: new URLSearchParams(fields) })
/** It leads nowhere: neither by itself, nor by what a person or a script would follow in it. */
async function leadsNowhere(answer: Response) {
  const page = await answer.text()
  const led = [...page.matchAll(/(?:href|action|src|srcdoc|formaction)="([^"]*)"/g)].map((match) => match[1] as string)
  expect(answer.headers.get('location')).toBeNull()
  expect(answer.headers.get('content-security-policy')).not.toMatch(/evil|other\.example|\u0455/)
  expect(led.filter((to) => (to !== 'data:,' && !/^\/(?![/\\])/.test(to)) || to.includes('evil'))).toEqual([])
  expect(page).not.toContain('http-equiv')
  expect(answer.status).toBe(400)
}

describe.each(hostile)('to %j', (return_to) => {
  it('no page begins', async () => {
    const query = new URLSearchParams({ return_to })
    for (const path of ['/login?', '/login?step_up=1&', '/login/offer?'])
      for (const accept of ['text/html', 'application/json']) await leadsNowhere(await known.fetch(path + query, { headers: { accept } }))
    await leadsNowhere(await createBrowser(service.origin).fetch(`/login?${query}`))
    await leadsNowhere(await known.fetch(`/login?return_to=/healthz&${query}`))
  })

  it('no form goes on, and the code is still good', async () => {
    const one = createBrowser(service.origin)
    const form_token = formTokenOf(await (await one.fetch('/login')).text())
    await leadsNowhere(await form(one, '/login', { form_token, identifier: 'ada@example.com', return_to }))
    const page = await (await form(one, '/login', { form_token, identifier: 'ada@example.com', return_to: '/healthz' })).text()
    const login_id = /name="login_id" value="([^"]+)"/.exec(page)?.[1] ?? ''
    const code = await codeFor('ada@example.com')
    await leadsNowhere(await form(one, '/login/resend', { form_token, login_id, return_to }))
    await leadsNowhere(await form(one, '/login/code', { form_token, login_id, code, return_to }))
    const done = await form(one, '/login/code', { form_token, login_id, code, return_to: '/healthz' })
    expect([done.status, done.headers.get('location')]).toEqual([303, '/login/offer?client_id=app&return_to=%2Fhealthz'])
    const offer = formTokenOf(await (await one.fetch('/login/offer?return_to=/healthz')).text())
    await leadsNowhere(await form(one, '/login/offer', { form_token: offer, return_to }))
    expect((await form(one, '/login/offer', { form_token: offer, return_to: '/healthz' })).headers.get('location')).toBe('/healthz')
  })

  it('no step-up goes on, and its code is still good', async () => {
    const form_token = formTokenOf(await (await known.fetch('/login?step_up=1')).text())
    await leadsNowhere(await form(known, '/login/step-up', { form_token, return_to }))
    const page = await (await form(known, '/login/step-up', { form_token, return_to: listed[1] as string })).text()
    const login_id = /name="login_id" value="([^"]+)"/.exec(page)?.[1] ?? ''
    const code = await codeFor('known@example.com')
    await leadsNowhere(await form(known, '/login/step-up/code', { form_token, login_id, code, return_to }))
    const done = await form(known, '/login/step-up/code', { form_token, login_id, code, return_to: listed[1] as string })
    expect([done.status, done.headers.get('location')]).toEqual([303, listed[1]])
  })
})
