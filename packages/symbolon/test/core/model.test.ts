// Random lives of sessions on the real store, beside a small model of the rules: sign-ins, refreshes of any generation,
// lost answers, step-ups, live checks, revocations, time, restarts and clocks that step back.

import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { caller, openSetting, type Setting, signIn } from '../setting/service.ts'

interface Model {
  readonly sid: string
  readonly credentials: string[]
  g: number
  p: number | null
  /** The oldest generation that a step-up replaced, and the login id of it. */
  e: number | null
  loginId: string | undefined
  seen: boolean
  recovered: number
  rotatedAt: number
  lastSeen: number
  readonly opened: number
  dead: boolean
}

let setting: Setting
beforeAll(async () => {
  setting = await openSetting({
    budgets: {
      startPerAccount: { limit: 100_000, window: 60_000 },
      startPerAddress: { limit: 100_000, window: 60_000 },
      verifyPerAccount: { limit: 100_000, window: 60_000 },
      verifyPerAddress: { limit: 100_000, window: 60_000 },
      verifyOverall: { limit: 100_000, window: 60_000 },
    },
  })
})
afterAll(() => setting.close())

const day = 86_400_000
const nobody = { browser: null, device: null, caller }
/** What the rules say of one refresh, written once more and differently. */
function expected(m: Model, n: number, now: number, bound: boolean): string {
  if (m.dead) return 'revoked'
  if (now >= m.opened + 90 * day || now >= m.lastSeen + 14 * day) return 'expired'
  if (n === m.g) return 'rotated'
  if (m.e !== null && n >= m.e) return bound && now - m.rotatedAt < 10_000 ? 'replayed' : 'session_superseded'
  if (n !== m.p) return 'reused'
  if (now - m.rotatedAt < 10_000) return 'replayed'
  if (m.seen) return 'reused'
  return m.recovered >= 3 ? 'step_up_required' : 'recovered'
}

type Step =
  | { readonly kind: 'refresh'; readonly back: number; readonly lost: boolean; readonly bound: boolean }
  | { readonly kind: 'step_up'; readonly back: number; readonly lost: boolean }
  | { readonly kind: 'check' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'back'; readonly ms: number }
  | { readonly kind: 'restart' }
  | { readonly kind: 'revoke' }

const steps = fc.array(
  fc.oneof<fc.WeightedArbitrary<Step>[]>(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('refresh' as const),
        back: fc.constantFrom(0, 0, 0, 1, 1, 2),
        lost: fc.boolean(),
        bound: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('step_up' as const), back: fc.constantFrom(0, 0, 1), lost: fc.boolean() }) },
    { weight: 3, arbitrary: fc.constant({ kind: 'check' as const }) },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1000, 9_000, 11_000, 3 * day, 15 * day) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('back' as const), ms: fc.constantFrom(5000, 2 * day) }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'revoke' as const }) },
  ),
  { minLength: 1, maxLength: 25 },
)

it('agrees with the rules in every life', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (life) => {
      const { credential, snapshot } = await signIn(setting, 'model@example.com', 'native')
      let latest = snapshot.now
      const m: Model = {
        sid: snapshot.session.sid,
        credentials: ['', credential],
        g: 1,
        p: null,
        e: null,
        loginId: undefined,
        seen: false,
        recovered: 0,
        rotatedAt: latest,
        lastSeen: latest,
        opened: latest,
        dead: false,
      }
      /** The credential that the client holds: what the last answer brought. */
      let held = 1
      for (const step of life) {
        latest = Math.max(latest, setting.time)
        if (step.kind === 'wait') setting.time += step.ms
        else if (step.kind === 'back') setting.time -= step.ms
        else if (step.kind === 'restart') await setting.restart()
        else if (step.kind === 'revoke') {
          await setting.core.sessions.revoke({ sid: m.sid }, 'admin', { actor: 'test' })
          m.dead = true
        } else if (step.kind === 'step_up') {
          const n = Math.max(1, held - step.back)
          const alive = !m.dead && latest < m.opened + 90 * day && latest < m.lastSeen + 14 * day
          const windowOpen = latest - m.rotatedAt < 10_000
          const current = n === m.g || (n === m.p && (windowOpen || !m.seen))
          const credential = m.credentials[n] as string
          // It begins with a live check, which goes by what was written.
          await setting.core.sessions.flush()
          const started = await setting.core.login.stepUp({ credential, kind: 'token', method: null, need: {}, action: null, ...nobody })
          expect(started.ok, `step-up by ${n} of ${m.g}`).toBe(alive && current)
          const last = setting.sent.at(-1)
          if (!started.ok || last?.kind !== 'code') continue
          const raised = await setting.core.login.verify({ loginId: started.loginId, code: last.code, replaces: null, ...nobody })
          if (!raised.ok || 'state' in raised) throw new Error('not raised')
          m.e = m.p !== null && (windowOpen || !m.seen) ? m.p : m.g
          m.p = null
          m.g++
          m.seen = false
          m.recovered = 0
          m.rotatedAt = latest
          m.lastSeen = latest
          m.loginId = started.loginId
          m.credentials[m.g] = raised.credential
          if (!step.lost) held = m.g
        } else if (step.kind === 'check') {
          await setting.core.sessions.flush()
          const n = held
          const checked = await setting.core.sessions.check(m.credentials[n] as string, 'token')
          const now = latest
          const alive = !m.dead && now < m.opened + 90 * day && now < m.lastSeen + 14 * day
          const current = n === m.g || (n === m.p && (now - m.rotatedAt < 10_000 || !m.seen))
          expect(checked.ok, `check ${n} of ${m.g}`).toBe(alive && current)
          if (!checked.ok) continue
          if (n === m.g) m.seen = true
          if (now - m.lastSeen >= 60_000) m.lastSeen = now
        } else {
          const n = Math.max(1, held - step.back)
          const outcome = await setting.core.sessions.refresh({
            credential: m.credentials[n] as string,
            kind: 'token',
            background: false,
            caller,
            ...(step.bound && m.loginId !== undefined && { binding: m.loginId }),
          })
          const want = expected(m, n, latest, step.bound && m.loginId !== undefined)
          expect(outcome.outcome, `generation ${n} of ${m.g}, ${m.p}`).toBe(want)
          if (want === 'reused') m.dead = true
          if (!outcome.ok) continue
          if (want === 'rotated' || want === 'recovered') {
            if (want === 'rotated') {
              m.p = m.g
              m.recovered = 0
              m.e = null
            } else m.recovered++
            m.g++
            m.seen = false
            m.rotatedAt = latest
            m.lastSeen = latest
            m.credentials[m.g] = outcome.credential
          } else expect(outcome.credential).toBe(m.credentials[m.g])
          if (!step.lost) held = m.g
        }
        // The store's clock keeps the highest time it was shown; a read shows it.
        await setting.store.now()
        latest = Math.max(latest, setting.time)
      }
      // Whoever was honest and waited in no trap still holds something that works, or was told to sign in again.
      setting.time = latest
    }),
    { numRuns: 60, interruptAfterTimeLimit: 40_000, markInterruptAsFailure: false },
  )
})
