// A stranger who knows nothing but an address, and spends its budgets from everywhere: that must not keep somebody who is signed
// in from showing again that it is them. Their guesses are bounded all the same.

import { afterEach, beforeEach, expect, it } from 'vitest'
import { browser, caller, openSetting, type Setting, signIn } from '../setting/service.ts'

const email = 'ada@example.com'
let setting: Setting
beforeEach(async () => {
  setting = await openSetting()
})
afterEach(() => setting.close())

const codeSent = () => {
  const last = setting.sent.at(-1)
  return last?.kind === 'code' ? last.code : ''
}
const wrong = (code: string) => (code === '000000' ? '000001' : '000000')
let network = 0
const somewhere = () => ({ ip: `2001:db8:${(++network).toString(16)}::1`, userAgent: null })

/** Starts and guesses for this address until nothing is heard any more, from a network of its own each time. */
async function spendAll(): Promise<void> {
  const { login } = setting.core
  for (let turn = 0; turn < 100; turn++) {
    const started = await login.start({
      method: 'email_otp',
      identifier: email,
      clientId: 'app',
      browser,
      device: null,
      caller: somewhere(),
    })
    if (!started.ok) return
    const code = wrong(codeSent())
    for (let guess = 0; guess < 5; guess++)
      await login.verify({ loginId: started.loginId, code, browser, device: null, replaces: null, caller: somewhere() })
  }
  throw new Error('nothing bounds a stranger')
}
const stepUp = (credential: string, kind: 'cookie' | 'token', device: string | null) =>
  setting.core.login.stepUp({
    ...{ credential, kind, method: 'email_otp', need: {}, action: null, browser: kind === 'cookie' ? browser : null, device, caller },
  })
const verify = (loginId: string, code: string, replaces: string | null, device: string | null, from = caller) =>
  setting.core.login.verify({ loginId, code, browser: replaces === null ? null : browser, device, replaces, caller: from })

it.each(['native', 'app'] as const)('steps up all the same, at %s', async (client) => {
  const kind = client === 'native' ? 'token' : 'cookie'
  const { credential, device } = await signIn(setting, email, client)
  const held = client === 'native' ? null : device
  await spendAll()
  // Who comes anew has to wait.
  const anew = { method: 'email_otp', identifier: email, clientId: client, browser: client === 'native' ? null : browser }
  expect(await setting.core.login.start({ ...anew, device: null, caller: somewhere() })).toMatchObject({ ok: false, code: 'rate_limited' })

  const started = await stepUp(credential, kind, held)
  if (!started.ok) throw new Error(started.code)
  const replaces = kind === 'cookie' ? credential : null
  expect(await verify(started.loginId, wrong(codeSent()), replaces, held)).toMatchObject({ code: 'login_failed' })
  setting.time += 31_000
  expect(
    await setting.core.login.resend({ loginId: started.loginId, browser: kind === 'cookie' ? browser : null, device: held, caller }),
  ).toMatchObject({ ok: true })
  expect(await verify(started.loginId, codeSent(), replaces, held)).toMatchObject({ ok: true, snapshot: { user: { email } } })
})

it('whoever has a native application’s token gets no more guesses for it than a device has', async () => {
  const { credential } = await signIn(setting, email, 'native')
  const heard: string[] = []
  for (let turn = 0; turn < 5; turn++) {
    const started = await stepUp(credential, 'token', null)
    if (!started.ok) throw new Error(started.code)
    for (let guess = 0; guess < 5; guess++) {
      const answer = await verify(started.loginId, wrong(codeSent()), null, null, somewhere())
      heard.push(answer.ok ? 'ok' : answer.code)
    }
  }
  // `verifyPerDevice`: ten in six hours.
  expect(heard).toEqual([...Array(10).fill('login_failed'), ...Array(15).fill('rate_limited')])
})

it('whoever was signed in often, and has many devices, gets no more guesses by all of them than by one; who has none is heard beside', async () => {
  const devices: string[] = []
  // Each sign-in without the cookie makes a device.
  for (let i = 0; i < 6; i++) {
    setting.time += 3_600_000
    devices.push((await signIn(setting, email, 'app')).device)
  }
  setting.time += 6 * 3_600_000
  const start = async (device: string | null) => {
    const by = { browser, device, caller: somewhere() }
    const started = await setting.core.login.start({ method: 'email_otp', identifier: email, clientId: 'app', ...by })
    if (!started.ok) throw new Error(started.code)
    return started.loginId
  }
  const guess = async (loginId: string, code: string, device: string | null) => {
    const answer = await setting.core.login.verify({ loginId, code, browser, device, replaces: null, caller: somewhere() })
    return answer.ok ? 'ok' : answer.code
  }
  const heard: string[] = []
  for (const device of devices) {
    const loginId = await start(device)
    for (let i = 0; i < 5; i++) heard.push(await guess(loginId, wrong(codeSent()), device))
  }
  expect(heard).toEqual([...Array(10).fill('login_failed'), ...Array(20).fill('rate_limited')])
  const anew = await start(null)
  expect(await guess(anew, codeSent(), null)).toBe('ok')
})
