// Guessing for a day, from very many addresses in parallel, over every way in that takes a code: by a stranger, and by who
// has stolen a browser's cookies, session and device. With the budgets that hold unless somebody says otherwise.

import { expect, it } from 'vitest'
import { keyFactor } from '../setting/factors.ts'
import { browser, caller, openSetting, type Setting, signIn, start } from '../setting/service.ts'

const minute = 60_000
const day = 24 * 60 * minute
/** One chance in ten thousand, with codes of six digits. */
const most = 100

let network = 0
/** Each from another network of its own. */
const by = (device: string | null = null) => ({
  browser,
  device,
  caller: { ip: `2001:db8:${(network >> 8).toString(16)}:${(network++ & 255).toString(16)}::1`, userAgent: null },
})
/** What was sent last: a code that it is not, so that no run is luckier than another, and the link's token. */
function sentLast(setting: Setting) {
  const sent = setting.sent.at(-1)
  if (sent?.kind !== 'code') throw new Error('no code was sent')
  return {
    wrong: String((Number(sent.code) + 1) % 1_000_000).padStart(6, '0'),
    link: sent.link?.address.split(/[?#=]/).at(-1),
  }
}
/** The most that were compared in any day. */
const inADay = (compared: readonly number[]) =>
  Math.max(0, ...compared.map((at, i) => compared.slice(i).filter((later) => later < at + day).length))

it.each([
  ['a stranger', false],
  ['who has stolen a browser’s cookies', true],
] as const)(
  'leaves %s one chance in ten thousand an account and day, wherever and in whatever way they guess',
  async (_, stolen) => {
    const setting = await openSetting({})
    try {
      const { login } = setting.core
      const email = 'ada@example.com'
      const { credential, device } = await signIn(setting, email)
      /** When each guess was compared with a code. */
      const compared: number[] = []
      const ways: (() => ReturnType<typeof login.start>)[] = [
        () => login.start({ method: 'email_otp', identifier: email, clientId: 'app', ...by() }),
      ]
      if (stolen) {
        const stepUp = { credential, kind: 'cookie', method: 'email_otp', need: {}, action: null } as const
        ways.push(
          () => login.start({ method: 'email_otp', identifier: email, clientId: 'app', ...by(device) }),
          () => login.stepUp({ ...stepUp, ...by() }),
          () => login.stepUp({ ...stepUp, ...by(device) }),
        )
      }
      const tried = { begun: 0, refused: 0, resent: 0 }
      const guess = async ({
        loginId,
        wrong,
        link,
      }: {
        readonly loginId: string
        readonly wrong: string
        readonly link: string | undefined
      }) => {
        const devices = stolen ? [null, device] : [null]
        const answers = await Promise.all(
          devices.flatMap((one) => [
            ...Array.from({ length: 3 }, () => login.verify({ loginId, code: wrong, replaces: stolen ? credential : null, ...by(one) })),
            ...(link === undefined
              ? []
              : [login.takeLink({ token: link, code: wrong, replaces: null, ...by(one), browser: 'B'.repeat(22) })]),
          ]),
        )
        expect(answers.filter(({ ok }) => ok)).toEqual([])
      }
      const count = () => {
        const failed = setting.events.filter(({ event }) => event === 'login.failed').length
        while (compared.length < failed) compared.push(setting.time)
      }
      for (let passed = 0; passed < 1.2 * day; passed += 6 * minute) {
        // As many attempts as are given, each with its own mail.
        const attempts: (Parameters<typeof guess>[0] & { readonly loginId: string })[] = []
        for (const begin of [...ways, ...ways]) {
          const begun = await begin()
          tried[begun.ok ? 'begun' : 'refused']++
          if (begun.ok) attempts.push({ loginId: begun.loginId, ...sentLast(setting) })
        }
        await Promise.all(attempts.map(guess))
        count()
        // Another mail gives another code to guess at, and no more tries.
        setting.time += 2 * minute
        for (const { loginId } of attempts) {
          const again = await login.resend({ loginId, ...by(stolen ? device : null) })
          if (again.ok) tried.resent++
          if (again.ok) await guess({ loginId, ...sentLast(setting) })
        }
        count()
        setting.time += 4 * minute
      }
      expect(inADay(compared)).toBeLessThanOrEqual(most)
      // It really guessed, and so much was allowed: a stranger has half of it, and the device's own half is the rest.
      expect(inADay(compared)).toBeGreaterThan(most * (stolen ? 0.8 : 0.4))
      for (const times of Object.values(tried)) expect(times).toBeGreaterThan(0)
      // The owner, with the mail at hand, still gets in where it was asked for.
      setting.time += day
      const { loginId, code } = await start(setting, email)
      expect(await login.verify({ loginId, code, replaces: null, ...by() })).toMatchObject({ ok: true })
    } finally {
      await setting.close()
    }
  },
  120_000,
)

it('charges the account for what a step-up’s key answers, too, though nothing names a mailbox there', async () => {
  const owners = new Set<string>()
  const key = keyFactor(owners)
  const setting = await openSetting({ policy: { methods: ['email_otp', 'passkey'] }, factors: [key.factor] })
  try {
    const { login } = setting.core
    const { credential, snapshot } = await signIn(setting)
    owners.add(snapshot.user.id)
    // What the sign-in was charged has come back.
    setting.time += 40 * minute
    const stepUp = { credential, kind: 'cookie', method: 'passkey', need: {}, action: null } as const
    const begin = async () => {
      const begun = await login.stepUp({ ...stepUp, ...by() })
      if (!begun.ok) throw new Error(begun.code)
      return begun
    }
    const answer = (loginId: string, response: unknown) => login.verify({ loginId, response, replaces: credential, ...by() })
    const begun = await Promise.all(Array.from({ length: 6 }, begin))
    const answers = await Promise.all(begun.flatMap(({ loginId }) => [1, 2, 3].map(() => answer(loginId, { answer: 'forged' }))))
    expect(setting.events.filter(({ event }) => event === 'login.failed')).toHaveLength(10)
    expect(answers.filter((one) => !one.ok && one.code === 'rate_limited')).toHaveLength(8)
    // Its owner waits like everybody, and then is heard.
    setting.time += 40 * minute
    const { loginId, challenge } = await begin()
    expect(await answer(loginId, key.sign(challenge, snapshot.user.id))).toMatchObject({ ok: true })
  } finally {
    await setting.close()
  }
})

it('bounds what strangers guess over all, before anything is compared, and keeps no known device out by it', async () => {
  const setting = await openSetting({ budgets: { verifyOverall: { limit: 3, window: minute } } })
  try {
    const { login } = setting.core
    const { device } = await signIn(setting, 'ada@example.com')
    const begin = async (identifier: string, known: string | null) => {
      const begun = await login.start({ method: 'email_otp', identifier, clientId: 'app', ...by(known) })
      if (!begun.ok) throw new Error(begun.code)
      const sent = setting.sent.at(-1)
      return { ...begun, code: sent?.kind === 'code' ? sent.code : '' }
    }
    const give = (loginId: string, code: string, known: string | null) => login.verify({ loginId, code, replaces: null, ...by(known) })
    // Each at another account, from another network.
    for (const email of ['eve@example.com', 'bob@example.com'])
      expect((await give((await begin(email, null)).loginId, sentLast(setting).wrong, null)).ok).toBe(false)
    const carol = await begin('carol@example.com', null)
    expect(await give(carol.loginId, carol.code, null)).toMatchObject({ code: 'rate_limited', options: { retryAfter: 20 } })
    const ada = await begin('ada@example.com', device)
    expect((await give(ada.loginId, ada.code, device)).ok).toBe(true)
    // It fills again, and no try of hers was used.
    setting.time += 20_000
    expect((await give(carol.loginId, carol.code, null)).ok).toBe(true)
  } finally {
    await setting.close()
  }
})

it('spends what strangers may guess over all by no passkey, and asks nobody for it who answers by one', async () => {
  const owners = new Set<string>()
  const key = keyFactor(owners)
  const setting = await openSetting({
    policy: { methods: ['email_otp', 'passkey'] },
    factors: [key.factor],
    budgets: { verifyOverall: { limit: 2, window: minute } },
  })
  try {
    const { login } = setting.core
    const { snapshot } = await signIn(setting)
    owners.add(snapshot.user.id)
    setting.time += minute
    const answer = async (sign: (challenge: unknown) => unknown) => {
      const begun = await login.start({ method: 'passkey', identifier: '', clientId: 'app', ...by() })
      if (!begun.ok) throw new Error(begun.code)
      return login.verify({ loginId: begun.loginId, response: sign(begun.challenge), replaces: null, ...by() })
    }
    const guess = async (identifier: string) => {
      const begun = await login.start({ method: 'email_otp', identifier, clientId: 'app', ...by() })
      if (!begun.ok) throw new Error(begun.code)
      return login.verify({ loginId: begun.loginId, code: sentLast(setting).wrong, replaces: null, ...by() })
    }
    for (let i = 0; i < 5; i++) expect(await answer(() => ({ answer: 'forged' }))).toMatchObject({ ok: false, code: 'login_failed' })
    // All of it is there for codes, and then none is.
    for (const email of ['eve@example.com', 'bob@example.com']) expect(await guess(email)).toMatchObject({ code: 'login_failed' })
    expect(await guess('carol@example.com')).toMatchObject({ code: 'rate_limited' })
    expect(await answer((challenge) => key.sign(challenge, snapshot.user.id))).toMatchObject({ ok: true })
  } finally {
    await setting.close()
  }
})

it('spends it by no change of address, and asks nobody for it who makes one', async () => {
  const setting = await openSetting({ budgets: { verifyOverall: { limit: 1, window: minute } } })
  try {
    const { addresses, login } = setting.core
    const { snapshot } = await signIn(setting)
    const begin = (identifier: string) => login.start({ method: 'email_otp', identifier, clientId: 'app', ...by() })
    setting.time += minute
    const changed = await addresses.start(snapshot, { email: 'ada@example.org', caller })
    if (!changed.ok) throw new Error(changed.code)
    const mail = setting.sent.at(-1)
    const right = mail?.kind === 'address_code' ? mail.code : ''
    const finish = (code: string) => addresses.finish(snapshot, { changeId: changed.changeId, code, device: null, caller })
    expect(await finish(right === '000000' ? '000001' : '000000')).toMatchObject({ code: 'login_failed' })
    // All of it is there for a sign-in, and then none is.
    const answers = []
    for (const email of ['eve@example.com', 'bob@example.com']) {
      const begun = await begin(email)
      if (!begun.ok) throw new Error(begun.code)
      answers.push(await login.verify({ loginId: begun.loginId, code: sentLast(setting).wrong, replaces: null, ...by() }))
    }
    expect(answers).toMatchObject([{ code: 'login_failed' }, { code: 'rate_limited' }])
    expect(await finish(right)).toMatchObject({ ok: true })
  } finally {
    await setting.close()
  }
})
