// A form's proof is for one kind of form, one browser or session, and one link: shown anywhere else it is a stranger's.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Browser, createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
beforeAll(async () => {
  const wide = { limit: 10_000, window: '1h' }
  service = await startService({
    clients: [{ id: 'app', name: 'App', transport: 'cookie', returnTo: ['/healthz'], policy: { enrol: 'offered' } }],
    budgets: { startPerAddress: wide, startPerAccount: wide, verifyPerAddress: wide, verifyPerAccount: wide, verifyPerDevice: wide },
  })
})
afterAll(() => service.close())

const tokenOf = async (answer: Response) => /name="form_token" value="([^"]+)"/.exec(await answer.text())?.[1] ?? ''
const linkFor = async (to: string) => {
  const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; text: string }[]
  return /token=(\S+)/.exec(outbox.filter((mail) => mail.to === to).at(-1)?.text ?? '')?.[1] ?? ''
}
/** A browser that is signed in and holds a link of another sign-in, with the proofs of every form that it was shown. */
async function shown(email: string) {
  const one = createBrowser(service.origin)
  expect((await signInOver(one, '', email)).status).toBe(200)
  await one.fetch('/v1/login/start', { method: 'POST', json: { method: 'email_otp', identifier: email } })
  await one.fetch(`/login/link?token=${await linkFor(email)}`)
  const proofs = {
    login: await tokenOf(await one.fetch('/login')),
    link: await tokenOf(await one.fetch('/login/link')),
    account: await tokenOf(await one.fetch('/account')),
    'step-up': await tokenOf(await one.fetch('/login?step_up=1')),
    offer: await tokenOf(await one.fetch('/login/offer')),
  }
  return { one, proofs }
}
type Kind = keyof Awaited<ReturnType<typeof shown>>['proofs']
/** Every form, with what else it needs to be taken up; none of these can succeed and change what the next one needs. */
const forms: readonly (readonly [Kind, string, Record<string, string>])[] = [
  ['login', '/login', { identifier: 'not an address' }],
  ['login', '/login/code', { login_id: 'A'.repeat(43), code: '123456' }],
  ['login', '/login/resend', { login_id: 'A'.repeat(43) }],
  ['link', '/login/link', { end: 'nothing' }],
  ['account', '/account/sign-out', { sid: 'A'.repeat(22) }],
  ['account', '/account/passkeys/rename', { id: 'AAAA', name: 'x' }],
  ['account', '/account/passkeys/remove', { id: 'AAAA' }],
  ['account', '/account/delete', {}],
  ['step-up', '/login/step-up/code', { login_id: 'A'.repeat(43), code: '123456' }],
  ['step-up', '/login/step-up/resend', { login_id: 'A'.repeat(43) }],
  ['step-up', '/login/step-up', { method: 'passkey' }],
  ['offer', '/login/offer', {}],
]
const post = (one: Browser, path: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  one.fetch(path, { method: 'POST', headers: { accept: 'application/json', ...headers }, body: new URLSearchParams(fields) })

it.each(forms)('%s: %s', async (kind, path, fields) => {
  const ada = await shown(`ada${Math.random()}@example.com`)
  const eve = await shown(`eve${Math.random()}@example.com`)
  const status = async (form_token: string, headers = {}, one = ada.one) =>
    (await post(one, path, { ...fields, form_token }, headers)).status
  const strange = [
    '',
    'x',
    eve.proofs[kind],
    ada.proofs[kind].slice(0, -1),
    `${ada.proofs[kind]}=`,
    ada.proofs[kind].toLowerCase(),
    ...Object.entries(ada.proofs).flatMap(([other, proof]) => (other === kind ? [] : [proof])),
  ]
  for (const form_token of strange) expect([form_token, await status(form_token)]).toEqual([form_token, 403])
  const own = ada.proofs[kind]
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: service.origin, 'sec-fetch-site': 'same-site' },
    { origin: service.origin, 'sec-fetch-site': 'cross-site' },
    { origin: `${service.origin}.evil.example` },
  ])
    expect(await status(own, headers)).toBe(403)
  expect([400, 403].includes((await post(ada.one, path, { ...fields, form_token: own, extra: '1' })).status)).toBe(true)
  const twice = `${new URLSearchParams({ ...fields, form_token: own })}&form_token=${own}`
  const doubled = await ada.one.fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: twice,
  })
  expect(doubled.status).toBe(400)
  // Its own, in its own place.
  expect(await status(own)).not.toBe(403)
})
