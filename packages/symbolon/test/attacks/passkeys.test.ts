// Somebody who reads a mailbox, and wants in where a passkey is asked for behind the mail. What they can do by mail at another
// client of the same service must not make, or take away, the passkey that is missing (NIST SP 800-63B-4 §4.1.2.1).

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Authenticator, createAuthenticator } from '../setting/authenticator.ts'
import { type Browser, createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

const passkey = 'urn:symbolon:acr:passkey'
const app = { id: 'app', name: 'App', transport: 'cookie' as const }
const budgets = { startPerAddress: { limit: 1000, window: '1h' }, startPerAccount: { limit: 1000, window: '1h' } }
const path = '/v1/account/passkeys'
const post = (one: Browser, where: string, json: unknown = {}) => one.fetch(where, { method: 'POST', json })
const person = () => `p${randomBytes(6).toString('hex')}@example.com`
async function signedIn(service: TestService, email: string) {
  const one = createBrowser(service.origin)
  expect((await signInOver(one, '', email)).status).toBe(200)
  return one
}
type Begun = { registration_id: string; public_key: { challenge: string } }
async function add(one: Browser, device: Authenticator) {
  const begun = await post(one, `${path}/start`)
  if (begun.status !== 200) return begun
  const { registration_id, public_key } = (await begun.json()) as Begun
  return post(one, `${path}/finish`, { registration_id, response: device.create(public_key) })
}
type Asked = { login_id: string; challenge: { public_key: { challenge: string } } }
async function stepUp(one: Browser, by: Authenticator) {
  const started = await post(one, '/v1/login/start', { purpose: 'step_up', method: 'passkey', need: { acr_values: [passkey] } })
  const { login_id, challenge } = (await started.json()) as Asked
  expect((await post(one, '/v1/login/verify', { login_id, response: by.get(challenge.public_key) })).status).toBe(200)
}
const formTokenOf = async (one: Browser) => /name="form_token" value="([^"]+)"/.exec(await (await one.fetch('/account')).text())?.[1] ?? ''

describe('where a client asks for a passkey', () => {
  let service: TestService
  beforeAll(async () => {
    service = await startService({
      clients: [app, { id: 'vault', name: 'Vault', transport: 'cookie', policy: { acr: passkey, enrol: 'required' } }],
      budgets,
    })
  })
  afterAll(() => service.close())
  /** A person with a passkey, and somebody who reads their mail. */
  async function robbed() {
    const email = person()
    const owner = await signedIn(service, email)
    const device = createAuthenticator(service.origin)
    // Who has none adds the first by mail.
    expect((await add(owner, device)).status).toBe(201)
    return { email, owner, device, thief: await signedIn(service, email) }
  }
  const wanted = { status: 401, code: 'step_up_required', challenge: expect.stringContaining(`acr_values="${passkey}", max_age="300"`) }
  const refusal = async (answer: Response) => ({
    status: answer.status,
    code: ((await answer.json()) as { code: string }).code,
    challenge: answer.headers.get('www-authenticate'),
  })
  const inVault = async (one: Browser, email: string, by: Authenticator) => {
    const started = await post(one, '/v1/login/start', { method: 'passkey', client_id: 'vault' })
    const { login_id, challenge } = (await started.json()) as Asked
    void email
    return (await post(one, '/v1/login/verify', { login_id, response: by.get(challenge.public_key) })).status
  }

  it('changes no address by a mail of who has a passkey, who does by that', async () => {
    const { owner, device, thief } = await robbed()
    expect(await refusal(await post(thief, '/v1/account/email', { email: person() }))).toEqual(wanted)
    const form_token = await formTokenOf(thief)
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const body = new URLSearchParams({ form_token, email: person() }).toString()
    const led = await thief.fetch('/account/email', { method: 'POST', headers: form, body })
    expect([led.status, led.headers.get('location')]).toEqual([303, expect.stringContaining(encodeURIComponent(passkey))])
    await stepUp(owner, device)
    expect((await post(owner, '/v1/account/email', { email: person() })).status).toBe(200)
  })

  it('a session by mail adds no second one, and so opens nothing there', async () => {
    const { email, thief, device } = await robbed()
    const own = createAuthenticator(service.origin)
    expect(await refusal(await add(thief, own))).toMatchObject(wanted)
    expect(await inVault(createBrowser(service.origin), email, own)).toBe(401)
    expect(await inVault(createBrowser(service.origin), email, device)).toBe(200)
  })

  it('it takes none away either, over the API or by the page, and the owner is asked for theirs still', async () => {
    const { thief, device } = await robbed()
    expect(await refusal(await thief.fetch(`${path}/${device.id}`, { method: 'DELETE' }))).toMatchObject(wanted)
    const form = new URLSearchParams({ form_token: await formTokenOf(thief), id: device.id })
    const removed = await thief.fetch('/account/passkeys/remove', { method: 'POST', body: form })
    expect(removed.status).toBe(303)
    const to = new URL(removed.headers.get('location') ?? '', service.origin)
    expect(Object.fromEntries(to.searchParams)).toEqual({ step_up: '1', return_to: '/account', max_age: '300', acr_values: passkey })
    const { passkeys } = (await (await thief.fetch(path)).json()) as { passkeys: { id: string }[] }
    expect(passkeys.map(({ id }) => id)).toEqual([device.id])
  })

  it('it neither takes the account away nor what is kept of it', async () => {
    const { email, thief, owner, device } = await robbed()
    expect(await refusal(await thief.fetch('/v1/account', { method: 'DELETE' }))).toMatchObject(wanted)
    expect(await refusal(await thief.fetch('/v1/account/export'))).toMatchObject(wanted)
    const form = new URLSearchParams({ form_token: await formTokenOf(thief) })
    for (const led of [await thief.fetch('/account/delete', { method: 'POST', body: form }), await thief.fetch('/account/export')]) {
      expect(led.status).toBe(303)
      expect(new URL(led.headers.get('location') ?? '', service.origin).searchParams.get('acr_values')).toBe(passkey)
    }
    expect(await service.auth.users.find({ email })).toBeDefined()
    // Looking, and ending sessions, a mail is enough for: so its owner sees who is there.
    expect((await owner.fetch('/v1/account/events')).status).toBe(200)
    expect((await owner.fetch('/v1/sessions?scope=others', { method: 'DELETE' })).status).toBe(200)
    await stepUp(owner, device)
    expect((await owner.fetch('/v1/account/export')).status).toBe(200)
    expect((await owner.fetch('/v1/account', { method: 'DELETE' })).status).toBe(204)
  })

  it('what was begun before there was one is not ended behind it', async () => {
    const email = person()
    const [owner, thief] = [await signedIn(service, email), await signedIn(service, email)]
    const { registration_id, public_key } = (await (await post(thief, `${path}/start`)).json()) as Begun
    expect((await add(owner, createAuthenticator(service.origin))).status).toBe(201)
    const response = createAuthenticator(service.origin).create(public_key)
    expect(await refusal(await post(thief, `${path}/finish`, { registration_id, response }))).toMatchObject({ code: 'step_up_required' })
  })

  it('who shows the one they have adds and removes', async () => {
    const { owner, device } = await robbed()
    await stepUp(owner, device)
    const second = createAuthenticator(service.origin)
    expect((await add(owner, second)).status).toBe(201)
    expect((await owner.fetch(`${path}/${device.id}`, { method: 'DELETE' })).status).toBe(204)
    const form = new URLSearchParams({ form_token: await formTokenOf(owner), id: second.id })
    const removed = await owner.fetch('/account/passkeys/remove', { method: 'POST', body: form })
    expect(removed.headers.get('location')).toBe('/account#passkeys')
  })

  it('an operator takes away what was lost, and its owner sets up the next one', async () => {
    const { email, owner, device } = await robbed()
    const user = await service.auth.users.find({ email })
    const answer = await fetch(`${service.admin}/admin/v1/users/${user?.id}/factors/${device.id}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${service.adminKey}` },
    })
    expect(answer.ok).toBe(true)
    expect((await add(owner, createAuthenticator(service.origin))).status).toBe(201)
  })
})

it('where no client asks for more than a mail, a mail is enough, so that who lost a device helps themselves', async () => {
  const service = await startService({ clients: [app], budgets })
  try {
    const one = await signedIn(service, person())
    const device = createAuthenticator(service.origin)
    expect((await add(one, device)).status).toBe(201)
    expect((await add(one, createAuthenticator(service.origin))).status).toBe(201)
    expect((await one.fetch(`${path}/${device.id}`, { method: 'DELETE' })).status).toBe(204)
  } finally {
    await service.close()
  }
})
