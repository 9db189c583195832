// A configuration with comments is JSON otherwise: what stands in its texts stays as it is.

import { expect, it } from 'vitest'
import { readCommentedJson } from '../../src/server/commented-json.ts'

it.each<[string, unknown]>([
  ['{"a": 1, // one\n "b": [1, 2, ], /* two */ }', { a: 1, b: [1, 2] }],
  ['{"a": "x,]", "b": "y,}"}', { a: 'x,]', b: 'y,}' }],
  ['{"a": "http://x, /* no comment */ // none ,}"}', { a: 'http://x, /* no comment */ // none ,}' }],
  ['{"a": "\\",]"}', { a: '",]' }],
  ['{"a": [1,, ]}', undefined],
  ['[1]', undefined],
])('%s', (text, value) => expect(readCommentedJson(text)).toEqual(value))
