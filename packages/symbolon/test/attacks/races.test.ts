// One proof shown fifty times at once, and ways of one sign-in raced against each other, over HTTP on both stores: one of them
// counts, nobody is signed out, and what was deleted meanwhile leaves nothing behind.

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'
import { createAuthenticator } from '../setting/authenticator.ts'
import { type Browser, createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

let server: Postgres
beforeAll(async () => {
  server = await startPostgres(['fsync=off'])
})
afterAll(() => server.stop())

const many = 50
const at = <T>(count: number, run: (n: number) => Promise<T>) => Promise.all(Array.from({ length: count }, (_, n) => run(n)))
const statuses = (answers: readonly Response[]) => answers.map(({ status }) => status).filter((status) => status < 300)

describe.each(['sqlite', 'postgres'] as const)('on %s', (kind) => {
  let service: TestService
  let apiSecret = ''
  beforeAll(async () => {
    const wide = { limit: 100_000, window: '1h' }
    service = await startService({
      clients: [
        { id: 'app', name: 'App', transport: 'cookie' },
        { id: 'native', name: 'Native', transport: 'native' },
        { id: 'firm', name: 'Firm', transport: 'cookie', policy: { acr: 'urn:symbolon:acr:passkey', enrol: 'required' } },
      ],
      budgets: { startPerAddress: wide, verifyPerAddress: wide, startPerAccount: wide, verifyPerAccount: wide, secretPerAddress: wide },
      ...(kind === 'postgres' && { database: { url: server.url(await server.create()) } }),
    })
    const made = await service.auth.clients.create({ id: 'api', name: 'API', transport: 'service', audiences: [service.origin] }, 'test')
    apiSecret = made.ok ? (made.secret ?? '') : ''
  })
  afterAll(() => service.close())

  const person = () => `p${randomBytes(6).toString('hex')}@example.com`
  const browser = () => createBrowser(service.origin)
  const post = (one: Browser, path: string, json: unknown = {}) => one.fetch(path, { method: 'POST', json })
  /** The newest code and link for somebody. */
  const mail = async (to: string) => {
    const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; subject: string; text: string }[]
    const text = outbox.filter((one) => one.to === to && /^\d{6} /.test(one.subject)).at(-1)?.text ?? ''
    return { code: /\b\d{6}\b/.exec(text)?.[0] ?? '', link: /^http\S+token=(\S+)$/m.exec(text)?.[1] ?? '' }
  }
  const begin = async (one: Browser, identifier: string, client_id = 'app') => {
    const started = await post(one, '/v1/login/start', { method: 'email_otp', identifier, client_id })
    return ((await started.json()) as { login_id: string }).login_id
  }
  const sessionsOf = async (email: string) => {
    const user = await service.auth.users.find({ email })
    return user === undefined ? [] : (await service.auth.sessions.list(user.id)).sessions
  }
  async function signedIn(email = person()) {
    const one = browser()
    expect((await signInOver(one, '', email)).status).toBe(200)
    return one
  }
  /** The same browser, once more: a copy of its cookies, so that racing answers do not overwrite each other's. */
  const copyOf = (one: Browser) => {
    const copy = browser()
    for (const [name, value] of one.jar) copy.jar.set(name, value)
    return copy
  }
  type Asked = { login_id: string; challenge: { public_key: { challenge: string; user: { id: string } } } }
  async function withPasskey(email = person()) {
    const one = await signedIn(email)
    const by = createAuthenticator(service.origin)
    const { registration_id, public_key } = (await (await post(one, '/v1/account/passkeys/start')).json()) as {
      registration_id: string
      public_key: { challenge: string }
    }
    expect((await post(one, '/v1/account/passkeys/finish', { registration_id, response: by.create(public_key) })).status).toBe(201)
    return { one, by, email }
  }
  const ask = async (one: Browser, more: object = { client_id: 'app' }) =>
    (await (await post(one, '/v1/login/start', { method: 'passkey', ...more })).json()) as Asked

  it('a code opens one session', async () => {
    const [one, email] = [browser(), person()]
    const login_id = await begin(one, email)
    const { code } = await mail(email)
    const answers = await at(many, () => post(copyOf(one), '/v1/login/verify', { login_id, code }))
    // Whoever is refused in time hears nothing of what their call did, the winner as well.
    const inTime = answers.filter(({ status }) => status !== 503)
    expect(statuses(inTime).length).toBeLessThanOrEqual(1)
    for (const { status } of inTime) expect([200, 401]).toContain(status)
    await expect.poll(() => sessionsOf(email)).toHaveLength(1)
    const verify = async () => (await post(copyOf(one), '/v1/login/verify', { login_id, code })).status
    let again = await verify()
    for (let turn = 0; turn < 50 && again === 503; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 200))
      again = await verify()
    }
    expect(again).toBe(401)
    expect(await sessionsOf(email)).toHaveLength(1)
  })

  it('an assertion of a client whose name cannot be one is nobody’s, and holds up nobody beside it', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const odd = () =>
      fetch(`${service.origin}/oauth/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: `${part({ alg: 'ES256', kid: 'x' })}.${part({ iss: '\u0000', sub: '\u0000', jti: randomBytes(6).toString('hex') })}.eA`,
        }),
      })
    const people = Array.from({ length: 5 }, () => [browser(), person()] as const)
    const [odds, starts] = await Promise.all([at(20, odd), Promise.all(people.map(([one, email]) => begin(one, email)))])
    expect([...new Set(odds.map(({ status }) => status))]).toEqual([401])
    expect(starts.every((login_id) => login_id !== undefined)).toBe(true)
  })

  it('a code, its link and a new mail at once open one session at most, and leave a way in', async () => {
    for (let turn = 0; turn < 5; turn++) {
      const [one, email] = [browser(), person()]
      const login_id = await begin(one, email)
      const { code, link } = await mail(email)
      await one.fetch(`/login/link?token=${link}`)
      const page = await (await one.fetch('/login/link')).text()
      const form_token = /name="form_token" value="([^"]+)"/.exec(page)?.[1] ?? ''
      const press = () => copyOf(one).fetch('/login/link', { method: 'POST', body: new URLSearchParams({ form_token }) })
      await at(30, (n) =>
        n % 3 === 0
          ? press()
          : n % 3 === 1
            ? post(copyOf(one), '/v1/login/verify', { login_id, code })
            : post(copyOf(one), '/v1/login/resend', { login_id }),
      )
      expect(await sessionsOf(email)).toHaveLength(1)
    }
  })

  it('what a passkey signed opens one session', async () => {
    const { by, email } = await withPasskey()
    const before = (await sessionsOf(email)).length
    const one = browser()
    const { login_id, challenge } = await ask(one)
    const response = by.get(challenge.public_key)
    const answers = await at(many, () => post(copyOf(one), '/v1/login/verify', { login_id, response }))
    expect(statuses(answers)).toEqual([200])
    expect(await sessionsOf(email)).toHaveLength(before + 1)
  })

  it.each(['code', 'passkey'])('a step-up by %s raises once, and ends nobody’s session', async (way) => {
    const { one, by, email } = await withPasskey()
    const sessions = (await sessionsOf(email)).map(({ sid }) => sid)
    const started = await post(one, '/v1/login/start', { purpose: 'step_up', method: way === 'code' ? 'email_otp' : 'passkey' })
    const { login_id, challenge } = (await started.json()) as Asked
    const proof = way === 'code' ? { code: (await mail(email)).code } : { response: by.get(challenge.public_key) }
    const copies = Array.from({ length: many }, () => copyOf(one))
    const answers = await Promise.all(copies.map((copy) => post(copy, '/v1/login/verify', { login_id, ...proof })))
    expect(statuses(answers)).toEqual([200])
    const winner = copies[answers.findIndex(({ status }) => status === 200)] as Browser
    expect((await winner.fetch('/v1/session')).status).toBe(200)
    expect((await sessionsOf(email)).map(({ sid }) => sid)).toEqual(sessions)
    // Nor on another session of the same person.
    const other = await signedIn(email)
    expect((await post(other, '/v1/login/verify', { login_id, ...proof })).status).toBe(401)
  })

  it('a confirmation is taken once', async () => {
    const [email, action] = [person(), { type: 'pay', text: 'Pay 20 €', parameters: { to: 'bob' } }]
    const one = await signedIn(email)
    const started = await post(one, '/v1/login/start', { purpose: 'step_up', method: 'email_otp', action })
    const { login_id } = (await started.json()) as Asked
    const verified = await post(one, '/v1/login/verify', { login_id, code: (await mail(email)).code })
    const { confirmation, session } = (await verified.json()) as { confirmation: { value: string }; session: { sid: string } }
    const take = (text = confirmation.value, act: object = action, sid = session.sid) =>
      fetch(`${service.origin}/v1/session/confirmations/consume`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Basic ${btoa(`api:${apiSecret}`)}` },
        body: JSON.stringify({ confirmation: text, sid, action: act }),
      })
    // What does not fit uses nothing up.
    const other = (await sessionsOf((await withPasskey()).email))[0]?.sid ?? ''
    expect((await take(confirmation.value, action, other)).status).toBe(403)
    for (const bent of [
      { ...action, text: 'Pay 200 €' },
      { ...action, parameters: { to: 'bob', constructor: 'x' } },
      { ...action, parameters: { To: 'bob' } },
    ])
      expect((await take(confirmation.value, bent)).status).toBe(403)
    expect((await take(confirmation.value.toUpperCase())).status).toBe(403)
    expect(statuses(await at(many, () => take()))).toEqual([200])
    expect((await take()).status).toBe(403)
  })

  it('a passkey that is made on the way is stored once, with one session', async () => {
    const [one, email] = [browser(), person()]
    const login_id = await begin(one, email, 'firm')
    const step = await post(one, '/v1/login/verify', { login_id, code: (await mail(email)).code })
    const { challenge } = (await step.json()) as Asked
    const answers = await at(20, () =>
      post(copyOf(one), '/v1/login/verify', { login_id, response: createAuthenticator(service.origin).create(challenge.public_key) }),
    )
    expect(statuses(answers)).toEqual([200])
    const user = await service.auth.users.find({ email })
    expect((await service.auth.passkeys.list(user?.id ?? '')).passkeys).toHaveLength(1)
    expect(await sessionsOf(email)).toHaveLength(1)
  })

  it('a deletion among everything else leaves nothing of the person behind', async () => {
    for (let turn = 0; turn < 6; turn++) {
      const { one, by, email } = await withPasskey()
      const user = await service.auth.users.find({ email })
      const id = user?.id ?? ''
      // Where a client wants more than a mail, an account goes by a passkey.
      const other = browser()
      const asked = await ask(other)
      expect(
        (await post(other, '/v1/login/verify', { login_id: asked.login_id, response: by.get(asked.challenge.public_key) })).status,
      ).toBe(200)
      const enrol = (await (await post(other, '/v1/account/passkeys/start')).json()) as {
        registration_id: string
        public_key: { challenge: string }
      }
      const stepUp = await ask(one, { purpose: 'step_up' })
      const anew = browser()
      const signIn = await ask(anew)
      const proofs: (() => Promise<Response>)[] = [
        () => post(copyOf(one), '/v1/login/verify', { login_id: stepUp.login_id, response: by.get(stepUp.challenge.public_key) }),
        () => post(copyOf(anew), '/v1/login/verify', { login_id: signIn.login_id, response: by.get(signIn.challenge.public_key) }),
        () => post(copyOf(other), '/v1/session/token'),
        () => post(copyOf(other), '/v1/account/passkeys/start'),
        () => copyOf(other).fetch('/v1/account/export'),
        () => {
          const response = createAuthenticator(service.origin).create(enrol.public_key)
          return post(copyOf(other), '/v1/account/passkeys/finish', { registration_id: enrol.registration_id, response })
        },
      ]
      proofs.splice(turn, 0, () => copyOf(other).fetch('/v1/account', { method: 'DELETE' }))
      const answers = await Promise.all(proofs.map((run) => run()))
      expect(answers.filter(({ status }) => status >= 500).map(({ status, url }) => [status, url])).toEqual([])
      expect(answers[turn]?.status).toBe(204)
      expect(await service.auth.users.find({ id })).toBeUndefined()
      expect((await service.auth.sessions.list(id)).sessions).toEqual([])
      expect(await service.auth.passkeys.list(id)).toEqual({ handle: null, passkeys: [] })
      for (const copy of [one, other]) expect((await copy.fetch('/v1/session')).status).toBe(401)
      const again = await ask(anew)
      expect(
        (await post(anew, '/v1/login/verify', { login_id: again.login_id, response: by.get(again.challenge.public_key) })).status,
      ).toBe(401)
      // Whoever has the address next is somebody else, and inherits nothing.
      const next = await signedIn(email)
      const session = (await (await next.fetch('/v1/session')).json()) as { user: { id: string } }
      expect(session.user.id).not.toBe(id)
      expect(((await (await next.fetch('/v1/sessions')).json()) as { sessions: unknown[] }).sessions).toHaveLength(1)
      expect(((await (await next.fetch('/v1/account/passkeys')).json()) as { passkeys: unknown[] }).passkeys).toEqual([])
      const { events } = (await (await next.fetch('/v1/account/events')).json()) as { events: { type: string }[] }
      expect(events.map(({ type }) => type).sort()).toEqual(['session.opened', 'user.created'])
    }
  })
})
