// JSON with one meaning, as a property: whatever JSON.parse reads is read alike, unless an object names a member twice
// (however spelled), a prototype is named, or it is too deep.

import { readJsonObject } from '@symbolon/protocol'
import fc from 'fast-check'
import { expect, it } from 'vitest'

/** A name as JSON may spell it: some letters escaped. */
const spelled = (name: string, escaped: boolean) =>
  escaped ? `"${[...name].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"` : JSON.stringify(name)

it('reads what JSON.parse reads, and nothing that it does not', () => {
  const value = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 6 }))
  fc.assert(
    fc.property(value, fc.nat(3), (object, indent) => {
      const text = JSON.stringify(object, null, indent)
      expect(readJsonObject(text)).toEqual(/"__proto__"\s*:/.test(text) ? undefined : JSON.parse(text))
    }),
  )
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'{}[]":,\\ \n\u00a0tau0161') }), (text) => {
      const read = readJsonObject(text)
      if (read !== undefined) expect(read).toEqual(JSON.parse(text))
    }),
  )
})

it('refuses a member twice at any place and depth, however spelled, and takes it under another name', () => {
  const name = fc.string({ unit: fc.constantFrom(...'ab"\\ é{[:') })
  fc.assert(
    fc.property(
      name,
      name,
      fc.boolean(),
      fc.boolean(),
      fc.nat(10),
      fc.jsonValue({ maxDepth: 2 }),
      (one, other, first, second, depth, value) => {
        const wrap = (inner: string) => `${'{"x":['.repeat(Math.floor(depth / 2))}${inner}${']}'.repeat(Math.floor(depth / 2))}`
        const text = (a: string, b: string) => wrap(`{${spelled(a, first)}:${JSON.stringify(value)} , ${spelled(b, second)}\n:1}`)
        fc.pre(!JSON.stringify(value).includes('__proto__'))
        expect(readJsonObject(text(one, one))).toBeUndefined()
        if (one !== other) expect(readJsonObject(text(one, other))).toEqual(JSON.parse(text(one, other)))
      },
    ),
  )
})

it.each([
  ['sixteen levels', `${'{"a":'.repeat(16)}1${'}'.repeat(16)}`, true],
  ['seventeen levels', `${'{"a":'.repeat(17)}1${'}'.repeat(17)}`, false],
  ['a prototype', '{"__proto__":{}}', false],
  ['a prototype in escapes', '{"\\u005f_proto__":{}}', false],
  ['a list', '[]', false],
  ['a text', '"a"', false],
  ['nothing', '', false],
  ['the same name side by side', '{"a":{"b":1},"c":{"b":1}}', true],
])('%s', (_, text, taken) => {
  expect(readJsonObject(text) !== undefined).toBe(taken)
})
