// Guessing for a day, from very many addresses in parallel, over every way in that takes a code: with the budgets that
// hold unless somebody says otherwise.

import { expect, it } from 'vitest'
import { browser, openSetting, start } from '../setting/service.ts'

const minute = 60_000
const day = 24 * 60 * minute
/** One chance in ten thousand, with codes of six digits. */
const most = 100

it('leaves one chance in ten thousand an account and day, whoever guesses where and in what way', async () => {
  const setting = await openSetting({})
  try {
    const { login } = setting.core
    const email = 'ada@example.com'
    let network = 0
    /** Each from another network of its own. */
    const from = () => ({ ip: `2001:db8:${(network++ >> 8).toString(16)}:${(network & 255).toString(16)}::1`, userAgent: null })
    const by = () => ({ browser, device: null, caller: from() })
    /** When each guess was compared with a code. */
    const compared: number[] = []
    const guess = async (loginId: string, link: string | undefined) => {
      const code = String(Math.floor(Math.random() * 1_000_000)).padStart(6, '0')
      const tried = await Promise.all([
        ...Array.from({ length: 4 }, () => login.verify({ loginId, code, replaces: null, ...by() })),
        ...(link === undefined ? [] : [login.takeLink({ token: link, code, replaces: null, ...by(), browser: 'B'.repeat(22) })]),
      ])
      expect(tried.filter(({ ok }) => ok)).toEqual([])
    }
    for (let passed = 0; passed < 1.2 * day; passed += 6 * minute) {
      // As many attempts as are given, each with its own mail.
      const attempts: { readonly loginId: string; readonly link: string | undefined }[] = []
      for (let i = 0; i < 3; i++) {
        const begun = await login.start({ method: 'email_otp', identifier: email, clientId: 'app', ...by() })
        if (!begun.ok) break
        const sent = setting.sent.at(-1)
        const address = sent?.kind === 'code' ? sent.link?.address : undefined
        attempts.push({ loginId: begun.loginId, link: address?.split(/[?#=]/).at(-1) })
      }
      await Promise.all(attempts.map(({ loginId, link }) => guess(loginId, link)))
      const failed = setting.events.filter(({ event }) => event === 'login.failed').length
      while (compared.length < failed) compared.push(setting.time)
      setting.time += 6 * minute
    }
    const inADay = compared.map((at, i) => compared.slice(i).filter((later) => later < at + day).length)
    expect(Math.max(...inADay)).toBeLessThanOrEqual(most)
    // It really guessed, and so much was allowed.
    expect(Math.max(...inADay)).toBeGreaterThan(most * 0.8)
    // The owner, with the mail at hand, still gets in where it was asked for.
    setting.time += day
    const { loginId, code } = await start(setting, email)
    expect(await login.verify({ loginId, code, replaces: null, ...by() })).toMatchObject({ ok: true })
  } finally {
    await setting.close()
  }
}, 120_000)
