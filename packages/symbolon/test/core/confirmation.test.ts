// What shows once that a person confirmed one act: for this act and session, once, and for two minutes.

import { describe, expect, it } from 'vitest'
import type { Action } from '#core'
import { browser, signIn } from '../setting/service.ts'
import { email, steppingUp } from '../setting/stepping-up.ts'

const stage = steppingUp()
const { at, begin, raised } = stage

describe('a confirmation', () => {
  const act: Action = { type: 'transfer', text: 'Pay 20 € to Bob', parameters: { to: 'bob', amount: '20.00' } }
  const confirmed = async (action = act, clientId = 'app') => {
    const before = await signIn(stage.setting, 'ada@example.com', clientId)
    const kind = clientId === 'app' ? 'cookie' : 'token'
    const { loginId, code } = await begin(before, kind, { action })
    const view = await stage.setting.core.login.view(loginId, kind === 'cookie' ? browser : null)
    expect(view).toMatchObject({ ok: true, purpose: 'step_up', action })
    const after = await raised(loginId, { code }, before.credential)
    return { after, sid: after.snapshot.session.sid, text: after.confirmation?.text ?? '' }
  }
  const consume = (confirmation: string, sid: string, action: Action) =>
    stage.setting.core.confirmations.consume({ confirmation, sid, action }, null)
  const refused = { ok: false, code: 'confirmation_refused' }

  it('can be used once, for this act, whatever the order of its parameters', async () => {
    const { text, sid, after } = await confirmed()
    const turned = { ...act, parameters: { amount: '20.00', to: 'bob' } }
    const all = await Promise.all(Array.from({ length: 10 }, () => consume(text, sid, turned)))
    expect(all.filter(({ ok }) => ok)).toEqual([
      { ok: true, sid, userId: after.snapshot.user.id, clientId: 'app', acr: email, action: turned },
    ])
    await stage.setting.restart()
    expect(await consume(text, sid, act)).toEqual(refused)
    expect(await stage.setting.core.audit.list({ userId: after.snapshot.user.id }, 1)).toMatchObject([
      { event: 'session.confirmed', sid, detail: { action: 'transfer' } },
    ])
  })

  it('fits no other act, no other session, and is used up by neither', async () => {
    const { text, sid } = await confirmed()
    const other = await confirmed({ ...act, text: 'Something else' })
    for (const changed of [
      { ...act, type: 'payment' },
      { ...act, text: 'Pay 2000 € to Bob' },
      { ...act, parameters: { ...act.parameters, amount: '2000.00' } },
      { ...act, parameters: { to: 'bob' } },
      { ...act, parameters: { ...act.parameters, note: 'x' } },
    ])
      expect(await consume(text, sid, changed)).toEqual(refused)
    expect(await consume(text, other.sid, act)).toEqual(refused)
    expect(await consume(text.replace(sid, other.sid), other.sid, act)).toEqual(refused)
    expect(await consume(other.text, sid, act)).toEqual(refused)
    const [head, expires] = [text.split('.')[0], Number(text.split('.')[1])]
    expect(await consume(text.replace(`${head}.${expires}`, `${head}.${expires + 100}`), sid, act)).toEqual(refused)
    expect(await consume(text, sid, act)).toMatchObject({ ok: true })
  })

  it('is over with its time, and with its session', async () => {
    const late = await confirmed()
    stage.setting.time += 119_000
    expect(await consume(late.text, late.sid, act)).toMatchObject({ ok: true })
    const over = await confirmed()
    stage.setting.time += 120_000
    expect(await consume(over.text, over.sid, act)).toEqual(refused)
    const ended = await confirmed()
    await stage.setting.core.sessions.revoke({ sid: ended.sid }, 'sign_out', { actor: 'test' })
    expect(await consume(ended.text, ended.sid, act)).toEqual(refused)
  })

  it('is told to a client that owns the audience, and to no other', async () => {
    const make = async (id: string, audiences: string[]) => {
      const made = await stage.setting.core.clients.create({ id, name: id, transport: 'service', audiences }, 'test')
      if (!made.ok) throw new Error(made.code)
      return made.client
    }
    const owner = await make('api', [stage.setting.options.audience])
    const stranger = await make('other', ['https://other.example'])
    const { text, sid } = await confirmed()
    const input = { confirmation: text, sid, action: act }
    expect(await stage.setting.core.confirmations.consume(input, stranger)).toEqual(refused)
    expect(await stage.setting.core.confirmations.consume(input, owner)).toMatchObject({ ok: true })
  })

  it('comes for no act that could be shown as another, and without an act not at all', async () => {
    const before = await signIn(stage.setting)
    for (const bad of [
      { ...act, type: 'Transfer!' },
      { ...act, text: 'Pay 20\u202e to Bob' },
      { ...act, text: 'x'.repeat(201) },
      { ...act, parameters: { to: 'bob\nand 1000 to Eve' } },
      { ...act, parameters: { '__proto__ ': 'x' } },
      // Shown as nothing, or all as the same sign.
      { ...act, parameters: { amount: '20\u3164000' } },
      { ...act, text: 'Pay 20\u115f' },
      { ...act, parameters: { to: 'bob\ud800' } },
    ])
      expect(await at(before, 'cookie', { action: bad })).toMatchObject({ ok: false, code: 'invalid_request' })
    for (const good of [
      { ...act, text: 'Send \u2764\ufe0f to Zo\u00eb \ud83d\ude00' },
      { ...act, text: 'שלח 20 ₪' },
    ])
      expect(await at(before, 'cookie', { action: good })).toMatchObject({ ok: true })
    const { loginId, code } = await begin(before, 'cookie')
    expect((await raised(loginId, { code }, before.credential)).confirmation).toBeUndefined()
  })
})
