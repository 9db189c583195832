// Where clients find an issuer that has a path (RFC 8414 §3.1): at the host's root, before that path, and below it.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as oauth from 'oauth4webapi'
import { createAuth } from 'symbolon'
import { toNodeHandler } from 'symbolon/node'
import { expect, it } from 'vitest'

it('is found by a client of the field, and leads it to a token', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-metadata-'))
  const server = createServer((request, response) => handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`
  const auth = createAuth({ issuer: `${origin}/auth`, dev: true, data: folder })
  const handle = toNodeHandler(auth)
  try {
    await auth.ready()
    const made = await auth.clients.create({ id: 'reports', name: 'Reports', transport: 'service', scopes: ['a'] }, 'test')
    const issuer = new URL(auth.issuer)
    const options = { [oauth.allowInsecureRequests]: true } as const
    const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options })
    expect(found.url).toBe(`${origin}/.well-known/oauth-authorization-server/auth`)
    const as = await oauth.processDiscoveryResponse(issuer, found)
    expect(as).toMatchObject({
      token_endpoint: `${origin}/auth/oauth/token`,
      grant_types_supported: ['client_credentials'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
      acr_values_supported: ['urn:symbolon:acr:email', 'urn:symbolon:acr:key', 'urn:symbolon:acr:passkey'],
      revocation_endpoint_auth_methods_supported: expect.arrayContaining(['none']),
    })
    expect(await (await fetch(`${origin}/auth/.well-known/oauth-authorization-server`)).json()).toEqual(as)
    expect((await fetch(`${origin}/.well-known/oauth-authorization-server`)).status).toBe(404)
    expect((await (await fetch(as.jwks_uri ?? '')).json()) as object).toHaveProperty('keys')
    const how = oauth.ClientSecretBasic(made.ok ? (made.secret ?? '') : '')
    const answer = await oauth.clientCredentialsGrantRequest(as, { client_id: 'reports' }, how, new URLSearchParams(), options)
    expect((await oauth.processClientCredentialsResponse(as, { client_id: 'reports' }, answer)).scope).toBe('a')
  } finally {
    server.closeAllConnections()
    server.close()
    await auth.close()
    rmSync(folder, { recursive: true, force: true })
  }
})
