// The Cookie header as browsers mean it: which names are ours, and that no name which a sibling host may set is read as one.

import { describe, expect, it } from 'vitest'
import { readCookies } from '../src/index.ts'

describe('our cookies', () => {
  it.each([
    ['__Host-symbolon=a', 'a'],
    ['x=y; __Host-symbolon=a; z', 'a'],
    ['x=y;__Host-symbolon=a', 'a'],
    [' \t__Host-symbolon \t=\t a \t;x', 'a'],
    ['__Host-symbolon=a=b', 'a=b'],
  ])('are found by their names, spaces and tabs around them left out: %j', (header, session) => {
    expect(readCookies(header, true)).toEqual({ session })
  })

  // To a browser these names have no prefix: any host of the domain may set them, for all of it.
  it.each(['\u00a0', '\u0085', '\ufeff', '\u2000', '\u2028', '\u3000', '\v', '\f', '\u00c2\u00a0', '\u00e2\u0080\u0080'])(
    'are none with another blank before or behind the name: %j',
    (blank) => {
      expect(readCookies(`${blank}__Host-symbolon=a`, true)).toEqual({})
      expect(readCookies(`__Host-symbolon${blank}=a`, true)).toEqual({})
      // Nor do they make the owner's own a conflict.
      expect(readCookies(`__Host-symbolon=b; ${blank}__Host-symbolon=a`, true)).toEqual({ session: 'b' })
    },
  )

  it.each(['symbolon=a', '__Secure-symbolon=a', '__host-symbolon=a', '"__Host-symbolon"=a', '$__Host-symbolon=a'])(
    'are no others: %j',
    (header) => expect(readCookies(header, true)).toEqual({}),
  )

  it('are a conflict when one stands there twice', () => {
    expect(readCookies('__Host-symbolon=a; __Host-symbolon=a', true)).toBe('conflict')
  })
})
