// Broken builds: the built packages copied with deliberate breaks in them, each an exact text and what stands there instead.
// A text that is not there, or there twice, is an error: a break that has rotted would prove nothing.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Build } from './cluster.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const copied = ['protocol', 'verifier', 'symbolon'] as const

/** One change of a built file. */
export interface Edit {
  /** Below `packages`, such as `symbolon/dist/core/decide.js`. */
  readonly file: string
  readonly from: string
  readonly to: string
}

/** A copy of the build with edits in it. */
export interface BrokenBuild extends Required<Build> {
  remove(): void
}

/** Changes a text in one place; throws when there is not exactly one. */
export function edited(text: string, { file, from, to }: Edit): string {
  const parts = text.split(from)
  if (parts.length !== 2) throw new Error(`${file} holds ${parts.length - 1} times, not once: ${from}`)
  return parts.join(to)
}

/** What files of the build are with edits in them, by their names below `packages`. */
export function editedFiles(edits: readonly Edit[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (const edit of edits)
    files.set(edit.file, edited(files.get(edit.file) ?? readFileSync(join(root, 'packages', edit.file), 'utf8'), edit))
  return files
}

/** Copies the build, and breaks it. Everything else comes from the workspace's own packages. */
export function breakBuild(edits: readonly Edit[]): BrokenBuild {
  const place = mkdtempSync(join(tmpdir(), 'symbolon-broken-'))
  const remove = () => rmSync(place, { recursive: true, force: true })
  try {
    for (const name of copied)
      for (const part of ['package.json', 'dist'])
        cpSync(join(root, 'packages', name, part), join(place, 'packages', name, part), { recursive: true })
    for (const [file, text] of editedFiles(edits)) writeFileSync(join(place, 'packages', file), text)
    const modules = join(place, 'node_modules')
    mkdirSync(join(modules, '@symbolon'), { recursive: true })
    for (const name of readdirSync(join(root, 'node_modules')))
      if (name !== '@symbolon' && name !== 'symbolon' && !name.startsWith('.'))
        symlinkSync(join(root, 'node_modules', name), join(modules, name))
    for (const name of copied)
      symlinkSync(join(place, 'packages', name), join(modules, name === 'symbolon' ? name : join('@symbolon', name)))
    const verifier = join(place, 'verifier-process.mjs')
    cpSync(join(root, 'test', 'faults', 'verifier-process.mjs'), verifier)
    return { main: join(place, 'packages', 'symbolon', 'dist', 'cli', 'main.js'), verifier, remove }
  } catch (error) {
    remove()
    throw error
  }
}
