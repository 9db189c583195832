// Sign-in against guessing and flooding: exact tries, budgets that lock no owner out, likeness, and identifiers.

import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { networkOf } from '../../src/core/budgets.ts'
import { mailboxOf, normaliseEmail } from '../../src/core/identifier.ts'
import { browser, caller, openSetting, type Setting, signIn, start } from '../setting/service.ts'

let setting: Setting
beforeEach(async () => {
  setting = await openSetting({
    budgets: { verifyPerAccount: { limit: 8, window: 3_600_000 }, startPerAccount: { limit: 6, window: 3_600_000 } },
  })
})
afterEach(() => setting.close())

const verify = (loginId: string, code: string, device: string | null = null, from = caller) =>
  setting.core.login.verify({ loginId, code, browser, device, replaces: null, caller: from })
const wrongFor = (code: string) => (code === '000000' ? '000001' : '000000')

describe('guessing', () => {
  it('gets five tries for a code, in parallel too, and never a sixth', async () => {
    const { loginId, code } = await start(setting, 'ada@example.com')
    const tries = await Promise.all(Array.from({ length: 30 }, (_, i) => verify(loginId, i === 29 ? code : wrongFor(code))))
    expect(tries.filter((one) => one.ok)).toHaveLength(0)
    expect((await verify(loginId, code)).ok).toBe(false)
  })

  it('is bounded for an account over all attempts and addresses, but not for its owner’s known device', async () => {
    const owner = await signIn(setting, 'ada@example.com')
    let guesses = 0
    for (let i = 0; i < 4; i++) {
      const { loginId, code } = await start(setting, 'ada@example.com')
      for (let j = 0; j < 4; j++)
        if (
          !((await verify(loginId, wrongFor(code), null, { ip: `192.0.2.${i}${j}`, userAgent: null })) as { code: string }).code.includes(
            'limited',
          )
        )
          guesses++
    }
    expect(guesses).toBe(7)
    const begun = await setting.core.login.start({
      method: 'email_otp',
      identifier: 'ada@example.com',
      clientId: 'app',
      browser,
      device: owner.device,
      caller,
    })
    if (!begun.ok) throw new Error(begun.code)
    const last = setting.sent.at(-1)
    const code = last?.kind === 'code' ? last.code : ''
    expect(await verify(begun.loginId, code, null)).toMatchObject({ ok: false, code: 'rate_limited' })
    expect(await verify(begun.loginId, code, owner.device)).toMatchObject({ ok: true })
  })

  it('costs nothing when it cannot be a code', async () => {
    const { loginId, code } = await start(setting, 'ada@example.com')
    for (const text of ['', 'abcdef', '12345', '1234567', '１２３４５６', `${code}\u0000`])
      expect((await verify(loginId, text)).ok).toBe(false)
    expect((await verify(loginId, ` ${code.slice(0, 3)} ${code.slice(3)}`)).ok).toBe(true)
  })
})

describe('a stranger’s start', () => {
  it('does not end the owner’s', async () => {
    const own = await start(setting, 'ada@example.com')
    await start(setting, 'ada@example.com')
    expect((await verify(own.loginId, own.code)).ok).toBe(true)
  })

  it('does not use up what the owner’s known device may have sent again', async () => {
    const owner = await signIn(setting, 'ada@example.com')
    const begin = (device: string | null) =>
      setting.core.login.start({ method: 'email_otp', identifier: 'ada@example.com', clientId: 'app', browser, device, caller })
    const begun = await begin(owner.device)
    if (!begun.ok) throw new Error(begun.code)
    while ((await begin(null)).ok);
    setting.time = begun.resendAt
    const again = (device: string | null) => setting.core.login.resend({ loginId: begun.loginId, browser, device, caller })
    expect(await again(null)).toMatchObject({ ok: false, code: 'rate_limited' })
    expect(await again(owner.device)).toMatchObject({ ok: true })
  })

  it('is bounded for an account, its aliases together', async () => {
    const begin = (identifier: string) =>
      setting.core.login.start({ method: 'email_otp', identifier, clientId: 'app', browser, device: null, caller })
    const outcomes = []
    for (let i = 0; i < 8; i++) outcomes.push((await begin(`ada+${i}@gmail.com`)).ok)
    expect(outcomes.filter(Boolean)).toHaveLength(6)
    expect(await begin('a.d.a@googlemail.com')).toMatchObject({ ok: false, code: 'rate_limited' })
    expect((await begin('bob@gmail.com')).ok).toBe(true)
  })
})

it('treats known, unknown and disabled people alike: one delivery each, and only those who may get a code', async () => {
  const closed = await openSetting({ policy: { signUp: 'closed' } })
  try {
    const made = await closed.core.users.create({ email: 'known@example.com' }, 'test')
    const off = await closed.core.users.create({ email: 'off@example.com' }, 'test')
    if (!made.ok || !off.ok) throw new Error('users')
    await closed.core.users.change(off.user.id, { status: 'disabled' }, 'test')
    for (const email of ['known@example.com', 'off@example.com', 'unknown@example.com']) await start(closed, email)
    expect(closed.sent.map(({ kind }) => kind)).toEqual(['code', 'none', 'none'])
  } finally {
    await closed.close()
  }
})

describe('identifiers', () => {
  it.each([
    [' Ada.Lovelace@Example.COM ', 'ada.lovelace@example.com'],
    ['a+b@xn--bcher-kva.example', 'a+b@xn--bcher-kva.example'],
    ['a@b', undefined],
    ['a@@b.example', undefined],
    ['a@b.example, c@d.example', undefined],
    ['"a b"@c.example', undefined],
    ['a..b@c.example', undefined],
    ['\u212Aelvin@example.com', undefined],
    ['a@example.com\u0000', undefined],
    [`${'a'.repeat(65)}@example.com`, undefined],
  ])('%j becomes %j', (text, normal) => expect(normaliseEmail(text)).toBe(normal))

  it('are normalised once: twice changes nothing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.emailAddress(), fc.string()), (text) => {
        const once = normaliseEmail(text)
        if (once !== undefined) expect(normaliseEmail(once)).toBe(once)
      }),
    )
  })

  it.each([
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['2001:db8:0:1:ffff::1', '2001:db8:0:1::/64'],
    ['2001:0db8:0000:0001::2', '2001:db8:0:1::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('the network of %s is %s', (ip, network) => expect(networkOf(ip)).toBe(network))

  it('fall together in one mailbox for budgets', () => expect(mailboxOf('A.da+x@gmail.com'.toLowerCase())).toBe('ada@gmail.com'))
})
