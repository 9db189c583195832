// The environment over the options: the brand.

import { expect, it } from 'vitest'
import { readConfiguration } from '../../src/server/configuration.ts'

it('reads a brand from the environment, over a file', () => {
  const env = {
    SYMBOLON_BRAND_NAME: 'Acme',
    SYMBOLON_BRAND_LOGO: '/logo.png',
    SYMBOLON_BRAND_ACCENT: '#5a3fc0',
    SYMBOLON_BRAND_RADIUS: '6',
  }
  expect(readConfiguration({ env, dev: true }).auth.brand).toEqual({ name: 'Acme', logo: '/logo.png', accent: '#5a3fc0', radius: 6 })
  expect(() => readConfiguration({ env: { SYMBOLON_BRAND_RADIUS: '6px' }, dev: true })).toThrow(/SYMBOLON_BRAND_RADIUS must be a number/)
  expect(() => readConfiguration({ env: { SYMBOLON_BRAND_TEXTS: '{}' }, dev: true })).toThrow(/no variable SYMBOLON_BRAND_TEXTS/)
})
