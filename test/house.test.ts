// Holds the table in ARCHITECTURE.md against every import, the dependencies, and the size of every file.

import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import {
  circles,
  doorOf,
  doors,
  drawerNames,
  importsOf,
  looseWalls,
  type Room,
  readCode,
  readSources,
  readTable,
  tooLong,
  unnamed,
  upwardArrows,
  violations,
  type Walls,
} from './house.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const rooms = readTable(readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8'))
const sources = readSources(root)
const packages = readdirSync(join(root, 'packages'))
const manifests = Object.fromEntries(
  packages.map((name) => [name, JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'))]),
)
const dependencies = Object.fromEntries(
  packages.map((name) => [name, Object.keys({ ...manifests[name].dependencies, ...manifests[name].peerDependencies })]),
)
const exported = packages.flatMap((name) =>
  Object.values<Record<string, string>>(manifests[name].exports).map((door) =>
    posix.join('packages', name, door['@symbolon/source'] ?? ''),
  ),
)

function wallsOf(room: Room): Walls {
  const folder = posix.dirname(doorOf(room))
  const { compilerOptions, references } = JSON.parse(readFileSync(join(root, folder, 'tsconfig.json'), 'utf8'))
  return {
    types: compilerOptions.types ?? [],
    lib: compilerOptions.lib ?? [],
    references: references.map((reference: { path: string }) => posix.join(folder, reference.path)),
  }
}

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
  it('has no file over 400 lines', () => {
    const code = readCode(root)
    expect(tooLong(code, 400, exceptions)).toEqual([])
    // Who has become short enough is no exception any more.
    expect(tooLong(code, 400, [])).toEqual([...exceptions])
  })
  it('has one door to each room', () => expect(doors(rooms, sources, exported)).toEqual([]))
  it('has walls that stand where the table says', () => expect(looseWalls(rooms, wallsOf)).toEqual([]))
  it('opens every file with a comment', () =>
    expect(sources.filter(({ text }) => !/^(?:#!.*\n)?(?:\/\/|\/\*)/.test(text)).map(({ path }) => path)).toEqual([]))
  it('has one file that sets timers in the verifier, so that none is too long or holds a process', () =>
    expect(
      sources
        .filter(({ path, text }) => path.startsWith('packages/verifier/src/') && /\bset(?:Timeout|Interval)\(/.test(text))
        .map(({ path }) => path),
    ).toEqual(['packages/verifier/src/timers.ts']))
  it('has one version number', () => {
    const versions = packages.map((name) => manifests[name].version)
    expect(new Set(versions).size).toBe(1)
  })
})

describe('the inspector finds', () => {
  const small: readonly Room[] = [
    { name: 'protocol', floor: 0, imports: [], packages: [], globals: 'ES2023' },
    { name: 'verifier', floor: 1, imports: ['protocol'], packages: ['jose'], globals: 'ES2023 + WebWorker' },
    { name: 'symbolon/core', floor: 2, imports: ['protocol', 'verifier/token'], packages: [], globals: 'ES2023' },
    { name: 'symbolon/http', floor: 3, imports: ['core'], packages: ['hono'], globals: 'ES2023 + WebWorker' },
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
    ['a room behind a string that looks like a comment', 'packages/symbolon/src/core/a.ts', "f('/v1/*')\nawait import('#http') /** */", 1],
    ['a type written as import()', 'packages/symbolon/src/core/a.ts', "type X = import('#http').X", 1],
    ['what is required or resolved', 'packages/verifier/src/a.ts', "require('node:fs')\nimport.meta.resolve('node:os')", 2],
    ['an import that is computed', 'packages/symbolon/src/core/a.ts', "await import('#' + name)", 1],
    ['globals opened by reference', 'packages/symbolon/src/core/a.ts', '/// <reference types="node" />\nexport {}', 1],
    ['a sibling without its ending', 'packages/symbolon/src/core/a.ts', "import { x } from './b.js'", 1],
    ['no import in a text', 'packages/symbolon/src/core/a.ts', "export const s = `\nimport { x } from '#http'\n`", 0],
    ['a file in no room', 'packages/symbolon/src/attic/a.ts', '', 1],
  ]
  it.each(cases)('%s', (_, path, text, count) => expect(at(path, text)).toHaveLength(count))
  it('imports in every spelling, and none in comments', () => {
    expect(
      importsOf(
        "import 'a'\nimport b, { c } from 'b'\nexport * from 'c'\nawait import('d')\n// import 'e'\n/* import 'f' */\nimport {\n  g,\n} from 'g'\nimport{h}from'h'\nimport type i from 'i'\nawait import(j)",
      ),
    ).toEqual(['a', 'b', 'c', 'd', 'g', 'h', 'i', unnamed])
    expect(importsOf("import a from 'a'\nexport const page = () => <p>it's</p>")).toEqual(['a'])
  })
  it('a missing door and a second one', () => {
    const there = ['protocol', 'verifier', 'verifier/token', 'symbolon/core'].map((name) => ({
      path: `packages/${name.replace(/^[^/]+/, '$&/src')}/index.ts`,
      text: '',
    }))
    expect(doors(small, there, [])).toEqual([
      'packages/symbolon/src/http/index.ts: missing',
      'packages/verifier/src/token/index.ts: a second door',
    ])
    expect(doors(small.slice(0, 3), there, ['packages/verifier/src/token/index.ts'])).toEqual([])
  })
  it('walls that are too low, or in the wrong place', () => {
    const protocol = small.slice(0, 1)
    const right: Walls = { types: [], lib: [], references: [] }
    expect(looseWalls(protocol, () => right)).toEqual([])
    expect(looseWalls(protocol, () => ({ ...right, types: ['node'] }))).toHaveLength(1)
    expect(looseWalls(protocol, () => ({ ...right, lib: ['es2023', 'dom'] }))).toHaveLength(1)
    expect(looseWalls(protocol, () => ({ ...right, references: ['packages/verifier/src'] }))).toHaveLength(1)
    const both = (verifier: Walls) => looseWalls(small.slice(0, 2), (room) => (room.name === 'verifier' ? verifier : right))
    expect(both({ types: [], lib: ['es2023', 'webworker', 'webworker.iterable'], references: ['packages/protocol/src'] })).toEqual([])
    expect(both({ types: [], lib: ['es2023', 'webworker'], references: [] })).toHaveLength(1)
  })
  it('a circle', () => {
    const file = (path: string, to: string) => ({ path, text: `import './${to}'` })
    expect(circles([file('a.ts', 'b.ts'), file('b.ts', 'a.ts')])).toHaveLength(1)
    expect(circles([file('a.ts', 'b.ts'), file('b.ts', 'c.ts')])).toEqual([])
  })
  it('an arrow that points up', () => {
    expect(upwardArrows([...small, { name: 'low', floor: 0, imports: ['verifier'], packages: [], globals: 'ES2023' }])).toHaveLength(1)
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
