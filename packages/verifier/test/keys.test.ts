// The key set on a clock moved by hand: how long keys are used, when they are fetched anew, and which are taken at all.

import { beforeEach, describe, expect, it } from 'vitest'
import { createKeySet, type KeySet } from '../src/keys.ts'

const key = (kid: string, more: object = {}) => ({ kty: 'EC', crv: 'P-256', x: `x-${kid}`, y: 'y', kid, alg: 'ES256', use: 'sig', ...more })
const minute = 60_000
const day = 86_400_000

let time: number
let fetches: number
let fresh: boolean[]
/** What the issuer publishes; `undefined`: it cannot be reached. */
let published: readonly object[] | undefined
let set: KeySet
beforeEach(() => {
  time = 1_000_000
  fetches = 0
  fresh = []
  published = [key('a')]
  set = createKeySet({
    now: () => time,
    fetchJson: async (bypass) => {
      fetches++
      fresh.push(bypass)
      if (published === undefined) throw new Error('unreachable')
      return { keys: published }
    },
  })
})
const kids = async (kid: string) => (await set.keys(kid)).map((one) => one.kid)
/** Lets a fetch that nobody waits for end. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('keys', () => {
  it('are used for five minutes as they are, then fetched anew while the old ones serve', async () => {
    expect(await kids('a')).toEqual(['a'])
    published = [key('a'), key('b')]
    time += 5 * minute - 1
    expect([await kids('a'), fetches]).toEqual([['a'], 1])
    time += 1
    expect([await kids('a'), fetches]).toEqual([['a'], 2])
    await settle()
    expect([await kids('b'), fetches]).toEqual([['a', 'b'], 2])
  })

  it('that are withdrawn are gone with the next fetch', async () => {
    await kids('a')
    published = [key('b')]
    time += 5 * minute
    await kids('a')
    await settle()
    expect(await kids('a')).toEqual(['b'])
  })

  it('are used for a day while the issuer cannot be reached, and no longer', async () => {
    await kids('a')
    published = undefined
    time += day - 1
    expect(await kids('a')).toEqual(['a'])
    await settle()
    // A kid that is not there waits for the fetch, and learns that there is none.
    time += minute
    await expect(kids('z')).rejects.toMatchObject({ code: 'keys_unavailable' })
    time += minute
    await expect(kids('a')).rejects.toMatchObject({ code: 'keys_unavailable', status: 503 })
    // Within the cool-down too.
    time += 1
    await expect((async () => kids('a'))()).rejects.toMatchObject({ code: 'keys_unavailable' })
    published = [key('a')]
    time += minute
    expect(await kids('a')).toEqual(['a'])
  })

  it('are fetched once in a cool-down, whatever is asked for, but at once for one that was announced', async () => {
    await kids('a')
    for (const kid of ['x', 'y', 'z']) expect(await kids(kid)).toEqual(['a'])
    expect(fetches).toBe(1)
    published = [key('a'), key('b')]
    set.announce('b')
    expect([await kids('b'), fetches]).toEqual([['a', 'b'], 2])
    expect(fresh).toEqual([false, true])
    time += 10_000
    await kids('x')
    expect(fetches).toBe(3)
  })

  it('that were announced are not taken for unknown while they cannot be had, asked for once a second, and forgotten after a minute', async () => {
    await kids('a')
    set.announce('b')
    const asked = async () => [
      await Promise.resolve()
        .then(() => kids('b'))
        .catch(({ code }) => code as string),
      fetches,
    ]
    // A cache hands out what it has, or nobody answers.
    expect([await asked(), await asked()]).toEqual([
      ['keys_unavailable', 2],
      ['keys_unavailable', 2],
    ])
    published = undefined
    time += 1000
    expect(await asked()).toEqual(['keys_unavailable', 3])
    expect(await kids('a')).toEqual(['a'])
    published = [key('a'), key('b')]
    time += 1000
    expect(await asked()).toEqual([['a', 'b'], 4])
    set.announce('c')
    time += minute
    expect([await kids('c'), await kids('c')]).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ])
    expect(fetches).toBe(5)
  })

  it('stay the same objects while nothing about them changed', async () => {
    const [before] = await set.keys('a')
    published = [key('b'), key('a')]
    time += 10_000
    expect((await set.keys('b')).find(({ kid }) => kid === 'a')).toBe(before)
    published = [key('a', { x: 'another' })]
    time += 10_000
    expect((await set.keys('z'))[0]).not.toBe(before)
  })

  it.each<[string, object, boolean]>([
    ['for signatures', {}, true],
    ['of no said use', { use: undefined }, true],
    ['for encryption', { use: 'enc' }, false],
    ['with its private half', { d: 'd' }, false],
    ['of a symmetric algorithm', { alg: 'HS256' }, false],
    ['of no algorithm', { alg: undefined }, false],
    ['without a name', { kid: undefined }, false],
  ])('%s: taken or not', async (_, more, taken) => {
    published = [key('a'), key('b', more)]
    expect(await kids('a')).toEqual(taken ? ['a', 'b'] : ['a'])
  })

  it('in something else than a set are none', async () => {
    published = 'keys' as never
    await expect(kids('a')).rejects.toMatchObject({ code: 'keys_unavailable' })
  })
})
