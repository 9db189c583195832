// The cases in which two truths could be torn apart: a mint between the read of a session and its signature, a sign-in
// against a disabling, a key that is revoked while it signs. Each is driven in both orders, on the real store.

import type { AccessTokenClaims } from '@symbolon/protocol'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createGate, createTokenDoor } from '../setting/guard.ts'
import { browser, caller, openBeside, openSetting, type Setting, signIn, start } from '../setting/service.ts'

const wide = { limit: 1_000_000, window: 1000 }
let setting: Setting
let door: (token: string) => Promise<string>
/** Where the next refresh waits between its read and its signature; those after it pass. */
let gate: ReturnType<typeof createGate> | undefined
beforeEach(async () => {
  gate = undefined
  setting = await openSetting({
    budgets: {
      startPerAccount: wide,
      startPerAddress: wide,
      startOverall: wide,
      verifyPerAccount: wide,
      verifyPerAddress: wide,
      verifyPerDevice: wide,
      verifyOverall: wide,
    },
    steps: [
      {
        after: 'claims',
        step: {
          name: 'slow',
          budget: 20_000,
          onFailure: 'deny',
          run: async () => {
            const here = gate
            gate = undefined
            await here?.pass()
          },
        },
      },
    ],
  })
  door = createTokenDoor(setting)
})
afterEach(() => setting.close())

interface Minted {
  readonly accessToken: string
  readonly claims: AccessTokenClaims
}
type Kind = 'cookie' | 'token'
const clientOf = { cookie: 'app', token: 'native' } as const
const refresh = async (credential: string, kind: Kind, core = setting.core): Promise<Minted | string> => {
  const outcome = await core.sessions.refresh({ credential, kind, background: true, caller })
  return outcome.ok ? outcome.minted : outcome.code
}
const minted = (outcome: Minted | string): Minted => {
  if (typeof outcome === 'string') throw new Error(outcome)
  return outcome
}
/** Runs `change` after the session was read for a refresh, and before its token is signed. */
const between = async (credential: string, kind: Kind, change: () => Promise<unknown>) => {
  const here = createGate()
  gate = here
  const refreshing = refresh(credential, kind)
  await here.arrived
  await change()
  here.open()
  return refreshing
}

describe('a new epoch with old roles', () => {
  const roles = (userId: string, ...names: string[]) => setting.core.users.change(userId, { roles: names }, 'test')

  it('is never minted from a session cookie: the token carries both as they were, and is stale', async () => {
    const { credential, snapshot } = await signIn(setting)
    const before = minted(await refresh(credential, 'cookie'))
    expect(await door(before.accessToken)).toBe('ok')
    const torn = minted(await between(credential, 'cookie', () => roles(snapshot.user.id, 'editor')))
    expect([torn.claims.epoch, torn.claims.roles]).toEqual([1, undefined])
    expect([await door(before.accessToken), await door(torn.accessToken)]).toEqual(['claims_stale', 'claims_stale'])
    expect(await setting.core.sessions.checkToken(torn.claims)).toMatchObject({ ok: false, code: 'claims_stale' })
    const after = minted(await refresh(credential, 'cookie'))
    expect([after.claims.epoch, after.claims.roles, await door(after.accessToken)]).toEqual([2, ['editor'], 'ok'])
  })

  it('makes a rotation lose its compare-and-set, read again and win with both new', async () => {
    const { credential, snapshot } = await signIn(setting, 'ada@example.com', 'native')
    const won = minted(await between(credential, 'token', () => roles(snapshot.user.id, 'editor')))
    expect([won.claims.epoch, won.claims.roles, await door(won.accessToken)]).toEqual([2, ['editor'], 'ok'])
    expect((await setting.store.sessions.find(snapshot.session.sid))?.session.generation).toBe(2)
  })

  it('is not minted for a client either', async () => {
    const { credential } = await signIn(setting)
    const torn = minted(await between(credential, 'cookie', () => setting.core.clients.bumpEpoch('app', 'test')))
    expect([torn.claims.client_epoch, await door(torn.accessToken)]).toEqual([1, 'claims_stale'])
    const native = await signIn(setting, 'bob@example.com', 'native')
    const won = minted(await between(native.credential, 'token', () => setting.core.clients.bumpEpoch('native', 'test')))
    expect([won.claims.client_epoch, await door(won.accessToken)]).toEqual([2, 'ok'])
  })

  it('is not minted in 200 races, from this process or another', async () => {
    const other = await openBeside(setting)
    const { credential, snapshot } = await signIn(setting)
    const { id } = snapshot.user
    const seen = { stale: 0, ok: 0 }
    for (let round = 2; round < 202; round++) {
      const name = `role${round}`
      const change = () => (round % 3 === 0 ? other : setting).core.users.change(id, { roles: [name] }, 'test')
      const work = [() => refresh(credential, 'cookie'), change, () => refresh(credential, 'cookie', other.core)]
      const [first, , third] = await Promise.all((round % 2 === 0 ? work : work.reverse()).map((run) => run()))
      const known = round % 3 !== 0
      for (const one of [first, third] as (Minted | string)[]) {
        const { claims, accessToken } = minted(one)
        // Either both as they are now, or both as they were.
        const now = claims.epoch === round
        expect(claims.roles).toEqual(now ? [name] : round === 2 ? undefined : [`role${round - 1}`])
        // What another process wrote comes to this door with its next look; the live check knows at once.
        if (known) expect(await door(accessToken)).toBe(now ? 'ok' : 'claims_stale')
        expect((await setting.core.sessions.checkToken(claims)).ok).toBe(now)
        seen[now ? 'ok' : 'stale']++
      }
    }
    expect(Math.min(seen.ok, seen.stale)).toBeGreaterThan(0)
    await other.store.close()
  })
})

describe('a mint and the end of its session', () => {
  it.each<Kind>(['cookie', 'token'])('gives nothing that is accepted when the end comes between read and signature (%s)', async (kind) => {
    const { credential, snapshot } = await signIn(setting, 'ada@example.com', clientOf[kind])
    const { sid } = snapshot.session
    const outcome = await between(credential, kind, () => setting.core.sessions.revoke({ sid }, 'sign_out', { actor: 'test' }))
    if (kind === 'cookie') expect(await door(minted(outcome).accessToken)).toBe('session_revoked')
    else expect(outcome).toBe('session_revoked')
    // After the end nothing is minted any more.
    expect(await refresh(credential, kind)).toBe('session_revoked')
    expect(await setting.core.sessions.mint(credential)).toMatchObject({ ok: false })
  })

  it.each<Kind>(['cookie', 'token'])('gives nothing that is accepted to a user disabled meanwhile (%s)', async (kind) => {
    const { credential, snapshot } = await signIn(setting, 'ada@example.com', clientOf[kind])
    const { id } = snapshot.user
    const outcome = await between(credential, kind, () => setting.core.users.change(id, { status: 'disabled' }, 'test'))
    if (kind === 'cookie') expect(await door(minted(outcome).accessToken)).toMatch(/^(?:session_revoked|claims_stale)$/)
    else expect(outcome).toBe('session_revoked')
    expect(await refresh(credential, kind)).toBe('session_revoked')
  })

  it('leaves nobody who was disabled with an accepted token in 200 races', async () => {
    const seen = { refused: 0, minted: 0 }
    for (let round = 0; round < 200; round++) {
      const kind: Kind = round % 2 === 0 ? 'cookie' : 'token'
      const { credential, snapshot } = await signIn(setting, 'ada@example.com', clientOf[kind])
      const { id } = snapshot.user
      const work = [() => refresh(credential, kind), () => setting.core.users.change(id, { status: 'disabled' }, 'test')]
      const results = await Promise.all((round % 4 < 2 ? work : work.reverse()).map((run) => run()))
      const outcome = results[round % 4 < 2 ? 0 : 1] as Minted | string
      seen[typeof outcome === 'string' ? 'refused' : 'minted']++
      if (typeof outcome === 'string') expect(outcome).toBe('session_revoked')
      else expect(await door(outcome.accessToken)).not.toBe('ok')
      expect(await refresh(credential, kind)).toBe('session_revoked')
      await setting.core.users.change(id, { status: 'active' }, 'test')
      expect(await refresh(credential, kind)).toBe('session_revoked')
    }
    expect(Math.min(seen.refused, seen.minted)).toBeGreaterThan(0)
  })
})

describe('a sign-in and the disabling of its user', () => {
  const verify = async (email: string, clientId: string) => {
    const { loginId, code } = await start(setting, email, clientId)
    return () =>
      setting.core.login.verify({
        loginId,
        code,
        browser: clientId === 'app' ? browser : null,
        device: null,
        replaces: null,
        caller,
      })
  }
  /** No session of this user is alive, and nothing that came of the sign-in is accepted. */
  const shut = async (userId: string, signedIn: Awaited<ReturnType<Awaited<ReturnType<typeof verify>>>>) => {
    expect((await setting.core.sessions.list(userId)).sessions).toEqual([])
    if (!signedIn.ok) return expect(signedIn.code).toBe('login_failed')
    const kind = signedIn.minted === null ? 'cookie' : 'token'
    expect(await refresh(signedIn.credential, kind)).toBe('session_revoked')
    if (signedIn.minted !== null) expect(await door(signedIn.minted.accessToken)).not.toBe('ok')
  }

  it.each([
    ['login.charged', false],
    ['login.opened', true],
  ])('ends with no live session when it comes at %s', async (at, opened) => {
    const { snapshot } = await signIn(setting, 'ada@example.com', 'native')
    const { id } = snapshot.user
    const run = await verify('ada@example.com', 'native')
    let disabling: Promise<unknown> = Promise.resolve()
    setting.at = (step) => {
      if (step === at) disabling = setting.core.users.change(id, { status: 'disabled' }, 'test')
    }
    const signedIn = await run()
    setting.at = () => {}
    await disabling
    expect(signedIn.ok).toBe(opened)
    await shut(id, signedIn)
    await setting.core.users.change(id, { status: 'active' }, 'test')
    expect((await (await verify('ada@example.com', 'native'))()).ok).toBe(true)
  })

  it('ends with no live session in 200 races, from this process or another', async () => {
    const other = await openBeside(setting)
    const { snapshot } = await signIn(setting, 'ada@example.com', 'native')
    const { id } = snapshot.user
    const seen = { opened: 0, refused: 0 }
    for (let round = 0; round < 200; round++) {
      const run = await verify('ada@example.com', round % 2 === 0 ? 'native' : 'app')
      const disabling = round % 3 === 0 ? other.core : setting.core
      const disable = async () => {
        // The second write of the sign-in opens the session: let some disablings come in its moment.
        if (round % 5 > 1) await setting.store.audit.write([])
        return disabling.users.change(id, { status: 'disabled' }, 'test')
      }
      const [signedIn] = await (round % 4 < 2
        ? Promise.all([run(), disable()])
        : Promise.all([disable(), run()]).then(([disabled, one]) => [one, disabled] as const))
      seen[signedIn.ok ? 'opened' : 'refused']++
      // What another process wrote is in the log that every process follows; here the live answer is what counts.
      if (disabling === setting.core) await shut(id, signedIn)
      else expect((await setting.core.sessions.list(id)).sessions).toEqual([])
      await setting.core.users.change(id, { status: 'active' }, 'test')
    }
    expect(Math.min(seen.opened, seen.refused)).toBeGreaterThan(10)
    await other.store.close()
  })
})

describe('a key that is revoked while it signs', () => {
  const kidOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid as string
  const active = async () => (await setting.core.keys.list()).find(({ state }) => state === 'active')?.kid ?? ''

  it('makes no accepted token, whichever came first', async () => {
    const other = await openBeside(setting)
    const { credential } = await signIn(setting)
    for (let round = 0; round < 30; round++) {
      const kid = await active()
      const revoke = () => setting.core.keys.revoke(kid, { now: true }, 'test')
      const mint = () => refresh(credential, 'cookie')
      const work = [mint, revoke, mint]
      const results = await Promise.all((round % 2 === 0 ? work : [revoke, mint, mint]).map((run) => run()))
      const tokens = results.filter((one): one is Minted => typeof one === 'object' && 'accessToken' in one)
      expect(tokens).toHaveLength(2)
      // The other process has not read the log yet: it still signs with the key, in vain.
      const late = minted(await refresh(credential, 'cookie', other.core))
      expect(kidOf(late.accessToken)).toBe(kid)
      for (const { accessToken } of [...tokens, late])
        expect(await door(accessToken)).toBe(kidOf(accessToken) === kid ? 'token_revoked' : 'ok')
      await other.core.jobs.maintain()
      for (const core of [setting.core, other.core]) {
        const { accessToken } = minted(await refresh(credential, 'cookie', core))
        expect([kidOf(accessToken), await door(accessToken)]).toEqual([await active(), 'ok'])
      }
    }
    await other.store.close()
  })
})
