// The option `brand`: what is taken, what is refused, and by which sentence.

import { describe, expect, it } from 'vitest'
import { mailBrand } from '../../src/embed/brand.ts'
import { type AuthOptions, readOptions } from '../../src/embed/options.ts'

const read = (brand: unknown, issuer = 'http://localhost:3000/auth') => readOptions({ issuer, dev: true, brand } as AuthOptions)

describe('a brand', () => {
  it.each([
    [{ nmae: 'Acme' }, /There is no option brand\.nmae/],
    [{ name: 'Ac\nme' }, /brand\.name must be one line of plain text\./],
    [{ accent: 'red;}' }, /brand\.accent must be a colour/],
    [{ logo: 'http://cdn.example/logo.png' }, /brand\.logo must be an address like/],
    [{ logo: 'javascript:alert(1)' }, /brand\.logo must be/],
    [{ logo: 'data:image/png;base64,AA' }, /brand\.logo must be/],
    [{ logo: '//cdn.example/logo.png' }, /brand\.logo must be/],
    [{ logo: '/\\cdn.example/logo.png' }, /brand\.logo must be/],
    [{ logo: 'logo.png' }, /brand\.logo must be/],
    [{ logo: 'https://user:word@cdn.example/logo.png' }, /brand\.logo must be/],
    [{ texts: { fr: {} } }, /There is no option brand\.texts\.fr/],
    [{ texts: { de: { page: {} } } }, /There is no option brand\.texts\.de\.page;/],
    [{ texts: { de: { pages: { signUp: 'x' } } } }, /There is no option brand\.texts\.de\.pages\.signUp;/],
    [{ texts: { en: { errors: { invalid_option: 'x' } } } }, /There is no option brand\.texts\.en\.errors\.invalid_option;/],
    [{ texts: { en: { pages: JSON.parse('{"__proto__":"x"}') } } }, /There is no option brand\.texts\.en\.pages\.__proto__;/],
    [{ texts: { en: { pages: { signIn: 1 } } } }, /brand\.texts\.en\.pages\.signIn is not valid/],
    [{ texts: { en: { pages: { signIn: '<b>In</b>' } } } }, /brand\.texts\.en\.pages\.signIn must be plain text, without mark-up\./],
    [{ texts: { en: { mails: { confirms: 'You confirm.' } } } }, /brand\.texts\.en\.mails\.confirms must say \{act\}\./],
  ])('is refused: %j', (brand, sentence) => expect(() => read(brand)).toThrow(sentence))

  it('is taken as it should be, its logo by a whole address for mails', () => {
    const texts = { de: { pages: { signIn: 'Rein' }, mails: { confirms: 'Das ist: {act}' } }, en: { errors: { login_failed: 'No.' } } }
    const settings = read({ name: 'Acme', logo: '/logo.png', accent: '#AA00ff', radius: 0, texts })
    expect(mailBrand(settings)).toEqual({ name: 'Acme', logo: 'http://localhost:3000/logo.png', accent: '#AA00ff', radius: 0, texts })
    for (const logo of ['https://cdn.example/logo.png', 'http://localhost:3000/auth/logo.png'])
      expect(mailBrand(read({ logo }))).toMatchObject({ logo })
    expect(mailBrand(read({})).logo).toBeUndefined()
  })
})
