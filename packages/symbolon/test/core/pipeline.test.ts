// The refresh pipeline as its users write it: claims, shortening, refusals, budgets and failure modes; and the template.

import { afterEach, describe, expect, it } from 'vitest'
import type { PlacedStep, RefreshContext } from '#core'
import { tryTemplate } from '../../src/core/mint.ts'
import { caller, openSetting, type Setting, signIn } from '../setting/service.ts'

let setting: Setting | undefined
afterEach(async () => {
  await setting?.close()
  setting = undefined
})

async function refreshWith(run: (context: RefreshContext) => void | Promise<void>, onFailure: PlacedStep['step']['onFailure'] = 'defer') {
  setting = await openSetting({ steps: [{ after: 'claims', step: { name: 'mine', budget: 30, onFailure, run } }] })
  const { credential, snapshot } = await signIn(setting)
  const outcome = await setting.core.sessions.refresh({ credential, kind: 'cookie', background: false, caller })
  return { outcome, explained: await setting.core.sessions.explain(snapshot.session.sid), credential }
}

describe('a step', () => {
  it('adds claims and shortens', async () => {
    const { outcome, explained } = await refreshWith((r) => {
      r.addClaims({ plan: 'pro' })
      r.shorten(90_000)
    })
    if (!outcome.ok) throw new Error(outcome.code)
    expect(outcome.minted.claims.plan).toBe('pro')
    expect(outcome.minted.expiresIn).toBeLessThanOrEqual(90)
    expect(explained).toMatchObject({ ok: true, outcome: 'minted', lifetime: 90_000 })
    expect(explained.ok && explained.trace.map(({ step }) => step)).toEqual([
      'record',
      'user',
      'client',
      'limits',
      'binding',
      'risk',
      'claims',
      'mine',
    ])
  })

  it('denies, and asks for a step-up', async () => {
    expect((await refreshWith((r) => r.deny())).outcome).toMatchObject({ ok: false, code: 'denied' })
    await setting?.close()
    expect((await refreshWith((r) => r.requireStepUp({ acrValues: ['high'], maxAge: 60_000 }))).outcome).toMatchObject({
      ok: false,
      code: 'step_up_required',
      options: { acrValues: ['high'], maxAge: 60 },
    })
  })

  it.each<[PlacedStep['step']['onFailure'], object]>([
    ['deny', { ok: false, code: 'denied' }],
    ['defer', { ok: false, code: 'try_later' }],
    ['degrade', { ok: true, minted: { expiresIn: 60 } }],
  ])('that fails or takes too long: %s', async (onFailure, expected) => {
    expect((await refreshWith(() => Promise.reject(new Error('no')), onFailure)).outcome).toMatchObject(expected)
    await setting?.close()
    expect((await refreshWith(() => new Promise(() => {}), onFailure)).outcome).toMatchObject(expected)
  })

  it.each(['sub', 'exp', 'roles', '__proto__'])('may not set %s', async (name) => {
    const claims = JSON.parse(`{"${name}":"x"}`) as Record<string, unknown>
    expect((await refreshWith((r) => r.addClaims(claims), 'deny')).outcome).toMatchObject({ ok: false, code: 'denied' })
  })
})

it('a claims template is tried at start-up', () => {
  expect(() => tryTemplate((user) => ({ mail: user.email }))).not.toThrow()
  expect(() => tryTemplate(() => ({ sub: 'x' }))).toThrow('sub is reserved')
  expect(() => tryTemplate(() => ({ all: 'x'.repeat(3000) }))).toThrow('at most 2000')
})
