// Random lives of sign-ins on the real store: codes, links, resends and second factors in any order, from the browser that
// started, from another one and from a stranger's, with time going by. However they are mixed: no session without
// everything that the client wants, proven in this very attempt; none for a browser that proved nothing; one at most.

import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { LoginAnswer } from '#core'
import { keyFactor } from '../setting/factors.ts'
import { caller, openSetting, type Setting } from '../setting/service.ts'

const browsers = ['AAAAAAAAAAAAAAAAAAAAAA', 'BBBBBBBBBBBBBBBBBBBBBB', 'CCCCCCCCCCCCCCCCCCCCCC'] as const
const large = { limit: 1_000_000, window: 60_000 }
const owners = new Set<string>()
const key = keyFactor(owners)
let setting: Setting
let owner = ''
beforeAll(async () => {
  setting = await openSetting({
    budgets: {
      startPerAccount: large,
      startPerAddress: large,
      startOverall: large,
      verifyPerAccount: large,
      verifyPerAddress: large,
      verifyOverall: large,
    },
    policy: { newDeviceNotice: false },
    factors: [key.factor],
  })
  const strict = { methods: ['email_otp', 'email_link', 'passkey'], acr: 'urn:symbolon:acr:passkey' }
  await setting.core.clients.create({ id: 'strict', name: 'Strict', transport: 'cookie', policy: strict }, 'test')
  const made = await setting.core.users.create({ email: 'ada@example.com' }, 'test')
  if (!made.ok) throw new Error(made.code)
  owner = made.user.id
  owners.add(owner)
})
afterAll(() => setting.close())

const who = fc.constantFrom(0, 0, 1, 2)
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('code' as const), who, right: fc.boolean(), stale: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('press' as const), who, stale: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('code by link' as const), who, right: fc.boolean(), stale: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('key' as const), who, by: fc.constantFrom('id', 'link'), right: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('resend' as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(31_000, 240_000, 601_000, 901_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
)
const life = fc.record({ strict: fc.boolean(), steps: fc.array(step, { minLength: 1, maxLength: 14 }) })

it('opens a session for nobody who has not proven everything here and now', async () => {
  let opened = 0
  let halves = 0
  await fc.assert(
    fc.asyncProperty(life, async ({ strict, steps }) => {
      setting.time += 3_600_000
      const clientId = strict ? 'strict' : 'app'
      const [starter] = browsers
      const input = { method: 'email_otp', identifier: 'ada@example.com', clientId, device: null, caller }
      const begun = await setting.core.login.start({ ...input, browser: starter })
      if (!begun.ok) throw new Error(begun.code)
      const { loginId } = begun
      const mails: { code: string; token: string }[] = []
      const read = () => {
        const last = setting.sent.at(-1)
        if (last?.kind === 'code') mails.push({ code: last.code, token: last.link?.address.split('token=')[1] ?? '' })
      }
      read()
      const before = (await setting.store.sessions.list(owner)).sessions.length
      /** What the rules say, written once more: who holds the attempt, what was proven in it, since when, and what is left. */
      const m = { at: setting.time, codeUntil: setting.time + 600_000, ends: setting.time + 900_000, tries: 0, mailbox: false, over: false }
      let holder = 0
      let token = ''
      let challenge: unknown = null
      const by = (n: number) => browsers[n] ?? ''
      const alive = () => !m.over && setting.time < m.ends
      for (const one of steps) {
        if (one.do === 'wait') setting.time += one.ms
        else if (one.do === 'restart') await setting.restart()
        else if (one.do === 'resend') {
          const sent = await setting.core.login.resend({ loginId, browser: by(one.who), device: null, caller })
          if (sent.ok) {
            expect([one.who, alive(), m.mailbox]).toEqual([0, true, false])
            read()
          }
        } else {
          const mail = (('stale' in one && one.stale ? mails[0] : mails.at(-1)) ?? mails[0]) as (typeof mails)[number]
          const fresh = mail === mails.at(-1)
          const browser = by(one.who)
          const other = { browser, device: null, replaces: null, caller }
          const right = 'right' in one && one.right
          const wrong = mail.code === '000000' ? '000001' : '000000'
          const code = right ? mail.code : wrong
          // Two mails may have the same code by chance.
          const isCode = mails.at(-1)?.code === code
          let answer: LoginAnswer | { press: true } = { press: true }
          if (one.do === 'code' || one.do === 'code by link') answer = { code }
          else if (one.do === 'key')
            answer = { response: right && challenge !== null ? key.sign(challenge, owner) : { answer: 'signed x', of: owner } }
          const linked = one.do === 'key' ? token : mail.token
          const byId = one.do === 'code' || (one.do === 'key' && one.by === 'id')
          const taken =
            byId && !('press' in answer)
              ? await setting.core.login.verify({ loginId, ...other, ...answer })
              : await setting.core.login.takeLink({ token: linked, ...other, ...answer })
          const reachable = byId ? one.who === holder : one.do === 'key' ? token !== '' && one.who === holder : fresh
          const triesLeft = m.tries < (m.mailbox ? 3 : 5)
          const guessed =
            one.do !== 'press' && reachable && alive() && setting.time < m.codeUntil && triesLeft && m.mailbox === (one.do === 'key')
          const mayPass =
            alive() &&
            triesLeft &&
            reachable &&
            (one.do === 'press'
              ? one.who === 0 && !m.mailbox
              : setting.time < m.codeUntil && (one.do === 'key' ? m.mailbox && right : isCode && !m.mailbox))
          expect(taken.ok, JSON.stringify({ one, m })).toBe(mayPass)
          if (guessed) m.tries++
          if (!taken.ok) continue
          if ('state' in taken) {
            halves++
            expect([strict, one.do === 'key', taken.state]).toEqual([true, false, 'challenge'])
            holder = one.who
            token = taken.token ?? ''
            challenge = taken.challenge
            Object.assign(m, { mailbox: true, tries: 0, codeUntil: setting.time + 300_000, ends: m.at + 1_800_000 })
          } else {
            opened++
            expect(one.do === 'key').toBe(strict)
            expect(taken.snapshot.session.acr).toBe(strict ? 'urn:symbolon:acr:passkey' : 'urn:symbolon:acr:email')
            m.over = true
          }
        }
        await setting.store.now()
      }
      const { sessions } = await setting.store.sessions.list(owner)
      expect(sessions.length - before).toBe(m.over ? 1 : 0)
    }),
    { numRuns: 250, interruptAfterTimeLimit: 50_000, markInterruptAsFailure: false },
  )
  // The machine was really gone through.
  expect(opened).toBeGreaterThan(10)
  expect(halves).toBeGreaterThan(10)
})
