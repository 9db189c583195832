// The source in the service's own process: a live answer is what the store says now, about people and about services.

import type { AccessTokenClaims } from '@symbolon/protocol'
import type { LiveQuestion, Source } from '@symbolon/verifier'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createSource } from '../../src/embed/source.ts'
import { browser, caller, issuer, openSetting, type Setting, signIn } from '../setting/service.ts'

let setting: Setting
let source: Source
beforeEach(async () => {
  setting = await openSetting()
  await setting.core.clients.create({ id: 'jobs', name: 'Jobs', transport: 'service', scopes: ['a', 'b'] }, 'test')
  source = createSource({
    audience: issuer,
    core: () => setting.core,
    store: () => setting.store,
    onRevoked: (apply) => setting.store.onRevocations(apply),
    ready: async () => {},
    opened: () => true,
  })
})
afterEach(() => setting.close())

const said = async (question: LiveQuestion) => {
  const answer = await source.check(question)
  return !answer.active ? answer.code : 'client' in answer ? answer.client : answer.session
}
const jobs = async () => {
  const client = await setting.core.clients.find('jobs')
  if (client === undefined) throw new Error('no client')
  return client
}
/** A service's own token, by its claims as a guard has verified them. */
const granted = async (): Promise<LiveQuestion & { readonly by: 'token' }> => {
  const grant = await setting.core.oauth.grant(await jobs(), { scope: 'a', audience: undefined })
  if (!grant.ok) throw new Error(grant.error)
  const verified = await setting.core.tokens.verify(grant.accessToken)
  if (!verified.ok) throw new Error(verified.code)
  return { by: 'token', token: grant.accessToken, claims: verified.claims }
}

it.each<[string, (question: { readonly token: string }) => Promise<unknown>, string]>([
  ['its epoch grew', () => setting.core.clients.bumpEpoch('jobs', 'test'), 'claims_stale'],
  ['it was disabled', () => setting.core.clients.change('jobs', { status: 'disabled' }, 'test'), 'token_revoked'],
  ['this token was revoked', async ({ token }) => setting.core.tokens.revoke(token, await jobs(), caller), 'token_revoked'],
])('a service is known until %s', async (_, change, code) => {
  const question = await granted()
  expect(await said(question)).toEqual({ clientId: 'jobs', clientEpoch: 1, scope: ['a'] })
  await change(question)
  expect(await said(question)).toBe(code)
})

it('a service’s claims with another’s name, or with a session, are nobody’s', async () => {
  const question = await granted()
  for (const change of [{ sub: 'other' }, { client_id: 'other' }])
    expect(await said({ ...question, claims: { ...question.claims, ...change } })).toBe('invalid_token')
})

it.each<[string, (sid: string, sub: string) => Promise<unknown>, string]>([
  ['its session ends', (sid) => setting.core.sessions.revoke({ sid }, 'admin', { actor: 'test' }), 'session_revoked'],
  ['its roles change', (_, id) => setting.core.users.change(id, { roles: ['x'] }, 'test'), 'claims_stale'],
])('a person’s token is good until %s; the cookie says what is so now', async (_, change, code) => {
  const { credential, snapshot } = await signIn(setting)
  const { sid } = snapshot.session
  const outcome = await setting.core.sessions.refresh({ credential, kind: 'cookie', background: true, caller })
  if (!outcome.ok) throw new Error(outcome.code)
  const { accessToken: token, claims } = outcome.minted as { readonly accessToken: string; readonly claims: AccessTokenClaims }
  expect(await said({ by: 'token', token, claims })).toMatchObject({ sid, epoch: 1, roles: [] })
  await change(sid, snapshot.user.id)
  expect(await said({ by: 'token', token, claims })).toBe(code)
  const byCookie = await said({ by: 'cookie', credential })
  if (code === 'claims_stale') expect(byCookie).toMatchObject({ sid, epoch: 2, roles: ['x'] })
  else expect(byCookie).toBe(code)
})

it.each<[string, boolean, (credential: string) => unknown]>([
  ['a check', true, (credential) => source.check({ by: 'cookie', credential })],
  ['a token for a page', true, (credential) => source.mint?.(credential)],
  ['a question that nobody’s request asks', false, (credential) => source.check({ by: 'cookie', credential, background: true })],
])('%s is activity: %s', async (_, is, ask) => {
  const { credential } = await signIn(setting)
  setting.time += 13 * 86_400_000
  expect(await ask(credential)).toMatchObject({ session: { roles: [] } })
  await setting.core.sessions.flush()
  setting.time += 2 * 86_400_000
  const left = await said({ by: 'cookie', credential })
  if (is) expect(left).toMatchObject({ roles: [] })
  else expect(left).toBe('session_expired')
})

it('says what a session proves now: after a step-up, and when that is over', async () => {
  const { credential, snapshot } = await signIn(setting)
  const step = { credential, kind: 'cookie', method: null, need: {}, action: null, browser, device: null, caller } as const
  const started = await setting.core.login.stepUp(step)
  const last = setting.sent.at(-1)
  if (!started.ok || last?.kind !== 'code') throw new Error('no code')
  setting.time += 60_000
  const taken = { loginId: started.loginId, code: last.code, browser, device: null, replaces: credential, caller }
  const after = await setting.core.login.verify(taken)
  if (!after.ok || 'state' in after) throw new Error('not raised')
  const [first, second] = [snapshot.session.authTime, setting.time].map((ms) => Math.floor(ms / 1000))
  expect(second).toBe((first as number) + 60)
  expect(await said({ by: 'cookie', credential })).toBe('session_superseded')
  expect(await said({ by: 'cookie', credential: after.credential })).toMatchObject({ authTime: second, acr: 'urn:symbolon:acr:email' })
})
