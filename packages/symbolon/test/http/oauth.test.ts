// Machine clients over HTTP: with real clients of the field where they can, by hand where a refusal is looked for.

import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { describe, expect, it } from 'vitest'
import { claimsOf, json, now, setOAuth } from '../setting/oauth.ts'
import { startService } from '../setting/server.ts'

const set = setOAuth()
const { form, assertion, byAssertion, grantTo, introspect, batch, basic, admin, pair, publicJwk, secrets } = set

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
      const config = await openid.discovery(new URL(set.service.origin), 'reports', undefined, how, {
        algorithm: 'oauth2',
        execute: [openid.allowInsecureRequests],
      })
      const granted = await openid.clientCredentialsGrant(config, { scope: 'reports:read' })
      expect(granted.scope).toBe('reports:read')
      expect(claimsOf(granted.access_token)).toMatchObject({
        sub: 'reports',
        client_id: 'reports',
        aud: set.service.origin,
        client_epoch: 1,
      })
      expect(claimsOf(granted.access_token)).not.toHaveProperty('sid')
      expect((await introspect(granted.access_token)).active).toBe(true)
      await openid.tokenRevocation(config, granted.access_token)
      expect(await introspect(granted.access_token)).toEqual({ active: false })
      expect((await batch([granted.access_token])).results[0]).toEqual({ active: false, code: 'token_revoked' })
    },
  )

  it('oauth4webapi finds the metadata and is granted a token', async () => {
    const issuer = new URL(set.service.origin)
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
        fetch(`${set.service.origin}/oauth/token`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...basic('reports') },
          body: '{"grant_type":"client_credentials"}',
        }),
      400,
      'invalid_request',
    ],
    ['an assertion for somebody else', () => byAssertion(assertion({ aud: 'https://else.example' })), 401, 'invalid_client'],
    ['an assertion for two', () => byAssertion(assertion({ aud: [set.service.origin, 'https://else.example'] })), 401, 'invalid_client'],
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
    const twin = assertion({ aud: `${set.service.origin}/oauth/token` })
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
