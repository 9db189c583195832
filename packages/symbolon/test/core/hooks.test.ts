// Hooks as applications write them: allow, deny, too late, thrown, in every failure mode; and what can be seen of them.

import { afterEach, describe, expect, it } from 'vitest'
import type { HookOptions, MessageContext, NewUserContext, SignInContext } from '#core'
import { browser, caller, openSetting, type Setting, signIn, start } from '../setting/service.ts'

let setting: Setting
afterEach(() => setting.close())

const open = async (hooks: HookOptions) => {
  setting = await openSetting({ hooks })
}
const verify = (begun: { loginId: string; code: string }, code = begun.code) =>
  setting.core.login.verify({ loginId: begun.loginId, code, browser, device: null, replaces: null, caller })
const until = async (done: () => boolean) => {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 2))
}
const never = () => new Promise<void>(() => {})
const thrown = () => {
  throw new Error('no')
}
const names = () => setting.events.map(({ event }) => event)

describe('beforeUserCreated', () => {
  type Run = NonNullable<HookOptions['beforeUserCreated']>['run']
  const outcomes: readonly [string, Run, 'deny' | 'defer' | 'degrade', 'created' | 'login_failed' | 'try_later'][] = (
    ['deny', 'defer', 'degrade'] as const
  ).flatMap((mode) => {
    const failed = { deny: 'login_failed', defer: 'try_later', degrade: 'created' }[mode] as 'created' | 'login_failed' | 'try_later'
    return [
      ['allows', () => {}, mode, 'created'],
      ['denies', (c: NewUserContext) => c.deny(), mode, 'login_failed'],
      [
        'denies, then throws',
        (c: NewUserContext) => {
          c.deny()
          return thrown()
        },
        mode,
        'login_failed',
      ],
      [
        'denies, then is late',
        (c: NewUserContext) => {
          c.deny()
          return never()
        },
        mode,
        'login_failed',
      ],
      ['throws', thrown, mode, failed],
      ['rejects', () => Promise.reject(new Error('no')), mode, failed],
      ['is late', never, mode, failed],
      ['sets what cannot be roles', (c: NewUserContext) => c.setRoles(['two words']), mode, failed],
      ['sets roles that are no list', (c: NewUserContext) => c.setRoles('admin' as never), mode, failed],
    ] as [string, Run, typeof mode, 'created' | 'login_failed' | 'try_later'][]
  })
  it.each(outcomes)('%s (%s, %s): %s', async (_, run, onFailure, expected) => {
    await open({ beforeUserCreated: { budget: 20, onFailure, run } })
    const begun = await start(setting, 'ada@example.com')
    const outcome = await verify(begun)
    const user = await setting.core.users.find({ email: 'ada@example.com' })
    const audit = (await setting.core.audit.list({}, 100)).filter(({ event }) => event === 'user.refused')
    if (expected === 'created') expect([outcome.ok, user?.roles, audit]).toEqual([true, [], []])
    else {
      expect(outcome).toMatchObject({ ok: false, code: expected })
      expect(user).toBeUndefined()
      expect(audit).toHaveLength(expected === 'login_failed' ? 1 : 0)
      expect(JSON.stringify(audit)).not.toContain('ada')
      // Whoever is put off may come again with the same code, and is let in when the hook is well; a refusal is one for good.
      const { consumedAt } = (await setting.store.attempts.find(hashed(begun.loginId)))?.attempt ?? {}
      expect(consumedAt).toEqual(expected === 'try_later' ? null : expect.any(Number))
    }
  })
  const hashed = (id: string) => Buffer.from(setting.ports.crypto.hash(id)).toString('base64url')

  /** Presses the link of the mail that was sent last. */
  const press = () => {
    const sent = setting.sent.at(-1)
    const token = sent?.kind === 'code' ? (sent.link?.address.split('token=')[1] ?? '') : ''
    return () => setting.core.login.takeLink({ token, browser, device: null, replaces: null, caller, press: true })
  }
  it('is asked once by a link that it refuses, however often that is pressed', async () => {
    let asked = 0
    const refusing = (c: NewUserContext) => {
      asked++
      c.deny()
    }
    await open({ beforeUserCreated: { budget: 1000, onFailure: 'defer', run: refusing } })
    await start(setting, 'ada@example.com')
    const again = press()
    for (let i = 0; i < 4; i++) expect(await again()).toMatchObject({ ok: false, code: 'login_failed' })
    expect([asked, (await setting.core.audit.list({}, 100)).filter(({ event }) => event === 'user.refused').length]).toEqual([1, 1])
    // Whoever asks anew is asked about anew.
    await verify(await start(setting, 'ada@example.com'))
    expect(asked).toBe(2)
  })

  it('is asked about ten times by a link that it puts off, whatever was guessed, and lets in by it when it is well', async () => {
    let asked = 0
    let well = false
    const run = () => {
      asked++
      if (!well) throw new Error('no')
    }
    await open({ beforeUserCreated: { budget: 1000, onFailure: 'defer', run } })
    const begun = await start(setting, 'ada@example.com')
    for (let i = 0; i < 4; i++) await verify(begun, begun.code === '000000' ? '000001' : '000000')
    const again = press()
    const outcomes = []
    for (let i = 0; i < 14; i++) outcomes.push(await again())
    expect(outcomes.map((one) => (one.ok ? '' : one.code))).toEqual([...Array(10).fill('try_later'), ...Array(4).fill('rate_limited')])
    expect(asked).toBe(10)
    // Presses cost no guess.
    well = true
    expect((await verify(begun)).ok).toBe(true)
    await start(setting, 'eve@example.com')
    expect((await press()()).ok).toBe(true)
  })

  it('sets roles, and knows whom it decides on', async () => {
    const seen: NewUserContext[] = []
    await open({
      beforeUserCreated: {
        budget: 1000,
        onFailure: 'defer',
        run: (c) => {
          seen.push(c)
          c.setRoles(['editor'])
        },
      },
    })
    const { snapshot } = await signIn(setting, ' Ada@Example.com')
    expect(snapshot.user.roles).toEqual(['editor'])
    expect(seen).toMatchObject([{ email: 'ada@example.com', clientId: 'app', method: 'email_otp', caller }])
  })

  it('is asked once: not of those who are users, and of nobody before a code was right', async () => {
    let asked = 0
    await open({ beforeUserCreated: { budget: 1000, onFailure: 'defer', run: () => void asked++ } })
    const begun = await start(setting, 'ada@example.com')
    const wrong = await verify(begun, begun.code === '000000' ? '000001' : '000000')
    expect([wrong.ok, asked]).toEqual([false, 0])
    expect((await verify(begun)).ok).toBe(true)
    await signIn(setting, 'ada@example.com')
    expect(asked).toBe(1)
  })

  it('is not asked where nobody may sign up', async () => {
    let asked = 0
    setting = await openSetting({
      policy: { signUp: 'closed' },
      hooks: { beforeUserCreated: { budget: 1000, onFailure: 'defer', run: () => void asked++ } },
    })
    await setting.core.users.create({ email: 'ada@example.com' }, 'test')
    expect((await signIn(setting, 'ada@example.com')).created).toBe(false)
    expect(asked).toBe(0)
  })

  it('refuses in the same words as a wrong code does', async () => {
    await open({ beforeUserCreated: { budget: 1000, onFailure: 'defer', run: (c) => c.deny() } })
    const begun = await start(setting, 'ada@example.com')
    const wrong = await verify(begun, begun.code === '000000' ? '000001' : '000000')
    expect(await verify(begun)).toEqual(wrong)
  })

  it('has no effect once it is late', async () => {
    let context: NewUserContext | undefined
    await open({
      beforeUserCreated: {
        budget: 10,
        onFailure: 'degrade',
        run: (c) => {
          context = c
          return never()
        },
      },
    })
    const { snapshot } = await signIn(setting)
    context?.setRoles(['admin'])
    context?.deny()
    expect(context?.signal.aborted).toBe(true)
    expect((await setting.core.users.find({ id: snapshot.user.id }))?.roles).toEqual([])
  })
})

describe('beforeMessage', () => {
  const cases: readonly ['deny' | 'degrade', string, (c: MessageContext) => void | Promise<void>, boolean][] = (
    ['deny', 'degrade'] as const
  ).flatMap((mode) => [
    [mode, 'allows', () => {}, true],
    [mode, 'suppresses', (c: MessageContext) => c.suppress(), false],
    [
      mode,
      'suppresses, then throws',
      (c: MessageContext) => {
        c.suppress()
        return thrown()
      },
      false,
    ],
    [mode, 'throws', thrown, mode === 'degrade'],
    [mode, 'is late', never, mode === 'degrade'],
  ])
  it.each(cases)('%s: one that %s', async (onFailure, _, run, sent) => {
    await open({ beforeMessage: { budget: 20, onFailure, run } })
    const begun = await setting.core.login.start({
      method: 'email_otp',
      identifier: 'ada@example.com',
      clientId: 'app',
      browser,
      device: null,
      caller,
    })
    // Answered before the hook, whatever it says.
    expect([begun.ok, setting.sent]).toEqual([true, []])
    await until(() => setting.sent.length > 0 || names().includes('message.suppressed'))
    expect(setting.sent).toHaveLength(sent ? 1 : 0)
  })

  it.each([
    ['throws', thrown, true],
    ['is late', never, true],
    [
      'suppresses, then throws',
      (c: MessageContext) => {
        c.suppress()
        return thrown()
      },
      false,
    ],
  ] as const)('keeps no notice back by failing, only by saying so: one that %s', async (_, run, sent) => {
    await open({ beforeMessage: { budget: 20, onFailure: 'deny', run } })
    const made = await setting.core.users.create({ email: 'ada@example.com' }, 'test')
    if (!made.ok) throw new Error('user')
    await setting.core.users.changeEmail(made.user.id, 'eve@example.com', { actor: 'test' })
    await until(() => setting.sent.length > 0 || names().includes('message.suppressed'))
    expect(setting.sent).toMatchObject(sent ? [{ kind: 'address_changed', to: 'ada@example.com' }] : [])
    expect(setting.events.find(({ event }) => event === 'hook.failed')).toMatchObject({ did: 'degrade' })
  })

  it('never sees a code, and knows whose message it is', async () => {
    const seen: MessageContext[] = []
    await open({ beforeMessage: { budget: 1000, onFailure: 'deny', run: (c) => void seen.push(c) } })
    const made = await setting.core.users.create({ email: 'ada@example.com' }, 'test')
    const off = await setting.core.users.create({ email: 'off@example.com' }, 'test')
    if (!made.ok || !off.ok) throw new Error('users')
    await setting.core.users.change(off.user.id, { status: 'disabled' }, 'test')
    for (const identifier of ['ada@example.com', 'new@example.com', 'off@example.com'])
      await setting.core.login.start({ method: 'email_otp', identifier, clientId: 'app', browser, device: null, caller })
    await until(() => setting.sent.length === 3)
    const plain = seen.map(({ signal: _, suppress: __, ...said }) => said)
    expect(plain).toEqual([
      { kind: 'code', clientId: 'app', userId: made.user.id, language: 'en' },
      { kind: 'code', clientId: 'app', userId: null, language: 'en' },
    ])
  })

  it('is bounded: when too many wait, everybody is told to come later, known or not', async () => {
    setting = await openSetting({
      hooks: { beforeMessage: { budget: 60_000, onFailure: 'deny', run: never } },
      budgets: { startPerAddress: { limit: 1000, window: 60_000 } },
    })
    const made = await setting.core.users.create({ email: 'off@example.com' }, 'test')
    if (made.ok) await setting.core.users.change(made.user.id, { status: 'disabled' }, 'test')
    const begin = (identifier: string) =>
      setting.core.login.start({ method: 'email_otp', identifier, clientId: 'app', browser, device: null, caller })
    await Promise.all(Array.from({ length: 256 }, (_, i) => begin(`user${i}@example.com`)))
    for (const identifier of ['one@example.com', 'off@example.com']) await expect(begin(identifier)).rejects.toThrow(/Try again/)
    // What was done in an account is told all the same.
    const ada = await setting.core.users.create({ email: 'ada@example.com' }, 'test')
    if (ada.ok) await setting.core.users.changeEmail(ada.user.id, 'eve@example.com', { actor: 'test' })
    await until(() => setting.sent.length > 0 || names().includes('notice.dropped'))
    expect(setting.sent).toMatchObject([{ kind: 'address_changed', to: 'ada@example.com' }])
    expect(names()).not.toContain('notice.dropped')
  })
})

describe('afterSignIn', () => {
  it('hears of a sign-in that is committed, and undoes nothing', async () => {
    const seen: SignInContext[] = []
    await open({
      afterSignIn: {
        budget: 1000,
        onFailure: 'degrade',
        run: (c) => {
          seen.push(c)
          throw new Error('no')
        },
      },
    })
    const { snapshot, credential } = await signIn(setting)
    await until(() => names().includes('hook.failed'))
    expect(seen).toMatchObject([
      { userId: snapshot.user.id, sid: snapshot.session.sid, clientId: 'app', created: true, method: 'email_otp' },
    ])
    expect(JSON.stringify(seen)).not.toContain(credential)
    expect((await setting.core.sessions.check(credential, 'cookie')).ok).toBe(true)
  })

  it('is not waited for, runs sixteen at once, and drops what is too much', async () => {
    let running = 0
    let most = 0
    await open({
      afterSignIn: {
        budget: 60_000,
        onFailure: 'degrade',
        run: () => {
          most = Math.max(most, ++running)
          return never()
        },
      },
    })
    const { snapshot } = await signIn(setting)
    const { createHooks } = await import('../../src/core/hooks.ts')
    const many = createHooks(setting.ports, {
      afterSignIn: {
        budget: 60_000,
        onFailure: 'degrade',
        run: () => {
          running++
          return never()
        },
      },
    })
    running = 0
    for (let i = 0; i < 1100; i++) many.signedIn({ outcome: 'opened', snapshot, created: false, ended: [] }, 'email_otp', caller)
    expect(running).toBe(16)
    expect(names().filter((name) => name === 'hook.dropped')).toHaveLength(1100 - 1016)
  })
})
