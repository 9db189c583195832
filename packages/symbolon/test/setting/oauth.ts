// A service with machine clients of several kinds, and what a test says to its OAuth routes in their names.

import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { afterAll, beforeAll } from 'vitest'
import { startService, type TestService } from './server.ts'

export const json = async (answer: Response) =>
  (await answer.json()) as Record<string, never> & { error: string; access_token: string; active: boolean; scope: string }
export const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString()) as Record<string, unknown>
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
export const now = () => Math.floor(Date.now() / 1000)

/** Starts the service for the tests of a file. */
export function setOAuth() {
  const set = {} as { service: TestService }
  const secrets: Record<string, string> = {}
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const publicJwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'reports-1', alg: 'ES256', use: 'sig' }
  const admin = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(`${set.service.admin}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${set.service.adminKey}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as T
  }
  const basic = (id: string) => ({ authorization: `Basic ${btoa(`${id}:${secrets[id]}`)}` })
  const form = (path: string, body: Record<string, string> | string, headers: Record<string, string> = {}) =>
    fetch(set.service.origin + path, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: typeof body === 'string' ? body : new URLSearchParams(body).toString(),
    })
  const assertion = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}) => {
    const plain = { iss: 'reports', sub: 'reports', aud: set.service.origin, exp: now() + 60, jti: randomUUID(), ...claims }
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
      await fetch(`${set.service.origin}/oauth/introspect/batch`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...basic(by) },
        body: JSON.stringify({ tokens }),
      })
    ).json()) as { results: { active: boolean; code?: string; sub?: string }[] }

  beforeAll(async () => {
    set.service = await startService({ budgets: { startPerAddress: { limit: 500, window: '1h' } } })
    const create = async (body: { id: string } & Record<string, unknown>) => {
      const made = await admin<{ client_secret?: string }>('POST', '/clients', { name: body.id, transport: 'service', ...body })
      secrets[body.id] = made.client_secret ?? ''
    }
    await create({ id: 'api', audiences: [set.service.origin], scopes: ['revocations:read'] })
    await create({
      id: 'reports',
      scopes: ['reports:read', 'reports:write'],
      keys: [publicJwk],
      policy: { targets: ['https://billing.example'] },
    })
    await create({ id: 'quiet', access_token_format: 'opaque', scopes: ['x'] })
    await create({ id: 'native', transport: 'native' })
  })
  afterAll(() => set.service.close())
  return Object.assign(set, { form, assertion, byAssertion, grantTo, introspect, batch, basic, admin, pair, publicJwk, secrets })
}
