// Reads the house: the table of ARCHITECTURE.md and the imports of every source file, and says what does not agree.

import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative } from 'node:path'
import { parseAst } from 'vitest/node'

/** A row of the table. `name` is the room as folders: `verifier`, `symbolon/stores/sqlite`. */
export interface Room {
  readonly name: string
  readonly floor: number
  readonly imports: readonly string[]
  readonly packages: readonly string[]
  readonly globals: string
}

/** A source file, its path from the root, and what it imports. */
export interface Source {
  readonly path: string
  readonly text: string
}

const list = (cell: string) => (cell === '–' ? [] : cell.split(',').map((word) => word.trim()))

/** The rooms as the table tells them. */
export function readTable(markdown: string): readonly Room[] {
  const rooms: Room[] = []
  for (const line of markdown.split('\n')) {
    const cells = line.split('|').map((cell) => cell.trim())
    if (cells.length !== 8 || !/^\d$/.test(cells[2] ?? '')) continue
    const [, name = '', floor, , imports = '', packages = '', globals = ''] = cells
    rooms.push({
      name: name.replace(': ', '/'),
      floor: Number(floor),
      imports: list(imports),
      packages: list(packages),
      globals,
    })
  }
  return rooms
}

/** Every TypeScript source below packages/<name>/src. */
export function readSources(root: string): readonly Source[] {
  const found: Source[] = []
  for (const name of readdirSync(join(root, 'packages'))) {
    const folder = join(root, 'packages', name, 'src')
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.tsx?$/.test(entry.name)) continue
      const path = join(entry.parentPath, entry.name)
      found.push({ path: relative(root, path), text: readFileSync(path, 'utf8') })
    }
  }
  return found
}

const skipped: ReadonlySet<string> = new Set(['node_modules', 'dist', '.next', 'build', '.react-router'])

/** Every file of code in the repository, tests and scripts too. */
export function readCode(root: string, folder = ''): readonly Source[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry): readonly Source[] => {
    const path = join(folder, entry.name)
    if (entry.name.startsWith('.') || skipped.has(entry.name)) return []
    if (entry.isDirectory()) return readCode(root, path)
    return entry.isFile() && /\.(?:tsx?|mjs)$/.test(entry.name) ? [{ path, text: readFileSync(join(root, path), 'utf8') }] : []
  })
}

/** What stands for an import whose name is not written out. */
export const unnamed = 'import(…)'

/** The module names in a syntax tree: static, dynamic, type-only, re-exported, required or resolved. */
function* modulesIn(node: unknown): Generator<string> {
  if (Array.isArray(node)) for (const item of node) yield* modulesIn(item)
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return
  const { type, source, expression, callee, arguments: args } = node as Record<string, Record<string, unknown> | null | undefined>
  const nameOf = (literal: unknown) => {
    const { value, quasis, expressions } = (literal ?? {}) as {
      value?: unknown
      quasis?: { value: { cooked: string } }[]
      expressions?: []
    }
    return typeof value === 'string' ? value : expressions?.length === 0 ? (quasis?.[0]?.value.cooked ?? unnamed) : unnamed
  }
  const kind = type as unknown
  if (kind === 'ImportExpression' || kind === 'TSImportType' || (/^(?:Import|Export\w+)Declaration$/.test(`${kind}`) && source))
    yield nameOf(source)
  if (kind === 'TSExternalModuleReference') yield nameOf(expression)
  if (kind === 'CallExpression') {
    const property = callee?.property as { name?: unknown } | undefined
    const object = callee?.object as { type?: unknown; name?: unknown } | undefined
    const resolves = property?.name === 'resolve' && (object?.type === 'MetaProperty' || object?.name === 'require')
    if (callee?.name === 'require' || resolves) yield nameOf((args as unknown as unknown[])[0])
  }
  for (const child of Object.values(node)) yield* modulesIn(child)
}

/** What a file imports, in every spelling, `/// <reference>` among them; `unnamed` for what is computed. */
export function importsOf(text: string): readonly string[] {
  // JSX only where it is used: elsewhere `<T>(x)` is a type.
  const lang = /@jsx|<\/|\/>/.test(text) ? 'tsx' : 'ts'
  const references = [...text.matchAll(/^\s*\/\/\/\s*<reference\s[^>]*?(?:types|path|lib)="([^"]+)"/gm)].map(
    (match) => `reference ${match[1]}`,
  )
  return [...new Set([...modulesIn(parseAst(text, { lang }).body), ...references])]
}

/** The room a path lies in: the longest room name that its folders begin with. */
export function roomOf(path: string, rooms: readonly Room[]): Room | undefined {
  const inside = path.replace(/^packages\//, '').replace('/src/', '/')
  return rooms.filter((room) => inside.startsWith(`${room.name}/`)).sort((a, b) => b.name.length - a.name.length)[0]
}

/** The name by which the table speaks of an import, or undefined when it is no room. */
function roomImport(specifier: string): string | undefined {
  if (specifier.startsWith('#')) return specifier.slice(1)
  if (specifier.startsWith('@symbolon/')) return specifier.slice('@symbolon/'.length)
  return undefined
}

const packageName = (specifier: string) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')

/** What is wrong with imports, one line each. `dependencies` by package folder. */
export function violations(
  rooms: readonly Room[],
  sources: readonly Source[],
  dependencies: Readonly<Record<string, readonly string[]>>,
): string[] {
  const wrong: string[] = []
  for (const { path, text } of sources) {
    const room = roomOf(path, rooms)
    if (room === undefined) {
      wrong.push(`${path}: lies in no room of the table`)
      continue
    }
    const home = path.split('/')[1] as string
    for (const specifier of importsOf(text)) {
      const target = roomImport(specifier)
      if (specifier === unnamed) wrong.push(`${path}: imports something it does not name`)
      else if (specifier.startsWith('reference ')) wrong.push(`${path}: opens globals by /// <${specifier}>`)
      else if (specifier.startsWith('.')) {
        if (!/\.tsx?$/.test(specifier)) wrong.push(`${path}: names a sibling without its ending: ${specifier}`)
        const resolved = posix.normalize(posix.join(posix.dirname(path), specifier))
        if (roomOf(resolved, rooms) !== room) wrong.push(`${path}: reaches into another room by path: ${specifier}`)
        else if (resolved === `packages/${room.name.replace('/', '/src/')}/index.ts` || resolved === `packages/${room.name}/src/index.ts`)
          wrong.push(`${path}: imports its own door`)
      } else if (specifier.startsWith('node:')) {
        if (!room.globals.startsWith('node')) wrong.push(`${path}: ${specifier} in a room without node`)
      } else if (target !== undefined) {
        const allowed = room.imports.some(
          (name) => target === name || (name !== 'verifier/token' && target.startsWith(`${name}/`) && !specifier.startsWith('#')),
        )
        if (!allowed) wrong.push(`${path}: ${room.name} may not import ${target}`)
        if (specifier.startsWith('@') && !(dependencies[home] ?? []).includes(packageName(specifier)))
          wrong.push(`${path}: ${packageName(specifier)} is not among the dependencies`)
      } else {
        const name = packageName(specifier)
        if (!room.packages.includes(name)) wrong.push(`${path}: ${room.name} may not use ${name}`)
        if (!(dependencies[home] ?? []).includes(name)) wrong.push(`${path}: ${name} is not among the dependencies`)
      }
    }
  }
  return wrong
}

/** Arrows in the table that do not point down. */
export function upwardArrows(rooms: readonly Room[]): string[] {
  const wrong: string[] = []
  for (const room of rooms) {
    for (const name of room.imports) {
      const target = rooms.find((other) => other.name === name || other.name === `symbolon/${name}` || name.startsWith(`${other.name}/`))
      if (target === undefined) wrong.push(`${room.name}: no room ${name}`)
      else if (target.floor > room.floor || (target.floor === room.floor && target.name !== 'symbolon/stores/rows' && room.floor !== 4))
        wrong.push(`${room.name} (${room.floor}) → ${target.name} (${target.floor})`)
    }
  }
  return wrong
}

/** Circles between files, as the way round. */
export function circles(sources: readonly Source[]): string[] {
  const edges = new Map(
    sources.map(({ path, text }) => [
      path,
      importsOf(text)
        .filter((s) => s.startsWith('.'))
        .map((s) => posix.normalize(posix.join(posix.dirname(path), s))),
    ]),
  )
  const done = new Set<string>()
  const found: string[] = []
  const walk = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) {
      found.push([...way.slice(way.indexOf(path)), path].join(' → '))
      return
    }
    if (done.has(path)) return
    for (const next of edges.get(path) ?? []) walk(next, [...way, path])
    done.add(path)
  }
  for (const path of edges.keys()) walk(path, [])
  return found
}

/** Where a room's one door stands. */
export const doorOf = (room: Room) => `packages/${room.name.includes('/') ? room.name.replace('/', '/src/') : `${room.name}/src`}/index.ts`

/** Doors that are missing, and index.ts files that are neither a room's door nor exported by a package. */
export function doors(rooms: readonly Room[], sources: readonly Source[], exported: readonly string[]): string[] {
  const there = sources.map(({ path }) => path).filter((path) => /(?:^|\/)index\.tsx?$/.test(path))
  const wanted = rooms.map(doorOf)
  return [
    ...wanted.filter((door) => !there.includes(door)).map((door) => `${door}: missing`),
    ...there.filter((door) => !wanted.includes(door) && !exported.includes(door)).map((door) => `${door}: a second door`),
  ]
}

/** What of a room's tsconfig.json we read; references as paths from the root. */
export interface Walls {
  readonly types: readonly string[]
  readonly lib: readonly string[]
  readonly references: readonly string[]
}

/** Where a room's tsconfig.json lets in more, or less, than the table says. It may name what is reached through a room it may import. */
export function looseWalls(rooms: readonly Room[], wallsOf: (room: Room) => Walls): string[] {
  const named = (name: string) => rooms.find((room) => [name, `symbolon/${name}`, name.split('/', 1)[0]].includes(room.name)) as Room
  const reached = (room: Room): Room[] => room.imports.map(named).flatMap((target) => [target, ...reached(target)])
  const place = (room: Room) => posix.dirname(doorOf(room))
  const wrong: string[] = []
  for (const room of rooms) {
    const { types, lib, references } = wallsOf(room)
    const foreign = lib.filter((name) => !/^es2023/.test(name)).map((name) => name.split('.', 1)[0])
    const opened = [...new Set([...types, ...foreign])].join(' ')
    const told = {
      ES2023: '',
      'ES2023 + WebWorker': 'webworker',
      'ES2023 + DOM': 'dom',
      node: 'node',
      'node + WebWorker': 'node webworker',
    }[room.globals]
    if (opened !== told) wrong.push(`${room.name}: globals are ${room.globals} in the table, but ${opened || 'none'} in tsconfig.json`)
    for (const path of references) if (!reached(room).map(place).includes(path)) wrong.push(`${room.name}: references ${path}`)
    for (const path of room.imports.map(named).map(place))
      if (!references.includes(path)) wrong.push(`${room.name}: does not reference ${path}`)
  }
  return wrong
}

const drawers = /(?:^|\/)(?:utils?|helpers?|lib|common|types?|managers?|misc|shared)(?:\.tsx?)?(?:\/|$)/

/** Files and folders named like drawers. */
export function drawerNames(sources: readonly Source[]): string[] {
  return sources.map(({ path }) => path).filter((path) => drawers.test(path.replace(/^packages\/[^/]+\/src\//, '')))
}

/** Files over the cap, but for those named. */
export function tooLong(sources: readonly Source[], cap: number, exceptions: readonly string[]): string[] {
  return sources.filter(({ path, text }) => text.split('\n').length - 1 > cap && !exceptions.includes(path)).map(({ path }) => path)
}
