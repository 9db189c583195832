// Activity on its way to the store: what cannot be written of one session keeps no other one, and that a credential was
// presented is known to every node at once.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Session, SessionStore, Touch } from '#core'
import { createTouches } from '../../src/core/touch.ts'
import { caller, openBeside, openSetting, type Setting, signIn } from '../setting/service.ts'

let setting: Setting
beforeEach(async () => {
  setting = await openSetting()
})
afterEach(() => setting.close())

/** How what comes by itself is waited for. */
const patient = { timeout: 10_000, interval: 5 }
const clock = { after: (ms: number, run: () => void) => setting.ports.clock.after(ms, run) }
const refresh = (core: Pick<Setting, 'core'>, credential: string) =>
  core.core.sessions.refresh({ credential, kind: 'token', background: false, caller })
/** A second credential, whose predecessor's window is closed. */
async function rotated() {
  const { credential, snapshot } = await signIn(setting, 'ada@example.com', 'native')
  const next = await refresh(setting, credential)
  if (!next.ok) throw new Error(next.code)
  setting.time += 11_000
  return { sid: snapshot.session.sid, before: credential, now: next.credential }
}

describe('a credential that is presented for the first time', () => {
  it('makes its predecessor an old copy at every other node, before the second is over', async () => {
    const other = await openBeside(setting)
    try {
      const { sid, before, now } = await rotated()
      expect(await setting.core.sessions.check(now, 'token')).toMatchObject({ ok: true })
      await vi.waitUntil(async () => (await other.store.sessions.find(sid))?.session.seen, patient)
      expect(await refresh(other, before)).toMatchObject({ ok: false, outcome: 'reused' })
    } finally {
      await other.store.close()
    }
  })

  it('costs nobody a session while it was presented nowhere', async () => {
    const other = await openBeside(setting)
    try {
      const { before } = await rotated()
      expect(await setting.core.sessions.check(before, 'token')).toMatchObject({ ok: true })
      expect(await refresh(other, before)).toMatchObject({ ok: true, outcome: 'recovered' })
    } finally {
      await other.store.close()
    }
  })
})

describe('a check that read its row before a rotation and notes it after', () => {
  const rows = async () => {
    const { credential, snapshot } = await signIn(setting, 'ada@example.com', 'native')
    const { sid } = snapshot.session
    const row = async () => (await setting.store.sessions.find(sid))?.session as Session
    const first = await row()
    expect(await refresh(setting, credential)).toMatchObject({ ok: true })
    setting.time += 11_000
    return { first, second: await row(), row, before: credential }
  }
  for (const order of ['after', 'before'] as const)
    it(`leaves the newer credential shown, noted ${order} that one`, async () => {
      const { first, second, row, before } = await rows()
      const { touches } = counted()
      const notes = [() => touches.note(second, setting.time, true, 2, caller), () => touches.note(first, setting.time, true, 1, caller)]
      for (const note of order === 'after' ? notes : notes.reverse()) note()
      await touches.flush()
      expect((await row()).seen).toBe(true)
      expect(await refresh(setting, before)).toMatchObject({ ok: false, outcome: 'reused' })
    })

  it('leaves it so while a write that fails is under way', async () => {
    const { first, second, row } = await rows()
    let late: (() => void) | undefined = () => touches.note(first, setting.time, true, 1, caller)
    const touch: SessionStore['touch'] = async (touched) => {
      if (late === undefined) return setting.store.sessions.touch(touched)
      late()
      late = undefined
      throw new Error('gone')
    }
    const touches = createTouches({ touch }, clock)
    touches.note(second, setting.time, true, 2, caller)
    await expect(touches.flushOf(second.sid)).rejects.toThrow('gone')
    await touches.flush()
    expect((await row()).seen).toBe(true)
  })
})

/** A gatherer on the real store, and what it sent there. */
function counted() {
  const sent: (readonly Touch[])[] = []
  const touch: SessionStore['touch'] = async (touches, patient) => {
    sent.push(touches)
    return setting.store.sessions.touch(touches, patient)
  }
  return { sent, touches: createTouches({ touch }, clock) }
}
const turn = () => new Promise<void>((resolve) => void clock.after(0, resolve))

describe('what is written at once', () => {
  it('is written once, whatever checks come whose row was read before, and with what else comes in that turn', async () => {
    const [one, two] = [await rotated(), await rotated()]
    const rows = await Promise.all([one, two].map(async ({ sid }) => (await setting.store.sessions.find(sid))?.session as Session))
    const { sent, touches } = counted()
    const check = () => rows.forEach((row) => void touches.note(row, setting.time, true, 2, caller))
    check()
    await vi.waitUntil(() => sent.length > 0, patient)
    for (let n = 0; n < 20; n++) {
      check()
      await turn()
    }
    expect(sent.map((each) => each.map(({ sid }) => sid))).toEqual([[one.sid, two.sid]])
    await touches.flush()
    expect(sent).toHaveLength(2)
    // The next generation is another one.
    rows.forEach((row) => void touches.note({ ...row, generation: 3, predecessor: 2 }, setting.time, true, 3, caller))
    await vi.waitUntil(() => sent.length === 3, patient)
  })

  it('is nothing but that: activity waits for its second, and so does a credential without a predecessor', async () => {
    const { snapshot } = await signIn(setting, 'ada@example.com', 'native')
    const { sent, touches } = counted()
    touches.note({ ...snapshot.session, seen: true }, setting.time + 120_000, true, 1, caller)
    touches.note(snapshot.session, setting.time, true, 1, caller)
    for (let n = 0; n < 10; n++) await turn()
    expect(sent).toEqual([])
    await touches.flush()
    expect(sent).toHaveLength(1)
    expect((await setting.store.sessions.find(snapshot.session.sid))?.session.seen).toBe(true)
  })

  it('waits again where it could not be written', async () => {
    const { sid } = await rotated()
    const row = (await setting.store.sessions.find(sid))?.session as Session
    let faults = 1
    const touch: SessionStore['touch'] = async (touches) => {
      if (faults-- > 0) throw new Error('gone')
      return setting.store.sessions.touch(touches)
    }
    const touches = createTouches({ touch }, clock)
    touches.note(row, setting.time, true, 2, caller)
    await vi.waitUntil(() => faults === 0, patient)
    expect((await setting.store.sessions.find(sid))?.session.seen).toBe(false)
    await touches.flushOf(sid)
    expect((await setting.store.sessions.find(sid))?.session.seen).toBe(true)
  })
})

describe('a batch that fails', () => {
  const used = (n: number) => ({ sid: `s${n}`, seen: true, generation: 1, predecessor: null, lastSeenAt: 0, idle: 86_400_000 })
  it('keeps neither those behind it nor what is asked of one session, and is all that waits again', async () => {
    const written: string[] = []
    let broken = true
    const touch: SessionStore['touch'] = async (touches) => {
      if (broken && touches.some(({ sid }) => sid === 's1500')) throw new Error('broken')
      written.push(...touches.map(({ sid }) => sid))
      return []
    }
    const touches = createTouches({ touch }, clock)
    for (let n = 0; n < 2500; n++) touches.note(used(n), 100_000, true, 1, undefined)
    await expect(touches.flush()).rejects.toThrow('broken')
    expect(written).toHaveLength(1500)
    await touches.flushOf('s1200')
    expect(written.at(-1)).toBe('s1200')
    await expect(touches.flushOf('s1500')).rejects.toThrow('broken')
    expect(touches.lastSeen(used(1500))).toBe(100_000)
    broken = false
    await touches.flush()
    expect(written).toHaveLength(2500)
    expect(new Set(written).size).toBe(2500)
  })
})
