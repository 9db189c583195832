// A service that takes devices which do not look who is there (`verification: 'preferred'`), and clients for which that is
// enough, or not: whoever could not be let in by it is asked for more from the start, and refused, not led on to a dead end.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { createAuthenticator } from '../setting/authenticator.ts'
import { type Browser, createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

const methods = ['email_otp', 'passkey']
let service: TestService
beforeAll(async () => {
  service = await startService({
    passkeys: { verification: 'preferred' },
    clients: [
      { id: 'app', name: 'App', transport: 'cookie' },
      { id: 'key', name: 'Key', transport: 'cookie', policy: { methods, acr: 'urn:symbolon:acr:key' } },
      { id: 'strict', name: 'Strict', transport: 'cookie', policy: { methods, acr: 'urn:symbolon:acr:passkey', enrol: 'required' } },
    ],
  })
})
afterAll(() => service.close())

type Asked = {
  readonly login_id: string
  readonly challenge: { readonly public_key: { readonly challenge: string; readonly userVerification: string } }
}
const strong = 'urn:symbolon:acr:passkey'
const present = { flags: 0x19 }
const post = (one: Browser, path: string, json: unknown) => one.fetch(path, { method: 'POST', json })
const ask = async (one: Browser, client_id: string) =>
  (await (await post(one, '/v1/login/start', { method: 'passkey', client_id })).json()) as Asked

/** Somebody whose passkey was added on the account page. */
async function withPasskey(email: string) {
  const [one, device] = [createBrowser(service.origin), createAuthenticator(service.origin)]
  await signInOver(one, '', email)
  const { registration_id, public_key } = (await (await post(one, '/v1/account/passkeys/start', {})).json()) as never
  const response = device.create(public_key, { flags: 0x59 })
  expect((await post(one, '/v1/account/passkeys/finish', { registration_id, response })).status).toBe(201)
  return { one, device }
}

it('asks for verification where nothing less is enough, and refuses what lacks it', async () => {
  const { device } = await withPasskey('ada@example.com')
  const signIn = async (client: string, bent = {}) => {
    const one = createBrowser(service.origin)
    const { login_id, challenge } = await ask(one, client)
    const answer = await post(one, '/v1/login/verify', { login_id, response: device.get(challenge.public_key, bent) })
    const { session, code } = (await answer.json()) as { readonly session?: { readonly acr: string }; readonly code?: string }
    return [challenge.public_key.userVerification, answer.status, session?.acr ?? code]
  }
  expect(await signIn('app', present)).toEqual(['preferred', 200, 'urn:symbolon:acr:key'])
  expect(await signIn('key', present)).toEqual(['preferred', 200, 'urn:symbolon:acr:key'])
  expect(await signIn('strict', present)).toEqual(['required', 401, 'login_failed'])
  expect(await signIn('strict')).toEqual(['required', 200, 'urn:symbolon:acr:passkey'])
})

it('asks so in a step-up, by what that needs', async () => {
  const { one, device } = await withPasskey('grace@example.com')
  const raise = async (acr_values: readonly string[], bent = {}) => {
    const started = await post(one, '/v1/login/start', { purpose: 'step_up', method: 'passkey', need: { max_age: 0, acr_values } })
    const { login_id, challenge } = (await started.json()) as Asked
    const answer = await post(one, '/v1/login/verify', { login_id, response: device.get(challenge.public_key, bent) })
    return [challenge.public_key.userVerification, answer.status]
  }
  expect(await raise(['urn:symbolon:acr:key', strong], present)).toEqual(['preferred', 200])
  expect(await raise([strong], present)).toEqual(['required', 401])
  expect(await raise([strong])).toEqual(['required', 200])
})

it('asks so of a key that is set up while signing in', async () => {
  const enrol = async (who: string, flags: number) => {
    const [one, device] = [createBrowser(service.origin), createAuthenticator(service.origin)]
    const started = await post(one, '/v1/login/start', { method: 'email_otp', identifier: who, client_id: 'strict' })
    const { login_id } = (await started.json()) as Asked
    const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as readonly { readonly to: string; readonly text: string }[]
    const code = /\b\d{6}\b/.exec(outbox.filter((mail) => mail.to === who).at(-1)?.text ?? '')?.[0]
    const step = (await (await post(one, '/v1/login/verify', { login_id, code })).json()) as {
      readonly state: string
      readonly challenge: { readonly public_key: { readonly authenticatorSelection: { readonly userVerification: string } } }
    }
    const response = device.create(step.challenge.public_key as never, { flags })
    const answer = await post(one, '/v1/login/verify', { login_id, response })
    return [step.state, step.challenge.public_key.authenticatorSelection.userVerification, answer.status]
  }
  expect(await enrol('new@example.com', 0x59)).toEqual(['enrol', 'required', 401])
  expect(await enrol('other@example.com', 0x5d)).toEqual(['enrol', 'required', 200])
})
