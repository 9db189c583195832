// Flooding a mailbox for a day, from very many addresses, by starts and by asking for another mail: with the budgets that
// hold unless somebody says otherwise. What docs/sign-in.md says a mailbox can be sent.

import { expect, it } from 'vitest'
import { browser, openSetting } from '../setting/service.ts'

const minute = 60_000
const hour = 60 * minute

it('sends one mailbox twenty mails an hour and 250 a day at most, whoever asks from where and by which alias', async () => {
  const setting = await openSetting({})
  try {
    const { login } = setting.core
    let network = 0
    const by = () => ({
      browser,
      device: null,
      caller: { ip: `2001:db8:${(network >> 8).toString(16)}:${(network++ & 255).toString(16)}::1`, userAgent: null },
    })
    const at: number[] = []
    const refused: string[] = []
    let open: readonly string[] = []
    for (let passed = 0; passed < 26 * hour; passed += 6 * minute) {
      // At first as many as are given at once.
      const starts = Array.from({ length: passed === 0 ? 15 : 2 }, (_, i) =>
        login.start({ method: 'email_otp', identifier: `ada${i % 2 === 0 ? '' : `+${network}`}@gmail.com`, clientId: 'app', ...by() }),
      )
      const answers = await Promise.all([...open.map((loginId) => login.resend({ loginId, ...by() })), ...starts])
      refused.push(...answers.flatMap((one) => (one.ok ? [] : [one.code])))
      open = answers.flatMap((one) => (one.ok ? [one.loginId] : []))
      while (at.length < setting.sent.length) at.push(setting.time)
      setting.time += 6 * minute
    }
    expect(setting.sent.every(({ kind }) => kind === 'code')).toBe(true)
    const within = (length: number) => Math.max(...at.map((from, i) => at.slice(i).filter((later) => later < from + length).length))
    expect(within(hour)).toBeLessThanOrEqual(20)
    expect(within(24 * hour)).toBeLessThanOrEqual(250)
    // They were really asked for, and so many were sent.
    expect(within(hour)).toBeGreaterThan(15)
    expect(within(24 * hour)).toBeGreaterThan(200)
    expect(new Set(refused)).toContain('rate_limited')
  } finally {
    await setting.close()
  }
})
