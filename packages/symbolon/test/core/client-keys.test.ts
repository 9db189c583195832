// Which keys a service may register: public ones of our algorithms, nothing private, nothing weak; and that changes of a
// client made at the same time do not undo each other.

import { generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { publicKeysOf } from '#core'
import { openSetting, type Setting } from '../setting/service.ts'

const jwk = (pair: { publicKey: { export(options: { format: 'jwk' }): object } }) => pair.publicKey.export({ format: 'jwk' })
const ec = { ...jwk(generateKeyPairSync('ec', { namedCurve: 'P-256' })), kid: 'a' }
const okp = { ...jwk(generateKeyPairSync('ed25519')), kid: 'b' }
const rsa = { ...jwk(generateKeyPairSync('rsa', { modulusLength: 2048 })), kid: 'c', alg: 'PS256' }
const small = { ...jwk(generateKeyPairSync('rsa', { modulusLength: 1024 })), kid: 'd', alg: 'RS256' }
const other = { ...jwk(generateKeyPairSync('ec', { namedCurve: 'P-384' })), kid: 'e' }
const whole = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }), kid: 'f' }

describe('a key', () => {
  it('is kept by its public members alone', () => {
    expect(publicKeysOf([{ ...ec, key_ops: ['verify'], ext: true }, okp, rsa])).toEqual([
      { ...ec, alg: 'ES256', use: 'sig' },
      { ...okp, alg: 'Ed25519', use: 'sig' },
      { ...rsa, use: 'sig' },
    ])
  })
  it.each<[string, readonly unknown[]]>([
    ['with its private half', [whole]],
    ['with a part of its private half', [{ ...rsa, p: 'AQAB' }]],
    ['that is shared', [{ kty: 'oct', k: 'AAAA', kid: 'x', alg: 'HS256' }]],
    ['without a name', [{ ...ec, kid: undefined }]],
    ['twice', [ec, ec]],
    ['of another curve', [other]],
    ['of a type that its algorithm has not', [{ ...ec, alg: 'RS256' }]],
    ['that leaves its algorithm open', [{ ...rsa, alg: undefined }]],
    ['for encryption', [{ ...ec, use: 'enc' }]],
    ['that is small', [small]],
    ['with exponent one', [{ ...rsa, e: 'AQ' }]],
    ['that is cut off', [{ ...ec, x: 'AAAA' }]],
    ['too many', Array.from({ length: 6 }, (_, i) => ({ ...ec, kid: String(i) }))],
    ['that is none', [null]],
    ['with a prototype for its type', [{ ...ec, kty: 'constructor' }]],
  ])('%s is refused', (_, keys) => expect(publicKeysOf(keys)).toBeUndefined())
})

describe('clients', () => {
  let setting: Setting
  beforeEach(async () => {
    setting = await openSetting()
  })
  afterEach(() => setting.close())

  it('have keys only when they are services', async () => {
    const { clients } = setting.core
    expect(await clients.create({ name: 'S', transport: 'service', keys: [ec as never] }, 'test')).toMatchObject({ ok: true })
    expect(await clients.change('app', { keys: [ec as never] }, 'test')).toMatchObject({ ok: false, options: { field: 'keys' } })
    expect(await clients.create({ name: 'S', transport: 'service', keys: [whole as never] }, 'test')).toMatchObject({
      ok: false,
      options: { field: 'keys' },
    })
  })

  it('stay disabled when a secret is rotated at the same time, and keep both changes', async () => {
    const { clients } = setting.core
    await clients.create({ id: 'api', name: 'API', transport: 'service' }, 'test')
    for (let round = 0; round < 5; round++) {
      await clients.change('api', { status: 'active' }, 'test')
      const [disabled, rotated] = await Promise.all([
        clients.change('api', { status: 'disabled' }, 'test'),
        clients.rotateSecret('api', 'test'),
        clients.change('api', { name: `API ${round}` }, 'test'),
      ])
      expect([disabled.ok, rotated.ok]).toEqual([true, true])
      expect(await clients.find('api')).toMatchObject({ status: 'disabled', name: `API ${round}` })
      expect(await clients.authenticate('api', rotated.ok ? rotated.secret : '')).toBeUndefined()
      await clients.change('api', { status: 'active' }, 'test')
      expect((await clients.authenticate('api', rotated.ok ? rotated.secret : ''))?.id).toBe('api')
    }
  })
})
