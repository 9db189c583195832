// A person's own account over real HTTP: what they are told of it, and what nobody else is.

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Browser, createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
beforeAll(async () => {
  service = await startService({
    clients: [
      { id: 'app', name: 'App', transport: 'cookie' },
      { id: 'native', name: 'Native', transport: 'native' },
    ],
    budgets: { startPerAddress: { limit: 10_000, window: '1h' }, verifyPerAddress: { limit: 10_000, window: '1h' } },
  })
})
afterAll(() => service.close())

const person = () => `a${randomBytes(6).toString('hex')}@example.com`
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
async function signedIn(email = person()): Promise<Browser> {
  const one = createBrowser(service.origin)
  const asked = { ...one, fetch: (path: string, init = {}) => one.fetch(path, { ...init, headers: { 'user-agent': firefox } }) }
  expect((await signInOver(asked, '', email)).status).toBe(200)
  return one
}
const post = (path: string, json: unknown) =>
  fetch(service.origin + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(json) })
/** Signs in at a client without cookies. */
async function native(email: string) {
  const asked = { method: 'email_otp', identifier: email, client_id: 'native' }
  const { login_id } = (await (await post('/v1/login/start', asked)).json()) as { login_id: string }
  const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; text: string }[]
  const code = /\b\d{6}\b/.exec(outbox.filter((mail) => mail.to === email).at(-1)?.text ?? '')?.[0]
  return (await (await post('/v1/login/verify', { login_id, code })).json()) as { access_token: string; refresh_token: string }
}
const code = async (response: Response) => ((await response.json()) as { code?: string }).code
const userOf = async (email: string) => {
  const user = await service.auth.users.find({ email })
  if (user === undefined) throw new Error('no user')
  return user
}
type Told = { type: string; timestamp: string; data: Record<string, unknown>; device: string | null }
const told = async (one: Browser) => ((await (await one.fetch('/v1/account/events')).json()) as { events: Told[] }).events

describe('recent events', () => {
  it('tells the owner what happened, newest first, with the place it came from', async () => {
    const email = person()
    const one = await signedIn(email)
    const { id } = await userOf(email)
    await service.auth.users.change(id, { roles: ['editor'] }, 'eve@operators.example')
    const events = await told(one)
    expect(events.map(({ type }) => type)).toEqual(['user.updated', 'session.opened', 'user.created'])
    // Which operator it was is not the owner's business.
    expect(events[0]).toMatchObject({ data: { user_id: id, change: 'roles', by: 'admin', ip: null }, device: null })
    expect(events[1]).toMatchObject({
      timestamp: expect.stringMatching(/Z$/),
      data: { user_id: id, client_id: 'app', method: 'email_otp', ip: expect.stringMatching(/^(127\.0\.0\.1|::1)$/) },
      device: 'Firefox on Linux',
    })
    expect(JSON.stringify(events)).not.toContain('example')
  })

  it('tells nobody of anybody else, and nobody without a session', async () => {
    const [mine, theirs] = [person(), person()]
    const one = await signedIn(mine)
    await signedIn(theirs)
    const other = (await userOf(theirs)).id
    expect(JSON.stringify(await told(one))).not.toContain(other)
    expect(await code(await createBrowser(service.origin).fetch('/v1/account/events'))).toBe('missing_credential')
  })

  it('tells at most fifty, and a client without cookies too', async () => {
    const email = person()
    const { access_token } = await native(email)
    const { id } = await userOf(email)
    for (let n = 0; n < 60; n++) await service.auth.users.change(id, { roles: [`r${n}`] }, 'cli')
    // Each change made that token stale.
    const stale = await fetch(`${service.origin}/v1/account/events`, { headers: { authorization: `Bearer ${access_token}` } })
    expect(await code(stale)).toBe('claims_stale')
    const fresh = (await native(email)).access_token
    const answer = await fetch(`${service.origin}/v1/account/events`, { headers: { authorization: `Bearer ${fresh}` } })
    const { events } = (await answer.json()) as { events: Told[] }
    expect(events).toHaveLength(50)
    expect(events[0]).toMatchObject({ type: 'session.opened' })
    expect(events[1]).toMatchObject({ type: 'user.updated', data: { by: 'cli', ip: null } })
  })
})
