// Session cookies that a verifier asks the issuer about: what one person's session is answered is no fault of the issuer.

import { describe, expect, it } from 'vitest'
import { createCookieChecks } from '../../src/source/cookies.ts'

const credential = `syc_${'A'.repeat(22)}.1.${'B'.repeat(32)}`

/** Checks whose issuer answers this, and what the breaker hears. */
function checks(answer: { readonly status: number; readonly body: Record<string, unknown> }) {
  const heard: string[] = []
  const check = createCookieChecks({
    issuer: 'https://auth.example',
    transport: { json: async () => ({ retryAfter: 0, ...answer }) } as never,
    breaker: { allows: () => true, failed: () => heard.push('failed'), succeeded: () => heard.push('succeeded') } as never,
    read: async () => undefined,
  })
  return { heard, ask: () => check(credential) }
}

it('says which question nobody’s request asks, so that only others keep a session alive', async () => {
  const sent: (string | null)[] = []
  const check = createCookieChecks({
    issuer: 'https://auth.example',
    transport: {
      json: async (_path: string, { headers }: { readonly headers: HeadersInit }) => {
        sent.push(new Headers(headers).get('symbolon-background'))
        return { status: 401, retryAfter: 0, body: { code: 'session_expired' } }
      },
    } as never,
    breaker: { allows: () => true, failed: () => {}, succeeded: () => {} } as never,
    read: async () => undefined,
  })
  await check(credential)
  await check(credential, true)
  expect(sent).toEqual([null, '1'])
})

describe('what the issuer says of one session', () => {
  it.each([
    [401, 'session_revoked'],
    [401, 'step_up_required'],
    [403, 'denied'],
  ])('%i %s is passed on', async (status, code) => {
    const { heard, ask } = checks({ status, body: { code } })
    expect([await ask(), heard]).toEqual([{ minted: false, code }, ['succeeded']])
  })

  it.each([
    [503, 'try_later', 'succeeded'],
    [503, 'store_unavailable', 'failed'],
    [502, undefined, 'failed'],
  ])('%i %s is never a yes, and tells the breaker: %s', async (status, code, told) => {
    const { heard, ask } = checks({ status, body: code === undefined ? {} : { code } })
    await expect(ask()).rejects.toMatchObject({ code: 'try_later', status: 503 })
    expect(heard).toEqual([told])
  })
})
