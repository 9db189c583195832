// Options: what is taken, what is refused, and by which sentence.

import { describe, expect, it } from 'vitest'
import { type AuthOptions, after, readOptions } from '../../src/embed/options.ts'

const secret = 'a-secret-of-at-least-thirty-two-bytes'
const live = {
  issuer: 'https://auth.example',
  secrets: [secret],
  delivery: { smtp: { url: 'smtps://mail.example', from: 'a@b.example' } },
} satisfies AuthOptions

const keyed = 'urn:symbolon:acr:passkey'

const refused: readonly [string, unknown, RegExp][] = [
  ['nothing', undefined, /only issuer is required/],
  ['unknown key', { ...live, isuer: 'x' }, /There is no option isuer/],
  ['unknown key inside', { ...live, session: { idel: '5m' } }, /There is no option session\.idel/],
  ['no address', { ...live, issuer: 'auth.example' }, /issuer must be an address/],
  ['slash at the end', { ...live, issuer: 'https://auth.example/' }, /exactly as 'https:\/\/auth\.example'/],
  ['user in the issuer', { ...live, issuer: 'https://u:p@auth.example' }, /exactly as/],
  ['plain http', { ...live, issuer: 'http://auth.example' }, /https:\/\/ outside development/],
  ['plain http on loopback outside development', { ...live, issuer: 'http://localhost:1' }, /https:\/\/ outside development/],
  ['plain http elsewhere in development', { issuer: 'http://auth.example', dev: true }, /only on localhost/],
  ['no secret', { ...live, secrets: [] }, /secrets must be given/],
  ['short secret', { ...live, secrets: ['short'] }, /at least 32 bytes/],
  ['no delivery', { ...live, delivery: undefined }, /delivery must be given/],
  ['wildcard origin', { ...live, clients: [{ id: 'web', name: 'Web', origins: ['*'] }] }, /wildcards are refused/],
  ['origin with a path', { ...live, clients: [{ id: 'web', name: 'Web', origins: ['https://a.example/'] }] }, /exact origin/],
  ['client id', { ...live, clients: [{ id: 'Web!', name: 'Web' }] }, /clients\[0\]\.id must be a short name/],
  ['not a duration', { ...live, session: { idle: 'soon' } }, /session\.idle must be a duration/],
  ['too long a token', { ...live, refresh: { lifetime: '1h' } }, /between 60s and 15m/],
  ['cookies rotating always', { ...live, refresh: { rotate: 'always' } }, /cookies cannot rotate at every use/],
  ['cookies rotating too often', { ...live, refresh: { rotate: '30s' } }, /ten times the window/],
  [
    'a cookie client whose window is too long for how often all rotate',
    { ...live, refresh: { rotate: '2m' }, clients: [{ id: 'web', name: 'Web', policy: { window: '60s' } }] },
    /clients\[0\].policy.rotate must be at least ten times the window of 60 s/,
  ],
  ['a cookie client rotating always', { ...live, clients: [{ id: 'web', name: 'Web', policy: { rotate: 'always' } }] }, /cannot rotate/],
  ['a level that no method reaches', { ...live, signIn: { methods: ['email_otp'], acr: keyed } }, /^signIn\.acr must be a level/],
  ['a level that is in no table', { ...live, signIn: { acr: 'urn:nobody:knows' } }, /^signIn\.acr must be a level/],
  ['what a method proves as a method', { ...live, signIn: { methods: ['passkey_presence'] } }, /^signIn\.methods must be names/],
  [
    'a client whose level its methods do not reach',
    { ...live, clients: [{ id: 'web', name: 'Web', policy: { methods: ['email_otp'], acr: keyed } }] },
    /^clients\[0\]\.policy\.acr must be a level/,
  ],
  [
    'a client whose methods do not reach the level of all',
    { ...live, signIn: { acr: keyed }, clients: [{ id: 'web', name: 'Web', policy: { methods: ['email_otp'] } }] },
    /^clients\[0\]\.policy\.acr must be a level/,
  ],
  ['passkeys at an address of numbers', { issuer: 'http://127.0.0.1:1', dev: true, signIn: { acr: keyed } }, /numbers has no passkeys/],
]

describe('options', () => {
  it.each(refused)('refuses %s', (_, options, sentence) => {
    expect(() => readOptions(options as AuthOptions)).toThrow(sentence)
    try {
      readOptions(options as AuthOptions)
    } catch (error) {
      expect((error as { code: string }).code).toBe('invalid_option')
      expect((error as Error).message).not.toContain(secret)
    }
  })

  it('takes a level that the methods reach', () => {
    expect(readOptions({ issuer: 'http://localhost:1', dev: true, signIn: { acr: keyed } }).signIn.acr).toBe(keyed)
    const own = { id: 'web', name: 'Web', policy: { methods: ['passkey'], acr: 'urn:symbolon:acr:key' } }
    expect(readOptions({ ...live, clients: [own] }).clients).toHaveLength(1)
  })

  it('takes the issuer alone in development', () => {
    const settings = readOptions({ issuer: 'http://localhost:3000/auth', dev: true })
    expect(settings).toMatchObject({ data: '.symbolon', signUp: 'open', trustedProxies: 0, clients: [] })
  })

  it('takes what a service needs, with durations in milliseconds', () => {
    const settings = readOptions({
      ...live,
      refresh: {
        lifetime: '5m',
        rotate: '100s',
        steps: [after('claims', { name: 'plan', budget: '50ms', onFailure: 'degrade', run: () => {} })],
      },
      clients: [{ id: 'mobile', name: 'Mobile', transport: 'native', policy: { rotate: 'always', idle: '14d' } }],
    })
    expect(settings.refresh).toMatchObject({ lifetime: 300_000, rotate: 100_000 })
    expect(settings.refresh.steps?.[0]).toMatchObject({ after: 'claims', step: { name: 'plan', budget: 50 } })
    expect(settings.clients[0]?.policy).toMatchObject({ rotate: 'always', idle: 1_209_600_000 })
  })
})
