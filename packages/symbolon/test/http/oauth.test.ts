// Machine clients over HTTP: with real clients of the field where they can, by hand where a refusal is looked for.

import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { createVerifier } from '@symbolon/verifier'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
const secrets: Record<string, string> = {}
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const publicJwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'reports-1', alg: 'ES256', use: 'sig' }
const admin = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
  const answer = await fetch(`${service.admin}/admin/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${service.adminKey}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
  return (await answer.json()) as T
}
const basic = (id: string) => ({ authorization: `Basic ${btoa(`${id}:${secrets[id]}`)}` })
const form = (path: string, body: Record<string, string> | string, headers: Record<string, string> = {}) =>
  fetch(service.origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: typeof body === 'string' ? body : new URLSearchParams(body).toString(),
  })
const json = async (answer: Response) =>
  (await answer.json()) as Record<string, never> & { error: string; access_token: string; active: boolean; scope: string }
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString()) as Record<string, unknown>
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const now = () => Math.floor(Date.now() / 1000)
const assertion = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}) => {
  const plain = { iss: 'reports', sub: 'reports', aud: service.origin, exp: now() + 60, jti: randomUUID(), ...claims }
  const input = `${encode({ alg: 'ES256', kid: 'reports-1', ...header })}.${encode(plain)}`
  return `${input}.${sign('sha256', Buffer.from(input), { key: pair.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}
const byAssertion = (text: string, more: Record<string, string> = {}) =>
  form('/oauth/token', {
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: text,
    ...more,
  })
const grantTo = async (id: string, more: Record<string, string> = {}) =>
  json(await form('/oauth/token', { grant_type: 'client_credentials', ...more }, basic(id)))
const introspect = async (token: string, by = 'api') => json(await form('/oauth/introspect', { token }, basic(by)))
const batch = async (tokens: string[], by = 'api') =>
  (await (
    await fetch(`${service.origin}/oauth/introspect/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...basic(by) },
      body: JSON.stringify({ tokens }),
    })
  ).json()) as { results: { active: boolean; code?: string; sub?: string }[] }

beforeAll(async () => {
  service = await startService({ budgets: { startPerAddress: { limit: 500, window: '1h' } } })
  const create = async (body: { id: string } & Record<string, unknown>) => {
    const made = await admin<{ client_secret?: string }>('POST', '/clients', { name: body.id, transport: 'service', ...body })
    secrets[body.id] = made.client_secret ?? ''
  }
  await create({ id: 'api', audiences: [service.origin], scopes: ['revocations:read'] })
  await create({
    id: 'reports',
    scopes: ['reports:read', 'reports:write'],
    keys: [publicJwk],
    policy: { targets: ['https://billing.example'] },
  })
  await create({ id: 'quiet', access_token_format: 'opaque', scopes: ['x'] })
  await create({ id: 'native', transport: 'native' })
})
afterAll(() => service.close())

describe('with the clients of the field', () => {
  it.each(['basic', 'post', 'private_key_jwt'] as const)(
    'openid-client is granted a token by %s, introspects and revokes it',
    async (method) => {
      const key = await crypto.subtle.importKey(
        'jwk',
        pair.privateKey.export({ format: 'jwk' }) as JsonWebKey,
        { name: 'ECDSA', namedCurve: 'P-256' },
        false,
        ['sign'],
      )
      const how = {
        basic: openid.ClientSecretBasic(secrets.reports),
        post: openid.ClientSecretPost(secrets.reports),
        private_key_jwt: openid.PrivateKeyJwt({ key, kid: 'reports-1' }),
      }[method]
      const config = await openid.discovery(new URL(service.origin), 'reports', undefined, how, {
        algorithm: 'oauth2',
        execute: [openid.allowInsecureRequests],
      })
      const granted = await openid.clientCredentialsGrant(config, { scope: 'reports:read' })
      expect(granted.scope).toBe('reports:read')
      expect(claimsOf(granted.access_token)).toMatchObject({ sub: 'reports', client_id: 'reports', aud: service.origin, client_epoch: 1 })
      expect(claimsOf(granted.access_token)).not.toHaveProperty('sid')
      expect((await introspect(granted.access_token)).active).toBe(true)
      await openid.tokenRevocation(config, granted.access_token)
      expect(await introspect(granted.access_token)).toEqual({ active: false })
      expect((await batch([granted.access_token])).results[0]).toEqual({ active: false, code: 'token_revoked' })
    },
  )

  it('oauth4webapi finds the metadata and is granted a token', async () => {
    const issuer = new URL(service.origin)
    const options = { [oauth.allowInsecureRequests]: true } as const
    const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options }))
    const client = { client_id: 'reports' }
    const how = oauth.ClientSecretBasic(secrets.reports as string)
    const answer = await oauth.clientCredentialsGrantRequest(server, client, how, new URLSearchParams(), options)
    const granted = await oauth.processClientCredentialsResponse(server, client, answer)
    expect(granted.scope).toBe('reports:read reports:write')
    const asked = await oauth.introspectionRequest(
      server,
      { client_id: 'api' },
      oauth.ClientSecretBasic(secrets.api as string),
      granted.access_token,
      options,
    )
    expect((await oauth.processIntrospectionResponse(server, { client_id: 'api' }, asked)).active).toBe(true)
  })
})

describe('the token endpoint', () => {
  it.each<[string, () => Promise<Response>, number, string]>([
    [
      'a wrong secret',
      () => form('/oauth/token', { grant_type: 'client_credentials', client_id: 'reports', client_secret: 'sys_wrong' }),
      401,
      'invalid_client',
    ],
    ['no client', () => form('/oauth/token', { grant_type: 'client_credentials' }), 401, 'invalid_client'],
    [
      'two ways at once',
      () =>
        form(
          '/oauth/token',
          { grant_type: 'client_credentials', client_id: 'reports', client_secret: secrets.reports as string },
          basic('reports'),
        ),
      400,
      'invalid_request',
    ],
    [
      'two clients at once',
      () => form('/oauth/token', { grant_type: 'client_credentials', client_id: 'api' }, basic('reports')),
      401,
      'invalid_client',
    ],
    ['another grant', () => form('/oauth/token', { grant_type: 'password' }, basic('reports')), 400, 'unsupported_grant_type'],
    [
      'a scope that is not its own',
      () => form('/oauth/token', { grant_type: 'client_credentials', scope: 'reports:read admin' }, basic('reports')),
      400,
      'invalid_scope',
    ],
    [
      'an audience that is not its own',
      () => form('/oauth/token', { grant_type: 'client_credentials', audience: 'https://else.example' }, basic('reports')),
      400,
      'invalid_target',
    ],
    [
      'a parameter twice',
      () => form('/oauth/token', 'grant_type=client_credentials&grant_type=client_credentials', basic('reports')),
      400,
      'invalid_request',
    ],
    [
      'JSON',
      () =>
        fetch(`${service.origin}/oauth/token`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...basic('reports') },
          body: '{"grant_type":"client_credentials"}',
        }),
      400,
      'invalid_request',
    ],
    ['an assertion for somebody else', () => byAssertion(assertion({ aud: 'https://else.example' })), 401, 'invalid_client'],
    ['an assertion for two', () => byAssertion(assertion({ aud: [service.origin, 'https://else.example'] })), 401, 'invalid_client'],
    ['an assertion that is over', () => byAssertion(assertion({ exp: now() - 10 })), 401, 'invalid_client'],
    ['an assertion that lives too long', () => byAssertion(assertion({ exp: now() + 4000 })), 401, 'invalid_client'],
    ['an assertion made long ago', () => byAssertion(assertion({ iat: now() - 400 })), 401, 'invalid_client'],
    ['an assertion from the future', () => byAssertion(assertion({ iat: now() + 60 })), 401, 'invalid_client'],
    ['an assertion with an id too long', () => byAssertion(assertion({ jti: 'ä'.repeat(101) })), 401, 'invalid_client'],
    ['an assertion of another type', () => byAssertion(assertion(), { client_assertion_type: 'x' }), 401, 'invalid_client'],
    ['a changed assertion', () => byAssertion(`${assertion().slice(0, -8)}AAAAAAAA`), 401, 'invalid_client'],
    [
      'an assertion in a header',
      () => form('/oauth/token', { grant_type: 'client_credentials' }, { authorization: `Bearer ${assertion()}` }),
      401,
      'invalid_client',
    ],
    ['a person’s client', () => form('/oauth/token', { grant_type: 'client_credentials', client_id: 'native' }), 401, 'invalid_client'],
    ['no grant', () => form('/oauth/token', { grant_type: '' }, basic('reports')), 400, 'invalid_request'],
    [
      'a huge body',
      () => form('/oauth/token', { grant_type: 'client_credentials', scope: 'x'.repeat(20_000) }, basic('reports')),
      413,
      'invalid_request',
    ],
    ['an assertion without an id', () => byAssertion(assertion({ jti: undefined })), 401, 'invalid_client'],
    ['an assertion of another issuer', () => byAssertion(assertion({ iss: 'api' })), 401, 'invalid_client'],
    ['an unsigned assertion', () => byAssertion(assertion({}, { alg: 'none' })), 401, 'invalid_client'],
    ['an assertion by an unknown key', () => byAssertion(assertion({}, { kid: 'other' })), 401, 'invalid_client'],
    ['an assertion with its own key', () => byAssertion(assertion({}, { jwk: publicJwk })), 401, 'invalid_client'],
    ['an access token for an assertion', () => byAssertion(assertion({}, { typ: 'at+jwt' })), 401, 'invalid_client'],
    ['an assertion and a secret', () => byAssertion(assertion(), { client_secret: secrets.reports as string }), 400, 'invalid_request'],
    ['an assertion that speaks for another', () => byAssertion(assertion(), { client_id: 'api' }), 401, 'invalid_client'],
  ])('refuses %s', async (_, ask, status, error) => {
    const answer = await ask()
    expect([answer.status, (await json(answer)).error]).toEqual([status, error])
    if (status === 401) expect(answer.headers.get('www-authenticate')).toMatch(/^Basic/)
  })

  it('takes an assertion for the issuer or the endpoint, each once', async () => {
    const text = assertion()
    const twin = assertion({ aud: `${service.origin}/oauth/token` })
    expect((await byAssertion(twin)).status).toBe(200)
    const statuses = (await Promise.all(Array.from({ length: 10 }, () => byAssertion(text)))).map((answer) => answer.status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect((await byAssertion(text)).status).toBe(401)
  })

  it('grants less when less is asked for, and other audiences that an operator wrote down', async () => {
    expect((await grantTo('reports', { scope: 'reports:read' })).scope).toBe('reports:read')
    expect((await grantTo('reports', { scope: '', audience: '' })).scope).toBe('reports:read reports:write')
    expect(claimsOf((await grantTo('reports', { audience: 'https://billing.example' })).access_token).aud).toBe('https://billing.example')
    expect((await introspect((await grantTo('reports', { resource: 'https://billing.example' })).access_token)).active).toBe(false)
  })

  it('lets two secrets live side by side, then one', async () => {
    const made = await admin<{ id: string; client_secret: string }>('POST', '/clients', { id: 'turning', name: 'T', transport: 'service' })
    const next = (await admin<{ client_secret: string }>('POST', '/clients/turning/secret')).client_secret
    const status = async (secret: string) =>
      (await form('/oauth/token', { grant_type: 'client_credentials', client_id: 'turning', client_secret: secret })).status
    expect([await status(made.client_secret), await status(next)]).toEqual([200, 200])
    await admin('DELETE', '/clients/turning/secret/old')
    expect([await status(made.client_secret), await status(next)]).toEqual([401, 200])
  })
})

describe('tokens of clients and of people', () => {
  it('never stand in for each other', async () => {
    const { access_token: token } = await grantTo('reports')
    const verifier = createVerifier({ issuer: service.origin, clientId: 'api', clientSecret: secrets.api as string })
    const ask = async (guard: ReturnType<typeof verifier.guard>, bearer: string) => {
      const result = await guard({ method: 'GET', url: '/', header: (name) => (name === 'authorization' ? `Bearer ${bearer}` : undefined) })
      return result.ok ? result.auth?.kind : (JSON.parse(result.body) as { code: string }).code
    }
    try {
      expect(await ask(verifier.guard('token', { subject: 'client', scope: 'reports:read' }), token)).toBe('client')
      expect(await ask(verifier.guard('token'), token)).toBe('session_required')
      expect(await ask(verifier.guard('session'), token)).toBe('session_required')
      const browser = createBrowser(service.origin)
      await signInOver(browser, '', 'ada@example.com')
      const { access_token: own } = await json(await browser.fetch('/v1/session/token', { method: 'POST', json: {} }))
      expect(await ask(verifier.guard('token'), own)).toBe('user')
      expect(await ask(verifier.guard('token', { subject: 'client' }), own)).toBe('invalid_token')
      expect((await fetch(`${service.origin}/v1/session`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(401)
      expect((await fetch(`${service.origin}/v1/session`, { headers: { authorization: `Bearer ${own}` } })).status).toBe(200)
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
    expect(await introspect(`${token.slice(0, -2)}AA`)).toEqual({ active: false })
    expect((await service.auth.verifier.verify(token)).ok).toBe(false)
    await form('/oauth/revoke', { token }, basic('quiet'))
    expect(await introspect(token)).toEqual({ active: false })
  })

  it('carry the sessions of a cookie client that asks for them', async () => {
    await service.auth.ready()
    await admin('PATCH', '/clients/app', { access_token_format: 'opaque' })
    try {
      const browser = createBrowser(service.origin)
      await signInOver(browser, '', 'grace@example.com')
      const { access_token: token } = await json(await browser.fetch('/v1/session/token', { method: 'POST', json: {} }))
      expect(token).toMatch(/^syo_/)
      expect((await introspect(token)).active).toBe(true)
      expect((await fetch(`${service.origin}/v1/session`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200)
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
    const answer = await fetch(`${service.origin}/oauth/introspect/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...basic('api') },
      body: JSON.stringify(body),
    })
    expect(answer.status).toBe(status)
  })
})

describe('the batch takes its sender', () => {
  const ask = async (body: Record<string, unknown>, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${service.origin}/oauth/introspect/batch`, {
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
  const batchUrl = () => `${service.origin}/oauth/introspect/batch`
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
    const { paths } = (await (await fetch(`${service.origin}/openapi.json`)).json()) as { paths: Record<string, Record<string, Answers>> }
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
      expect(await described(path, await fetch(service.origin + path))).toBe('405 application/problem+json')
    }
    expect(await described('/oauth/token', await form('/oauth/token', { grant_type: 'x' }, basic('api')))).toBe('400 application/json')
    const nobody = await fetch(`${service.origin}/oauth/introspect/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"tokens":["x"]}',
    })
    expect(await described('/oauth/introspect/batch', nobody)).toBe('401 application/json')
    const login = await fetch(`${service.origin}/v1/login/start`, { method: 'POST' })
    expect(await described('/v1/login/start', login)).toMatch(/^\d+ application\/problem\+json$/)
  })
})

describe('revocation', () => {
  const signIn = async () => {
    const start = await json(
      await fetch(`${service.origin}/v1/login/start`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ method: 'email_otp', identifier: 'mary@example.com', client_id: 'native' }),
      }),
    )
    const outbox = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; text: string }[]
    const code = /\b\d{6}\b/.exec(outbox.filter((mail) => mail.to === 'mary@example.com').at(-1)?.text ?? '')?.[0]
    return (await json(
      await fetch(`${service.origin}/v1/login/verify`, {
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
    await form('/oauth/revoke', { token: one.access_token, client_id: 'native' })
    expect((await batch([one.access_token])).results[0]).toEqual({ active: false, code: 'token_revoked' })
    expect((await fetch(`${service.origin}/v1/session`, { headers: { authorization: `Bearer ${one.access_token}` } })).status).toBe(401)
    const again = await fetch(`${service.origin}/v1/session/refresh`, {
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

describe('guesses', () => {
  it('are charged, and cost whoever knows the secret nothing', async () => {
    const bounded = await startService({ budgets: { secretPerClient: { limit: 5, window: '1h' } } })
    try {
      const made = await bounded.auth.clients.create({ id: 'guessed', name: 'G', transport: 'service' }, 'test')
      const secret = made.ok ? (made.secret ?? '') : ''
      const ask = async (client_secret: string) =>
        fetch(`${bounded.origin}/oauth/token`, {
          method: 'POST',
          body: new URLSearchParams({ grant_type: 'client_credentials', client_id: 'guessed', client_secret }),
        })
      for (let i = 0; i < 20; i++) expect((await ask(secret)).status).toBe(200)
      const guesses = await Promise.all(Array.from({ length: 12 }, (_, i) => ask(`sys_${String(i).padStart(43, 'A')}`)))
      expect(guesses.map(({ status }) => status).sort()).toEqual([...Array(4).fill(401), ...Array(8).fill(429)])
      const late = guesses.find(({ status }) => status === 429)
      expect([await late?.json(), Number(late?.headers.get('retry-after')) > 60]).toEqual([{ error: 'temporarily_unavailable' }, true])
      expect((await ask(secret)).status).toBe(200)
      await bounded.auth.clients.rotateSecret('guessed', 'test')
      await bounded.auth.clients.removeOldSecret('guessed', 'test')
      expect((await ask(secret)).status).toBe(401)
    } finally {
      await bounded.close()
    }
  })
})
