// The notice of a sign-in on a new device: who gets one, and for which devices.

import { describe, expect, it } from 'vitest'
import { browser, caller, openSetting, signIn, start } from '../setting/service.ts'

describe('the notice of a new device', () => {
  it('is queued after the session opened, in words without a way in, and cannot fail it', async () => {
    const setting = await openSetting()
    try {
      const first = await signIn(setting)
      const { length } = setting.sent
      await signIn(setting)
      expect(setting.sent.slice(length).map(({ kind }) => kind)).toEqual(['code', 'notice'])
      expect(JSON.stringify(setting.sent.at(-1))).not.toMatch(/http|token/)
      const known = await start(setting, 'ada@example.com')
      const by = { browser, device: first.device, replaces: null, caller }
      expect(await setting.core.login.verify({ loginId: known.loginId, code: known.code, ...by })).toMatchObject({ ok: true })
      expect(setting.sent.at(-1)?.kind).toBe('code')
      const { loginId, code } = await start(setting, 'ada@example.com')
      // A queue that is full.
      setting.sent.push = () => {
        throw new Error('full')
      }
      expect(await setting.core.login.verify({ loginId, code, browser, device: null, replaces: null, caller })).toMatchObject({ ok: true })
      expect(setting.events.at(-2)).toMatchObject({ event: 'notice.dropped' })
    } finally {
      await setting.close()
    }
  })
})

it('tells of a sign-in on the device of somebody who had the address before', async () => {
  const setting = await openSetting()
  try {
    const left = await signIn(setting)
    expect(await setting.core.users.remove(left.snapshot.user.id, { actor: 'test' })).toMatchObject({ ok: true })
    const next = await signIn(setting)
    expect([next.created, next.snapshot.user.id === left.snapshot.user.id]).toEqual([true, false])
    const again = async (device: string) => {
      const { loginId, code } = await start(setting, 'ada@example.com')
      const { length } = setting.sent
      const done = await setting.core.login.verify({ loginId, code, browser, device, replaces: null, caller })
      if (!done.ok || 'state' in done) throw new Error('not signed in')
      return { device: done.device, told: setting.sent.slice(length).map(({ kind }) => kind) }
    }
    expect((await again(next.device)).told).toEqual([])
    const once = await again(left.device)
    expect(once.told).toEqual(['notice'])
    expect((await again(once.device)).told).toEqual([])
    // One that a version before gave says nothing of whose it is.
    expect((await again(next.device.replace(/\.[^.~]+$/, ''))).told).toEqual(['notice'])
  } finally {
    await setting.close()
  }
})
