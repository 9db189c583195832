// Guards on a source that answers by hand: what no answer may make of a credential, and what a clock that is set back may
// not bring back. No network.

import type { Revocation } from '@symbolon/protocol'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { createVerifier, type LiveAnswer, type Source, type VerifierOptions } from '../src/index.ts'

const issuer = 'http://localhost:3000'
const [sid, otherSid] = ['AAECAwQFBgcICQoLDA0ODw', 'BAECAwQFBgcICQoLDA0ODw']
const { privateKey, publicKey } = await generateKeyPair('ES256')
const jwk = { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256', use: 'sig' }
const opaque = `syo_${'x'.repeat(40)}`

const mint = (iat: number) => {
  const claims = { iss: issuer, aud: issuer, sub: `usr_${sid}`, client_id: 'app', client_epoch: 1, iat, exp: iat + 300 }
  return new SignJWT({ ...claims, sid, jti: `1.${sid}`, epoch: 1, auth_time: 1, acr: 'a', amr: [] })
    .setProtectedHeader({ alg: 'ES256', kid: 'k', typ: 'at+jwt' })
    .sign(privateKey)
}

const start = (answer: LiveAnswer, options: Partial<VerifierOptions> = {}) => {
  let apply: (entries: readonly Revocation[]) => void = () => {}
  const source = {
    keys: () => [jwk],
    check: async () => answer,
    follow: (given: typeof apply) => {
      apply = given
      return { staleness: () => 0, end: () => {}, ready: async () => {}, status: () => ({}) }
    },
    close: async () => {},
  } as unknown as Source
  const verifier = createVerifier({ issuer, source, ...options })
  return { verifier, apply: (entries: readonly Revocation[]) => apply(entries) }
}
const session: LiveAnswer = {
  active: true,
  session: {
    ...{ sub: `usr_${sid}`, sid, clientId: 'app', epoch: 1, clientEpoch: 1, roles: [], scope: [] },
    ...{ authTime: 1, acr: 'a', amr: [] },
  },
}
const client: LiveAnswer = { active: true, client: { clientId: 'jobs', clientEpoch: 1, scope: [] } }

const ask = async (
  { verifier }: ReturnType<typeof start>,
  level: 'token' | 'session',
  requirement: object,
  headers: Record<string, string>,
) => {
  const result = await verifier.guard(level, requirement)({ method: 'GET', url: '/', header: (name) => headers[name] })
  return result.ok ? result.auth?.kind : (JSON.parse(result.body) as { code: string }).code
}

describe('an opaque token', () => {
  it.each(['user', 'client', 'any'] as const)('of a client has no session, whoever is asked for: %s', async (subject) => {
    const set = start(client)
    const bearer = { authorization: `Bearer ${opaque}` }
    expect(await ask(set, 'session', { subject }, bearer)).toBe('session_required')
    expect(await ask(set, 'token', { subject }, bearer)).toBe(subject === 'user' ? 'session_required' : 'client')
  })

  it.each(['token', 'session'] as const)(
    'and the cookie of another session are a conflict; of the same one they are not (%s)',
    async (level) => {
      const set = start(session, { cookies: true })
      const both = (one: string) => ({ authorization: `Bearer ${opaque}`, cookie: `symbolon=syc_${one}.1.${'x'.repeat(32)}` })
      expect(await ask(set, level, {}, both(otherSid))).toBe('credential_conflict')
      expect(await ask(set, level, {}, both(sid))).toBe('user')
    },
  )
})

it('a token that came over a socket is held to the level that is asked for', async () => {
  const dead: LiveAnswer = { active: false, code: 'session_revoked' }
  for (const [answer, live] of [
    [session, 'live'],
    [dead, 'session_revoked'],
  ] as const) {
    const { verifier } = start(answer)
    const token = await mint(Math.floor(Date.now() / 1000))
    const said = async (level?: 'token' | 'session') => {
      const result = await verifier.check(token, level)
      return result.ok ? result.auth?.checked : (JSON.parse(result.body) as { code: string }).code
    }
    expect([await said(), await said('token'), await said('session')]).toEqual(['local', 'local', live])
    await verifier.close()
  }
})

describe('a clock that is set back', () => {
  it('makes no token young again whose revocation was over by then', async () => {
    const at = 1_800_000_000_000
    const token = await mint(at / 1000)
    const revocation: Revocation = { seq: 1, tenant: 'main', kind: 'session', id: sid, at: 0, expires: at + 420_000 }
    const codes: (string | undefined)[] = []
    for (const ahead of [0, 3_600_000]) {
      let now = at + ahead
      const { verifier, apply } = start(session, { now: () => now })
      // Far ahead there is nothing left to hold: every token it could mean is over.
      apply([revocation])
      expect(verifier.status().entries).toBe(ahead === 0 ? 1 : 0)
      now = at
      const result = await verifier.verify(token)
      codes.push(result.ok ? 'ok' : result.code)
      await verifier.close()
    }
    expect(codes).toEqual(['session_revoked', 'token_expired'])
    const { verifier } = start(session, { now: () => at })
    expect(await verifier.verify(token)).toMatchObject({ ok: true })
    await verifier.close()
  })
})
