// Access tokens under every signature algorithm, checked by jose; and what changing the configured one does.

import type { Algorithm } from '@symbolon/protocol'
import { calculateJwkThumbprint, createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { expect, it } from 'vitest'
import { caller, issuer, openSetting, type Setting, signIn } from '../setting/service.ts'

const day = 86_400_000
const mint = async (setting: Setting, credential: string) => {
  const refreshed = await setting.core.sessions.refresh({ credential, kind: 'cookie', background: true, caller })
  if (!refreshed.ok) throw new Error(refreshed.code)
  return refreshed.minted.accessToken
}
const states = async (setting: Setting) => Object.fromEntries((await setting.core.keys.list()).map(({ state, alg }) => [state, alg]))

it.each<Algorithm>(['ES256', 'Ed25519', 'RS256', 'PS256'])(
  'signs by %s as jose reads it, under the thumbprint of the key',
  async (algorithm) => {
    const setting = await openSetting({ algorithm })
    try {
      const token = await mint(setting, (await signIn(setting)).credential)
      const jwks = setting.core.tokens.keys()
      const { kid, alg } = decodeProtectedHeader(token)
      expect(alg).toBe(algorithm)
      const key = jwks.find((one) => one.kid === kid)
      expect(await calculateJwkThumbprint({ ...key } as never)).toBe(kid)
      if (algorithm.endsWith('S256') && algorithm !== 'ES256') expect(Buffer.from(key?.n ?? '', 'base64url')).toHaveLength(384)
      const keys = createLocalJWKSet({ keys: jwks.map((one) => ({ ...one })) })
      const options = { issuer, audience: issuer, typ: 'at+jwt', currentDate: new Date(setting.time), algorithms: [algorithm] }
      expect((await jwtVerify(token, keys, options)).payload.iss).toBe(issuer)
      const changed = `${token.slice(0, -10)}${token.at(-10) === 'A' ? 'B' : 'A'}${token.slice(-9)}`
      await expect(jwtVerify(changed, keys, options)).rejects.toThrow()
      expect((await setting.core.tokens.verify(token)).ok).toBe(true)
      await setting.restart()
      expect((await setting.core.tokens.verify(token)).ok).toBe(true)
    } finally {
      await setting.close()
    }
  },
  60_000,
)

it('signs by another algorithm from the next rotation on, when that was configured; older tokens live on', async () => {
  const wishes: { algorithm: Algorithm } = { algorithm: 'ES256' }
  const setting = await openSetting(wishes)
  try {
    const { credential } = await signIn(setting)
    const old = await mint(setting, credential)
    wishes.algorithm = 'Ed25519'
    await setting.restart()
    expect(await states(setting)).toEqual({ active: 'ES256', next: 'Ed25519', retired: 'ES256' })
    expect(decodeProtectedHeader(await mint(setting, credential)).alg).toBe('ES256')
    const kids = setting.core.tokens.keys().map(({ kid }) => kid)
    await setting.restart()
    expect(setting.core.tokens.keys().map(({ kid }) => kid)).toEqual(kids)
    await setting.core.keys.rotate('test')
    expect(await states(setting)).toEqual({ active: 'Ed25519', next: 'Ed25519', retiring: 'ES256', retired: 'ES256' })
    expect(decodeProtectedHeader(await mint(setting, credential)).alg).toBe('Ed25519')
    expect((await setting.core.tokens.verify(old)).ok).toBe(true)
    setting.time += day
    await setting.core.jobs.maintain()
    expect((await states(setting)).active).toBe('Ed25519')
  } finally {
    await setting.close()
  }
})
