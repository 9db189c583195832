// What a client may list: exact origins and return addresses, in the one spelling that browsers send and follow.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { createCore } from '#core'
import { openSetting, type Setting } from '../setting/service.ts'

let setting: Setting
beforeAll(async () => {
  setting = await openSetting()
})
afterAll(() => setting.close())

const made = async (change: object) => {
  const result = await setting.core.clients.create({ name: 'One', transport: 'cookie', ...change }, 'test')
  return result.ok ? 'ok' : (result.options?.field ?? result.code)
}

it.each(['/', '/done?x=1', 'https://app.example', 'https://app.example/cb', 'http://localhost:3000/?a', 'http://[::1]:3000/'])(
  'takes %s as a return address',
  async (address) => expect(await made({ returnTo: [address] })).toBe('ok'),
)

it.each([
  ...['//evil.example', '/\\evil.example', '/a\\b', '/a b', 'done', '', 'javascript:alert(1)', 'https://', 'http://[', 'https://a b/'],
  ...['https://app.example@evil.example/', 'https://*.example/', 'HTTPS://app.example/', 'https://App.example/', 'https://app.example:x/'],
])('refuses %j as a return address', async (address) => expect(await made({ returnTo: [address] })).toBe('returnTo'))

it.each([
  ['https://*.example', 'origins'],
  ['null', 'origins'],
  ['https://app.example/', 'origins'],
])('refuses the origin %s', async (origin, field) => expect(await made({ origins: [origin] })).toBe(field))

it('rotates in ten windows at least, whichever of the two is the service’s own', async () => {
  const other = await openSetting({ policy: { window: 60_000, rotate: 700_000 } })
  try {
    const of = async (policy: object) => {
      const made = await other.core.clients.create({ name: 'One', transport: 'cookie', policy }, 'test')
      return made.ok ? 'ok' : made.options?.field
    }
    expect(await of({ rotate: 599_999 })).toBe('policy.rotate')
    expect(await of({ rotate: 600_000 })).toBe('ok')
    expect(await of({ rotate: 100_000, window: 10_000 })).toBe('ok')
    expect(await of({ window: 30_000 })).toBe('ok')
    // Refresh tokens rotate at every use, whatever stands there.
    expect(
      (await other.core.clients.create({ name: 'Two', transport: 'native', policy: { window: 60_000, rotate: 1000 } }, 'test')).ok,
    ).toBe(true)
  } finally {
    await other.close()
  }
})

it('is disabled all the same where an older version took what this one would not', async () => {
  const { clients } = setting.core
  const made = await clients.create({ name: 'One', transport: 'cookie' }, 'test')
  if (!made.ok) throw new Error(made.code)
  const { epoch: _, createdAt: __, tenant: ___, ...record } = made.client
  await setting.store.clients.put({ ...record, policy: { rotate: 1000 } }, made.client, [])
  const change = async (what: object) => {
    const changed = await clients.change(made.client.id, what, 'test')
    return changed.ok ? 'ok' : changed.options?.field
  }
  expect(await change({ policy: { rotate: 2000 } })).toBe('policy.rotate')
  expect(await change({ status: 'disabled', origins: [] })).toBe('ok')
  expect((await clients.find(made.client.id))?.status).toBe('disabled')
  expect(await change({ status: 'active' })).toBe('policy.rotate')
  expect(await change({ status: 'active', policy: {} })).toBe('ok')
})

it('keeps a scope one word', async () => {
  expect(await made({ policy: { scope: ['read admin'] } })).toBe('policy.scope')
  expect(await made({ policy: { scope: ['read', 'write:all'] } })).toBe('ok')
})

it.each([
  ['scopes', { scopes: ['a'] }],
  ['audiences', { audiences: [] }],
  ["what its users' tokens may", { policy: { scope: ['read'], targets: ['https://one.example'] } }],
  ['where its tokens may go', { policy: { scope: ['read', 'write'] } }],
] as const)('makes the tokens stale that carry what it no longer has: %s', async (_, change) => {
  const { clients } = setting.core
  const asked = { name: 'Two', transport: 'service', scopes: ['a', 'b'], audiences: ['https://own.example'] } as const
  const made = await clients.create({ ...asked, policy: { scope: ['read', 'write'], targets: ['https://one.example'] } }, 'test')
  if (!made.ok) throw new Error(made.code)
  const { id, epoch } = made.client
  const changed = await clients.change(id, change, 'test')
  expect(changed).toMatchObject({ ok: true, client: { epoch: epoch + 1 } })
  // What no token carries makes none stale.
  const renamed = await clients.change(id, { name: 'Three' }, 'test')
  expect(renamed).toMatchObject({ ok: true, client: { epoch: epoch + 1 } })
})

it('takes a level that the methods reach at this host, and no other', async () => {
  const keyed = { acr: 'urn:symbolon:acr:passkey' }
  expect(await made({ policy: keyed })).toBe('ok')
  expect(await made({ policy: { ...keyed, methods: ['email_otp'] } })).toBe('policy.acr')
  expect(await made({ policy: { methods: ['passkey_presence'], acr: 'urn:symbolon:acr:key' } })).toBe('policy.methods')
  const { passkeys } = setting.ports
  if (passkeys === undefined) throw new Error('no rules')
  const numbers = createCore({ ...setting.ports, passkeys: { ...passkeys, possible: false } }, setting.options)
  const at = { name: 'One', transport: 'cookie' } as const
  expect(await numbers.clients.create({ ...at, policy: keyed }, 'test')).toMatchObject({ ok: false, options: { field: 'policy.acr' } })
  expect(await numbers.clients.create({ ...at, policy: { methods: ['email_otp', 'passkey'] } }, 'test')).toMatchObject({ ok: true })
})
