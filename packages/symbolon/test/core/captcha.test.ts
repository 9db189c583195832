// Before a mail is sent to who only typed an address: a proof of work of our own, right, fresh and shown once; or what an
// operator trusts, which may fail.

import { afterEach, expect, it } from 'vitest'
import { createPace, createProofOfWork } from '../../src/core/captcha.ts'
import { browser, caller, openBeside, openSetting, type Setting, signIn, start } from '../setting/service.ts'
import { work } from '../setting/work.ts'

let setting: Setting
afterEach(() => setting.close())
const open = async (captcha: 'never' | 'when_busy' | 'always' = 'always', more = {}) => {
  setting = await openSetting({ policy: { captcha, newDeviceNotice: false }, ...more })
}
const ask = (captcha?: string, clientId = 'app', core = setting.core) => {
  const who = { browser: clientId === 'app' ? browser : null, device: null, caller }
  return core.login.start({
    method: 'email_otp',
    identifier: 'ada@example.com',
    clientId,
    ...(captcha !== undefined && { captcha }),
    ...who,
  })
}
type Work = Parameters<typeof work>[0] & { readonly type: string }
const asked = async (clientId = 'app') => {
  const refused = await ask(undefined, clientId)
  if (refused.ok || refused.code !== 'captcha_required') throw new Error('not asked')
  return refused.options?.challenge as unknown as Work
}

it('sends nothing before the work is done, and the mail when it is', async () => {
  await open()
  const challenge = await asked()
  expect(challenge).toMatchObject({ type: 'proof_of_work', algorithm: 'SHA-256', bits: 16 })
  expect(setting.sent).toEqual([])
  expect((await ask(work(challenge))).ok).toBe(true)
  expect(setting.sent).toHaveLength(1)
})

it('takes an answer once, however many show it at once, and wherever', async () => {
  await open()
  const answer = work(await asked())
  const beside = await openBeside(setting)
  const outcomes = await Promise.all(Array.from({ length: 10 }, (_, n) => ask(answer, 'app', n % 2 === 0 ? setting.core : beside.core)))
  expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1)
  expect(setting.sent).toHaveLength(1)
  // Another number for the same challenge is the same answer.
  const [head = ''] = answer.split(/\.\d+$/)
  let other = Number(/\d+$/.exec(answer)?.[0]) + 1
  const again = () => `${head}.${other++}`
  for (;;) {
    const [first, second] = setting.ports.crypto.hash(again())
    if (first === 0 && second === 0) break
  }
  expect(await ask(`${head}.${other - 1}`)).toMatchObject({ code: 'captcha_required' })
  await beside.store.close()
})

it('takes none that is too light, changed, of another client, or too old', async () => {
  await open()
  const challenge = await asked()
  const right = work(challenge)
  const light = (() => {
    for (let n = 0; ; n++) {
      const [first, second] = setting.ports.crypto.hash(`${challenge.challenge}.${n}`)
      if (first !== 0 || second !== 0) return `${challenge.challenge}.${n}`
    }
  })()
  const later = right.replace(/^\d{13}/, (at) => String(Number(at) + 1))
  for (const wrong of ['', 'x', light, later, `${right}0`, ` ${right}`, right.toUpperCase(), 'A'.repeat(2001), `${right}\n`])
    expect(await ask(wrong), wrong.slice(0, 80)).toMatchObject({ code: 'captcha_required' })
  expect(await ask(right, 'native')).toMatchObject({ code: 'captcha_required' })
  expect((await ask(right)).ok).toBe(true)
  const old = work(await asked())
  setting.time += 300_000
  expect(await ask(old)).toMatchObject({ code: 'captcha_required' })
  expect(setting.sent).toHaveLength(1)
})

it('asks everybody alike, whoever they are', async () => {
  await open('never')
  await signIn(setting)
  const of = async (identifier: string) => {
    const policy = { policy: { captcha: 'always' as const } }
    await setting.core.clients.change('app', policy, { actor: 'test' })
    const answer = await setting.core.login.start({ method: 'email_otp', identifier, clientId: 'app', browser, device: null, caller })
    if (answer.ok) throw new Error('not asked')
    const { challenge, ...rest } = (answer.options?.challenge ?? {}) as Record<string, string>
    return [answer.code, rest, challenge?.length]
  }
  expect(await of('ada@example.com')).toEqual(await of('nobody@example.com'))
})

it('asks for it only when it is busy, if so said, and never of who is signed in', async () => {
  await open('when_busy', { budgets: { startOverall: { limit: 600, window: 60_000 }, startPerAddress: { limit: 1000, window: 60_000 } } })
  expect((await ask()).ok).toBe(true)
  for (let n = 0; n < 30; n++) await start(setting, `person${n}@example.com`)
  expect(await ask()).toMatchObject({ code: 'captcha_required' })
  const signed = await signInByWork()
  const stepUp = { credential: signed.credential, kind: 'cookie' as const, method: 'email_otp', need: { maxAge: 0 }, action: null }
  expect((await setting.core.login.stepUp({ ...stepUp, browser, device: null, caller })).ok).toBe(true)
})
async function signInByWork() {
  const started = await ask(work(await asked()))
  const last = setting.sent.at(-1)
  if (!started.ok || last?.kind !== 'code') throw new Error('no code')
  const given = { loginId: started.loginId, code: last.code, browser, device: null, replaces: null, caller }
  const done = await setting.core.login.verify(given)
  if (!done.ok || 'state' in done) throw new Error('not signed in')
  return done
}

it('counts by the minute', () => {
  let now = 0
  const pace = createPace({ now: () => now }, { limit: 1200, window: 60_000 })
  for (let n = 0; n < 60; n++) pace.count()
  expect(pace.isBusy()).toBe(false)
  pace.count()
  expect(pace.isBusy()).toBe(true)
  now = 60_000
  pace.count()
  expect(pace.isBusy()).toBe(true)
  // And is over by itself, though nobody comes.
  now = 180_000
  expect(pace.isBusy()).toBe(false)
})

it('outlives a change of the server’s secret', async () => {
  await open()
  const { store, crypto } = setting.ports
  const answer = work((await createProofOfWork({ store, crypto }).ask({ clientId: 'app', ip: null })) as unknown as Work)
  const turned = { ...crypto, keyed: (purpose: string, data: string) => [crypto.hash('new'), ...crypto.keyed(purpose, data)] }
  expect(await createProofOfWork({ store, crypto: turned }).check({ clientId: 'app', ip: null, answer })).toBe(true)
})

it.each([
  ['fails', () => Promise.reject(new Error('down'))],
  ['hangs', () => new Promise<Record<string, unknown>>(() => {})],
])('sends nothing when an operator’s own %s before it asked', async (_, ask_) => {
  await open('always', { captcha: { ask: ask_, check: () => true } })
  expect(await ask()).toMatchObject({ ok: false, code: 'try_later', options: { retryAfter: 1 } })
  expect(setting.sent).toEqual([])
})

it.each([
  ['says no', () => false, 'captcha_required'],
  ['fails', () => Promise.reject(new Error('down')), 'captcha_required'],
  ['hangs', () => new Promise<boolean>(() => {}), 'captcha_required'],
  ['says yes', () => true, undefined],
])('an operator’s own, when it %s', async (_, check, code) => {
  const seen: unknown[] = []
  const captcha = {
    ask: () => ({ type: 'turnstile', site_key: 'k' }),
    check: (context: unknown) => {
      seen.push(context)
      return check()
    },
  }
  await open('always', { captcha })
  expect(await ask()).toMatchObject({ code: 'captcha_required', options: { challenge: { type: 'turnstile', site_key: 'k' } } })
  const answer = await ask('their token')
  expect(answer.ok ? undefined : answer.code).toBe(code)
  expect(seen).toEqual([{ clientId: 'app', ip: caller.ip, answer: 'their token' }])
  expect(setting.sent).toHaveLength(code === undefined ? 1 : 0)
})

it('asks an operator’s judge about so many at once and no more, however many strangers answer', async () => {
  let judging = 0
  let most = 0
  const ends: (() => void)[] = []
  const check = () => {
    most = Math.max(most, ++judging)
    return new Promise<boolean>((resolve) => ends.push(() => resolve(judging-- > 0)))
  }
  await open('always', { captcha: { ask: () => ({ type: 'theirs' }), check } })
  const waiting = Promise.all(Array.from({ length: 600 }, (_, n) => ask(`answer ${n}`)))
  const refused = await ask('one more')
  expect(refused.ok).toBe(false)
  expect(most).toBe(256)
  for (const end of ends) end()
  expect((await waiting).filter(({ ok }) => ok).length).toBeGreaterThan(0)
  // There is room again.
  const late = ask('late')
  await expect.poll(() => ends.length).toBe(257)
  ends.at(-1)?.()
  expect(await late).not.toMatchObject({ code: 'captcha_required' })
})

it('takes no answer for right but one that is said to be, by a judge without types, too', async () => {
  for (const said of [{ success: false }, 'false', 1, [], undefined]) {
    await open('always', { captcha: { ask: () => ({ type: 'theirs' }), check: () => said as never } })
    expect(await ask('an answer')).toMatchObject({ ok: false, code: 'captcha_required' })
    expect(setting.sent).toEqual([])
    await setting.close()
  }
  await open('always', { captcha: { ask: () => ({ type: 'theirs' }), check: () => true } })
  expect((await ask('an answer')).ok).toBe(true)
})
