// Holds the table in ARCHITECTURE.md against every import, the dependencies, and the size of every file.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { circles, drawerNames, importsOf, type Room, readSources, readTable, tooLong, upwardArrows, violations } from './house.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const rooms = readTable(readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8'))
const sources = readSources(root)
const dependencies = Object.fromEntries(
  readdirSync(join(root, 'packages')).map((name) => {
    const manifest = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'))
    return [name, Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })]
  }),
)

/** Files that may be longer than the cap, each with its reason. None. */
const exceptions: readonly string[] = []

describe('the house', () => {
  it('has a table that names every room', () => {
    expect(rooms.length).toBeGreaterThan(14)
    expect(rooms.map((room) => room.name)).toContain('symbolon/stores/sqlite')
  })
  it('imports only what the table allows', () => expect(violations(rooms, sources, dependencies)).toEqual([]))
  it('has arrows that point down only', () => expect(upwardArrows(rooms)).toEqual([]))
  it('has no circles between files', () => expect(circles(sources)).toEqual([]))
  it('has no drawers', () => expect(drawerNames(sources)).toEqual([]))
  it('has no file over 400 lines', () => expect(tooLong(sources, 400, exceptions)).toEqual([]))
  it('has one door to each room', () => {
    const doors = rooms.map((room) =>
      room.name.startsWith('symbolon/') ? `packages/${room.name.replace('/', '/src/')}/index.ts` : `packages/${room.name}/src/index.ts`,
    )
    expect(doors.filter((door) => !existsSync(join(root, door)))).toEqual([])
  })
  it('opens every file with a comment', () =>
    expect(sources.filter(({ text }) => !/^(?:#!.*\n)?(?:\/\/|\/\*)/.test(text)).map(({ path }) => path)).toEqual([]))
  it('has one version number', () => {
    const versions = readdirSync(join(root, 'packages')).map(
      (name) => JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')).version,
    )
    expect(new Set(versions).size).toBe(1)
  })
})

describe('the inspector finds', () => {
  const small: readonly Room[] = [
    { name: 'protocol', floor: 0, imports: [], packages: [], node: false },
    { name: 'verifier', floor: 1, imports: ['protocol'], packages: ['jose'], node: false },
    { name: 'symbolon/core', floor: 2, imports: ['protocol', 'verifier/token'], packages: [], node: false },
    { name: 'symbolon/http', floor: 3, imports: ['core'], packages: ['hono'], node: false },
  ]
  const owns = { protocol: [], verifier: ['@symbolon/protocol', 'jose'], symbolon: ['@symbolon/protocol', '@symbolon/verifier'] }
  const at = (path: string, text: string) => violations(small, [{ path, text }], owns)
  const cases: readonly (readonly [string, string, string, number])[] = [
    ['a forbidden room', 'packages/symbolon/src/core/a.ts', "import { x } from '#http'", 1],
    ['an allowed room', 'packages/symbolon/src/http/a.ts', "import { x } from '#core'", 0],
    ['a forbidden room, type only', 'packages/symbolon/src/core/a.ts', "import type { X } from '#http'", 1],
    ['a re-export', 'packages/symbolon/src/core/a.ts', "export { x } from '#http'", 1],
    ['a dynamic import', 'packages/symbolon/src/core/a.ts', "const x = await import('#http')", 1],
    ['a whole package where a part is allowed', 'packages/symbolon/src/core/a.ts', "import { x } from '@symbolon/verifier'", 1],
    ['the part that is allowed', 'packages/symbolon/src/core/a.ts', "import { x } from '@symbolon/verifier/token'", 0],
    ['a path into another room', 'packages/symbolon/src/core/a.ts', "import { x } from '../http/b.ts'", 1],
    ['its own door', 'packages/symbolon/src/core/a.ts', "import { x } from './index.ts'", 1],
    ['a sibling', 'packages/symbolon/src/core/a.ts', "import { x } from './b.ts'", 0],
    ['node in a room without it', 'packages/verifier/src/a.ts', "import { x } from 'node:fs'", 1],
    ['a package not in the table, nor among the dependencies', 'packages/verifier/src/a.ts', "import x from 'lodash'", 2],
    ['a package of the table that is no dependency', 'packages/symbolon/src/http/a.ts', "import { Hono } from 'hono'", 1],
    ['a package of both', 'packages/verifier/src/a.ts', "import { x } from 'jose'", 0],
    ['a file in no room', 'packages/symbolon/src/attic/a.ts', '', 1],
  ]
  it.each(cases)('%s', (_, path, text, count) => expect(at(path, text)).toHaveLength(count))
  it('imports in every spelling, and none in comments', () => {
    expect(
      importsOf(
        "import 'a'\nimport b, { c } from 'b'\nexport * from 'c'\nawait import('d')\n// import 'e'\n/* import 'f' */\nimport {\n  g,\n} from 'g'",
      ),
    ).toEqual(['a', 'b', 'c', 'g', 'd'])
  })
  it('a circle', () => {
    const file = (path: string, to: string) => ({ path, text: `import './${to}'` })
    expect(circles([file('a.ts', 'b.ts'), file('b.ts', 'a.ts')])).toHaveLength(1)
    expect(circles([file('a.ts', 'b.ts'), file('b.ts', 'c.ts')])).toEqual([])
  })
  it('an arrow that points up', () => {
    expect(upwardArrows([...small, { name: 'low', floor: 0, imports: ['verifier'], packages: [], node: false }])).toHaveLength(1)
  })
  it('a drawer and a long file', () => {
    expect(
      drawerNames([
        { path: 'packages/x/src/utils/a.ts', text: '' },
        { path: 'packages/x/src/a.ts', text: '' },
      ]),
    ).toHaveLength(1)
    expect(
      tooLong(
        [
          { path: 'a', text: 'x\n'.repeat(401) },
          { path: 'b', text: 'x\n'.repeat(400) },
          { path: 'c', text: 'x\n'.repeat(401) },
        ],
        400,
        ['c'],
      ),
    ).toEqual(['a'])
  })
})
