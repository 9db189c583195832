// The source over HTTP on a `fetch` of our own: which answers are answers, and that no call goes where it was not sent or
// reads without end.

import { describe, expect, it } from 'vitest'
import { liveAnswerOf } from '../../src/source/answers.ts'
import { createHttpSource } from '../../src/source/http.ts'

const issuer = 'http://localhost:3000'
const sid = 'AAECAwQFBgcICQoLDA0ODw'
const claims = { sub: `usr_${sid}`, sid, client_id: 'app', epoch: 1, client_epoch: 1, auth_time: 1, acr: 'a', amr: [], iat: 1, exp: 2 }
const credential = (of: string) => `syc_${of}.1.${'x'.repeat(32)}`
const token = `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`

const start = (answer: () => Response) => {
  const calls: RequestInit[] = []
  const source = createHttpSource({
    issuer,
    clientId: 'api',
    clientSecret: 's',
    fetch: async (_, init) => {
      calls.push(init as RequestInit)
      return answer()
    },
  })
  return { source, calls }
}
const json =
  (body: unknown, status = 200) =>
  () =>
    Response.json(body, { status })
const outcome = (asked: unknown) => Promise.resolve(asked).catch((error: { code: string; status: number }) => [error.code, error.status])
const unknown = ['try_later', 503]

describe('a token from a session cookie', () => {
  const mint = (answer: () => Response, of = sid) => outcome(start(answer).source.mint?.(credential(of)))
  it('is one when it comes with 200, and says of whom', async () => {
    expect(await mint(json({ access_token: token }))).toMatchObject({ minted: true, session: { sid } })
    expect(await mint(json({ access_token: token }), sid.replace('AAE', 'BBE'))).toEqual(unknown)
  })
  it.each([201, 302, 403, 404, 429, 500, 503])('is none with %i, whatever the body says', async (status) => {
    expect(await mint(json({ access_token: token }, status))).toEqual(unknown)
  })
  it.each([
    ['no token', {}],
    ['a number', { access_token: 7 }],
    ['a token of no session', { access_token: token.replace(/\..*\./, '.e30.') }],
  ])('is none when there is %s', async (_, body) => expect(await mint(json(body))).toEqual(unknown))
  it.each([
    ['session_revoked', 'session_revoked'],
    ['try_later', 'session_unknown'],
    [undefined, 'session_unknown'],
  ])('is refused with 401: %s', async (code, said) => {
    expect(await mint(json({ code, access_token: token }, 401))).toEqual({ minted: false, code: said })
  })
})

describe('session cookies', () => {
  it.each(['', 'syc_x', `syc_${sid}.0.${'x'.repeat(32)}`, `syt_${sid}.1.${'x'.repeat(32)}`, `${credential(sid)}.`, `${credential(sid)}\n`])(
    'that cannot be one are refused here, and nobody is asked: %j',
    async (text) => {
      const { source, calls } = start(json({ access_token: token }))
      expect([await source.mint?.(text), calls.length]).toEqual([{ minted: false, code: 'session_unknown' }, 0])
      expect(await source.mint?.(credential(sid))).toMatchObject({ minted: true })
      expect(calls).toHaveLength(1)
    },
  )

  it('are asked about no more after five failures, until the next try', async () => {
    let [status, now] = [500, 0]
    let calls = 0
    const source = createHttpSource({
      issuer,
      monotonic: () => now,
      random: () => 0,
      fetch: async () => {
        calls++
        return Response.json({ access_token: token }, { status })
      },
    })
    const ask = () => outcome(source.mint?.(credential(sid)))
    for (let i = 0; i < 8; i++) expect(await ask()).toEqual(unknown)
    expect([calls, source.status?.().breaker]).toEqual([5, 'open'])
    status = 200
    now = 5000
    expect(await ask()).toMatchObject({ minted: true })
    expect([calls, source.status?.().breaker]).toEqual([6, 'closed'])
  })

  it('open no breaker by what is said of them', async () => {
    const { source, calls } = start(json({}, 403))
    for (let i = 0; i < 8; i++) await outcome(source.mint?.(credential(sid)))
    expect([calls.length, source.status?.().breaker]).toEqual([8, 'closed'])
  })

  it('are under way in a bounded number', async () => {
    const held: (() => void)[] = []
    const source = createHttpSource({
      issuer,
      fetch: () => new Promise((resolve) => void held.push(() => resolve(Response.json({ access_token: token })))),
    })
    const ask = () => outcome(source.mint?.(credential(sid)))
    const all = Array.from({ length: 512 }, ask)
    expect([await ask(), held.length]).toEqual([unknown, 512])
    for (const answer of held) answer()
    for (const one of await Promise.all(all)) expect(one).toMatchObject({ minted: true })
    const next = ask()
    held.at(-1)?.()
    expect(await next).toMatchObject({ minted: true })
  })
})

describe('every call', () => {
  it('follows no redirect, with which its credential would go elsewhere', async () => {
    const { source, calls } = start(() => new Response(null, { status: 302, headers: { location: 'https://b.example' } }))
    await outcome(source.keys('k'))
    await outcome(source.mint?.(credential(sid)))
    await outcome(source.check({ by: 'opaque', token: 'syo_x' }))
    const feed = source.follow?.(() => {})
    await expect.poll(() => calls.length).toBeGreaterThanOrEqual(4)
    feed?.end()
    await source.close()
    expect(calls.map(({ redirect }) => redirect)).toEqual(calls.map(() => 'manual'))
  })

  it('reads an answer to its bound, and stops there', async () => {
    let chunks = 0
    const endless = () =>
      new Response(
        new ReadableStream<Uint8Array>({
          pull(controller) {
            // Ends all the same, so that a reader without a bound is found out and not waited for.
            if (++chunks > 2000) controller.close()
            else controller.enqueue(new Uint8Array(4096).fill(32))
          },
        }),
      )
    expect(await outcome(start(endless).source.mint?.(credential(sid)))).toEqual(unknown)
    expect(chunks).toBeLessThan(100)
  })
})

describe('an answer about an opaque token', () => {
  const own = { active: true, aud: issuer, client_id: 'jobs', sub: 'jobs', client_epoch: 1, scope: 'a' }
  const read = (answer: object) => {
    try {
      const found = liveAnswerOf({ ...answer }, { by: 'opaque', token: 'syo_x' }, issuer)
      return !found.active ? found.code : 'session' in found ? 'session' : 'client'
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  it.each<[string, object, string]>([
    ['a session', { ...claims, active: true, aud: issuer }, 'session'],
    ['a client', own, 'client'],
    ['a list with our audience', { ...own, aud: [issuer] }, 'client'],
    ['two audiences', { ...own, aud: [issuer, 'b'] }, 'invalid_token'],
    ['a client with a session that says too little', { ...own, sid }, 'try_later'],
    ['a session without an epoch', { ...claims, active: true, aud: issuer, epoch: undefined }, 'try_later'],
    ['a client without an epoch', { ...own, client_epoch: undefined }, 'try_later'],
    ['a client in another’s name', { ...own, sub: 'usr_x' }, 'try_later'],
    ['neither yes nor no', { ...own, active: 1 }, 'try_later'],
  ])('of %s is read as what it is', (_, answer, is) => expect(read(answer)).toBe(is))
})
