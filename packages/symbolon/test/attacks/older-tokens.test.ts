// An access token that was there before a step-up proves what it did and no more: whoever copied one must not gain by what its
// owner proves afterwards, neither their data nor their account (docs/step-up.md).

import { afterEach, beforeEach, expect, it } from 'vitest'
import { handlerOf } from '../setting/handler.ts'
import { caller, issuer, openSetting, type Setting, signIn } from '../setting/service.ts'

let setting: Setting
let call: (method: string, path: string, token: string) => Promise<Response>
beforeEach(async () => {
  setting = await openSetting()
  const handler = handlerOf(setting)
  call = (method, path, token) =>
    handler(new Request(issuer + path, { method, headers: { authorization: `Bearer ${token}` } }), { ip: '192.0.2.1' })
})
afterEach(() => setting.close())

it.each([
  ['GET', '/v1/account/export', 200],
  ['DELETE', '/v1/account', 204],
] as const)('%s %s takes the token of who has just stepped up, and none from before', async (method, path, done) => {
  const { core } = setting
  const first = await signIn(setting, 'ada@example.com', 'native')
  setting.time += 600_000
  const refreshed = await core.sessions.refresh({ credential: first.credential, kind: 'token', background: false, caller })
  if (!refreshed.ok) throw new Error(refreshed.code)
  const before = refreshed.minted.accessToken
  const refused = async (token: string) => {
    const answer = await call(method, path, token)
    expect(answer.status).toBe(401)
    expect(await answer.json()).toMatchObject({ code: 'step_up_required' })
    expect(answer.headers.get('www-authenticate')).toContain('max_age="300"')
  }
  await refused(before)

  const started = await core.login.stepUp({
    ...{ credential: refreshed.credential, kind: 'token', method: null, need: {}, action: null, browser: null, device: null, caller },
  })
  if (!started.ok) throw new Error(started.code)
  const sent = setting.sent.at(-1)
  const code = sent?.kind === 'code' ? sent.code : ''
  const raised = await core.login.verify({ loginId: started.loginId, code, browser: null, device: null, replaces: null, caller })
  if (!raised.ok || 'state' in raised) throw new Error('not raised')

  // It is alive, and as old as it was.
  const seen = (await (await call('GET', '/v1/session', before)).json()) as { auth_time: string }
  expect(Date.parse(seen.auth_time)).toBeLessThanOrEqual(setting.time - 600_000)
  await refused(before)
  expect((await call(method, path, raised.minted?.accessToken ?? '')).status).toBe(done)
})
