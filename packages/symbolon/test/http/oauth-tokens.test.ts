// What becomes of tokens over HTTP: whose they are, who is told about them, one by one and many at once, and how they end.

import { createVerifier } from '@symbolon/verifier'
import { describe, expect, it } from 'vitest'
import { createBrowser, signInOver } from '../setting/browser.ts'
import { json, setOAuth } from '../setting/oauth.ts'

const set = setOAuth()
const { form, assertion, byAssertion, grantTo, introspect, batch, basic, admin, secrets } = set

describe('tokens of clients and of people', () => {
  it('never stand in for each other', async () => {
    const { access_token: token } = await grantTo('reports')
    const verifier = createVerifier({ issuer: set.service.origin, clientId: 'api', clientSecret: secrets.api as string })
    const ask = async (guard: ReturnType<typeof verifier.guard>, bearer: string) => {
      const result = await guard({ method: 'GET', url: '/', header: (name) => (name === 'authorization' ? `Bearer ${bearer}` : undefined) })
      return result.ok ? result.auth?.kind : (JSON.parse(result.body) as { code: string }).code
    }
    try {
      expect(await ask(verifier.guard('token', { subject: 'client', scope: 'reports:read' }), token)).toBe('client')
      expect(await ask(verifier.guard('token'), token)).toBe('session_required')
      expect(await ask(verifier.guard('session'), token)).toBe('session_required')
      const browser = createBrowser(set.service.origin)
      await signInOver(browser, '', 'ada@example.com')
      const { access_token: own } = await json(await browser.fetch('/v1/session/token', { method: 'POST', json: {} }))
      expect(await ask(verifier.guard('token'), own)).toBe('user')
      expect(await ask(verifier.guard('token', { subject: 'client' }), own)).toBe('invalid_token')
      expect((await fetch(`${set.service.origin}/v1/session`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(401)
      expect((await fetch(`${set.service.origin}/v1/session`, { headers: { authorization: `Bearer ${own}` } })).status).toBe(200)
    } finally {
      await verifier.close()
    }
  })

  it('are stale after their client changed, and dead after it was disabled', async () => {
    await admin('POST', '/clients', { id: 'fading', name: 'F', transport: 'service', scopes: ['a'] }).then((made) => {
      secrets.fading = (made as { client_secret: string }).client_secret
    })
    const { access_token: token } = await grantTo('fading')
    expect((await batch([token])).results[0]?.active).toBe(true)
    await admin('PATCH', '/clients/fading', { scopes: ['a', 'b'] })
    expect((await batch([token])).results[0]).toEqual({ active: false, code: 'claims_stale' })
    await admin('PATCH', '/clients/fading', { status: 'disabled' })
    expect((await form('/oauth/token', { grant_type: 'client_credentials' }, basic('fading'))).status).toBe(401)
    expect((await batch([token])).results[0]?.active).toBe(false)
  })
})

describe('tokens that nobody can read', () => {
  it('say nothing, pass introspection, and are revoked', async () => {
    const { access_token: token } = await grantTo('quiet')
    expect(token).toMatch(/^syo_[A-Za-z0-9_-]+$/)
    expect(Buffer.from(token.slice(4), 'base64url').toString('latin1')).not.toContain('quiet')
    expect(await introspect(token)).toMatchObject({ active: true, sub: 'quiet', scope: 'x' })
    const other = token.at(-4) === 'A' ? 'B' : 'A'
    expect(await introspect(`${token.slice(0, -4)}${other}${token.slice(-3)}`)).toEqual({ active: false })
    expect((await set.service.auth.verifier.verify(token)).ok).toBe(false)
    await form('/oauth/revoke', { token }, basic('quiet'))
    expect(await introspect(token)).toEqual({ active: false })
  })

  it('carry the sessions of a cookie client that asks for them', async () => {
    await set.service.auth.ready()
    await admin('PATCH', '/clients/app', { access_token_format: 'opaque' })
    try {
      const browser = createBrowser(set.service.origin)
      await signInOver(browser, '', 'grace@example.com')
      const { access_token: token } = await json(await browser.fetch('/v1/session/token', { method: 'POST', json: {} }))
      expect(token).toMatch(/^syo_/)
      expect((await introspect(token)).active).toBe(true)
      expect((await fetch(`${set.service.origin}/v1/session`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200)
      await browser.fetch('/v1/session', { method: 'DELETE' })
      expect((await batch([token])).results[0]).toEqual({ active: false, code: 'session_revoked' })
    } finally {
      await admin('PATCH', '/clients/app', { access_token_format: 'jwt' })
    }
  })
})

describe('the batch', () => {
  it('answers in order, and says why only of what the caller owns', async () => {
    const [one, two] = [await grantTo('reports'), await grantTo('quiet')]
    const { results } = await batch([one.access_token, 'nonsense', two.access_token])
    expect(results.map(({ active, sub }) => [active, sub])).toEqual([
      [true, 'reports'],
      [false, undefined],
      [true, 'quiet'],
    ])
    expect((await batch([one.access_token], 'reports')).results).toEqual([{ active: false }])
  })
  it.each<[string, unknown, number]>([
    ['none', { tokens: [] }, 400],
    ['too many', { tokens: Array(257).fill('x') }, 400],
    ['no array', { tokens: 'x' }, 400],
    ['too long a token', { tokens: ['x'.repeat(9000)] }, 400],
    ['as many as may be', { tokens: Array(256).fill('x'.repeat(2000)) }, 200],
    ['the largest there are', { tokens: Array(256).fill('x'.repeat(8192)) }, 200],
    ['too large a body', { tokens: Array(400).fill('x'.repeat(8000)) }, 413],
  ])('%s', async (_, body, status) => {
    const answer = await fetch(`${set.service.origin}/oauth/introspect/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...basic('api') },
      body: JSON.stringify(body),
    })
    expect(answer.status).toBe(status)
  })
})

describe('the batch takes its sender', () => {
  const ask = async (body: Record<string, unknown>, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${set.service.origin}/oauth/introspect/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ tokens: ['x'], ...body }),
    })
    return [answer.status, ((await answer.json()) as { error?: string }).error]
  }
  const byKey = (text: string) => ({
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: text,
  })
  const batchUrl = () => `${set.service.origin}/oauth/introspect/batch`
  it.each<[string, () => Promise<unknown[]>]>([
    ['by Basic', () => ask({}, basic('api'))],
    ['by Basic, named in the body too', () => ask({ client_id: 'api' }, basic('api'))],
    ['by id and secret', () => ask({ client_id: 'api', client_secret: secrets.api })],
    ['by an assertion', () => ask(byKey(assertion()))],
    ['by an assertion for this very address', () => ask(byKey(assertion({ aud: batchUrl() })))],
  ])('%s', async (_, asked) => expect(await asked()).toEqual([200, undefined]))
  it.each<[string, () => Promise<unknown[]>, unknown[]]>([
    ['a wrong secret', () => ask({ client_id: 'api', client_secret: 'sys_wrong' }), [401, 'invalid_client']],
    ['another client than its secret is of', () => ask({ client_id: 'reports', client_secret: secrets.api }), [401, 'invalid_client']],
    ['another client than its header names', () => ask({ client_id: 'reports' }, basic('api')), [401, 'invalid_client']],
    ['two proofs', () => ask({ client_id: 'api', client_secret: secrets.api }, basic('api')), [400, 'invalid_request']],
    ['an assertion for somebody else', () => ask(byKey(assertion({ aud: 'https://else.example' }))), [401, 'invalid_client']],
    ['nobody', () => ask({}), [401, 'invalid_client']],
    ['a stranger’s large body', () => ask({ tokens: Array(100).fill('x'.repeat(8000)) }), [413, 'invalid_request']],
    [
      'a large body behind a header that is wrong',
      () => ask({ tokens: Array(100).fill('x'.repeat(8000)) }, { authorization: 'Basic eDp5' }),
      [401, 'invalid_client'],
    ],
  ])('and not %s', async (_, asked, answer) => expect(await asked()).toEqual(answer))
  it('an assertion once, wherever it is shown', async () => {
    const text = assertion()
    expect([(await ask(byKey(text)))[0], (await ask(byKey(text)))[0], (await byAssertion(text)).status]).toEqual([200, 401, 401])
  })
})

describe('what is documented', () => {
  interface Answers {
    readonly responses: Readonly<
      Record<
        string,
        { readonly content?: Readonly<Record<string, { readonly schema: { readonly properties: Record<string, { enum?: string[] }> } }>> }
      >
    >
  }
  it('of refusals is what is answered, in the words of each door', async () => {
    const { paths } = (await (await fetch(`${set.service.origin}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, Answers>>
    }
    const described = async (path: string, answer: Response) => {
      const type = answer.headers.get('content-type')?.split(';', 1)[0] ?? ''
      const { responses } = (paths[path] as { post: Answers }).post
      const schema = (responses[answer.status] ?? responses.default)?.content?.[type]?.schema
      expect(schema, `${path} ${answer.status} ${type}`).toBeDefined()
      const body = (await answer.json()) as Record<string, string>
      expect(Object.keys(schema?.properties ?? {})).toEqual(expect.arrayContaining(Object.keys(body)))
      if (body.error !== undefined) expect(schema?.properties.error?.enum).toContain(body.error)
      return `${answer.status} ${type}`
    }
    for (const path of ['/oauth/token', '/oauth/introspect', '/oauth/revoke']) {
      expect(await described(path, await form(path, {}))).toMatch(/^40[01] application\/json$/)
      expect(await described(path, await form(path, { grant_type: 'x', token: 'x' }))).toBe('401 application/json')
      expect(await described(path, await form(path, { token: 'x'.repeat(20_000) }, basic('api')))).toBe('413 application/json')
      expect(await described(path, await fetch(set.service.origin + path))).toBe('405 application/problem+json')
    }
    expect(await described('/oauth/token', await form('/oauth/token', { grant_type: 'x' }, basic('api')))).toBe('400 application/json')
    const nobody = await fetch(`${set.service.origin}/oauth/introspect/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"tokens":["x"]}',
    })
    expect(await described('/oauth/introspect/batch', nobody)).toBe('401 application/json')
    const login = await fetch(`${set.service.origin}/v1/login/start`, { method: 'POST' })
    expect(await described('/v1/login/start', login)).toMatch(/^\d+ application\/problem\+json$/)
  })
})

describe('revocation', () => {
  const signIn = async () => {
    const start = await json(
      await fetch(`${set.service.origin}/v1/login/start`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ method: 'email_otp', identifier: 'mary@example.com', client_id: 'native' }),
      }),
    )
    const outbox = (await (await fetch(`${set.service.origin}/dev/outbox`)).json()) as { to: string; text: string }[]
    const code = /\b\d{6}\b/.exec(outbox.filter((mail) => mail.to === 'mary@example.com').at(-1)?.text ?? '')?.[0]
    return (await json(
      await fetch(`${set.service.origin}/v1/login/verify`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ login_id: start.login_id, code }),
      }),
    )) as unknown as { access_token: string; refresh_token: string }
  }
  it('ends a session by its refresh token, for a native client that names itself, and says where in the feed', async () => {
    const one = await signIn()
    const foreign = await form('/oauth/revoke', { token: one.refresh_token }, basic('reports'))
    expect(foreign.status).toBe(200)
    expect((await batch([one.access_token])).results[0]?.active).toBe(true)
    const answer = await form('/oauth/revoke', { token: one.refresh_token, client_id: 'native' })
    expect([answer.status, answer.headers.get('symbolon-seq')]).toEqual([200, expect.stringMatching(/^[0-9a-f]{16}\.\d+$/)])
    expect((await batch([one.access_token])).results[0]).toEqual({ active: false, code: 'session_revoked' })
  })
  it('ends one access token, and not its session', async () => {
    const one = await signIn()
    // Another client's is taken and left alone (RFC 7009 §2.1), and nothing is said.
    expect((await form('/oauth/revoke', { token: one.access_token }, basic('reports'))).status).toBe(200)
    expect((await batch([one.access_token])).results[0]?.active).toBe(true)
    await form('/oauth/revoke', { token: one.access_token, client_id: 'native' })
    expect((await batch([one.access_token])).results[0]).toEqual({ active: false, code: 'token_revoked' })
    expect((await fetch(`${set.service.origin}/v1/session`, { headers: { authorization: `Bearer ${one.access_token}` } })).status).toBe(401)
    const again = await fetch(`${set.service.origin}/v1/session/refresh`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ refresh_token: one.refresh_token }),
    })
    expect((await batch([(await json(again)).access_token])).results[0]?.active).toBe(true)
  })
  it('takes what it does not know, but not from nobody', async () => {
    expect((await form('/oauth/revoke', { token: 'nonsense' }, basic('reports'))).status).toBe(200)
    expect((await form('/oauth/revoke', { token: 'nonsense' })).status).toBe(401)
    expect((await form('/oauth/revoke', { token: 'nonsense', client_id: 'reports' })).status).toBe(401)
  })
})
