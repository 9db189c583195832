// What a client may list: exact origins and return addresses, in the one spelling that browsers send and follow.

import { afterAll, beforeAll, expect, it } from 'vitest'
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

it('keeps a scope one word', async () => {
  expect(await made({ policy: { scope: ['read admin'] } })).toBe('policy.scope')
  expect(await made({ policy: { scope: ['read', 'write:all'] } })).toBe('ok')
})
