// Signing keys on a real store: rotation by schedule, and revocation in whatever state a key is.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { caller, openBeside, openSetting, type Setting, signIn } from '../setting/service.ts'

let setting: Setting
beforeEach(async () => {
  setting = await openSetting()
})
afterEach(() => setting.close())

const now = { now: true } as const
const kidOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid as string
const states = async () => Object.fromEntries((await setting.core.keys.list()).map(({ kid, state }) => [kid, state]))
const kidIn = async (state: string) => (await setting.core.keys.list()).find((key) => key.state === state)?.kid ?? ''
const published = () => setting.core.tokens.keys().map(({ kid }) => kid)
const mint = async (credential: string, core = setting.core) => {
  const refreshed = await core.sessions.refresh({ credential, kind: 'cookie', background: true, caller })
  if (!refreshed.ok) throw new Error(refreshed.code)
  return refreshed.minted.accessToken
}
const verified = async (token: string, core = setting.core) => {
  const result = await core.tokens.verify(token)
  return result.ok ? 'ok' : result.code
}

describe('revoking a signing key', () => {
  it('lets the next one sign at once, however young, and refuses what the revoked one signed', async () => {
    const { credential } = await signIn(setting)
    const [active, next] = [await kidIn('active'), await kidIn('next')]
    const [seen, unseen] = [await mint(credential), await mint(credential)]
    expect(await verified(seen)).toBe('ok')
    const revoked = await setting.core.keys.revoke(active, now, 'test')
    expect(revoked).toMatchObject({ ok: true, key: { kid: active, state: 'revoked' } })
    expect(await states()).toEqual({ [active]: 'revoked', [next]: 'active', [await kidIn('next')]: 'next' })
    expect(published()).not.toContain(active)
    // One was remembered as good, the other never seen.
    expect([await verified(seen), await verified(unseen)]).toEqual(['token_revoked', 'token_revoked'])
    const fresh = await mint(credential)
    expect([kidOf(fresh), await verified(fresh)]).toEqual([next, 'ok'])
  })

  it('keeps no private half, and opens none of it after a restart', async () => {
    const active = await kidIn('active')
    expect((await setting.core.keys.list()).find(({ kid }) => kid === active)?.sealedPrivate.length).toBeGreaterThan(50)
    await setting.core.keys.revoke(active, now, 'test')
    expect(() => setting.ports.signer.sign(active, 'x')).toThrow(expect.objectContaining({ code: 'keys_unavailable' }))
    await setting.restart()
    expect((await setting.core.keys.list()).find(({ kid }) => kid === active)?.sealedPrivate).toHaveLength(0)
    expect(() => setting.ports.signer.sign(active, 'x')).toThrow(expect.objectContaining({ code: 'keys_unavailable' }))
    expect(published()).toHaveLength(2)
    expect(published()).not.toContain(active)
  })

  it.each(['next', 'retiring', 'retired'])('takes a %s one too', async (state) => {
    await setting.core.keys.rotate('test')
    const retired = state === 'retired'
    if (retired) setting.time += 3 * 3_600_000
    await setting.core.jobs.maintain()
    const [kid, active] = [await kidIn(state), await kidIn('active')]
    expect(kid).not.toBe('')
    expect(await setting.core.keys.revoke(kid, now, 'test')).toMatchObject({ ok: true, key: { kid, state: 'revoked' } })
    expect([await kidIn('active'), (await kidIn('next')) !== '']).toEqual([active, true])
    expect(published()).not.toContain(kid)
    expect((await setting.store.feed.after(0, 100)).at(-1)).toMatchObject({ kind: 'key', id: kid, state: 'revoked', expires: null })
  })

  it('is idempotent, knows its keys, and wants to be told that it is meant', async () => {
    const active = await kidIn('active')
    expect(await setting.core.keys.revoke(active, {} as never, 'test')).toMatchObject({ ok: false, code: 'invalid_request' })
    expect(await setting.core.keys.revoke('nothing', now, 'test')).toMatchObject({ ok: false, code: 'not_found' })
    expect((await states())[active]).toBe('active')
    const first = await setting.core.keys.revoke(active, now, 'test')
    const before = await states()
    expect(await setting.core.keys.revoke(active, now, 'test')).toEqual(first)
    expect(await states()).toEqual(before)
    expect((await setting.core.audit.list({}, 10)).map(({ event }) => event)).toContain('key.revoked')
  })

  it('is known to a process beside, and so is its successor, in the next token that is asked about there', async () => {
    const other = await openBeside(setting)
    const { credential } = await signIn(setting)
    const before = await mint(credential)
    expect(await verified(before, other.core)).toBe('ok')
    await setting.core.keys.revoke(await kidIn('active'), now, 'test')
    const after = await mint(credential)
    const asked = [before, after, before].map((token) => verified(token, other.core))
    expect(await Promise.all(asked)).toEqual(['token_revoked', 'ok', 'token_revoked'])
    await other.store.close()
  })

  it('leaves one active and one next key, whatever else tends the keys at the same time', async () => {
    const other = await openBeside(setting)
    for (let round = 0; round < 20; round++) {
      const [active, next] = [await kidIn('active'), await kidIn('next')]
      const work = [
        () => setting.core.keys.revoke(active, now, 'test'),
        () => other.core.keys.revoke(round % 3 === 0 ? next : active, now, 'test'),
        () => (round % 2 === 0 ? other.core.keys.rotate('test') : setting.core.jobs.maintain()),
      ]
      await Promise.all((round % 4 < 2 ? work : work.reverse()).map((run) => run()))
      const all = Object.values(await states())
      expect([all.filter((state) => state === 'active').length, all.filter((state) => state === 'next').length]).toEqual([1, 1])
      expect((await states())[active]).toBe('revoked')
    }
    await other.store.close()
  })
})
