// Sealing and deriving: what was sealed opens here and nowhere else; secrets rotate; nothing shares memory.

import { describe, expect, it } from 'vitest'
import { createCrypto } from '../../src/embed/crypto.ts'

const [one, two] = ['first secret of at least thirty-two bytes', 'second secret of at least thirty-two bytes'] as const
const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : new TextDecoder().decode(bytes))

describe('createCrypto', () => {
  it('opens what it sealed, in its place, with its secret', () => {
    const crypto = createCrypto([one])
    const sealed = crypto.seal('hello', 'place')
    expect(text(crypto.open(sealed, 'place'))).toBe('hello')
    expect(crypto.open(sealed, 'elsewhere')).toBeUndefined()
    expect(createCrypto([two]).open(sealed, 'place')).toBeUndefined()
    for (let i = 0; i < sealed.length; i++) {
      const changed = Uint8Array.from(sealed)
      changed[i] = (changed[i] as number) ^ 1
      expect(crypto.open(changed, 'place')).toBeUndefined()
    }
    expect(crypto.open(sealed.subarray(0, 20), 'place')).toBeUndefined()
    expect(sealed.buffer.byteLength).toBe(sealed.length)
  })

  it('seals under the newest secret and opens under the older ones', () => {
    const sealed = createCrypto([one]).seal('hello', 'place')
    const rotated = createCrypto([two, one])
    expect(text(rotated.open(sealed, 'place'))).toBe('hello')
    expect(createCrypto([one]).open(rotated.seal('hello', 'place'), 'place')).toBeUndefined()
    expect(rotated.keyed('x', 'data')).toHaveLength(2)
    expect(rotated.keyed('x', 'data')[1]).toEqual(createCrypto([one]).keyed('x', 'data')[0])
    expect(rotated.keyed('x', 'data')[0]).not.toEqual(rotated.keyed('y', 'data')[0])
  })

  it('compares, and is random without repeating itself', () => {
    const crypto = createCrypto([one])
    expect(crypto.equal(crypto.hash('a'), crypto.hash('a'))).toBe(true)
    expect(crypto.equal(crypto.hash('a'), crypto.hash('b'))).toBe(false)
    expect(crypto.equal(crypto.hash('a'), new Uint8Array(3))).toBe(false)
    expect(new Set(Array.from({ length: 2000 }, () => Buffer.from(crypto.random(16)).toString('hex'))).size).toBe(2000)
    const digits = Array.from({ length: 20_000 }, () => crypto.randomBelow(10))
    for (let digit = 0; digit < 10; digit++) expect(digits.filter((one) => one === digit).length).toBeGreaterThan(1700)
  })
})
