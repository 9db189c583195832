// What `/openapi.json` says, against the standard's own schema and against the service: who is let in where, and what is answered.

import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { beforeAll, expect, it } from 'vitest'
import { createBrowser, signInOver } from '../setting/browser.ts'
import { setOAuth } from '../setting/oauth.ts'

interface Operation {
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[]
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>>
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly securitySchemes: Readonly<Record<string, object>>; readonly schemas?: object }
}

const set = setOAuth()
const { form, basic, grantTo } = set
let document: Document
beforeAll(async () => {
  document = (await (await fetch(`${set.service.origin}/openapi.json`)).json()) as Document
})
const operations = () =>
  Object.entries(document.paths).flatMap(([path, verbs]) => Object.entries(verbs).map(([verb, operation]) => ({ path, verb, operation })))

it('is a document of OpenAPI 3.1', async () => {
  expect(await new Validator().validate(structuredClone(document) as never)).toMatchObject({ valid: true })
  const { info: _, ...without } = structuredClone(document) as Document & { readonly info: object }
  expect(await new Validator().validate(without)).toMatchObject({ valid: false })
})

it('names for each route by what who calls is known, and lets nobody past it', async () => {
  const schemes = Object.keys(document.components.securitySchemes)
  let closed = 0
  for (const { path, verb, operation } of operations()) {
    const { security = [] } = operation
    expect(security.length, path).toBeGreaterThan(0)
    expect(schemes, path).toEqual(expect.arrayContaining(security.flatMap((one) => Object.keys(one))))
    const open = security.some((one) => Object.keys(one).length === 0)
    if (verb !== 'get' || path.includes('webauthn')) continue
    const { status } = await fetch(set.service.origin + path)
    expect([path, status]).toEqual([path, open ? 200 : 401])
    if (!open) closed++
  }
  expect(closed).toBeGreaterThan(5)
})

it('of a browser takes the cookie that it names, and the token', async () => {
  const browser = createBrowser(set.service.origin)
  await signInOver(browser, '', 'ada@example.com')
  const { access_token: token } = (await (await browser.fetch('/v1/session/token', { method: 'POST', json: {} })).json()) as {
    access_token: string
  }
  const { sessionCookie } = document.components.securitySchemes as Record<string, { readonly name: string }>
  const cookie = `${sessionCookie?.name}=${browser.jar.get(sessionCookie?.name ?? '')}`
  for (const { path, verb, operation } of operations()) {
    if (verb !== 'get') continue
    for (const [scheme, headers] of [
      ['sessionCookie', { cookie }],
      ['accessToken', { authorization: `Bearer ${token}` }],
    ] as const) {
      const named = (one: string) => (operation.security ?? []).some((scheme) => one in scheme)
      // What a client without cookies may alone, a browser's token may not.
      if (!named(scheme) && !(scheme === 'accessToken' && named('nativeAccessToken'))) continue
      const status = named(scheme) ? 200 : 401
      expect([path, scheme, (await fetch(set.service.origin + path, { headers })).status]).toEqual([path, scheme, status])
    }
  }
})

it('describes the answers that are given', async () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  const fits = async (verb: string, path: string, answer: Response) => {
    const schema = document.paths[path]?.[verb]?.responses[answer.status]?.content?.['application/json']?.schema
    expect(schema, path).toBeDefined()
    const check = ajv.compile({ ...schema, components: document.components })
    expect([path, check(await answer.json()), check.errors]).toEqual([path, true, null])
    for (const other of [{}, { active: 'no' }, { status: 'odd' }]) expect([path, check(other)]).toEqual([path, false])
  }
  const get = (path: string) => fetch(set.service.origin + path)
  const { access_token: token } = await grantTo('reports')
  await fits('post', '/oauth/token', await form('/oauth/token', { grant_type: 'client_credentials' }, basic('reports')))
  await fits('post', '/oauth/introspect', await form('/oauth/introspect', { token }, basic('api')))
  await fits('post', '/oauth/introspect', await form('/oauth/introspect', { token: 'nothing' }, basic('api')))
  const headers = { 'content-type': 'application/json', ...basic('api') }
  const body = JSON.stringify({ tokens: [token, 'nothing', `${token.slice(0, -6)}AAAAAA`] })
  const many = await fetch(`${set.service.origin}/oauth/introspect/batch`, { method: 'POST', headers, body })
  await fits('post', '/oauth/introspect/batch', many)
  for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/jwks.json', '/healthz', '/readyz'])
    await fits('get', path, await get(path))
  expect(Object.keys(document.paths['/readyz']?.get?.responses['503']?.content ?? {})).toEqual(['application/json'])
})
