// Webhooks on the real store and a clock that tests move: what is told, under which id, when it is tried again, and what a
// failing target does to others. And each change of a service beside the event that tells of it.

import { type EventName, events } from '@symbolon/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createWebhooks, type SendWebhook, type TargetOptions, type WebhookMessage, type Webhooks } from '#core'
import { waitAfter } from '../../src/core/webhooks.ts'
import { caller, openSetting, type Setting, signIn } from '../setting/service.ts'

let setting: Setting
beforeEach(async () => {
  setting = await openSetting()
})
afterEach(() => setting.close())

const target = (name: string, change: Partial<TargetOptions> = {}): TargetOptions => ({ name, events: [], include: [], ...change })
const taken = { ok: true, status: 200 } as const
const broken = { ok: false, fault: 'status 500' } as const

/** Webhooks whose receiver answers as it is told, and keeps what it got. */
async function open(targets: readonly TargetOptions[], answer: SendWebhook = async () => taken) {
  const got: { readonly target: string; readonly id: string; readonly type: string; readonly data: Record<string, unknown> }[] = []
  const webhooks = createWebhooks(setting.ports, targets, async (name, message: WebhookMessage) => {
    got.push({ target: name, id: message.id, ...JSON.parse(message.body) })
    return answer(name, message)
  })
  await webhooks.name()
  return { webhooks, got }
}
const always = async () => true
const turn = (webhooks: Webhooks, name = 'app') => webhooks.turn(name, always)
const user = async (email: string) => {
  const made = await setting.core.users.create({ email }, 'test')
  if (!made.ok) throw new Error(made.code)
  return made.user.id
}
const types = (got: readonly { readonly type: string }[]) => got.map(({ type }) => type)

describe('what is told', () => {
  it('is each change that has an event, in order, once', async () => {
    const { webhooks, got } = await open([target('app')])
    const { core } = setting
    const id = await user('ada@example.com')
    await core.users.change(id, { roles: ['editor'] }, 'admin')
    await core.users.bumpEpoch(id, 'admin')
    const { snapshot, credential } = await signIn(setting, 'ada@example.com')
    await core.sessions.revoke({ sid: snapshot.session.sid }, 'sign_out', { actor: id })
    const second = await signIn(setting, 'ada@example.com', 'native')
    const refresh = (one: string) => core.sessions.refresh({ credential: one, kind: 'token', background: false, caller })
    const first = await refresh(second.credential)
    setting.time += 20_000
    await refresh(second.credential)
    setting.time += 20_000
    if (first.ok) await refresh(first.credential)
    await refresh(second.credential)
    await core.users.change(id, { status: 'disabled' }, 'admin')
    await core.users.change(id, { status: 'active' }, 'admin')
    await core.clients.create({ id: 'api', name: 'API', transport: 'service' }, 'admin')
    await core.clients.change('api', { name: 'An API' }, 'admin')
    await core.clients.rotateSecret('api', 'admin')
    await core.clients.removeOldSecret('api', 'admin')
    await core.clients.bumpEpoch('api', 'admin')
    await core.keys.rotate('admin')
    const [key] = (await core.keys.list()).filter(({ state }) => state === 'retiring')
    await core.keys.revoke(key?.kid ?? '', { now: true }, 'admin')
    await signIn(setting, 'new@example.com')
    await turn(webhooks)
    expect(types(got)).toEqual([
      'user.created',
      'user.updated',
      'user.updated',
      'session.opened',
      'session.ended',
      'session.opened',
      'session.recovered',
      'session.reused',
      'user.disabled',
      'user.enabled',
      'client.created',
      ...Array.from({ length: 4 }, () => 'client.changed'),
      'key.rotated',
      'key.revoked',
      'user.created',
      'session.opened',
    ] satisfies EventName[])
    const dataOf = (at: number) => got[at]?.data
    expect(dataOf(0)).toEqual({ user_id: id, by: 'test' })
    expect([dataOf(1)?.change, dataOf(2)?.change]).toEqual(['roles', 'epoch'])
    expect(dataOf(3)).toEqual({ user_id: id, sid: snapshot.session.sid, client_id: 'app', method: 'email_otp' })
    expect(dataOf(4)).toEqual({ user_id: null, sid: snapshot.session.sid, client_id: null, reason: 'sign_out', by: id })
    expect(got.slice(11, 15).map(({ data }) => data.change)).toEqual(['settings', 'secret', 'secret', 'epoch'])
    expect(dataOf(16)).toEqual({ kid: key?.kid, by: 'admin' })
    expect(dataOf(17)).toEqual({ user_id: dataOf(18)?.user_id, by: 'sign_in' })
    // Nothing but what the table says, and nothing that opens anything or names anybody.
    for (const { type, data } of got) expect(Object.keys(data).sort()).toEqual(Object.keys(events[type as EventName].data).sort())
    const all = JSON.stringify(got)
    for (const secret of [credential, second.credential, '@', caller.ip]) expect(all).not.toContain(secret)
    await turn(webhooks)
    expect(got).toHaveLength(19)
    expect(new Set(got.map(({ id: one }) => one)).size).toBe(19)
  })

  it('is what was written with it, of every line that has an event, and of no other', async () => {
    const { webhooks, got } = await open([target('app')])
    const line = (event: string, detail = {}) => ({ event, userId: 'usr_x', sid: 'sid', clientId: 'app', ip: caller.ip, detail })
    await setting.store.audit.write([
      line('passkey.added', { passkey: 'key', by: 'usr_x', synced: true }),
      line('passkey.renamed', { passkey: 'key', by: 'usr_x' }),
      line('passkey.removed', { passkey: 'key', by: 'admin' }),
      line('passkey.counter_back', { passkey: 'key', counter: 3 }),
      line('session.key_gone'),
      line('session.evicted', { by: 'usr_x' }),
      line('session.rolled_back', { generation: 3 }),
      line('token.revoked', { by: 'app' }),
      line('key.created', { kid: 'kid', by: 'system' }),
      line('key.retired', { kid: 'kid', by: 'system' }),
      line('user.refused', { because: 'denied', method: 'email_otp' }),
      line('store.restored', { by: 'cli' }),
      line('store.restore_ended', { by: 'cli' }),
      line('constructor'),
    ])
    await turn(webhooks)
    const ofSession = { user_id: 'usr_x', sid: 'sid', client_id: 'app' }
    expect(got.map(({ type, data }) => [type, data])).toEqual([
      ['passkey.added', { user_id: 'usr_x', passkey: 'key', by: 'usr_x' }],
      ['passkey.removed', { user_id: 'usr_x', passkey: 'key', by: 'admin' }],
      ['passkey.counter_back', { user_id: 'usr_x', passkey: 'key', client_id: 'app' }],
      ['session.ended', { ...ofSession, reason: 'key_gone', by: 'system' }],
      ['session.ended', { ...ofSession, reason: 'evicted', by: 'usr_x' }],
      ['session.rolled_back', ofSession],
      ['token.revoked', { ...ofSession, by: 'app' }],
      ['key.created', { kid: 'kid', by: 'system' }],
      ['key.retired', { kid: 'kid', by: 'system' }],
      ['user.refused', { client_id: 'app', because: 'denied' }],
      ['store.restored', { by: 'cli' }],
    ])
  })

  it('holds addresses only for a target that asks for them', async () => {
    const { webhooks, got } = await open([
      target('app'),
      target('crm', { include: ['email', 'ip'], events: ['user.created', 'session.opened'] }),
    ])
    await signIn(setting, 'ada@example.com')
    await setting.core.keys.rotate('admin')
    await turn(webhooks, 'crm')
    expect(got.map(({ type, data }) => [type, data.email, data.ip])).toEqual([
      ['user.created', 'ada@example.com', caller.ip],
      ['session.opened', 'ada@example.com', caller.ip],
    ])
    await turn(webhooks)
    expect(JSON.stringify(got.slice(2))).not.toMatch(/ada|192\.0\.2/)
  })

  it('holds nothing of what was before the target was named, and of what was refused', async () => {
    await user('ada@example.com')
    const { webhooks, got } = await open([target('app')])
    expect(await setting.core.users.create({ email: 'ada@example.com' }, 'test')).toMatchObject({ ok: false })
    await turn(webhooks)
    expect(got).toEqual([])
  })
})

describe('a delivery', () => {
  it('has the same id each time and for each target, and another one than any other', async () => {
    let well = false
    const { webhooks, got } = await open([target('app'), target('crm')], async () => (well ? taken : broken))
    await user('ada@example.com')
    await turn(webhooks)
    setting.time += 10_000
    well = true
    await turn(webhooks)
    await turn(webhooks, 'crm')
    await user('bob@example.com')
    await turn(webhooks)
    expect(got.map(({ target: name }) => name)).toEqual(['app', 'app', 'crm', 'app'])
    const ids = got.map(({ id }) => id)
    expect(ids[0]).toMatch(/^evt_[\w-]{22}$/)
    expect([ids[1], ids[2]]).toEqual([ids[0], ids[0]])
    expect(ids[3]).not.toBe(ids[0])
  })

  it('is sent again when the process ended before it was noted, and is not when it was', async () => {
    let sent = 0
    const { webhooks, got } = await open([target('app')])
    await user('ada@example.com')
    setting.at = (step) => {
      if (step === 'webhook.sent' && sent++ === 0) throw new Error('crash')
    }
    await expect(turn(webhooks)).rejects.toThrow('crash')
    await turn(webhooks)
    await turn(webhooks)
    expect(got).toHaveLength(2)
    expect(got[0]?.id).toBe(got[1]?.id)
  })

  it('that fails lets others go before it once the target is tried again, and never holds another target', async () => {
    let poison = ''
    const { webhooks, got } = await open([target('app'), target('crm')], async (name, { body }) =>
      name === 'app' && body.includes(poison) ? broken : taken,
    )
    poison = await user('ada@example.com')
    const rest = [await user('bob@example.com'), await user('eve@example.com')]
    await turn(webhooks)
    await turn(webhooks, 'crm')
    expect(got.map(({ target: name, data }) => [name, data.user_id])).toEqual([
      ['app', poison],
      ['crm', poison],
      ['crm', rest[0]],
      ['crm', rest[1]],
    ])
    expect(await webhooks.due()).toEqual([])
    setting.time += 7000
    await turn(webhooks)
    expect(got.slice(4).map(({ data }) => data.user_id)).toEqual([...rest, poison])
  })

  it('is parked after three days, and sent again when an operator asks', async () => {
    let well = false
    const { webhooks, got } = await open([target('app')], async () => (well ? taken : broken))
    await user('ada@example.com')
    let tries = 0
    const began = setting.time
    for (;;) {
      await turn(webhooks)
      tries = got.length
      const [state] = await webhooks.list()
      if (state?.parked === 1) break
      setting.time += 30_000
      if (setting.time - began > 80 * 3_600_000) throw new Error('never parked')
    }
    expect(setting.time - began).toBeGreaterThanOrEqual(72 * 3_600_000)
    expect(setting.time - began).toBeLessThan(74 * 3_600_000)
    // Seven in the first hour and a half, then about one an hour.
    expect(tries).toBeGreaterThan(55)
    expect(tries).toBeLessThan(110)
    expect(setting.events.filter(({ event }) => event === 'webhook.parked')).toMatchObject([{ target: 'app', count: 1 }])
    well = true
    await turn(webhooks)
    expect(got).toHaveLength(tries)
    expect(await webhooks.retry('app')).toBe(1)
    await turn(webhooks)
    expect(got).toHaveLength(tries + 1)
    expect(await webhooks.list()).toMatchObject([{ name: 'app', configured: true, waiting: 0, parked: 0, failures: 0 }])
    expect(await webhooks.retry('nobody')).toBeUndefined()
  })

  it('waits as long as it is asked to, within an hour', async () => {
    let retryAfter = 600_000
    const { webhooks } = await open([target('app')], async () => ({ ...broken, retryAfter }))
    await user('ada@example.com')
    await turn(webhooks)
    expect((await webhooks.list())[0]?.retryAt).toBe(setting.time + 600_000)
    setting.time += 600_000
    retryAfter = 86_400_000
    await turn(webhooks)
    expect((await webhooks.list())[0]?.retryAt).toBe(setting.time + 3_600_000)
  })

  it('that was given up counts as none, and a turn ends when it may not go on', async () => {
    let answer: Awaited<ReturnType<SendWebhook>> = 'stopped'
    const { webhooks, got } = await open([target('app')], async () => answer)
    await user('ada@example.com')
    await user('bob@example.com')
    await turn(webhooks)
    expect([got.length, (await webhooks.list())[0]?.failures]).toEqual([1, 0])
    answer = taken
    let may = 1
    await webhooks.turn('app', async () => may-- > 0)
    expect([got.length, (await webhooks.list())[0]?.waiting]).toEqual([2, 1])
  })

  it('to try a target tells of nothing, and waits for nothing', async () => {
    const { webhooks, got } = await open([target('app')])
    expect(await webhooks.test('app')).toEqual(taken)
    expect(await webhooks.test('nobody')).toBeUndefined()
    expect(got).toMatchObject([{ type: 'webhook.test', data: { target: 'app' } }])
    expect((await webhooks.list())[0]?.waiting).toBe(0)
  })
})

it.each([
  [0, 5_000],
  [1, 15_000],
  [2, 60_000],
  [3, 180_000],
  [4, 600_000],
  [5, 1_800_000],
  [6, 3_600_000],
  [7, 3_600_000],
  [1000, 3_600_000],
])('waits after %i failed tries about %i ms', (tries, wait) => {
  expect(waitAfter(tries, () => 0)).toBe(wait * 0.75)
  expect(waitAfter(tries, () => 500)).toBe(wait)
  expect(waitAfter(tries, (below) => below - 1)).toBe(wait * 1.25)
})
