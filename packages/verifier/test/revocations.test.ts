// The knowledge of revocations against a plain model that never forgets too early, and its cost with a million entries.

import { type AccessTokenClaims, type Revocation, toBase64url } from '@symbolon/protocol'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createIdReader } from '../src/id-table.ts'
import { createRevocations } from '../src/revocations.ts'

const at = 1_800_000_000_000
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
/** Few ids, some of which differ in one bit only. */
const idOf = (n: number) => {
  const bytes = new Uint8Array(16)
  bytes[n % 16] = 1 << (n % 7)
  bytes[15] = n & 3
  return toBase64url(bytes)
}
const claimsOf = (n: number, epoch: number): AccessTokenClaims => ({
  iss: 'i',
  aud: 'a',
  iat: 0,
  exp: 0,
  sub: n % 5 === 0 ? `person-${n}` : `usr_${idOf(n)}`,
  sid: n % 7 === 0 ? `odd ${n}` : idOf(n + 40),
  jti: n % 3 === 0 ? idOf(n + 80) : `${n}.${idOf(n + 80)}`,
  client_id: `app${n % 4}`,
  epoch,
  client_epoch: epoch,
})

const entry = fc
  .record({
    kind: fc.constantFrom('session', 'user', 'client', 'token', 'key'),
    n: fc.nat(30),
    epoch: fc.nat(5),
    life: fc.integer({ min: -100, max: 1000 }),
    state: fc.constantFrom('published', 'revoked'),
  })
  .map(({ kind, n, epoch, life, state }): Revocation => {
    const claims = claimsOf(n, 0)
    const id = { session: claims.sid as string, user: claims.sub, client: claims.client_id, token: claims.jti, key: `kid${n}` }[
      kind
    ] as string
    const expires = at + life * 1000
    const common = { seq: 0, tenant: 'main', id, at: 0 }
    if (kind === 'key') return { ...common, kind, state: state as 'published' | 'revoked', expires: null }
    if (kind === 'user' || kind === 'client') return { ...common, kind, epoch, expires }
    return { ...common, kind: kind as 'session' | 'token', expires }
  })
const step = fc.oneof(
  { weight: 4, arbitrary: fc.array(entry, { maxLength: 20 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 300 }) },
)

describe('what is revoked', () => {
  it('is what a plain list of entries says, whatever came how often in which order, until it is over', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        let now = at
        const known = createRevocations(() => now)
        const all: Revocation[] = []
        for (const one of steps) {
          if (typeof one === 'number') now += one * 1000
          else {
            known.apply(one)
            // Again and backwards: applied idempotently.
            known.apply([...one].reverse())
            all.push(...one.filter(({ expires }) => expires === null || expires >= now))
          }
          const means = (kind: string, id: string) => all.filter((e) => e.kind === kind && e.id === id && (e.expires ?? now) >= now)
          for (let n = 0; n <= 30; n++) {
            const claims = claimsOf(n, n % 6)
            const expected = means('key', `kid${n}`).some((e) => e.state === 'revoked')
              ? 'token_revoked'
              : means('session', claims.sid as string).length > 0
                ? 'session_revoked'
                : means('token', claims.jti).length > 0
                  ? 'token_revoked'
                  : [...means('user', claims.sub), ...means('client', claims.client_id)].some((e) => (e.epoch ?? 0) > n % 6)
                    ? 'claims_stale'
                    : undefined
            // What is over may still be held, and be the reason: no token of it is alive. What is not over must be held.
            const found = known.revoked(claims, `kid${n}`)
            if (all.every((e) => (e.expires ?? now) >= now)) expect(found).toBe(expected)
            else if (expected !== undefined) expect(found).toBeDefined()
          }
        }
        known.end()
      }),
      { numRuns: 300 },
    )
  })

  it('is read from canonical ids only: another spelling of the same bits is another id', () => {
    const reader = createIdReader()
    const seen = new Set<string>()
    for (const last of letters) {
      const read = reader.read(`${'A'.repeat(21)}${last}`, 0)
      expect(read).toBe('AQgw'.includes(last))
      if (read) seen.add([...reader.words].join())
    }
    expect(seen.size).toBe(4)
    for (const bad of ['', 'A'.repeat(21), 'A'.repeat(23), `${'A'.repeat(20)}=A`, `é${'A'.repeat(21)}`, `A${'.'.repeat(20)}A`])
      expect(reader.read(bad, 0)).toBe(false)
  })

  it('tells every one of the 128 bits apart', () => {
    const known = createRevocations(() => at)
    const bytes = Uint8Array.from({ length: 16 }, (_, i) => i * 17)
    const claims = (id: string) => ({ ...claimsOf(1, 0), sid: id })
    known.apply([{ seq: 1, tenant: 'main', kind: 'session', id: toBase64url(bytes), at: 0, expires: at + 1000 }])
    expect(known.revoked(claims(toBase64url(bytes)), 'k')).toBe('session_revoked')
    for (let bit = 0; bit < 128; bit++) {
      const other = bytes.slice()
      other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(known.revoked(claims(toBase64url(other)), 'k')).toBeUndefined()
    }
    known.end()
  })

  it('is not complete while something that could matter did not fit, and is again when that is over', () => {
    let now = at
    const known = createRevocations(() => now, { ids: 2, names: 1 })
    const session = (n: number, life: number): Revocation => ({
      seq: n,
      tenant: 'main',
      kind: 'session',
      id: idOf(n),
      at: 0,
      expires: at + life,
    })
    known.apply([session(1, 5000), session(2, 5000), session(1, 9000)])
    expect(known.complete()).toBe(true)
    known.apply([session(3, 20_000)])
    expect([known.complete(), known.size()]).toEqual([false, 2])
    now = at + 20_000
    expect(known.complete()).toBe(false)
    now = at + 22_000
    expect(known.complete()).toBe(true)
    const key = (id: string): Revocation => ({ seq: 9, tenant: 'main', kind: 'key', id, state: 'revoked', at: 0, expires: null })
    known.apply([key('a'), key('a')])
    expect(known.complete()).toBe(true)
    known.apply([key('b')])
    now += 1e12
    expect(known.complete()).toBe(false)
    known.end()
  })

  it('is forgotten by itself when it is over', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    let now = at
    const known = createRevocations(() => now)
    known.apply(
      Array.from({ length: 3 }, (_, n) => ({ seq: n, tenant: 'main', kind: 'token' as const, id: idOf(n), at: 0, expires: at + 1000 })),
    )
    expect(known.size()).toBe(3)
    now += 5000
    // A shard each quarter of a second: everything within about a minute.
    vi.advanceTimersByTime(64_000)
    expect(known.size()).toBe(0)
    known.end()
  })
})

describe('a million entries', () => {
  const ids = (count: number) => {
    const random = new Uint8Array(16)
    return Array.from({ length: count }, (_, i) => {
      new DataView(random.buffer).setUint32(0, Math.imul(i, 0x9e3779b1))
      new DataView(random.buffer).setUint32(4, i)
      return toBase64url(random)
    })
  }

  // That they make no pause and a check little dearer is what the benchmark holds: time is no matter for tests.
  it('take at most 100 MB, and all of them are known', () => {
    const known = createRevocations(() => at)
    const all = ids(1_000_000)
    for (let i = 0; i < all.length; i += 1000)
      known.apply(
        all.slice(i, i + 1000).map((id, n) => {
          const kind = (['session', 'token', 'user'] as const)[(i + n) % 3] as 'session'
          return { seq: 0, tenant: 'main', kind, id: kind === ('user' as string) ? `usr_${id}` : id, at: 0, expires: at + 900_000 }
        }),
      )
    expect(known.size()).toBe(1_000_000)
    expect(known.bytes()).toBeLessThan(100_000_000)
    let sessions = 0
    for (let i = 0; i < all.length; i += 3)
      if (known.revoked({ ...claimsOf(1, 5), sid: all[i] as string }, 'k') === 'session_revoked') sessions++
    expect(sessions).toBe(333_334)
    expect(known.revoked({ ...claimsOf(1, 5), sid: all[1] as string }, 'k')).toBeUndefined()
    known.end()
  })
})
